"""Bodies of the tasks that post messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from prefect_integration_kit.logs import run_logger
from prefect_slack._calls import Json, SlackCalls
from prefect_slack._text import MAX_CHANGED_TEXT, MAX_TEXT, split_text, truncate_text
from prefect_slack.errors import InvalidSlackMessage, SlackError

if TYPE_CHECKING:
    from prefect_slack.credentials import SlackCredentials

LongText = Literal["split", "truncate", "refuse"]
"""What becomes of a text that is longer than Slack takes: further messages, its beginning, or an error."""

ShortText = Literal["truncate", "refuse"]
"""The same, where there cannot be further messages."""

_TS = re.compile(r"\d{1,12}\.\d{1,9}")
_CONTENTS = ("text", "blocks", "attachments", "markdown_text")


def check_channel(channel: object, field: str = "channel") -> str:
    """Refuse what names no conversation.

    Raises:
        InvalidSlackMessage: Naming the field.
    """
    if isinstance(channel, str) and channel.strip().lstrip("#"):
        return channel.strip()
    raise InvalidSlackMessage(
        f"{field} is {channel!r}. Give a name such as '#general', or an ID such as 'C0123456789'."
    )


def check_ts(ts: object, field: str) -> str:
    """Refuse what is no time stamp of a message.

    Raises:
        InvalidSlackMessage: Naming the field.
    """
    if isinstance(ts, str) and _TS.fullmatch(ts):
        return ts
    raise InvalidSlackMessage(
        f"{field} is {ts!r}. Give the ts that the call which sent the message returned, as text such as "
        "'1503435956.000247': a number would lose its last digits."
    )


def check_content(arguments: Mapping[str, Any]) -> None:
    """Refuse a message without any content.

    Raises:
        InvalidSlackMessage: If nothing is there to be sent.
    """
    if not any(arguments.get(name) for name in _CONTENTS):
        raise InvalidSlackMessage("There is nothing to send. Give text, slack_blocks or attachments.")
    text = arguments.get("text")
    if text is not None and not isinstance(text, str):
        raise InvalidSlackMessage(f"text is of type {type(text).__name__}. Give a str.")


def fitting(text: str | None, limit: int, long_text: str) -> str | None:
    """Make a text fit.

    Raises:
        InvalidSlackMessage: If it does not, and is not to be shortened.
    """
    if text is None or len(text) <= limit:
        return text
    if long_text == "refuse":
        raise InvalidSlackMessage(
            f"text has {len(text):,} characters, and Slack takes {limit:,} here. Shorten it, or send it as a file with "
            "upload_file."
        )
    run_logger(__name__).warning("The text has %s characters and is shortened to %s.", f"{len(text):,}", f"{limit:,}")
    return truncate_text(text, limit)


def check_choice(value: str, choices: Sequence[str], field: str) -> None:
    """Refuse a word that is none of the choices.

    Raises:
        InvalidSlackMessage: Naming the field and the choices.
    """
    if value not in choices:
        raise InvalidSlackMessage(f"{field} is {value!r}. Give one of {', '.join(map(repr, choices))}.")


def post_message(
    channel: str,
    slack_credentials: SlackCredentials,
    arguments: Mapping[str, Any],
    *,
    long_text: LongText,
    with_permalink: bool,
) -> Json:
    """Post a message, and what does not fit into it as replies."""
    channel = check_channel(channel)
    check_choice(long_text, ("split", "truncate", "refuse"), "long_text")
    check_content(arguments)
    text: str | None = arguments.get("text")
    thread_ts = arguments.get("thread_ts")
    if thread_ts is not None:
        check_ts(thread_ts, "thread_ts")
    if long_text == "split" and text is not None and not arguments.get("blocks"):
        first, *rest = split_text(text, MAX_TEXT)
    else:  # beside blocks, the text is what pop-ups show: the rest of it would be a second message
        first, rest = fitting(text, MAX_TEXT, long_text), []
    calls = SlackCalls(slack_credentials)
    to = f"to {channel!r}"
    answer = calls.call(
        "chat.postMessage", {**arguments, "channel": channel, "text": first}, to=to, is_repeatable=False
    )
    run_logger(__name__).info("Sent message %s to %s", answer.get("ts"), channel)
    if rest:
        answer["parts"] = [{"channel": answer["channel"], "ts": answer["ts"]}]
        _post_rest(calls, answer, rest, thread_ts or answer["ts"], to)
    if with_permalink:
        answer["permalink"] = _permalink_or_none(calls, answer)
    return answer


def _permalink_or_none(calls: SlackCalls, answer: Json) -> str | None:
    try:
        return permalink_of(calls, answer["channel"], answer["ts"])
    except SlackError as exc:  # the message is there, and must not seem to be lost
        run_logger(__name__).warning("The message was sent, but has no link: %s", exc)
        return None


def _post_rest(calls: SlackCalls, answer: Json, rest: Sequence[str], thread_ts: str, to: str) -> None:
    parts: list[Json] = answer["parts"]
    for part in rest:
        given = {"channel": answer["channel"], "text": part, "thread_ts": thread_ts}
        try:
            sent = calls.call("chat.postMessage", given, to=to, is_repeatable=False)
        except SlackError as exc:
            sent_already = (
                f"Of {len(rest) + 1} parts of the text, {len(parts)} were sent; ts of the first: {answer['ts']}."
            )
            exc.args = (f"{exc} {sent_already}",)
            raise
        parts.append({"channel": sent["channel"], "ts": sent["ts"]})


def permalink_of(calls: SlackCalls, channel: str, ts: str) -> str:
    """Ask for the link to a message."""
    answer = calls.call("chat.getPermalink", {"channel": channel, "message_ts": ts}, to=f"of {ts} in {channel!r}")
    return str(answer["permalink"])


def post_ephemeral(
    channel: str,
    slack_credentials: SlackCredentials,
    user: str,
    arguments: Mapping[str, Any],
    *,
    long_text: ShortText,
) -> Json:
    """Post a message that one person sees."""
    channel = check_channel(channel)
    check_choice(long_text, ("truncate", "refuse"), "long_text")
    if not isinstance(user, str) or not re.fullmatch(r"[UW][A-Z0-9]{2,}", user):
        raise InvalidSlackMessage(f"user is {user!r}. Give the member's ID, such as 'U0123456789', not a name.")
    check_content(arguments)
    if arguments.get("thread_ts") is not None:
        check_ts(arguments["thread_ts"], "thread_ts")
    text = fitting(arguments.get("text"), MAX_CHANGED_TEXT, long_text)
    given = {**arguments, "channel": channel, "user": user, "text": text}
    answer = SlackCalls(slack_credentials).call(
        "chat.postEphemeral", given, to=f"to {user} in {channel!r}", is_repeatable=False
    )
    return {**answer, "ts": answer.get("message_ts")}
