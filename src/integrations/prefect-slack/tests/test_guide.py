"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_integration_tests.suites import GuideSuite
from prefect_slack import SlackCredentials, SlackWebhook, update_chat_message, upload_file
from prefect_slack.messages import asend_chat_message

TS = "1503435956.000247"


class TestGuide(GuideSuite):
    distribution = "prefect-slack"

    @pytest.fixture
    def surroundings(
        self,
        page_folder: Path,
        slack: SlackServer,
        credentials: SlackCredentials,
        webhook: SlackWebhook,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[[], object]:
        """A Slack, saved blocks that lead there, and a reader who answers what he is asked."""
        monkeypatch.setattr(
            getpass, "getpass", lambda prompt="": webhook.url.get_secret_value() if "URL" in prompt else TOKEN
        )

        def save() -> None:
            credentials.save("slack", overwrite=True)
            webhook.save("team", overwrite=True)

        return save

    @pytest.fixture
    def provocations(
        self,
        slack: SlackServer,
        credentials_for: Callable[..., SlackCredentials],
        webhook: SlackWebhook,
        sleeps: list[float],
    ) -> Mapping[str, Callable[[], object]]:
        def send(channel: Any = "#general", text: str | None = "hi", fields: Any = None, **options: Any) -> None:
            asyncio.run(asend_chat_message.fn(channel, credentials_for(**(fields or {})), text, **options))

        def failing(error: str = "x", run: Callable[[], object] = send, method: str = "chat.*", **fault: Any) -> None:
            slack.fail(method, error, times=None, **fault)
            run()

        def revoked() -> None:
            slack.revoke()
            send()

        def unscoped() -> None:
            slack.scopes[TOKEN] = frozenset({"files:write"})
            send()

        def elsewhere(name: str, **state: bool) -> None:
            slack.add_channel(name, **state)
            send(f"#{name}")

        def not_found() -> None:
            update_chat_message.fn(slack.channel("general").id, credentials_for(), TS, "hi")

        return {
            "The token was revoked": revoked,
            "A scope is missing": unscoped,
            "The channel is not found": partial(send, "#nowhere"),
            "The app is not in the channel": partial(elsewhere, "secrets", is_member=False),
            "The channel is archived": partial(elsewhere, "old", is_archived=True),
            "No channel was given": partial(send, ""),
            "The text is too long": partial(send, text="word " * 10_000, long_text="refuse"),
            "There is nothing to send": partial(send, text=None),
            "A time stamp is a number": partial(send, thread_ts=float(TS)),
            "The message is not found": not_found,
            "Blocks are not valid": partial(send, slack_blocks=[{"type": "header"}]),
            "A file does not exist": lambda: upload_file.fn("#general", credentials_for(), "report.csv"),
            "The webhook was removed": partial(
                failing, "no_service", lambda: webhook.notify("hi"), "webhook", status=404
            ),
            "The rate is limited": partial(failing, "ratelimited", status=429),
            "Slack is unwell": partial(failing, when="garbled"),
            "No answer in time": partial(
                failing, run=partial(send, fields={"timeout_seconds": 0.2}), when="slow", delay_seconds=1
            ),
            "Slack cannot be reached": partial(send, fields={"base_url": "http://127.0.0.1:9/api/"}),
        }
