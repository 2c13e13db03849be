"""Clients of the user's own: `get_client` of a subclass or a stand-in, and replaced methods of Slack's SDK."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from prefect import flow
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook import WebhookResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.client import WebhookClient

from prefect_slack import SlackCredentials, SlackWebhook
from prefect_slack.errors import SlackApiFailure, SlackNotificationError
from prefect_slack.messages import send_chat_message, send_incoming_webhook_message

URL = "https://hooks.slack.com/services/T0/B0/none"


def answering(status: int = 200, body: str = "ok") -> WebhookResponse:
    return WebhookResponse(url="", status_code=status, body=body, headers={})


@pytest.fixture
def posted() -> AsyncMock:
    return AsyncMock(return_value=MagicMock(data={"ok": True, "ts": "1.0"}))


@pytest.fixture(params=["stand-in", "subclass", "method of the SDK"])
def credentials(request: pytest.FixtureRequest, posted: AsyncMock, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "method of the SDK":
        monkeypatch.setattr(AsyncWebClient, "chat_postMessage", posted)
        return SlackCredentials(token="xoxb-none")
    client = MagicMock(chat_postMessage=posted)
    if request.param == "stand-in":
        return MagicMock(spec=SlackCredentials, **{"get_client.return_value": client})

    class OwnCredentials(SlackCredentials):
        _block_type_name = "Own Slack Credentials"

        def get_client(self) -> Any:
            return client

    return OwnCredentials(token="xoxb-none")


async def test_a_message_goes_by_the_own_client(credentials: Any, posted: AsyncMock) -> None:
    assert await send_chat_message.fn("#general", credentials, "hello") == {"ok": True, "ts": "1.0"}
    posted.assert_awaited_once_with(channel="#general", text="hello", attachments=None, blocks=None)


def test_a_sync_flow_uses_the_own_client(prefect_harness: None, credentials: Any, posted: AsyncMock) -> None:
    @flow
    def tell() -> Any:
        return send_chat_message("#general", credentials, "hello")

    assert tell() == {"ok": True, "ts": "1.0"}
    posted.assert_awaited_once()


async def test_a_refusal_to_the_own_client_is_the_usual_error(credentials: Any, posted: AsyncMock) -> None:
    posted.side_effect = SlackApiError("no", {"ok": False, "error": "channel_not_found"})  # pyright: ignore[reportArgumentType]
    with pytest.raises(SlackApiFailure, match="channel_not_found"):
        await send_chat_message.fn("#general", credentials, "hello")


@pytest.mark.parametrize("is_patched", [True, False], ids=["method of the SDK", "get_client"])
async def test_a_webhook_s_own_client_is_used_by_both_faces(
    is_patched: bool, monkeypatch: pytest.MonkeyPatch, prefect_harness: None
) -> None:
    send, asend = MagicMock(return_value=answering()), AsyncMock(return_value=answering())
    if is_patched:
        monkeypatch.setattr(WebhookClient, "send", send)
        monkeypatch.setattr(AsyncWebhookClient, "send", asend)
    else:

        def get_client(self: SlackWebhook, sync_client: bool = False) -> Any:
            return MagicMock(send=send if sync_client else asend)

        monkeypatch.setattr(SlackWebhook, "get_client", get_client)
    webhook = SlackWebhook(url=URL)
    webhook.notify("done", _sync=True)  # pyright: ignore[reportCallIssue]
    send.assert_called_once_with(text="done")
    await webhook.notify_async("done")
    await send_incoming_webhook_message.fn(webhook, "all done")
    assert [call.kwargs for call in asend.await_args_list] == [
        {"text": "done"},
        {"text": "all done", "attachments": None, "blocks": None},
    ]
    await webhook.notify_async("It ran.", "Nightly load")
    asend.assert_awaited_with(text="Nightly load\nIt ran.")
    asend.return_value = answering(400, "invalid_payload")
    with pytest.raises(SlackNotificationError, match="invalid_payload"):
        await webhook.notify_async("done")
    asend.return_value = SimpleNamespace(status_code=400, body="invalid_payload")
    with pytest.raises(SlackNotificationError, match="invalid_payload"):
        await webhook.notify_async("done")
