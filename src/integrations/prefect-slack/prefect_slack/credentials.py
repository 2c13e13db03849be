"""Who we are at Slack: an app's token, or a webhook's URL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Union, cast

from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, SecretStr, field_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_kit.extras import is_installed
from prefect_integration_kit.logs import run_logger
from prefect_slack._own_clients import ASYNC_WEB, ASYNC_WEBHOOK, SYNC_WEBHOOK, class_in_use, options_for
from prefect_slack._reach import (
    CaBundle,
    MaxAttempts,
    Proxy,
    TimeoutSeconds,
    checked_api_url,
    client_options,
    parts_of_webhook,
)
from prefect_slack._waits import in_thread

if TYPE_CHECKING:
    import logging

    from slack_sdk.web.async_client import AsyncWebClient
    from slack_sdk.webhook.async_client import AsyncWebhookClient
    from slack_sdk.webhook.client import WebhookClient
    from typing_extensions import Self

_DOCUMENTATION_URL = "https://docs.prefect.io/integrations/prefect-slack"
_SDK = {name: module for module, name in (ASYNC_WEB, ASYNC_WEBHOOK, SYNC_WEBHOOK)}


def __getattr__(name: str) -> Any:
    """Give the classes of the SDK that tests of flows look for here, to put others in their place."""
    if name not in _SDK:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_SDK[name]), name)


class SlackCredentials(QuickKey, Block):
    """A Slack app, by its bot token.

    Attributes:
        token: Bot user OAuth token of the app.
        base_url: The address of the Web API; for GovSlack `https://slack-gov.com/api/`.
        proxy: HTTP proxy that leads to Slack.
        ca_bundle: Certificates of a private authority.
        timeout_seconds: Seconds to wait for the connection, and for each answer.
        max_attempts: How often a call is tried.

    Example:
        Load stored credentials and send a message:

        ```python
        from prefect import flow
        from prefect_slack import SlackCredentials
        from prefect_slack.messages import send_chat_message

        @flow
        async def tell_team():
            slack_credentials = await SlackCredentials.aload("BLOCK_NAME")
            await send_chat_message(channel="#general", slack_credentials=slack_credentials, text="Done :tada:")
        ```

        Get a client of Slack's SDK:

        ```python
        from prefect_slack import SlackCredentials

        client = SlackCredentials.load("BLOCK_NAME").get_client()
        ```
    """

    # A validation error would otherwise show all that was given, the token too.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Slack Credentials"
    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/c1965ecbf8704ee1ea20d77786de9a41ce1087d1-500x500.png"  # pyright: ignore[reportAssignmentType]
    _documentation_url = _DOCUMENTATION_URL  # pyright: ignore[reportAssignmentType]

    token: SecretStr = Field(
        default=...,
        description="Bot user OAuth token of the Slack app (xoxb-…), from OAuth & Permissions of the app.",
    )
    base_url: str = Field(
        default="https://slack.com/api/",
        title="API URL",
        description="Address of Slack's Web API; https://slack-gov.com/api/ for GovSlack.",
    )
    proxy: Proxy = None
    ca_bundle: CaBundle = None
    timeout_seconds: TimeoutSeconds = 30.0
    max_attempts: MaxAttempts = 4

    # The guide of earlier releases writes SlackCredentials(token).
    def __new__(cls, *args: Any, **fields: Any) -> Self:  # noqa: D102 - not called by users
        return super().__new__(cls, **fields)

    def __init__(self, *args: Any, **fields: Any) -> None:
        if len(args) == 1 and "token" not in fields:
            args, fields = (), {"token": args[0], **fields}
        super().__init__(*args, **fields)

    @field_validator("token")
    @classmethod
    def _is_one_word(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value().strip()  # as Slack's SDK takes it
        if not (text.isascii() and text.isprintable() and " " not in text):  # whose refusal would show it
            raise ValueError("token holds a space, a line break or another character that no token has. Copy it again.")
        return value

    @field_validator("base_url")
    @classmethod
    def _may_have_the_token(cls, value: str) -> str:
        return checked_api_url(value)

    @property
    def logger(self) -> logging.Logger | logging.LoggerAdapter[Any]:
        """The logger of the current flow or task run, else that of this package."""
        return run_logger(__name__)

    def get_client(self) -> AsyncWebClient:
        """Make a client of Slack's SDK that has the token.

        It opens a session for each call and closes it again, so there is nothing to close. When Slack limits the rate,
        it waits and calls again, up to `max_attempts`.

        Returns:
            An `AsyncWebClient`. Without `aiohttp` (`pip install "prefect-slack[aiohttp]"`), an object with its methods,
            which run in worker threads.

        Example:
            List the channels that the app sees:

            ```python
            import asyncio
            from prefect_slack import SlackCredentials

            async def list_channels():
                client = (await SlackCredentials.aload("BLOCK_NAME")).get_client()
                async for page in await client.conversations_list():
                    print([channel["name"] for channel in page["channels"]])

            asyncio.run(list_channels())
            ```
        """
        options: dict[str, Any] = {"base_url": self.base_url, **client_options(self, self.token)}
        token = self.token.get_secret_value()
        if not is_installed("aiohttp"):
            from slack_sdk import WebClient
            from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

            from prefect_slack._threaded import ThreadedClient

            client = WebClient(token=token, **options)
            if self.max_attempts > 1:
                client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=self.max_attempts - 1))
            return cast("AsyncWebClient", ThreadedClient(client))
        from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler

        import_module(ASYNC_WEB[0])
        make = class_in_use(*ASYNC_WEB)
        client = make(token=token, **options_for(make, self, options))
        if self.max_attempts > 1 and hasattr(client, "retry_handlers"):
            client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=self.max_attempts - 1))
        return client


class SlackWebhook(QuickKey, NotificationBlock):
    """An incoming webhook of a Slack app: it posts to one channel, and needs no token.

    Prefect has a block of the same class name, `prefect.blocks.notifications.SlackWebhook`, with the slug
    `slack-webhook`; this one has the slug `slack-incoming-webhook`. A block of one cannot be loaded with the other.

    Attributes:
        url: The webhook's URL. Who knows it can post: it is a secret.
        proxy: HTTP proxy that leads to Slack.
        ca_bundle: Certificates of a private authority.
        timeout_seconds: Seconds to wait for the connection, and for the answer.
        max_attempts: How often a message is tried.

    Example:
        Send a notification:

        ```python
        from prefect_slack import SlackWebhook

        SlackWebhook.load("BLOCK_NAME").notify("All went well.", subject="Nightly report")
        ```

        Get a client of Slack's SDK:

        ```python
        from prefect_slack import SlackWebhook

        client = SlackWebhook.load("BLOCK_NAME").get_client(sync_client=True)
        ```
    """

    # A validation error would otherwise show all that was given, the URL too.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Slack Incoming Webhook"
    _logo_url = "https://images.ctfassets.net/gm98wzqotmnx/7dkzINU9r6j44giEFuHuUC/85d4cd321ad60c1b1e898bc3fbd28580/5cb480cd5f1b6d3fbadece79.png?h=250"  # pyright: ignore[reportAssignmentType]
    _documentation_url = _DOCUMENTATION_URL  # pyright: ignore[reportAssignmentType]

    url: SecretStr = Field(
        default=...,
        title="Webhook URL",
        description="Slack webhook URL that messages are sent to (e.g. https://hooks.slack.com/XXX, or "
        "https://hooks.slack-gov.com/XXX).",
    )
    proxy: Proxy = None
    ca_bundle: CaBundle = None
    timeout_seconds: TimeoutSeconds = 30.0
    max_attempts: MaxAttempts = 4

    @property
    def logger(self) -> logging.Logger | logging.LoggerAdapter[Any]:
        """The logger of the current flow or task run, else that of this package."""
        return run_logger(__name__)

    def get_client(self, sync_client: bool = False) -> Union[AsyncWebhookClient, WebhookClient]:  # noqa: UP007
        """Make a client of Slack's SDK for this webhook. There is nothing to close.

        Args:
            sync_client: Whether the client is the sync one, whose `send` is not awaited.

        Returns:
            A `WebhookClient`, or an `AsyncWebhookClient`; without `aiohttp` (`pip install "prefect-slack[aiohttp]"`),
            an object with the methods of the latter, which run in worker threads.
        """
        url = self.url.get_secret_value()
        options = client_options(self, *parts_of_webhook(self.url))
        if not sync_client and not is_installed("aiohttp"):
            from slack_sdk.webhook.client import WebhookClient

            from prefect_slack._threaded import ThreadedClient

            return cast("AsyncWebhookClient", ThreadedClient(WebhookClient(url=url, **options)))
        place = SYNC_WEBHOOK if sync_client else ASYNC_WEBHOOK
        import_module(place[0])
        make = class_in_use(*place)
        return make(url=url, **options_for(make, self, options))

    async def notify_async(self, body: str, subject: str | None = None) -> None:
        """Async form of `notify`."""
        from prefect_slack import _webhook

        await in_thread(lambda: _webhook.notify(self, body, subject, is_sync=False))

    async def anotify(self, body: str, subject: str | None = None) -> None:
        """Async form of `notify`, by the name that async forms have in all packages."""
        await self.notify_async(body, subject)

    @async_dispatch(notify_async)
    def notify(self, body: str, subject: str | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Send a notification to the webhook's channel.

        What may pass (a limited rate, status 5xx, no connection) is tried again, up to `max_attempts`.

        Args:
            body: The text, in Slack's markup. A long one becomes several messages.
            subject: A header above the text. Only its first 150 characters fit.

        Raises:
            SlackNotificationError: If the webhook does not take the message. It is a
                `prefect.blocks.abstract.NotificationError`, says what Slack said, and does not hold the URL.
        """
        from prefect_slack import _webhook

        _webhook.notify(self, body, subject, is_sync=True)
