"""What holds for every integration, shown for this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_tests.suites.block import BlockSuite
from prefect_integration_tests.suites.credentials import CredentialsSuite
from prefect_integration_tests.suites.interface import InterfaceSuite
from prefect_integration_tests.suites.package import PackageSuite
from prefect_slack import SlackCredentials, SlackWebhook
from prefect_slack.errors import SlackApiFailure

if TYPE_CHECKING:
    from prefect.blocks.core import Block


class TestPackage(PackageSuite):
    package = "prefect_slack"

    def make_error(self, cls: type[Exception]) -> Exception:
        message = "Slack, chat.postMessage to '#general': ratelimited."
        if issubclass(cls, SlackApiFailure):
            return cls(message, code="ratelimited", status_code=429, retry_after_seconds=3.0)
        return cls(message)


class TestInterface(InterfaceSuite):
    package = "prefect_slack"


def proxy_with(secret: str) -> str:
    return f"http://user:{secret}@proxy.example.com:8080"


class TestBlocks(BlockSuite):
    package = "prefect_slack"

    def make(self, cls: type[Block], canary: str) -> Block:
        if cls is SlackWebhook:
            return cls(url=f"https://hooks.slack.com/services/T/B/{canary}", proxy=proxy_with(canary))
        return cls(token=canary, proxy=proxy_with(canary))


class TestCredentials(CredentialsSuite):
    @pytest.fixture
    def credentials(self, canary: str) -> Any:
        return SlackCredentials(token=canary)


class TestWebhook(CredentialsSuite):
    @pytest.fixture
    def credentials(self, canary: str) -> Any:
        return SlackWebhook(url=canary)
