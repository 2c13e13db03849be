"""Messages: what is sent is seen in Slack, in every kind of flow, and what fails says why."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow, task, unmapped
from slack_sdk.errors import SlackApiError
from slack_sdk.models.attachments import BlockAttachment
from slack_sdk.models.blocks import HeaderBlock, SectionBlock
from slack_sdk.models.metadata import Metadata

from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_slack import SlackCredentials, SlackWebhook
from prefect_slack.errors import InvalidSlackMessage, SlackChannelNotFound, SlackRateLimited
from prefect_slack.messages import (
    asend_chat_message,
    asend_ephemeral_message,
    asend_incoming_webhook_message,
    send_chat_message,
    send_ephemeral_message,
    send_incoming_webhook_message,
)

Maker = Callable[..., SlackCredentials]


def send(credentials: SlackCredentials, text: str | None = "hi", channel: str = "#general", **options: Any) -> Any:
    """Send outside of any flow."""
    return asyncio.run(asend_chat_message.fn(channel, credentials, text, **options))


# Faces


def test_the_published_guide_runs_in_a_sync_flow(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials
) -> None:
    @flow
    def example() -> Any:
        return asyncio.run(send_chat_message(slack_credentials=credentials, channel="#prefect", text="done :tada:"))

    assert example()["message"]["text"] == "done :tada:"
    assert [message["text"] for message in slack.channel("prefect").messages] == ["done :tada:"]


async def test_the_published_guide_runs_in_an_async_flow(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials
) -> None:
    @flow
    async def example() -> Any:
        return await send_chat_message(slack_credentials=credentials, channel="#prefect", text="done :tada:")

    assert (await example())["ok"] is True
    assert len(slack.channel("prefect").messages) == 1


def test_a_sync_flow_calls_it_plainly_and_uses_the_answer(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials, webhook: SlackWebhook
) -> None:
    @task
    def ts_of(message: dict[str, Any]) -> str:
        return message["ts"]

    @flow
    def example() -> Any:
        message = send_chat_message("#general", credentials, "one")
        send_chat_message.with_options(name="reply")(message["channel"], credentials, "two", thread_ts=ts_of(message))
        send_incoming_webhook_message(webhook, "three")
        return message

    message = example()
    first, second = slack.channel("general").messages
    assert (first["ts"], second["thread_ts"]) == (message["ts"], message["ts"])
    assert [post["text"] for post in slack.hook_posts] == ["three"]
    assert type(pickle.loads(pickle.dumps(message))) is dict


def test_it_can_be_submitted_mapped_and_called_by_a_sync_task(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials
) -> None:
    @task
    def tell(text: str) -> str:
        return send_chat_message("#general", credentials, text)["ts"]

    @flow
    def example() -> list[str]:
        submitted = send_chat_message.submit("#general", credentials, "one").result()
        mapped = send_chat_message.map("#general", unmapped(credentials), ["two", "three"]).result()
        return [submitted["ts"], *(each["ts"] for each in mapped), tell("four")]

    assert sorted(example()) == sorted(message["ts"] for message in slack.channel("general").messages)


def test_coroutines_of_a_sync_flow_can_be_gathered(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials
) -> None:
    async def gathered(*coroutines: Any) -> list[Any]:
        return await asyncio.gather(*coroutines)

    @flow
    def example() -> Any:
        calls = [send_chat_message("#general", credentials, text) for text in ("one", "two")]
        return asyncio.run(gathered(*calls))

    assert [each["message"]["text"] for each in example()] == ["one", "two"]


def test_outside_of_a_run_a_call_is_a_coroutine_as_published(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials, webhook: SlackWebhook
) -> None:
    assert asyncio.run(send_chat_message("#general", credentials, "one"))["ok"]
    assert asyncio.run(send_incoming_webhook_message(webhook, "two")) is None
    assert len(slack.channel("general").messages) == len(slack.hook_posts) == 1


async def test_the_async_names_are_awaited_everywhere(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials, webhook: SlackWebhook
) -> None:
    @flow
    async def example() -> Any:
        await asend_incoming_webhook_message(webhook, "hook")
        await asend_ephemeral_message("#general", credentials, "U0000000007", "psst")
        return await asend_chat_message("#general", credentials, "chat")

    assert (await example())["message"]["text"] == "chat"
    assert [call.method for call in slack.calls] == ["webhook", "chat.postEphemeral", "chat.postMessage"]


# What is sent


def test_threads_broadcasts_metadata_and_unfurling(slack: SlackServer, credentials: SlackCredentials) -> None:
    parent = send(credentials)
    send(
        credentials,
        "reply",
        thread_ts=parent["ts"],
        reply_broadcast=True,
        metadata={"event_type": "run", "event_payload": {"id": 7}},
        unfurl_links=False,
        unfurl_media=True,
    )
    reply = slack.called("chat.postMessage")[1].arguments
    assert reply == {
        "channel": "#general",
        "text": "reply",
        "thread_ts": parent["ts"],
        "reply_broadcast": True,
        "metadata": {"event_type": "run", "event_payload": {"id": 7}},
        "unfurl_links": False,
        "unfurl_media": True,
    }


def test_further_arguments_pass_through(slack: SlackServer, credentials: SlackCredentials) -> None:
    send(credentials, None, markdown_text="**hi**", username="robot", icon_emoji=":robot_face:", link_names=True)
    assert slack.called("chat.postMessage")[0].arguments == {
        "channel": "#general",
        "markdown_text": "**hi**",
        "username": "robot",
        "icon_emoji": ":robot_face:",
        "link_names": True,
    }


def test_models_of_the_sdk_are_sent_as_json(slack: SlackServer, credentials: SlackCredentials) -> None:
    send(
        credentials,
        slack_blocks=[HeaderBlock(text="Report"), {"type": "divider"}],
        attachments=[BlockAttachment(blocks=[SectionBlock(text="deep")])],
        metadata=Metadata("run", {"id": 7}),
    )
    given = slack.called("chat.postMessage")[0].arguments
    assert [block["type"] for block in given["blocks"]] == ["header", "divider"]
    assert given["attachments"][0]["blocks"][0]["type"] == "section"
    assert given["metadata"] == {"event_type": "run", "event_payload": {"id": 7}}


def test_an_invalid_model_is_refused_before_slack_is_asked(slack: SlackServer, credentials: SlackCredentials) -> None:
    with pytest.raises(InvalidSlackMessage, match="HeaderBlock is not valid"):
        send(credentials, slack_blocks=[HeaderBlock(text="x" * 151)])
    assert not slack.calls


def test_the_answer_is_the_published_one_and_has_a_permalink_on_demand(
    slack: SlackServer, credentials: SlackCredentials
) -> None:
    answer = send(credentials)
    assert set(answer) == {"ok", "channel", "ts", "message"}
    linked = send(credentials, with_permalink=True)
    assert linked["permalink"].endswith(f"p{linked['ts'].replace('.', '')}")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"channel": ""}, "channel is ''"),
        ({"channel": "#"}, "channel is '#'"),
        ({"channel": None}, "channel is None"),
        ({"text": None}, "nothing to send"),
        ({"text": ""}, "nothing to send"),
        ({"text": 7}, "text is of type int"),
        ({"thread_ts": 1503435956.000247}, "thread_ts is 1503435956.000247"),
        ({"thread_ts": "yesterday"}, "thread_ts is 'yesterday'"),
        ({"long_text": "cut"}, "long_text is 'cut'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_refused_before_slack_is_asked(
    arguments: dict[str, Any], named: str, slack: SlackServer, credentials: SlackCredentials
) -> None:
    with pytest.raises(InvalidSlackMessage, match=named.replace("(", r"\(")) as caught:
        send(credentials, **{"text": "hi", "channel": "#general", **arguments})
    assert isinstance(caught.value, ValueError)
    assert not slack.calls


def test_a_message_without_a_link_is_not_lost(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.fail("chat.getPermalink", "fatal_error", times=None)
    linked = send(SlackCredentials(**{**dict(credentials), "max_attempts": 1}), with_permalink=True)
    assert (linked["ok"], linked["permalink"]) == (True, None)


# Long texts


def test_beside_blocks_a_long_text_is_truncated(slack: SlackServer, credentials: SlackCredentials) -> None:
    answer = send(credentials, "word " * 10_000, slack_blocks=[{"type": "divider"}])
    assert "parts" not in answer
    assert len(slack.channel("general").messages) == 1


def test_a_long_text_is_split_into_replies(slack: SlackServer, credentials: SlackCredentials) -> None:
    lines = [f"line {number:05}" for number in range(9000)]
    answer = send(credentials, "\n".join(lines), reply_broadcast=None, unfurl_links=False)
    messages = slack.channel("general").messages
    assert len(messages) == 3
    assert "\n".join(message["text"] for message in messages).splitlines() == lines
    assert [message.get("thread_ts") for message in messages] == [None, answer["ts"], answer["ts"]]
    assert [part["ts"] for part in answer["parts"]] == [message["ts"] for message in messages]


def test_a_long_reply_goes_on_in_its_thread(slack: SlackServer, credentials: SlackCredentials) -> None:
    parent = send(credentials)
    send(credentials, "word " * 10_000, thread_ts=parent["ts"])
    assert [message.get("thread_ts") for message in slack.channel("general").messages] == [None, *[parent["ts"]] * 2]


def test_a_long_text_is_truncated_or_refused_on_demand(slack: SlackServer, credentials: SlackCredentials) -> None:
    send(credentials, "word " * 10_000, long_text="truncate")
    assert slack.channel("general").messages[0]["text"].endswith("word …")
    with pytest.raises(InvalidSlackMessage, match=r"50,000 characters, and Slack takes 40,000 here.*upload_file"):
        send(credentials, "word " * 10_000, long_text="refuse")
    assert len(slack.calls) == 1


def test_an_error_between_two_parts_says_what_was_sent(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.fail("chat.postMessage", "restricted_action", skip=1)
    with pytest.raises(SlackApiError, match=r"Of 2 parts of the text, 1 were sent; ts of the first: \d+\.\d+"):
        send(credentials, "word " * 10_000)


# Limits of the rate, and what passes


def test_retry_after_is_honoured(slack: SlackServer, credentials: SlackCredentials, sleeps: list[float]) -> None:
    slack.fail("chat.postMessage", "ratelimited", status=429, retry_after="30", times=2)
    assert send(credentials)["ok"]
    assert sleeps == [30.0, 30.0]
    assert len(slack.channel("general").messages) == 1


def test_attempts_are_bounded(slack: SlackServer, credentials_for: Maker, sleeps: list[float]) -> None:
    slack.fail("chat.postMessage", "ratelimited", status=429, retry_after="1", times=None)
    with pytest.raises(SlackRateLimited, match="max_attempts") as caught:
        send(credentials_for(max_attempts=3))
    assert (len(slack.calls), len(sleeps), caught.value.retry_after_seconds) == (3, 2, 1.0)
    assert min(sleeps) >= 1.0


def test_nobody_waits_longer_than_five_minutes(
    slack: SlackServer, credentials: SlackCredentials, sleeps: list[float]
) -> None:
    slack.fail("chat.postMessage", "ratelimited", status=429, retry_after="3600", times=None)
    with pytest.raises(SlackRateLimited):
        send(credentials)
    assert not sleeps


@pytest.mark.parametrize("fault", [{"status": 503}, {"error": "service_unavailable"}, {"when": "garbled"}])
def test_what_slack_did_not_do_is_done_again(
    fault: dict[str, Any], slack: SlackServer, credentials: SlackCredentials, sleeps: list[float]
) -> None:
    slack.fail("chat.postMessage", **{"error": "service_unavailable", **fault})
    assert send(credentials)["ok"]
    assert len(slack.channel("general").messages) == len(sleeps) == 1


@pytest.mark.parametrize("fault", [{"when": "lost"}, {"error": "fatal_error", "when": "after"}])
def test_a_message_that_may_have_been_posted_is_not_sent_again(
    fault: dict[str, Any], slack: SlackServer, credentials: SlackCredentials, sleeps: list[float]
) -> None:
    slack.fail("chat.postMessage", **fault)
    with pytest.raises(Exception, match="It may have been done: look before you repeat it"):
        send(credentials)
    assert len(slack.channel("general").messages) == 1
    assert not sleeps


async def test_a_cancelled_caller_leaves_no_thread_waiting(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.fail("chat.postMessage", "ratelimited", status=429, retry_after="200", times=None)
    work = asyncio.ensure_future(asend_chat_message.fn("#general", credentials, "hi"))
    calls = await apoll(_async(lambda: slack.calls or None), subject="a call", interval_seconds=0.01, timeout_seconds=5)
    assert calls
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, 5)


def _async(look: Callable[[], Any]) -> Callable[[], Any]:
    async def run() -> Any:
        return look()

    return run


# Messages for one person


def test_an_ephemeral_message(slack: SlackServer, credentials: SlackCredentials) -> None:
    answer = send_ephemeral_message.fn("#general", credentials, "U0000000007", "psst " * 1000)
    given = slack.called("chat.postEphemeral")[0].arguments
    assert (given["user"], answer["ts"]) == ("U0000000007", answer["message_ts"])
    assert len(given["text"]) <= 4000
    assert given["text"].endswith("psst …")


def test_an_ephemeral_message_wants_an_id(slack: SlackServer, credentials: SlackCredentials) -> None:
    with pytest.raises(InvalidSlackMessage, match="user is 'ada'"):
        send_ephemeral_message.fn("#general", credentials, "ada", "psst")
    assert not slack.calls


def test_a_positional_token_works_as_the_published_guide_writes_it(slack: SlackServer) -> None:
    credentials = SlackCredentials(TOKEN)
    assert (credentials.token.get_secret_value(), credentials.base_url) == (TOKEN, "https://slack.com/api/")


def test_a_missing_channel_has_a_name_and_a_remedy(credentials: SlackCredentials) -> None:
    with pytest.raises(SlackChannelNotFound, match=r"'#nowhere': channel_not_found\. Check the name or ID.*/invite"):
        send(credentials, channel="#nowhere")
