"""Errors: each word of Slack's has a class and a remedy, is the SDK's error too, and shows no token."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_slack import SlackCredentials, errors
from prefect_slack.messages import asend_chat_message

Maker = Callable[..., SlackCredentials]


def send(credentials: SlackCredentials, channel: str = "#general") -> Any:
    return asyncio.run(asend_chat_message.fn(channel, credentials, "hi"))


@pytest.mark.parametrize(
    ("code", "cls", "remedy"),
    [
        ("invalid_auth", errors.SlackAuthenticationError, "Copy the bot token"),
        ("not_authed", errors.SlackAuthenticationError, "Copy the bot token"),
        ("token_revoked", errors.SlackAuthenticationError, "Reinstall the app"),
        ("token_expired", errors.SlackAuthenticationError, "has expired"),
        ("account_inactive", errors.SlackAuthenticationError, "Install the app again"),
        ("missing_scope", errors.SlackPermissionError, "administrator"),
        ("not_allowed_token_type", errors.SlackPermissionError, "bot token"),
        ("restricted_action", errors.SlackPermissionError, "administrator"),
        ("channel_not_found", errors.SlackChannelNotFound, "Check the name or ID"),
        ("not_in_channel", errors.SlackNotInChannel, "/invite @app"),
        ("is_archived", errors.SlackChannelArchived, "Unarchive"),
        ("thread_not_found", errors.SlackMessageNotFound, "the ts"),
        ("user_not_found", errors.SlackUserNotFound, "member's ID"),
        ("msg_too_long", errors.SlackMessageTooLong, "upload_file"),
        ("msg_blocks_too_long", errors.SlackMessageTooLong, "upload_file"),
        ("invalid_blocks", errors.SlackInvalidArguments, "block-kit-builder"),
        ("no_text", errors.SlackInvalidArguments, "Give text"),
        ("ratelimited", errors.SlackRateLimited, "max_attempts"),
        ("internal_error", errors.SlackServiceError, "slack-status.com"),
        ("something_new", errors.SlackApiFailure, ""),
    ],
)
def test_each_word_has_a_class_and_a_remedy(
    code: str, cls: type[errors.SlackApiFailure], remedy: str, slack: SlackServer, credentials_for: Maker
) -> None:
    slack.fail("chat.postMessage", code)
    with pytest.raises(cls, match=rf"^Slack, chat.postMessage to '#general': {code}\..*{remedy}") as caught:
        send(credentials_for(max_attempts=1))
    error = caught.value
    assert isinstance(error, SlackApiError)
    assert isinstance(error, errors.SlackError)
    assert (error.code, error.status_code) == (code, 200)
    assert (error.response["error"], error.response.get("ok"), error.response.status_code) == (code, False, 200)
    assert error.response.data == {"ok": False, "error": code}


def test_an_error_travels_without_the_token(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.revoke()
    with pytest.raises(SlackApiError) as caught:
        send(credentials)
    error: Any = caught.value
    pickled = pickle.dumps(error)
    assert TOKEN.encode() not in pickled
    again = pickle.loads(pickled)
    assert type(again) is type(error)
    assert isinstance(again, SlackApiError)
    assert (str(again), again.code, again.response) == (str(error), "token_revoked", error.response)
    assert TOKEN not in "".join(traceback.format_exception(error)) + repr(error)


def test_a_token_that_slack_repeats_is_masked(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.fail("chat.postMessage", "invalid_auth", detail=TOKEN, response_metadata={"messages": [f"not {TOKEN}"]})
    with pytest.raises(SlackApiError) as caught:
        send(credentials)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert TOKEN.encode() not in pickle.dumps(caught.value)


def test_a_missing_scope_is_named(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.scopes[TOKEN] = frozenset({"files:write"})
    with pytest.raises(errors.SlackPermissionError, match="needs the scope chat:write, and the token has files:write"):
        send(credentials)


def test_what_slack_finds_wrong_is_told(slack: SlackServer, credentials: SlackCredentials) -> None:
    with pytest.raises(errors.SlackInvalidArguments, match=r"invalid_arguments, \[ERROR\] unexpected field: colour"):
        asyncio.run(asend_chat_message.fn("#general", credentials, "hi", colour="red"))


@pytest.mark.parametrize("state", ["is_archived", "not_in_channel"])
def test_channels_that_are_closed_to_us(state: str, slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.add_channel("other", is_archived=state == "is_archived", is_member=state == "is_archived")
    with pytest.raises(errors.SlackApiFailure, match=state):
        send(credentials, "#other")


def test_a_page_of_something_between_is_not_shown(
    slack: SlackServer, credentials_for: Maker, sleeps: list[float]
) -> None:
    slack.fail("chat.postMessage", when="garbled", times=None)
    with pytest.raises(errors.SlackServiceError, match=r"'#general': HTTP status 502\. Try again later") as caught:
        send(credentials_for(max_attempts=2))
    assert "html" not in str(caught.value)


def test_no_answer_in_time(slack: SlackServer, credentials_for: Maker, sleeps: list[float]) -> None:
    slack.fail("chat.postMessage", when="slow", delay_seconds=1)
    with pytest.raises(errors.SlackTimeout, match=r"no answer within 0.2 seconds\. It may have been done") as caught:
        send(credentials_for(timeout_seconds=0.2))
    assert isinstance(caught.value, TimeoutError)
    assert not sleeps


def test_no_connection(credentials_for: Maker, sleeps: list[float]) -> None:
    with pytest.raises(errors.SlackConnectionError, match=r"no answer \(ConnectionRefusedError.*proxy") as caught:
        send(credentials_for(base_url="http://127.0.0.1:9/api/"))
    assert isinstance(caught.value, ConnectionError)
    assert len(sleeps) == 3
