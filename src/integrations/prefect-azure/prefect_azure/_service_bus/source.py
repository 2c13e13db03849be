"""Where a trigger receives from: one link, used by one thread, and what it keeps locked meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from prefect_integration_kit.message_trigger import MessageSource
from prefect_integration_kit.waiting import Clock

from ..errors import AzureError, AzureInvalidRequest, AzureNotFound
from .connection import FAILURES, Receiver, lock_left_seconds
from .messages import ServiceBusMessage

V = TypeVar("V")

_SHORT_WAIT_SECONDS = 0.2
"""While messages are worked on: what settles them waits for the same link."""
_LEAST_LEASE_SECONDS = 1.0
_MAX_REASON = 4096  # https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-dead-letter-queues


class ServiceBusSource(MessageSource[ServiceBusMessage]):
    """A queue or a subscription, with how a trigger receives from it.

    Service Bus has no way to give a message back for later, and puts it aside after some deliveries. So a message that
    cannot be handled at the time stays locked here, and is handed out again when its time has come, without another
    delivery.

    Args:
        receiver: Its link.
        wait_seconds: How long one request waits for a message.
        clock: Time.
    """

    failures = FAILURES
    max_batch = 100

    def __init__(self, receiver: Receiver, wait_seconds: float, clock: Clock) -> None:
        self._receiver = receiver
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="service-bus")
        self._given: dict[str, ServiceBusMessage] = {}
        self._held: dict[str, tuple[float, ServiceBusMessage]] = {}
        self.waits = bool(wait_seconds)
        self.lease_seconds = None

    @property
    def subject(self) -> str:
        """Queue or subscription."""
        return self._receiver.subject

    async def in_thread(self, call: Callable[[], V], *, waits: bool = False) -> V:
        """Make a request in the thread that the link belongs to."""
        del waits
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def puts_aside(self) -> bool:
        """Every queue of Service Bus does; see that this one is there."""
        FAILURES.persist(lambda: self._receiver.peek(1), self._clock)
        return True

    def is_missing(self, error: Exception) -> bool:
        """Whether there is nothing that could be received from."""
        return isinstance(error, AzureNotFound | AzureInvalidRequest)

    def receive(self, maximum: int) -> list[ServiceBusMessage]:
        """Hand out what is due, else receive once."""
        self._keep_held()
        messages = self._due(maximum)
        if not messages:
            messages = self._receiver.receive(maximum, self._patience())
        for message in messages:
            self._given[message.identity] = message
        if messages and (left := lock_left_seconds(messages[0])) > 0:
            self.lease_seconds = max(_LEAST_LEASE_SECONDS, left / 2)
        return messages

    def _patience(self) -> float:
        if self._given:
            return min(self._wait_seconds, _SHORT_WAIT_SECONDS)
        if self._held:
            next_due = min(due for due, _ in self._held.values()) - self._clock.monotonic()
            return max(0.0, min(self._wait_seconds, next_due, self.lease_seconds or _LEAST_LEASE_SECONDS))
        return self._wait_seconds

    def _due(self, maximum: int) -> list[ServiceBusMessage]:
        now = self._clock.monotonic()
        due = [key for key, (at, _) in self._held.items() if at <= now][:maximum]
        return [self._held.pop(key)[1] for key in due]

    def _keep_held(self) -> None:
        """Renew the locks of what waits here; a message whose lock is lost comes again by itself."""
        for key, (_, message) in list(self._held.items()):
            if lock_left_seconds(message) > (self.lease_seconds or _LEAST_LEASE_SECONDS):
                continue
            try:
                self._receiver.renew(message)
            except AzureError as exc:
                if self.failures.is_passing(exc) is False:
                    self._held.pop(key)

    def take(self, message: ServiceBusMessage) -> str | None:
        """Complete a message."""
        self._given.pop(message.identity, None)
        return self._receiver.settle(message, "complete")

    def hide(self, message: ServiceBusMessage, seconds: int) -> None:
        """Keep a message here for a while, or give it back."""
        self._given.pop(message.identity, None)
        if seconds:
            self._held[message.identity] = (self._clock.monotonic() + seconds, message)
        else:
            self._receiver.settle(message, "abandon")

    def reject(self, message: ServiceBusMessage, why: str) -> bool:
        """Move a message to the dead-letter queue, with the reason."""
        self._given.pop(message.identity, None)
        details = {"reason": "Malformed", "error_description": why[:_MAX_REASON]}
        return self._receiver.settle(message, "dead_letter", **details) is None

    def keep(self, messages: Sequence[ServiceBusMessage]) -> None:
        """Renew the locks of messages that are being worked on."""
        for message in messages:
            self._receiver.renew(message)

    async def close(self) -> None:
        """Give back what is not settled, and close the link."""
        try:
            await self.in_thread(self._close)
        finally:
            self._thread.shutdown(wait=False)

    def _close(self) -> None:
        left = [*self._given.values(), *(message for _, message in self._held.values())]
        self._given.clear()
        self._held.clear()
        for message in left:
            with contextlib.suppress(AzureError):  # it comes again when its lock ends
                self._receiver.settle(message, "abandon")
        self._receiver.close()
