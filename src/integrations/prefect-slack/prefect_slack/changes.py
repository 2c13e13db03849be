"""Tasks that change messages in Slack: update, delete, react; and one that asks for the link to one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect import task

from prefect_integration_kit.dispatch import sync_task
from prefect_slack._calls import SlackCalls
from prefect_slack._channels import channel_id
from prefect_slack._posting import ShortText, check_choice, check_content, check_ts, fitting, permalink_of
from prefect_slack._text import MAX_CHANGED_TEXT
from prefect_slack._waits import in_thread
from prefect_slack.credentials import SlackCredentials
from prefect_slack.errors import InvalidSlackMessage, SlackApiFailure

if TYPE_CHECKING:
    from prefect_slack.messages import Attachments, Blocks, Metadata


def _update_chat_message(
    channel: str,
    slack_credentials: SlackCredentials,
    ts: str,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    metadata: Metadata | None = None,
    reply_broadcast: bool | None = None,
    file_ids: Sequence[str] | None = None,
    long_text: ShortText = "truncate",
    **options: Any,
) -> dict[str, Any]:
    check_ts(ts, "ts")
    check_choice(long_text, ("truncate", "refuse"), "long_text")
    arguments = {**options, "text": text, "attachments": attachments, "blocks": slack_blocks}
    if file_ids is None:
        check_content(arguments)
    calls = SlackCalls(slack_credentials)
    given = {
        **arguments,
        "channel": channel_id(calls, channel),
        "ts": ts,
        "text": fitting(text, MAX_CHANGED_TEXT, long_text),
        "metadata": metadata,
        "reply_broadcast": reply_broadcast,
        "file_ids": None if file_ids is None else list(file_ids),
    }
    return calls.call("chat.update", given, to=f"of {ts} in {channel!r}")


@task
async def aupdate_chat_message(
    channel: str,
    slack_credentials: SlackCredentials,
    ts: str,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    metadata: Metadata | None = None,
    reply_broadcast: bool | None = None,
    file_ids: Sequence[str] | None = None,
    long_text: ShortText = "truncate",
    **options: Any,
) -> dict[str, Any]:
    """Async form of `update_chat_message`."""
    return await in_thread(
        lambda: _update_chat_message(
            channel,
            slack_credentials,
            ts,
            text,
            attachments,
            slack_blocks,
            metadata=metadata,
            reply_broadcast=reply_broadcast,
            file_ids=file_ids,
            long_text=long_text,
            **options,
        )
    )


@sync_task(aupdate_chat_message)
def update_chat_message(
    channel: str,
    slack_credentials: SlackCredentials,
    ts: str,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    metadata: Metadata | None = None,
    reply_broadcast: bool | None = None,
    file_ids: Sequence[str] | None = None,
    long_text: ShortText = "truncate",
    **options: Any,
) -> dict[str, Any]:
    """Change a message that the app has sent. It may be done twice.

    Args:
        channel: ID of the channel, as the call that sent the message returned it; a name costs a search for the ID.
        slack_credentials: The Slack app.
        ts: Time stamp of the message.
        text: The new contents.
        attachments: New secondary content, as for `send_chat_message`.
        slack_blocks: New layout, as for `send_chat_message`.
        metadata: New data for programs.
        reply_broadcast: Whether a reply is shown in the channel, too.
        file_ids: IDs of files that belong to the message.
        long_text: What becomes of a text of more than 4,000 characters: `truncate` keeps its beginning, `refuse`
            raises.
        options: Further arguments of [chat.update](https://docs.slack.dev/reference/methods/chat.update).

    Returns:
        Slack's answer, with `channel`, `ts` and `text`.

    Raises:
        SlackMessageNotFound: If there is no such message.
        SlackApiFailure: If Slack refuses for another reason.
        SlackConnectionError: If Slack gives no answer.
        InvalidSlackMessage: If an argument is not valid. It names the argument.

    Example:
        Show how a load goes on, in one message:

        ```python
        from prefect import flow
        from prefect_slack import SlackCredentials
        from prefect_slack.changes import update_chat_message
        from prefect_slack.messages import send_chat_message

        @flow
        def load():
            slack_credentials = SlackCredentials.load("BLOCK_NAME")
            message = send_chat_message("#general", slack_credentials, "Loading…")
            update_chat_message(message["channel"], slack_credentials, message["ts"], "Loaded 12 tables.")
        ```
    """
    return _update_chat_message(
        channel,
        slack_credentials,
        ts,
        text,
        attachments,
        slack_blocks,
        metadata=metadata,
        reply_broadcast=reply_broadcast,
        file_ids=file_ids,
        long_text=long_text,
        **options,
    )


def _delete_chat_message(channel: str, slack_credentials: SlackCredentials, ts: str) -> dict[str, Any]:
    check_ts(ts, "ts")
    calls = SlackCalls(slack_credentials)
    given = {"channel": channel_id(calls, channel), "ts": ts}
    answer = calls.call("chat.delete", given, to=f"of {ts} in {channel!r}", done_codes=("message_not_found",))
    return {**given, **answer}


@task
async def adelete_chat_message(channel: str, slack_credentials: SlackCredentials, ts: str) -> dict[str, Any]:
    """Async form of `delete_chat_message`."""
    return await in_thread(lambda: _delete_chat_message(channel, slack_credentials, ts))


@sync_task(adelete_chat_message)
def delete_chat_message(channel: str, slack_credentials: SlackCredentials, ts: str) -> dict[str, Any]:
    """Delete a message that the app has sent.

    Args:
        channel: ID of the channel, as the call that sent the message returned it; a name costs a search for the ID.
        slack_credentials: The Slack app.
        ts: Time stamp of the message.

    Returns:
        Slack's answer, with `channel` and `ts`.

    Raises:
        SlackMessageNotFound: If there is no such message.
        SlackApiFailure: If Slack refuses for another reason.
        SlackConnectionError: If Slack gives no answer.
        InvalidSlackMessage: If an argument is not valid. It names the argument.
    """
    return _delete_chat_message(channel, slack_credentials, ts)


def _react(
    method: str, done_code: str, channel: str, slack_credentials: SlackCredentials, ts: str, name: str
) -> dict[str, Any]:
    check_ts(ts, "ts")
    emoji = name.strip().strip(":") if isinstance(name, str) else ""
    if not re.fullmatch(r"[\w+'-]+(::skin-tone-[2-6])?", emoji):
        raise InvalidSlackMessage(f"name is {name!r}. Give the name of an emoji, such as 'tada'.")
    calls = SlackCalls(slack_credentials)
    given = {"channel": channel_id(calls, channel), "timestamp": ts, "name": emoji}
    try:
        return calls.call(method, given, to=f"{emoji!r}, {ts} in {channel!r}")
    except SlackApiFailure as exc:
        if exc.code == done_code:
            return {"ok": True}
        raise


@task
async def aadd_reaction(channel: str, slack_credentials: SlackCredentials, ts: str, name: str) -> dict[str, Any]:
    """Async form of `add_reaction`."""
    return await in_thread(lambda: _react("reactions.add", "already_reacted", channel, slack_credentials, ts, name))


@sync_task(aadd_reaction)
def add_reaction(channel: str, slack_credentials: SlackCredentials, ts: str, name: str) -> dict[str, Any]:
    """Put an emoji on a message. Once it is there, doing it again changes nothing.

    Args:
        channel: ID of the channel, as the call that sent the message returned it; a name costs a search for the ID.
        slack_credentials: The Slack app. It needs the scope `reactions:write`.
        ts: Time stamp of the message.
        name: Name of the emoji, such as `white_check_mark`.

    Returns:
        Slack's answer.

    Raises:
        SlackMessageNotFound: If there is no such message.
        SlackApiFailure: If Slack refuses for another reason.
        SlackConnectionError: If Slack gives no answer.
        InvalidSlackMessage: If an argument is not valid. It names the argument.
    """
    return _react("reactions.add", "already_reacted", channel, slack_credentials, ts, name)


@task
async def aremove_reaction(channel: str, slack_credentials: SlackCredentials, ts: str, name: str) -> dict[str, Any]:
    """Async form of `remove_reaction`."""
    return await in_thread(lambda: _react("reactions.remove", "no_reaction", channel, slack_credentials, ts, name))


@sync_task(aremove_reaction)
def remove_reaction(channel: str, slack_credentials: SlackCredentials, ts: str, name: str) -> dict[str, Any]:
    """Take back an emoji that the app has put on a message. If it is not there, nothing changes.

    Args:
        channel: ID of the channel, as the call that sent the message returned it; a name costs a search for the ID.
        slack_credentials: The Slack app. It needs the scope `reactions:write`.
        ts: Time stamp of the message.
        name: Name of the emoji, such as `hourglass`.

    Returns:
        Slack's answer.

    Raises:
        SlackMessageNotFound: If there is no such message.
        SlackApiFailure: If Slack refuses for another reason.
        SlackConnectionError: If Slack gives no answer.
        InvalidSlackMessage: If an argument is not valid. It names the argument.
    """
    return _react("reactions.remove", "no_reaction", channel, slack_credentials, ts, name)


def _get_permalink(channel: str, slack_credentials: SlackCredentials, ts: str) -> str:
    check_ts(ts, "ts")
    calls = SlackCalls(slack_credentials)
    return permalink_of(calls, channel_id(calls, channel), ts)


@task
async def aget_permalink(channel: str, slack_credentials: SlackCredentials, ts: str) -> str:
    """Async form of `get_permalink`."""
    return await in_thread(lambda: _get_permalink(channel, slack_credentials, ts))


@sync_task(aget_permalink)
def get_permalink(channel: str, slack_credentials: SlackCredentials, ts: str) -> str:
    """Ask for the link to a message.

    Args:
        channel: ID of the channel, as the call that sent the message returned it; a name costs a search for the ID.
        slack_credentials: The Slack app.
        ts: Time stamp of the message.

    Returns:
        The link.

    Raises:
        SlackMessageNotFound: If there is no such message.
        SlackApiFailure: If Slack refuses for another reason.
        SlackConnectionError: If Slack gives no answer.
        InvalidSlackMessage: If an argument is not valid. It names the argument.
    """
    return _get_permalink(channel, slack_credentials, ts)
