"""Clients that are the user's own: of a subclass or a test that replaces `get_client`, or the method of Slack's SDK.

Our own calls leave retries, log lines and threads to us, so they do not go by `get_client`. Where somebody has put
something else in its place, that is what they want to be called.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.replaced import is_replaced

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


def _is_replaced(block: Any) -> bool:
    return is_replaced(block, "get_client", "prefect_slack.credentials")


def _is_patched(module: str, kind: str, method: str) -> bool:
    return is_replaced(getattr(sys.modules.get(module), kind, None), method, module)
