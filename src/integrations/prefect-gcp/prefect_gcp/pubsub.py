"""Pub/Sub: tasks that publish messages, a subscription to receive them from, and triggers.

Examples:
    Publish, and work off what is in a subscription:

    ```python
    from prefect import flow
    from prefect_gcp import GcpCredentials
    from prefect_gcp.pubsub import PubsubSubscription, publish_messages

    @flow
    def announce_orders(numbers: list[int]) -> list[str]:
        orders = [{"order": number} for number in numbers]
        return publish_messages("orders", orders, GcpCredentials.load("BLOCK_NAME"))

    @flow
    def print_orders() -> None:
        subscription = PubsubSubscription.load("BLOCK_NAME")
        messages = subscription.receive(max_messages=100)
        for message in messages:
            print(message.json())
        subscription.acknowledge(messages)
    ```

    Start a run of a deployment for each message, in a process of its own:

    ```python
    from prefect_gcp import GcpCredentials
    from prefect_gcp.pubsub import PubsubFlowTrigger

    if __name__ == "__main__":
        PubsubFlowTrigger(
            subscription="orders",
            deployment="pack-order/nightly",
            parameters={"number": "order.number"},
            gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
        ).serve()
    ```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from prefect.blocks.core import Block
from prefect.tasks import task
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_coro_as_sync, sync_task
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.message_actions import CallHandler
from prefect_integration_kit.message_trigger import TriggerCounts
from prefect_integration_kit.triggers import act_on_messages
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._pubsub_api import MAX_DEADLINE_SECONDS, Subscription, Topic
from ._pubsub_messages import OutgoingMessage, PubsubMessage
from ._pubsub_trigger import PubsubEventTrigger, PubsubFlowTrigger, PubsubSource
from ._rest import in_thread, in_waiting_thread
from .credentials import GcpCredentials
from .errors import GcpInvalidRequest

__all__ = [
    "OutgoingMessage",
    "PubsubEventTrigger",
    "PubsubFlowTrigger",
    "PubsubMessage",
    "PubsubSubscription",
    "TriggerCounts",
    "apublish_message",
    "apublish_messages",
    "publish_message",
    "publish_messages",
]

_clock: Clock = SYSTEM_CLOCK


def _publish(topic: str, messages: Sequence[Any], gcp_credentials: GcpCredentials, project: str | None) -> list[str]:
    if isinstance(messages, (str, bytes)):
        raise GcpInvalidRequest(
            f"Pub/Sub topic {topic!r}: messages is one {type(messages).__name__}; give a list, or use publish_message.",
            subject=f"Pub/Sub topic {topic!r}",
        )
    target = Topic(topic, gcp_credentials, project, _clock)
    ids = target.publish(messages)
    run_logger(__name__).info("Published %d messages to %s", len(ids), target.subject)
    return ids


@task
async def apublish_messages(
    topic: str, messages: Sequence[Any], gcp_credentials: GcpCredentials, project: str | None = None
) -> list[str]:
    """Async form of `publish_messages`."""
    return await in_thread(_publish, topic, messages, gcp_credentials, project)


@sync_task(apublish_messages)
def publish_messages(
    topic: str, messages: Sequence[Any], gcp_credentials: GcpCredentials, project: str | None = None
) -> list[str]:
    """Publish messages, up to 1,000 with each request, one request after the other.

    All messages are looked at before the first is published. A request that fails for a passing reason is repeated for
    a minute, and a retry of the task publishes all messages again: subscribers must expect a message twice, as always
    with Pub/Sub.

    Args:
        topic: Short name of the topic, or its full one.
        messages: Bodies: bytes and text as they are, anything else as JSON; or `OutgoingMessage`s, which can have more.
            A message has at most 10 MB and 100 attributes ([limits](https://cloud.google.com/pubsub/quotas#resource_limits)).
        gcp_credentials: Who we are at Google Cloud.
        project: Project of the topic; that of the credentials when not given.

    Returns:
        IDs of the messages, in the order given.

    Raises:
        GcpInvalidRequest: If a message is empty, breaks a limit or cannot be written as JSON; nothing was published
            then.
        GcpNotFound: If there is no such topic.
        GcpAccessDenied: If this identity may not publish to the topic.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.pubsub import OutgoingMessage, publish_messages

        @flow
        def announce_orders(customer: str, numbers: list[int]) -> list[str]:
            messages = [OutgoingMessage({"order": number}, ordering_key=customer) for number in numbers]
            return publish_messages("orders", messages, GcpCredentials.load("BLOCK_NAME"))
        ```
    """
    return _publish(topic, messages, gcp_credentials, project)


@task
async def apublish_message(
    topic: str, message: Any, gcp_credentials: GcpCredentials, project: str | None = None
) -> str:
    """Async form of `publish_message`."""
    return (await in_thread(_publish, topic, [message], gcp_credentials, project))[0]


@sync_task(apublish_message)
def publish_message(topic: str, message: Any, gcp_credentials: GcpCredentials, project: str | None = None) -> str:
    """Publish one message.

    Args:
        topic: Short name of the topic, or its full one.
        message: Its body: bytes and text as they are, anything else as JSON; or an `OutgoingMessage`, which can have
            more.
        gcp_credentials: Who we are at Google Cloud.
        project: Project of the topic; that of the credentials when not given.

    Returns:
        ID of the message.

    Raises:
        GcpInvalidRequest: If it is empty, breaks a limit or cannot be written as JSON.
        GcpNotFound: If there is no such topic.
        GcpAccessDenied: If this identity may not publish to the topic.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.pubsub import publish_message

        @flow
        def announce_order(number: int) -> str:
            return publish_message("orders", {"order": number}, GcpCredentials.load("BLOCK_NAME"))
        ```
    """
    return _publish(topic, [message], gcp_credentials, project)[0]


class PubsubSubscription(QuickKey, Block):
    """A subscription to receive messages from.

    Example:
        Work off messages, each kept from others while the function works, and acknowledged when it has succeeded:

        ```python
        from prefect import flow
        from prefect_gcp.pubsub import PubsubMessage, PubsubSubscription

        def pack(message: PubsubMessage) -> None:
            print(message.json())

        @flow
        def pack_orders() -> int:
            counts = PubsubSubscription.load("BLOCK_NAME").handle(pack)
            return counts.started
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "Google Pub Sub Subscription"  # a slash is refused
    _documentation_url = "https://docs.prefect.io/integrations/prefect-gcp"  # pyright: ignore[reportAssignmentType]

    subscription: str = Field(description="Short name of the subscription, or its full one.")
    project: str | None = Field(
        default=None, description="Project of the subscription; that of the credentials when not given."
    )
    gcp_credentials: GcpCredentials = Field(
        default_factory=GcpCredentials, title="GCP Credentials", description="Who we are at Google Cloud."
    )

    def _open(self) -> Subscription:
        return Subscription(self.subscription, self.gcp_credentials, self.project, _clock)

    def _receive(self, max_messages: int, wait_seconds: int) -> list[PubsubMessage]:
        subscription = self._open()
        messages = subscription.receive(max_messages, wait_seconds)
        run_logger(__name__).info("Received %d messages from %s", len(messages), subscription.subject)
        return messages

    async def areceive(self, max_messages: int = 10, wait_seconds: int = 20) -> list[PubsubMessage]:
        """Async form of `receive`."""
        return await in_waiting_thread(partial(self._receive, max_messages, wait_seconds))

    @async_dispatch(areceive)
    def receive(self, max_messages: int = 10, wait_seconds: int = 20) -> list[PubsubMessage]:
        """Receive messages. Each comes again when it is not acknowledged before the subscription's deadline.

        Args:
            max_messages: How many to receive at most. It receives until there are so many or there is nothing more.
            wait_seconds: Seconds to wait for the first message, up to 60; 0 does not wait, and may miss messages that
                are there.

        Returns:
            The messages; none when none came in time.

        Raises:
            GcpNotFound: If there is no such subscription.
            GcpInvalidRequest: If a number is out of its range.
            GcpAccessDenied: If this identity may not receive from the subscription.
        """
        return self._receive(max_messages, wait_seconds)

    def _acknowledge(self, messages: Sequence[PubsubMessage | str]) -> None:
        self._open().acknowledge(_ack_ids(messages))

    async def aacknowledge(self, messages: Sequence[PubsubMessage | str]) -> None:
        """Async form of `acknowledge`."""
        await in_thread(self._acknowledge, messages)

    @async_dispatch(aacknowledge)
    def acknowledge(self, messages: Sequence[PubsubMessage | str]) -> None:
        """Take messages away for good. A message whose deadline is over may come again all the same.

        Args:
            messages: The messages, or their `ack_id`s.

        Raises:
            GcpNotFound: If there is no such subscription.
            GcpInvalidRequest: If an ID is none.
            GcpAccessDenied: If this identity may not acknowledge.
        """
        self._acknowledge(messages)

    def _modify_deadline(self, messages: Sequence[PubsubMessage | str], seconds: int) -> None:
        self._open().modify_deadline(_ack_ids(messages), seconds)

    async def amodify_deadline(self, messages: Sequence[PubsubMessage | str], seconds: int) -> None:
        """Async form of `modify_deadline`."""
        await in_thread(self._modify_deadline, messages, seconds)

    @async_dispatch(amodify_deadline)
    def modify_deadline(self, messages: Sequence[PubsubMessage | str], seconds: int) -> None:
        """Have more time for messages, or less.

        Args:
            messages: The messages, or their `ack_id`s.
            seconds: Seconds from now after which they come again, up to 600.

        Raises:
            GcpInvalidRequest: If `seconds` is out of its range, or an ID is none.
            GcpNotFound: If there is no such subscription.
            GcpAccessDenied: If this identity may not do that.
        """
        self._modify_deadline(messages, seconds)

    async def anack(self, messages: Sequence[PubsubMessage | str]) -> None:
        """Async form of `nack`."""
        await self.amodify_deadline(messages, 0)

    @async_dispatch(anack)
    def nack(self, messages: Sequence[PubsubMessage | str]) -> None:
        """Give messages back, so that they come again as soon as the subscription's retry policy allows.

        Args:
            messages: The messages, or their `ack_id`s.

        Raises:
            GcpNotFound: If there is no such subscription.
            GcpAccessDenied: If this identity may not do that.
        """
        self._modify_deadline(messages, 0)

    async def ahandle(
        self,
        handler: Callable[[PubsubMessage], Awaitable[object] | object],
        *,
        concurrency: int = 10,
        wait_seconds: int = 5,
        until_empty: bool = True,
        max_backoff_seconds: int = 600,
    ) -> TriggerCounts:
        """Async form of `handle`."""
        subscription = self._open()
        subscription.check_wait(wait_seconds)
        limits = {
            "concurrency": (concurrency, 1_000),
            "max_backoff_seconds": (max_backoff_seconds, MAX_DEADLINE_SECONDS),
        }
        for name, (value, most) in limits.items():
            if not 1 <= value <= most:
                raise GcpInvalidRequest(
                    f"{subscription.subject}: {name} is {value}; from 1 to {most} are allowed.",
                    subject=subscription.subject,
                )
        return await act_on_messages(
            PubsubSource(subscription, wait_seconds),
            CallHandler(handler),
            concurrency=concurrency,
            max_backoff_seconds=max_backoff_seconds,
            until_empty=until_empty,
            clock=_clock,
        )

    @async_dispatch(ahandle)
    def handle(
        self,
        handler: Callable[[PubsubMessage], Awaitable[object] | object],
        *,
        concurrency: int = 10,
        wait_seconds: int = 5,
        until_empty: bool = True,
        max_backoff_seconds: int = 600,
    ) -> TriggerCounts:
        """Receive messages and hand each to a function, until there are no more.

        A message is acknowledged when the function has returned. While it works, the message's deadline is put off, so
        that nobody else gets it. When it raises, the message comes again, later each time.

        Args:
            handler: The function, sync (it is called in a thread) or async. It must be safe to repeat: messages come at
                least once.
            concurrency: How many messages are worked on at a time.
            wait_seconds: Seconds that one request waits for messages, up to 60.
            until_empty: Whether to return when there are no more messages.
            max_backoff_seconds: Most seconds for which a message is put back when the function raised, up to 600.

        Returns:
            How many messages were handled (`started`), and how often the function raised (`failed`).

        Raises:
            GcpNotFound: If there is no such subscription.
            GcpInvalidRequest: If a number is out of its range, or nothing can be pulled from the subscription.
            GcpAccessDenied: If this identity may not receive or acknowledge messages.
        """
        return run_coro_as_sync(
            self.ahandle(
                handler,
                concurrency=concurrency,
                wait_seconds=wait_seconds,
                until_empty=until_empty,
                max_backoff_seconds=max_backoff_seconds,
            )
        )


def _ack_ids(messages: Sequence[PubsubMessage | str]) -> list[str]:
    if isinstance(messages, (str, PubsubMessage)):
        messages = [messages]
    return [message if isinstance(message, str) else message.ack_id for message in messages]
