"""A small Slack with two channels, and blocks that lead there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_slack import SlackCredentials, SlackWebhook
from prefect_slack import _waits as waits

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxies of this machine are none of ours."""
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def slack(slack_server: SlackServer) -> SlackServer:
    """The server, empty."""
    return slack_server


@pytest.fixture
def credentials_for(slack: SlackServer) -> Callable[..., SlackCredentials]:
    """A maker of credentials; keywords are further fields of the block."""
    return lambda **fields: SlackCredentials(
        **{"token": TOKEN, "base_url": slack.api_url, "timeout_seconds": 5, **fields}
    )


@pytest.fixture
def credentials(credentials_for: Callable[..., SlackCredentials]) -> SlackCredentials:
    """Credentials for the server."""
    return credentials_for()


@pytest.fixture
def webhook_for(slack: SlackServer) -> Callable[..., SlackWebhook]:
    """A maker of webhooks; keywords are further fields of the block."""
    return lambda **fields: SlackWebhook(**{"url": slack.webhook_url, "timeout_seconds": 5, **fields})


@pytest.fixture
def webhook(webhook_for: Callable[..., SlackWebhook]) -> SlackWebhook:
    """The server's webhook."""
    return webhook_for()


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waiting takes no time, and leaves a record."""
    record: list[float] = []

    def sleep(_: Any, seconds: float) -> None:
        record.append(seconds)

    monkeypatch.setattr(waits.CallClock, "sleep", sleep)
    return record
