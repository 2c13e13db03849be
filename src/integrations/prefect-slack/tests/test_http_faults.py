"""What becomes of a message when the line to Slack fails, its answers are spoilt, or the token ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import HttpEdge
from prefect_integration_tests.backends.slack import TOKEN, WEBHOOK_SECRET, SlackServer
from prefect_integration_tests.suites import HttpFaultSuite
from prefect_slack import SlackCredentials, SlackWebhook, errors
from prefect_slack.messages import asend_chat_message

Maker = Callable[..., Any]

MAYBE_DONE = frozenset({"reset", "time-out", "truncated", "lost"})
"""Slack has heard the message, and has not said what it did with it: a second one would be a nuisance."""


class TestMessages(HttpFaultSuite):
    error = errors.SlackError
    named = r"chat\.postMessage to '#general'"
    unsure = MAYBE_DONE
    secret = TOKEN

    @pytest.fixture
    def edge(self, slack: SlackServer, http_edge: Callable[..., HttpEdge], sleeps: list[float]) -> HttpEdge:
        self.slack = slack
        return http_edge(slack.endpoint)

    async def change(self, edge: HttpEdge, key: str) -> None:
        credentials = SlackCredentials(token=TOKEN, base_url=f"{edge.url}/api/", timeout_seconds=0.8)
        await asend_chat_message.fn("#general", credentials, key)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(message["text"] == key for message in self.slack.channel("general").messages)


class TestWebhooks(HttpFaultSuite):
    error = errors.SlackNotificationError
    named = "Slack webhook"
    unsure = MAYBE_DONE
    secret = WEBHOOK_SECRET

    @pytest.fixture
    def edge(self, slack: SlackServer, http_edge: Callable[..., HttpEdge], sleeps: list[float]) -> HttpEdge:
        self.slack = slack
        return http_edge(slack.endpoint)

    async def change(self, edge: HttpEdge, key: str) -> None:
        url = self.slack.webhook_url.replace(self.slack.endpoint, edge.url)
        await SlackWebhook(url=url, timeout_seconds=0.8).anotify(key)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(post["text"] == key for post in self.slack.hook_posts)


@pytest.fixture(params=["message", "webhook"])
def send(request: pytest.FixtureRequest, credentials_for: Maker, webhook_for: Maker) -> Maker:
    """Send by a token, and by a webhook; keywords are fields of the block."""

    async def message(**fields: Any) -> None:
        await asend_chat_message.fn("#general", credentials_for(**fields), "hi")

    async def notification(**fields: Any) -> None:
        url = fields.pop("base_url", None)
        given = {"url": url.replace("/api/", f"/services/{WEBHOOK_SECRET}")} if url else {}
        await webhook_for(**given, **fields).anotify("hi")

    return message if request.param == "message" else notification


async def test_a_host_that_no_resolver_knows_is_told(send: Maker, sleeps: list[float]) -> None:
    with pytest.raises(errors.SlackConnectionError, match=r"no answer .*Check the network") as caught:
        await send(base_url=f"https://{UNRESOLVABLE_HOST}/api/", max_attempts=3)
    assert "may have" not in str(caught.value)  # it was never sent
    assert len(sleeps) == 2


@pytest.mark.parametrize("word", ["token_expired", "token_revoked"])
async def test_a_token_that_ended_is_told_at_once(
    word: str, slack: SlackServer, credentials: SlackCredentials, sleeps: list[float]
) -> None:
    slack.revoke(error=word)
    with pytest.raises(errors.SlackAuthenticationError, match=f"{word}.* in the block") as caught:
        await asend_chat_message.fn("#general", credentials, "hi")
    assert TOKEN not in str(caught.value)
    assert (len(slack.calls), sleeps) == (1, [])
    assert not slack.channel("general").messages


async def test_a_clock_that_jumps_does_not_matter(
    send: Maker, slack: SlackServer, sleeps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    slack.fail("*", "ratelimited", status=429, retry_after="7", times=2)
    right, jumps = time.time, iter([86_400.0, -86_400.0])
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps, 0.0))
    await send()
    assert sleeps == [7.0, 7.0]
    assert len(slack.channel("general").messages) + len(slack.hook_posts) == 1
