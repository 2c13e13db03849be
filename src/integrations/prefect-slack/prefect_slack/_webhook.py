"""Messages to a webhook: repeated where that is safe, with errors that never hold its URL."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.coroutines import settled
from prefect_integration_kit.sdk_errors import mask_secrets
from prefect_integration_kit.waiting import retry
from prefect_slack._calls import log_retry, plain
from prefect_slack._own_clients import own_webhook_client
from prefect_slack._reach import client_options, parts_of_webhook
from prefect_slack._refusals import hook_refusal, may_repeat, unreachable, was_unsent
from prefect_slack._text import MAX_SECTION, MAX_TEXT, header_text, split_text, truncate_text
from prefect_slack._waits import CLOCK, backoff
from prefect_slack.errors import InvalidSlackMessage, SlackWebhookUnreachable

if TYPE_CHECKING:
    from slack_sdk.webhook.client import WebhookClient

    from prefect_slack.credentials import SlackWebhook

Json = dict[str, Any]

_SUBJECT = "Slack webhook"
_OK = range(200, 300)
_SECTIONS = 3
"""Sections below a header. Slack counts all blocks of a message together, and does not say up to where."""


def _content(body: Json) -> Json:
    given: Json = {name: plain(value) for name, value in body.items() if value is not None}
    if not any(given.get(name) for name in ("text", "blocks", "attachments", "markdown_text")):
        raise InvalidSlackMessage(f"{_SUBJECT}: there is nothing to send. Give text, slack_blocks or attachments.")
    return given


def post(webhook: SlackWebhook, body: Json) -> None:
    """Send one message.

    Args:
        webhook: The block.
        body: What Slack calls the payload; members that are `None` are left out.

    Raises:
        SlackNotificationError: If the webhook does not take it, or gives no answer.
        InvalidSlackMessage: If it cannot be sent.
    """
    given = _content(body)
    if (own := own_webhook_client(webhook, is_sync=False)) is not None:
        _post_by(own, {**dict.fromkeys(body), **given})
    else:
        _post(webhook, given)


def _post(webhook: SlackWebhook, given: Json) -> None:
    url = webhook.url.get_secret_value()
    if not url.lower().startswith(("https://", "http://")) or not url.isprintable() or " " in url:
        raise InvalidSlackMessage(f"{_SUBJECT}: url is no URL. Copy the whole Webhook URL, which begins with https://.")
    client = _client(webhook)

    def once() -> None:
        try:
            response = client.send_dict(given)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            mask_secrets(exc, (*parts_of_webhook(webhook.url), webhook.proxy))
            raise _no_answer(exc, webhook) from exc
        if response.status_code not in _OK:
            raise hook_refusal(response.status_code, response.body, dict(response.headers), _SUBJECT)

    retry(
        once,
        is_transient=lambda error: may_repeat(error, is_repeatable=False),
        backoff=backoff(webhook.max_attempts),
        on_retry=log_retry,
        clock=CLOCK,
    )


def _post_by(client: Any, body: Json) -> None:
    response = settled(client.send(**body))
    status = getattr(response, "status_code", None)
    if isinstance(status, int) and status not in _OK:
        said, headers = getattr(response, "body", ""), getattr(response, "headers", None)  # a stand-in may lack them
        given: Mapping[str, str] = cast("Mapping[str, str]", headers) if isinstance(headers, Mapping) else {}
        raise hook_refusal(status, said if isinstance(said, str) else "", given, _SUBJECT)


def _client(webhook: SlackWebhook) -> WebhookClient:
    """Make a client that leaves retries and log lines to us."""
    from slack_sdk.webhook.client import WebhookClient

    options = client_options(webhook, is_quiet=True)
    return WebhookClient(url=webhook.url.get_secret_value(), retry_handlers=[], **options)


def _no_answer(exc: Exception, webhook: SlackWebhook) -> SlackWebhookUnreachable:
    unsure = "" if was_unsent(exc) else "It may have arrived: look before you repeat it."
    lost = unreachable(exc, _SUBJECT, webhook.timeout_seconds, maybe_done=unsure)
    error = SlackWebhookUnreachable(str(lost), subject=_SUBJECT)
    error.is_transient = lost.is_transient
    return error


def post_text(webhook: SlackWebhook, body: Json, text: str | None) -> None:
    """Send a message whose text may be longer than Slack takes: the rest follows in further messages."""
    first, *rest = split_text(_checked(text, "text"), MAX_TEXT) if text is not None else [None]
    post(webhook, {**body, "text": first})
    for part in rest:
        post(webhook, {"text": part})


def _checked(text: object, field: str) -> str:
    if isinstance(text, str):
        return text
    raise InvalidSlackMessage(f"{_SUBJECT}: {field} is of type {type(text).__name__}. Give a str.")


def notification(body: str, subject: str | None) -> list[Json]:
    """Make the messages of a notification: a header and the text, or the text alone.

    Args:
        body: The text, in Slack's markup, however long.
        subject: The header; it is shortened to the 150 characters that Slack takes.
    """
    if not subject or not subject.strip():
        return [{"text": part} for part in split_text(body, MAX_TEXT)]
    blocks: list[Json] = [{"type": "header", "text": {"type": "plain_text", "text": header_text(subject)}}]
    first, *rest = split_text(body, _SECTIONS * (MAX_SECTION - 50))
    blocks += [
        {"type": "section", "text": {"type": "mrkdwn", "text": part}}
        for part in split_text(first, MAX_SECTION)
        if part.strip()
    ]
    # Where blocks cannot be shown, as in pop-ups and by screen readers, Slack shows the text.
    shown = truncate_text(f"{subject}\n{body}", MAX_SECTION)
    return [{"text": shown, "blocks": blocks}, *({"text": part} for part in rest)]


def notify(webhook: SlackWebhook, body: str, subject: str | None, *, is_sync: bool) -> None:
    """Send a notification. A client of the user's own gets subject and body as one text, as it always has."""
    _checked(body, "body")
    own = own_webhook_client(webhook, is_sync=is_sync)
    if own is not None:
        for message in notification(f"{subject}\n{body}" if subject else body, None):
            _post_by(own, _content(message))
        return
    for message in notification(body, subject):
        _post(webhook, _content(message))
