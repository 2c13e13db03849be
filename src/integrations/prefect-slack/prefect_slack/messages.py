"""Tasks that send messages to Slack.

`send_chat_message` and `send_incoming_webhook_message` are coroutines wherever one can be awaited, and are called
plainly in sync flows and tasks. The tasks with an `a` in front are always coroutines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect import task

from prefect_integration_kit.dispatch import async_task, sync_task
from prefect_slack._posting import LongText, ShortText, post_ephemeral, post_message
from prefect_slack._waits import in_thread
from prefect_slack._webhook import post_text
from prefect_slack.credentials import SlackCredentials, SlackWebhook

if TYPE_CHECKING:
    import slack_sdk.models.attachments
    import slack_sdk.models.blocks
    import slack_sdk.models.metadata

    Attachments = Sequence[dict[str, Any] | slack_sdk.models.attachments.Attachment] | None
    Blocks = Sequence[dict[str, Any] | slack_sdk.models.blocks.Block] | None
    Metadata = dict[str, Any] | slack_sdk.models.metadata.Metadata

__all__ = [
    "LongText",
    "ShortText",
    "SlackCredentials",
    "SlackWebhook",
    "asend_chat_message",
    "asend_ephemeral_message",
    "asend_incoming_webhook_message",
    "send_chat_message",
    "send_ephemeral_message",
    "send_incoming_webhook_message",
]


def _send_chat_message(
    channel: str,
    slack_credentials: SlackCredentials,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    thread_ts: str | None = None,
    reply_broadcast: bool | None = None,
    metadata: Metadata | None = None,
    unfurl_links: bool | None = None,
    unfurl_media: bool | None = None,
    with_permalink: bool = False,
    long_text: LongText = "split",
    **options: Any,
) -> dict[str, Any]:
    arguments = {
        **options,
        "text": text,
        "attachments": attachments,
        "blocks": slack_blocks,
        "thread_ts": thread_ts,
        "reply_broadcast": reply_broadcast,
        "metadata": metadata,
        "unfurl_links": unfurl_links,
        "unfurl_media": unfurl_media,
    }
    return post_message(channel, slack_credentials, arguments, long_text=long_text, with_permalink=with_permalink)


@task
async def asend_chat_message(
    channel: str,
    slack_credentials: SlackCredentials,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    thread_ts: str | None = None,
    reply_broadcast: bool | None = None,
    metadata: Metadata | None = None,
    unfurl_links: bool | None = None,
    unfurl_media: bool | None = None,
    with_permalink: bool = False,
    long_text: LongText = "split",
    **options: Any,
) -> dict[str, Any]:
    """Async form of `send_chat_message`, awaited everywhere."""
    return await in_thread(
        lambda: _send_chat_message(
            channel,
            slack_credentials,
            text,
            attachments,
            slack_blocks,
            thread_ts=thread_ts,
            reply_broadcast=reply_broadcast,
            metadata=metadata,
            unfurl_links=unfurl_links,
            unfurl_media=unfurl_media,
            with_permalink=with_permalink,
            long_text=long_text,
            **options,
        )
    )


@async_task(_send_chat_message)
async def send_chat_message(
    channel: str,
    slack_credentials: SlackCredentials,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    thread_ts: str | None = None,
    reply_broadcast: bool | None = None,
    metadata: Metadata | None = None,
    unfurl_links: bool | None = None,
    unfurl_media: bool | None = None,
    with_permalink: bool = False,
    long_text: LongText = "split",
    **options: Any,
) -> dict[str, Any]:
    """Send a message to a channel, or into a thread of it.

    In async code this is awaited. A sync flow or task calls it as it stands, and has Slack's answer.

    When Slack limits the rate, the call is repeated after the time that Slack names, up to `max_attempts` of the
    block. A message that may have been posted already is not sent again.

    Args:
        channel: Name of the channel (`#general`), or its ID; the ID of a user for a direct message.
        slack_credentials: The Slack app.
        text: Contents of the message, in Slack's markup. Give it beside blocks, too: pop-ups and screen readers show it
            in their place.
        attachments: Secondary content; see
            [Slack's reference](https://docs.slack.dev/messaging/formatting-message-text#attachments).
        slack_blocks: Layout of the message, as dictionaries or as models of Slack's SDK; see
            [Block Kit](https://docs.slack.dev/block-kit).
        thread_ts: Time stamp of a message, whose `ts` a call that sent it returned: this one becomes a reply.
        reply_broadcast: Whether a reply is shown in the channel, too.
        metadata: Data for programs: `event_type` and `event_payload`.
        unfurl_links: Whether links are shown with a preview.
        unfurl_media: Whether links to images and films are.
        with_permalink: Whether to ask Slack for the link to the message.
        long_text: What becomes of a text of more than 40,000 characters. `split` sends the rest as replies, `truncate`
            sends its beginning, `refuse` raises. Beside blocks, `split` truncates.
        options: Further arguments of
            [chat.postMessage](https://docs.slack.dev/reference/methods/chat.postMessage), such as `username`,
            `icon_emoji`, `link_names` or `markdown_text`.

    Returns:
        Slack's answer, with `channel`, the channel's ID, and `ts`, the message's time stamp; both name the message from
        then on. `permalink` is its link, if it was asked for and Slack gave it; `parts` has `channel` and `ts` of each
        message, if the text was split.

    Raises:
        SlackApiFailure: If Slack refuses the message. Its subclasses say why; each is a `SlackApiError` of the SDK,
            too.
        SlackConnectionError: If Slack gives no answer.
        InvalidSlackMessage: If nothing of the kind can be sent. It names the argument.

    Example:
        Send a message, and reply to it:

        ```python
        from prefect import flow
        from prefect_slack import SlackCredentials
        from prefect_slack.messages import send_chat_message

        @flow
        def tell_team():
            slack_credentials = SlackCredentials.load("BLOCK_NAME")
            message = send_chat_message("#general", slack_credentials, "The nightly load has begun.")
            send_chat_message(
                message["channel"], slack_credentials, "It is done :tada:", thread_ts=message["ts"]
            )
        ```
    """
    return await in_thread(
        lambda: _send_chat_message(
            channel,
            slack_credentials,
            text,
            attachments,
            slack_blocks,
            thread_ts=thread_ts,
            reply_broadcast=reply_broadcast,
            metadata=metadata,
            unfurl_links=unfurl_links,
            unfurl_media=unfurl_media,
            with_permalink=with_permalink,
            long_text=long_text,
            **options,
        )
    )


def _send_incoming_webhook_message(
    slack_webhook: SlackWebhook,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    **options: Any,
) -> None:
    post_text(slack_webhook, {**options, "attachments": attachments, "blocks": slack_blocks}, text)


@task
async def asend_incoming_webhook_message(
    slack_webhook: SlackWebhook,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    **options: Any,
) -> None:
    """Async form of `send_incoming_webhook_message`, awaited everywhere."""
    await in_thread(lambda: _send_incoming_webhook_message(slack_webhook, text, attachments, slack_blocks, **options))


@async_task(_send_incoming_webhook_message)
async def send_incoming_webhook_message(
    slack_webhook: SlackWebhook,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    **options: Any,
) -> None:
    """Send a message to the channel of a webhook.

    In async code this is awaited. A sync flow or task calls it as it stands.

    Args:
        slack_webhook: The webhook.
        text: Contents of the message, in Slack's markup. Give it beside blocks, too: pop-ups and screen readers show it
            in their place. Of more than 40,000 characters the rest becomes further messages.
        attachments: Secondary content; see
            [Slack's reference](https://docs.slack.dev/messaging/formatting-message-text#attachments).
        slack_blocks: Layout of the message, as dictionaries or as models of Slack's SDK; see
            [Block Kit](https://docs.slack.dev/block-kit).
        options: Further fields of the
            [payload](https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks), such as
            `unfurl_links` or `thread_ts`.

    Raises:
        SlackNotificationError: If the webhook does not take the message. It does not hold the webhook's URL.
        InvalidSlackMessage: If nothing of the kind can be sent. It names the argument.

    Example:
        Send a message:

        ```python
        from prefect import flow
        from prefect_slack import SlackWebhook
        from prefect_slack.messages import send_incoming_webhook_message

        @flow
        def tell_team():
            slack_webhook = SlackWebhook.load("BLOCK_NAME")
            send_incoming_webhook_message(slack_webhook=slack_webhook, text="The nightly load is done.")
        ```
    """
    await in_thread(lambda: _send_incoming_webhook_message(slack_webhook, text, attachments, slack_blocks, **options))


def _send_ephemeral_message(
    channel: str,
    slack_credentials: SlackCredentials,
    user: str,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    thread_ts: str | None = None,
    long_text: ShortText = "truncate",
    **options: Any,
) -> dict[str, Any]:
    arguments = {
        **options,
        "text": text,
        "attachments": attachments,
        "blocks": slack_blocks,
        "thread_ts": thread_ts,
    }
    return post_ephemeral(channel, slack_credentials, user, arguments, long_text=long_text)


@task
async def asend_ephemeral_message(
    channel: str,
    slack_credentials: SlackCredentials,
    user: str,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    thread_ts: str | None = None,
    long_text: ShortText = "truncate",
    **options: Any,
) -> dict[str, Any]:
    """Async form of `send_ephemeral_message`."""
    return await in_thread(
        lambda: _send_ephemeral_message(
            channel,
            slack_credentials,
            user,
            text,
            attachments,
            slack_blocks,
            thread_ts=thread_ts,
            long_text=long_text,
            **options,
        )
    )


@sync_task(asend_ephemeral_message)
def send_ephemeral_message(
    channel: str,
    slack_credentials: SlackCredentials,
    user: str,
    text: str | None = None,
    attachments: Attachments = None,
    slack_blocks: Blocks = None,
    *,
    thread_ts: str | None = None,
    long_text: ShortText = "truncate",
    **options: Any,
) -> dict[str, Any]:
    """Send a message into a channel that only one person sees, until he reloads Slack.

    Args:
        channel: Name of the channel, or its ID. The person and the app must be in it.
        slack_credentials: The Slack app.
        user: ID of the person (`U…`).
        text: Contents of the message, in Slack's markup.
        attachments: Secondary content, as for `send_chat_message`.
        slack_blocks: Layout of the message, as for `send_chat_message`.
        thread_ts: Time stamp of a message, below which this one is shown.
        long_text: What becomes of a text of more than 4,000 characters: `truncate` sends its beginning, `refuse`
            raises.
        options: Further arguments of
            [chat.postEphemeral](https://docs.slack.dev/reference/methods/chat.postEphemeral).

    Returns:
        Slack's answer, with `ts`, its time stamp. Such a message cannot be changed by it.

    Raises:
        SlackApiFailure: If Slack refuses the message.
        SlackConnectionError: If Slack gives no answer.
        InvalidSlackMessage: If nothing of the kind can be sent. It names the argument.
    """
    return _send_ephemeral_message(
        channel,
        slack_credentials,
        user,
        text,
        attachments,
        slack_blocks,
        thread_ts=thread_ts,
        long_text=long_text,
        **options,
    )
