"""Webhooks: notifications arrive whole, and errors never print the URL."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow
from prefect.blocks.abstract import NotificationError
from slack_sdk.models.blocks import HeaderBlock

from prefect_integration_tests.backends.slack import WEBHOOK_SECRET, SlackServer
from prefect_slack import SlackWebhook
from prefect_slack.errors import (
    InvalidSlackMessage,
    SlackConnectionError,
    SlackNotificationError,
    SlackWebhookUnreachable,
)
from prefect_slack.messages import asend_incoming_webhook_message

Maker = Callable[..., SlackWebhook]


def shown(error: BaseException) -> str:
    """All that a user may see of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


def send(webhook: SlackWebhook, text: str | None = "hi", **options: Any) -> None:
    asyncio.run(asend_incoming_webhook_message.fn(webhook, text, **options))


def test_a_notification_is_text(slack: SlackServer, webhook: SlackWebhook) -> None:
    webhook.notify("All went *well*.")
    assert slack.hook_posts == [{"text": "All went *well*."}]


def test_the_subject_is_a_header_above_the_body(slack: SlackServer, webhook: SlackWebhook) -> None:
    webhook.notify("All went *well*.", subject="Nightly\nreport")
    (post,) = slack.hook_posts
    assert post["blocks"] == [
        {"type": "header", "text": {"type": "plain_text", "text": "Nightly report"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "All went *well*."}},
    ]
    assert post["text"] == "Nightly\nreport\nAll went *well*."


def test_a_long_subject_and_a_long_body_arrive(slack: SlackServer, webhook: SlackWebhook) -> None:
    lines = [f"line {number:05}" for number in range(5000)]
    webhook.notify("\n".join(lines), subject="long " * 100)
    first, *rest = slack.hook_posts
    header, *sections = first["blocks"]
    assert header["text"]["text"].endswith("…")
    texts = [section["text"]["text"] for section in sections] + [post["text"] for post in rest]
    assert "\n".join(texts).splitlines() == lines


def test_a_subject_without_a_body_arrives(slack: SlackServer, webhook: SlackWebhook) -> None:
    webhook.notify("", subject="Done")
    assert [block["type"] for block in slack.hook_posts[0]["blocks"]] == ["header"]


def test_all_faces_agree(prefect_harness: None, slack: SlackServer, webhook: SlackWebhook) -> None:
    @flow
    async def aflow() -> None:
        await webhook.notify("one")  # pyright: ignore[reportGeneralTypeIssues]
        await webhook.notify_async("two")
        await webhook.anotify("three")

    @flow
    def sync_flow() -> None:
        webhook.notify("four")

    asyncio.run(aflow())
    sync_flow()
    assert [post["text"] for post in slack.hook_posts] == ["one", "two", "three", "four"]


def test_a_message_has_blocks_attachments_and_more(slack: SlackServer, webhook: SlackWebhook) -> None:
    send(webhook, slack_blocks=[HeaderBlock(text="Hi")], attachments=[{"text": "more"}], unfurl_links=False)
    (post,) = slack.hook_posts
    assert post["blocks"][0]["type"] == "header"
    assert (post["attachments"], post["unfurl_links"]) == ([{"text": "more"}], False)


def test_a_long_text_becomes_several_messages(slack: SlackServer, webhook: SlackWebhook) -> None:
    send(webhook, "word " * 10_000)
    assert len(slack.hook_posts) == 2


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (404, "no_service", "Make a new one"),
        (404, "channel_not_found", "channel was deleted"),
        (410, "channel_is_archived", "Unarchive"),
        (403, "action_prohibited", "administrator"),
        (403, "invalid_token", "Make a new one"),
        (400, "invalid_payload", "block-kit-builder"),
        (400, "something_new", "whole URL"),
    ],
)
def test_a_refusal_shows_status_code_and_remedy_but_never_the_url(
    status: int, code: str, remedy: str, slack: SlackServer, webhook: SlackWebhook
) -> None:
    slack.fail("webhook", code, status=status, times=None)
    for call in (lambda: webhook.notify("hi"), lambda: send(webhook)):
        with pytest.raises(NotificationError, match=f"status {status}, {code}.*{remedy}") as caught:
            call()
        error = caught.value
        assert isinstance(error, SlackNotificationError)
        assert (error.log, error.code, error.status_code) == (str(error), code, status)
        assert WEBHOOK_SECRET not in shown(error)
    assert len(slack.calls) == 2


def test_an_unknown_webhook_is_refused(slack: SlackServer, webhook_for: Maker) -> None:
    wrong = webhook_for(url=slack.webhook_url + "x")
    with pytest.raises(SlackNotificationError, match="status 404, no_service"):
        wrong.notify("hi")


def test_a_page_of_something_between_is_not_shown(
    slack: SlackServer, webhook: SlackWebhook, sleeps: list[float]
) -> None:
    slack.fail("webhook", when="garbled", times=None)
    with pytest.raises(SlackNotificationError, match=r"status 502\. Try again later") as caught:
        webhook.notify("hi")
    assert "html" not in shown(caught.value)
    assert len(slack.calls) == webhook.max_attempts


def test_retry_after_is_honoured(slack: SlackServer, webhook: SlackWebhook, sleeps: list[float]) -> None:
    slack.fail("webhook", "rate_limited", status=429, retry_after="7")
    webhook.notify("hi")
    assert sleeps == [7.0]
    assert len(slack.hook_posts) == 1


def test_a_lost_answer_is_not_sent_again(slack: SlackServer, webhook: SlackWebhook, sleeps: list[float]) -> None:
    slack.fail("webhook", when="lost")
    with pytest.raises(SlackWebhookUnreachable, match="It may have arrived") as caught:
        webhook.notify("hi")
    assert len(slack.hook_posts) == 1
    assert not sleeps
    assert WEBHOOK_SECRET not in shown(caught.value)


def test_no_connection_is_tried_again_and_never_prints_the_url(webhook_for: Maker, sleeps: list[float]) -> None:
    webhook = webhook_for(url=f"http://127.0.0.1:9/services/{WEBHOOK_SECRET}", max_attempts=2)
    with pytest.raises(NotificationError, match="no answer") as caught:
        webhook.notify("hi")
    assert isinstance(caught.value, SlackConnectionError)
    assert len(sleeps) == 1
    assert WEBHOOK_SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    "url", [WEBHOOK_SECRET, f"ftp://x/{WEBHOOK_SECRET}", f"http://127.0.0.1:9/a b/{WEBHOOK_SECRET}"]
)
def test_what_is_no_url_is_refused_without_being_shown(url: str, webhook_for: Maker, sleeps: list[float]) -> None:
    with pytest.raises((InvalidSlackMessage, SlackNotificationError)) as caught:
        webhook_for(url=url).notify("hi")
    assert WEBHOOK_SECRET not in shown(caught.value)


@pytest.mark.parametrize("text", [None, 5, b"hi"], ids=["none", "number", "bytes"])
def test_what_is_no_text_is_refused(slack: SlackServer, webhook: SlackWebhook, text: Any) -> None:
    with pytest.raises(InvalidSlackMessage, match=f"body is of type {type(text).__name__}"):
        webhook.notify(text)
    if text is not None:
        with pytest.raises(InvalidSlackMessage, match=f"text is of type {type(text).__name__}"):
            send(webhook, text)
    assert slack.hook_posts == []


def test_nothing_to_send_is_refused(slack: SlackServer, webhook: SlackWebhook) -> None:
    for call in (lambda: webhook.notify(""), lambda: send(webhook, None)):
        with pytest.raises(InvalidSlackMessage, match="nothing to send"):
            call()
    assert not slack.calls


def test_slugs_tell_the_block_from_prefects_own() -> None:
    from prefect.blocks.notifications import SlackWebhook as PrefectsOwn

    assert (SlackWebhook.get_block_type_slug(), PrefectsOwn.get_block_type_slug()) == (
        "slack-incoming-webhook",
        "slack-webhook",
    )
