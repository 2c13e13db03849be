"""Service Bus: tasks that send messages, a queue to receive them from, and triggers.

Needs the extra `service-bus`: `pip install "prefect-azure[service_bus]"`.

Examples:
    Send, and work off what is in a queue:

    ```python
    from prefect import flow
    from prefect_azure.service_bus import AzureServiceBusCredentials, ServiceBusQueue, service_bus_send_messages

    @flow
    def announce_orders(numbers: list[int]) -> list[str]:
        orders = [{"order": number} for number in numbers]
        return service_bus_send_messages("orders", orders, AzureServiceBusCredentials.load("BLOCK_NAME"))

    @flow
    def print_orders() -> int:
        counts = ServiceBusQueue.load("BLOCK_NAME").handle(lambda message: print(message.json()))
        return counts.started
    ```

    Start a run of a deployment for each message, in a process of its own:

    ```python
    from prefect_azure.service_bus import AzureServiceBusCredentials, ServiceBusFlowTrigger

    if __name__ == "__main__":
        ServiceBusFlowTrigger(
            queue="orders",
            deployment="pack-order/nightly",
            parameters={"number": "order.number"},
            credentials=AzureServiceBusCredentials.load("BLOCK_NAME"),
        ).serve()
    ```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from prefect.blocks.core import Block
from prefect.tasks import task
from pydantic import Field, HttpUrl

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import (
    async_dispatch,
    run_coro_as_sync,
    run_sync_in_worker_thread,
    sync_task,
)
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.message_actions import CallHandler
from prefect_integration_kit.message_trigger import TriggerCounts
from prefect_integration_kit.triggers import act_on_messages
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._service_bus.connection import FAILURES, Entity, Receiver, check_wait, send
from ._service_bus.credentials import AzureServiceBusCredentials
from ._service_bus.messages import OutgoingMessage, ServiceBusMessage
from ._service_bus.source import ServiceBusSource
from ._service_bus.trigger import ServiceBusEventTrigger, ServiceBusFlowTrigger
from .errors import AzureInvalidRequest

__all__ = [
    "AzureServiceBusCredentials",
    "OutgoingMessage",
    "ServiceBusEventTrigger",
    "ServiceBusFlowTrigger",
    "ServiceBusMessage",
    "ServiceBusQueue",
    "TriggerCounts",
    "aservice_bus_send_messages",
    "service_bus_send_messages",
]

_clock: Clock = SYSTEM_CLOCK


def _send(queue: str, messages: Sequence[Any], credentials: AzureServiceBusCredentials) -> list[str]:
    if isinstance(messages, str | bytes):
        raise AzureInvalidRequest(
            f"Service Bus queue {queue!r}: messages is one {type(messages).__name__}; give a list.",
            subject=f"Service Bus queue {queue!r}",
        )
    ids = send(credentials, Entity(queue), messages, _clock)
    run_logger(__name__).info("Sent %d messages to Service Bus queue or topic '%s'", len(ids), queue)
    return ids


@task
async def aservice_bus_send_messages(
    queue: str, messages: Sequence[Any], credentials: AzureServiceBusCredentials
) -> list[str]:
    """Async form of `service_bus_send_messages`."""
    return await run_sync_in_worker_thread(_send, queue, messages, credentials)


@sync_task(aservice_bus_send_messages)
def service_bus_send_messages(
    queue: str, messages: Sequence[Any], credentials: AzureServiceBusCredentials
) -> list[str]:
    """Send messages to a queue or a topic, in as few batches as they fit in.

    All messages are looked at before the first is sent. A batch that fails for a passing reason is repeated for a
    minute, and a retry of the task sends all messages again: receivers must expect a message twice, unless the queue
    has duplicate detection on and messages have a `message_id`.

    Args:
        queue: Name of the queue or topic.
        messages: Bodies: bytes and text as they are, anything else as JSON; or `OutgoingMessage`s, which can have more.
            A message has at most 256 KB, in premium namespaces 100 MB
            ([limits](https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-quotas)).
        credentials: Who we are, and of which namespace.

    Returns:
        IDs of the messages, in the order given.

    Raises:
        AzureInvalidRequest: If a message breaks a limit or cannot be written as JSON; nothing was sent then.
        AzureNotFound: If there is no such queue or topic.
        AzureAccessDenied: If this identity may not send to it.
        AzureCredentialsError: If Service Bus does not accept the key or the identity.
        AzureQuotaExceeded: If the queue is full; says how many messages were sent before.

    Example:
        ```python
        from prefect import flow
        from prefect_azure.service_bus import (
            AzureServiceBusCredentials,
            OutgoingMessage,
            service_bus_send_messages,
        )

        @flow
        def announce_orders(numbers: list[int]) -> list[str]:
            messages = [OutgoingMessage({"order": number}, message_id=f"order-{number}") for number in numbers]
            return service_bus_send_messages("orders", messages, AzureServiceBusCredentials.load("BLOCK_NAME"))
        ```
    """
    return _send(queue, messages, credentials)


class ServiceBusQueue(QuickKey, Block):
    """A queue, or a subscription to a topic, to receive messages from.

    Example:
        Work off messages, each kept from others while the function works, and taken when it has succeeded:

        ```python
        from prefect import flow
        from prefect_azure.service_bus import ServiceBusMessage, ServiceBusQueue

        def pack(message: ServiceBusMessage) -> None:
            print(message.json())

        @flow
        def pack_orders() -> int:
            counts = ServiceBusQueue.load("BLOCK_NAME").handle(pack)
            return counts.started
        ```
    """

    _block_type_name = "Azure Service Bus Queue"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-azure")

    queue: str = Field(description="Name of the queue; of the topic, where a subscription is named.")
    subscription: str | None = Field(default=None, description="Name of the subscription to the topic.")
    dead_letter: bool = Field(default=False, description="Whether its dead-letter queue is meant.")
    credentials: AzureServiceBusCredentials = Field(description="Who we are, and of which namespace.")

    def _open(self, *, takes_at_once: bool = False) -> Receiver:
        entity = Entity(self.queue, self.subscription, self.dead_letter)
        return Receiver(self.credentials, entity, takes_at_once=takes_at_once)

    def _receive(self, max_messages: int, wait_seconds: float) -> list[ServiceBusMessage]:
        receiver = self._open(takes_at_once=True)
        try:
            messages = receiver.receive_all(max_messages, wait_seconds)
        finally:
            receiver.close()
        run_logger(__name__).info("Received %d messages from %s", len(messages), receiver.subject)
        return messages

    async def areceive(self, max_messages: int = 10, wait_seconds: float = 20) -> list[ServiceBusMessage]:
        """Async form of `receive`."""
        return await run_sync_in_worker_thread(self._receive, max_messages, wait_seconds)

    @async_dispatch(areceive)
    def receive(self, max_messages: int = 10, wait_seconds: float = 20) -> list[ServiceBusMessage]:
        """Take messages from the queue, for good.

        What is received is gone, also when this process ends before it has done anything with it; `handle` takes a
        message only when a function has succeeded.

        Args:
            max_messages: How many to receive at most. It receives until there are so many or there is nothing more.
            wait_seconds: Seconds to wait for the first message, up to 60.

        Returns:
            The messages; none when none came in time.

        Raises:
            AzureNotFound: If there is no such queue or subscription.
            AzureInvalidRequest: If a number is out of its range.
            AzureAccessDenied: If this identity may not receive from it.
            AzureUnavailable: If Service Bus cannot be reached. It is not repeated: an answer that was lost may have
                held messages.
        """
        return self._receive(max_messages, wait_seconds)

    def _peek(self, max_messages: int) -> list[ServiceBusMessage]:
        receiver = self._open()
        if max_messages < 1:
            raise AzureInvalidRequest(
                f"{receiver.subject}: max_messages is {max_messages}; it must be at least 1.", subject=receiver.subject
            )
        try:
            return FAILURES.persist(lambda: receiver.peek(max_messages), _clock)
        finally:
            receiver.close()

    async def apeek(self, max_messages: int = 10) -> list[ServiceBusMessage]:
        """Async form of `peek`."""
        return await run_sync_in_worker_thread(self._peek, max_messages)

    @async_dispatch(apeek)
    def peek(self, max_messages: int = 10) -> list[ServiceBusMessage]:
        """Look at messages, oldest first, and leave them where they are.

        Args:
            max_messages: How many to look at, at most.

        Returns:
            The messages, also those that somebody works on or that are scheduled for later.

        Raises:
            AzureNotFound: If there is no such queue or subscription.
            AzureAccessDenied: If this identity may not receive from it.
        """
        return self._peek(max_messages)

    async def ahandle(
        self,
        handler: Callable[[ServiceBusMessage], Awaitable[object] | object],
        *,
        concurrency: int = 10,
        wait_seconds: float = 5,
        until_empty: bool = True,
        max_backoff_seconds: float = 600,
    ) -> TriggerCounts:
        """Async form of `handle`."""
        receiver = self._open()
        check_wait(receiver.subject, wait_seconds)
        for name, value in (("concurrency", concurrency), ("max_backoff_seconds", max_backoff_seconds)):
            if value < 1:
                raise AzureInvalidRequest(
                    f"{receiver.subject}: {name} is {value}; it must be at least 1.", subject=receiver.subject
                )
        return await act_on_messages(
            ServiceBusSource(receiver, wait_seconds, _clock),
            CallHandler(handler),
            concurrency=concurrency,
            max_backoff_seconds=max_backoff_seconds,
            until_empty=until_empty,
            clock=_clock,
        )

    @async_dispatch(ahandle)
    def handle(
        self,
        handler: Callable[[ServiceBusMessage], Awaitable[object] | object],
        *,
        concurrency: int = 10,
        wait_seconds: float = 5,
        until_empty: bool = True,
        max_backoff_seconds: float = 600,
    ) -> TriggerCounts:
        """Receive messages and hand each to a function, until there are no more.

        A message is taken from the queue when the function has returned. While it works, the message's lock is renewed,
        so that nobody else gets it. When it raises, the message is tried again, later each time; one that has failed
        when everything else is done is given back.

        Args:
            handler: The function, sync (it is called in a thread) or async. It must be safe to repeat: messages come at
                least once.
            concurrency: How many messages are worked on at a time.
            wait_seconds: Seconds that one request waits for messages, up to 60.
            until_empty: Whether to return when there are no more messages.
            max_backoff_seconds: Most seconds for which a message is kept back when the function raised.

        Returns:
            How many messages were handled (`started`), and how often the function raised (`failed`).

        Raises:
            AzureNotFound: If there is no such queue or subscription.
            AzureInvalidRequest: If a number is out of its range.
            AzureAccessDenied: If this identity may not receive messages.
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
