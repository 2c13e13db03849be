"""Clients that are the user's own: of a subclass or a test that replaces `get_client`, or the method of Slack's SDK.

Our own calls leave retries, log lines and threads to us, so they do not go by `get_client`. Where somebody has put
something else in its place, that is what they want to be called.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.coroutines import run_to_end

if TYPE_CHECKING:
    from prefect_slack.credentials import SlackCredentials, SlackWebhook

_SYNC_WEBHOOK = ("slack_sdk.webhook.client", "WebhookClient")
_ASYNC_WEBHOOK = ("slack_sdk.webhook.async_client", "AsyncWebhookClient")


def own_web_client(credentials: SlackCredentials, method: str) -> Any:
    """Get the user's own client of the Web API.

    Args:
        credentials: The block, or what stands in for it.
        method: The method that is to be called, such as `chat_postMessage`.

    Returns:
        The client; `None` if there is no other than ours.
    """
    is_own = _is_replaced(credentials) or _is_patched("slack_sdk.web.async_client", "AsyncWebClient", method)
    return credentials.get_client() if is_own else None


def own_webhook_client(webhook: SlackWebhook, *, is_sync: bool) -> Any:
    """Get the user's own client of a webhook.

    Args:
        webhook: The block, or what stands in for it.
        is_sync: Whether a sync client is asked for.

    Returns:
        The client; `None` if there is no other than ours.
    """
    name = _SYNC_WEBHOOK if is_sync else _ASYNC_WEBHOOK
    if not (_is_replaced(webhook) or _is_patched(*name, "send")):
        return None
    return webhook.get_client(sync_client=True) if is_sync else webhook.get_client()


def finished(answer: Any) -> Any:
    """Wait for the answer of a client that may be a sync or an async one."""
    if not inspect.isawaitable(answer):
        return answer

    async def wait() -> Any:
        return await answer

    return run_to_end(wait())


def _is_replaced(block: Any) -> bool:
    function = getattr(block.get_client, "__func__", None)
    return getattr(function, "__module__", None) != "prefect_slack.credentials"


def _is_patched(module: str, kind: str, method: str) -> bool:
    loaded = sys.modules.get(module)
    function = getattr(getattr(loaded, kind, None), method, None)
    return function is not None and getattr(function, "__module__", None) != module
