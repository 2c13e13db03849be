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


async def test_a_replaced_api_call_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    api_call = AsyncMock(return_value={"ok": True, "ts": "1.0"})
    monkeypatch.setattr(AsyncWebClient, "api_call", api_call)
    credentials = SlackCredentials(token="xoxb-none")
    assert await send_chat_message.fn("#general", credentials, "hello") == {"ok": True, "ts": "1.0"}
    assert api_call.await_args is not None
    assert api_call.await_args.args == ("chat.postMessage",)


async def test_a_replaced_send_dict_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    send = AsyncMock(return_value=answering())
    monkeypatch.setattr(AsyncWebhookClient, "send_dict", send)
    await send_incoming_webhook_message.fn(SlackWebhook(url=URL), "hello")
    assert send.await_args is not None
    assert send.await_args.kwargs["body"]["text"] == "hello"


@pytest.mark.parametrize("is_ours", [True, False], ids=["prefect_slack", "slack_sdk"])
async def test_a_class_in_the_place_of_the_sdk_s_gets_what_the_block_sets(
    is_ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Client:
        def __init__(self, token: str = "", url: str = "", **further: Any) -> None:
            made.append({"token": token, "url": url, **further})

        async def chat_postMessage(self, **message: Any) -> Any:
            return {"ok": True, **message}

        async def send(self, **message: Any) -> Any:
            return answering()

    made: list[dict[str, Any]] = []
    for module, name in (("web.async_client", "AsyncWebClient"), ("webhook.async_client", "AsyncWebhookClient")):
        monkeypatch.setattr(f"{'prefect_slack.credentials' if is_ours else f'slack_sdk.{module}'}.{name}", Client)
    answer = await send_chat_message.fn("#general", SlackCredentials(token="xoxb-none"), "hello")
    assert (answer["channel"], answer["text"]) == ("#general", "hello")
    await SlackWebhook(url=URL).notify_async("hello")
    SlackCredentials(token="xoxb-none", base_url="https://slack-gov.com/api/", timeout_seconds=5).get_client()
    assert made == [
        {"token": "xoxb-none", "url": ""},
        {"token": "", "url": URL},
        {"token": "xoxb-none", "url": "", "base_url": "https://slack-gov.com/api/", "timeout": 5},
    ]


async def test_a_refusal_to_a_mock_is_the_usual_error(posted: AsyncMock) -> None:
    posted.side_effect = SlackApiError("no", {"ok": False, "error": "channel_not_found"})  # pyright: ignore[reportArgumentType]
    credentials = MagicMock()
    credentials.get_client.return_value.chat_postMessage = posted
    with pytest.raises(SlackApiFailure, match="channel_not_found"):
        await send_chat_message.fn("#general", credentials, "hello")


def test_what_was_put_in_the_place_of_a_class_is_forgotten_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        kind = MagicMock()
        with monkeypatch.context() as patched:
            patched.setattr("prefect_slack.credentials.WebhookClient", kind)
            SlackWebhook(url=URL).notify("done")
        kind.assert_called_once_with(url=URL)
        kind.return_value.send.assert_called_once_with(text="done")
    assert type(SlackWebhook(url=URL).get_client(sync_client=True)) is WebhookClient
