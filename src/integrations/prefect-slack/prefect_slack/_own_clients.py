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

_OURS = "prefect_slack.credentials"
SYNC_WEBHOOK = ("slack_sdk.webhook.client", "WebhookClient")
ASYNC_WEBHOOK = ("slack_sdk.webhook.async_client", "AsyncWebhookClient")
ASYNC_WEB = ("slack_sdk.web.async_client", "AsyncWebClient")
_API_CALL = ("api_call", "slack_sdk.web.async_base_client")
"""What all methods of the Web API go by."""
_FIELDS = {"base_url": "base_url", "timeout": "timeout_seconds"}


def own_web_client(credentials: SlackCredentials, method: str) -> Any:
    """Get the user's own client of the Web API.

    Args:
        credentials: The block, or what stands in for it.
        method: The method that is to be called, such as `chat_postMessage`.

    Returns:
        The client; `None` if there is no other than ours.
    """
    is_own = _is_replaced(credentials) or any(_is_patched(*ASYNC_WEB, *part) for part in ((method,), _API_CALL))
    return credentials.get_client() if is_own else None


def own_webhook_client(webhook: SlackWebhook, *, is_sync: bool) -> Any:
    """Get the user's own client of a webhook.

    Args:
        webhook: The block, or what stands in for it.
        is_sync: Whether a sync client is asked for.

    Returns:
        The client; `None` if there is no other than ours.
    """
    name = SYNC_WEBHOOK if is_sync else ASYNC_WEBHOOK
    if not (_is_replaced(webhook) or any(_is_patched(*name, method) for method in ("send", "send_dict"))):
        return None
    return webhook.get_client(sync_client=True) if is_sync else webhook.get_client()


def _is_replaced(block: Any) -> bool:
    return is_replaced(block, "get_client", _OURS)


def _is_patched(module: str, kind: str, method: str, defined_in: str | None = None) -> bool:
    return is_replaced(class_in_use(module, kind), method, defined_in or module)


def class_in_use(module: str, kind: str) -> Any:
    """Find a class of the SDK, or what somebody has put in its place, here or there; `None` before its first use.

    Args:
        module: Where it is in the SDK.
        kind: Its name, in `prefect_slack.credentials`, too.
    """
    here = vars(sys.modules[_OURS]).get(kind)
    is_ours = here is not None and not _is_of_sdk(here)  # what is put back after a test is the class itself
    return here if is_ours else getattr(sys.modules.get(module), kind, None)


def _is_of_sdk(kind: Any) -> bool:
    return str(getattr(kind, "__module__", "")).startswith("slack_sdk.")


def options_for(kind: Any, block: SlackCredentials | SlackWebhook, options: dict[str, Any]) -> dict[str, Any]:
    """Give the arguments of a client.

    What a test has put in the place of the SDK's class gets those alone that the block sets: it may take no others.

    Args:
        kind: The class of the client.
        block: The block.
        options: All arguments.
    """
    if _is_of_sdk(kind):
        return options
    fields = type(block).model_fields
    names = {name: field for name, field in _FIELDS.items() if field in fields}
    usual = {name for name, field in names.items() if getattr(block, field) == fields[field].default}
    return {name: value for name, value in options.items() if name not in {"logger", *usual}}
