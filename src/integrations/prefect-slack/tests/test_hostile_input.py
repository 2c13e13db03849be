"""Texts from outside reach Slack as values of fields, and addresses that lead elsewhere are refused."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_integration_tests import hostile
from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_slack import SlackCredentials, SlackWebhook, upload_file
from prefect_slack.errors import InvalidSlackMessage
from prefect_slack.messages import asend_chat_message

MARK = "q7Zx"
TEXTS = tuple(dict.fromkeys(hostile.ALL))


def test_a_message_arrives_as_it_is(slack: SlackServer, credentials: SlackCredentials) -> None:
    for text in TEXTS:
        asyncio.run(asend_chat_message.fn("#general", credentials, text))
    assert [message["text"] for message in slack.channel("general").messages] == list(TEXTS)
    assert {call.method for call in slack.calls} == {"chat.postMessage"}


def test_a_notification_arrives_as_it_is(slack: SlackServer, webhook: SlackWebhook) -> None:
    for text in TEXTS:
        webhook.notify(text, subject=text)
    for text, post in zip(TEXTS, slack.hook_posts, strict=True):
        header, section = post["blocks"]
        assert header["text"] == {"type": "plain_text", "text": " ".join(text.split())}
        assert section["text"] == {"type": "mrkdwn", "text": text}


def test_a_file_is_named_as_it_is(slack: SlackServer, credentials: SlackCredentials) -> None:
    for text in TEXTS:
        answer: Any = upload_file.fn("#general", credentials, b"x", filename=text, title=text)
        stored = slack.files[answer["files"][0]["id"]]
        assert (stored["filename"], stored["title"], stored["content"]) == (text, text, b"x")


@pytest.mark.parametrize("text", [*hostile.HEADERS, *hostile.OPTIONS, *hostile.SHELL], ids=ascii)
def test_nothing_hostile_is_the_address_of_the_api(text: str) -> None:
    with pytest.raises(ValidationError, match="base_url must have the form"):
        SlackCredentials(token="xoxb-1", base_url=text)
    if not text.isprintable():
        with pytest.raises(ValidationError, match="base_url must have the form"):
            SlackCredentials(token="xoxb-1", base_url=f"https://{text}")


@pytest.mark.parametrize("text", hostile.HEADERS, ids=ascii)
def test_no_line_break_is_in_the_address_of_a_webhook(text: str, slack: SlackServer, webhook_for: Any) -> None:
    with pytest.raises(InvalidSlackMessage, match="url is no URL"):
        webhook_for(url=f"{slack.webhook_url}/{text}").notify("hi")
    assert not slack.calls


@pytest.mark.parametrize("text", hostile.HEADERS, ids=ascii)
def test_a_token_brings_no_header_and_is_not_said(text: str) -> None:
    with pytest.raises(ValidationError, match="token holds a space, a line break") as caught:
        SlackCredentials(token=f"{MARK}{text}{MARK}")
    assert MARK not in "".join(traceback.format_exception(caught.value))


def test_white_space_around_a_token_is_left_out(slack: SlackServer, credentials_for: Any) -> None:
    asyncio.run(asend_chat_message.fn("#general", credentials_for(token=f" {TOKEN}\n"), "hi"))
    assert [message["text"] for message in slack.channel("general").messages] == ["hi"]
