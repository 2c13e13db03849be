"""Queues of a Service Bus namespace, and what becomes of their messages.

Locks, delivery counts and dead-lettering follow
https://learn.microsoft.com/en-us/azure/service-bus-messaging/message-transfers-locks-settlement.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .._server_clock import Clock

DEAD_LETTER = "$DeadLetterQueue"


def _new_token() -> uuid.UUID:
    # Proton takes the tags of deliveries for text, so no byte is above 127.
    return uuid.UUID(bytes=bytes(byte & 0x7F for byte in uuid.uuid4().bytes))


@dataclass
class Stored:
    """A message that a queue keeps.

    Attributes:
        sequence: Its number in the queue.
        message: As `proton` has read it.
        enqueued_at: Seconds since the epoch.
        deliveries: How often it was given out before, and not taken.
        token: Of its lock; `None` when it is not locked.
        locked_until: When the lock ends, in seconds since the epoch.
    """

    sequence: int
    message: Any
    enqueued_at: float
    deliveries: int = 0
    token: uuid.UUID | None = None
    locked_until: float = 0.0

    @property
    def text(self) -> str:
        """Its body as text."""
        body: Any = self.message.body
        return bytes(body).decode() if not isinstance(body, str) else str(body)


@dataclass
class Queue:
    """A queue, or what a subscription has of a topic.

    Attributes:
        name: As clients name it.
        lock_seconds: How long a message is kept from others when it was given out.
        max_delivery_count: How often a message is given out before it is put aside.
        max_message_bytes: Largest message that it takes.
        max_batch_bytes: Largest batch that it takes.
        disabled: Whether it refuses to send and to receive.
    """

    name: str
    clock: Clock
    lock_seconds: float = 60.0
    max_delivery_count: int = 10
    max_message_bytes: int = 256 * 1024
    max_batch_bytes: int = 256 * 1024
    disabled: bool = False
    dead: Queue | None = None
    _messages: list[Stored] = field(default_factory=list[Stored])
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _lock: Any = field(default_factory=threading.RLock)

    @property
    def messages(self) -> list[Stored]:
        """What it keeps, locked or not, oldest first."""
        with self._lock:
            return list(self._messages)

    @property
    def texts(self) -> list[str]:
        """Bodies of what it keeps, oldest first."""
        return [stored.text for stored in self.messages]

    def put(self, messages: Iterable[Any]) -> None:
        """Keep messages."""
        with self._lock:
            now = self.clock.seconds()
            self._messages += [Stored(next(self._numbers), message, now) for message in messages]

    def lock_next(self) -> Stored | None:
        """Give out the oldest message that nobody has, and keep it from others for a while."""
        with self._lock:
            now = self.clock.seconds()
            for stored in list(self._messages):
                if stored.token is not None and stored.locked_until > now:
                    continue
                if stored.token is not None:  # whoever had it did not take it in time
                    self._release(stored)
                    if stored not in self._messages:
                        continue
                stored.token = _new_token()
                stored.locked_until = now + self.lock_seconds
                return stored
            return None

    def renew(self, token: uuid.UUID) -> float | None:
        """Keep a message from others for longer; when that ends, or `None` when the lock is lost."""
        with self._lock:
            stored = self._locked(token)
            if stored is None:
                return None
            stored.locked_until = self.clock.seconds() + self.lock_seconds
            return stored.locked_until

    def take(self, token: uuid.UUID) -> bool:
        """Take a message away for good; `False` when the lock is lost."""
        with self._lock:
            stored = self._locked(token)
            if stored is not None:
                self._messages.remove(stored)
            return stored is not None

    def give_back(self, token: uuid.UUID, *, counts: bool = True) -> bool:
        """Let others have a message; `False` when the lock is lost."""
        with self._lock:
            stored = self._locked(token)
            if stored is not None:
                self._release(stored, counts=counts)
            return stored is not None

    def put_aside(self, token: uuid.UUID, reason: str = "", description: str = "") -> bool:
        """Move a message to the dead-letter queue; `False` when the lock is lost."""
        with self._lock:
            stored = self._locked(token)
            if stored is not None:
                self._bury(stored, reason, description)
            return stored is not None

    def _locked(self, token: uuid.UUID) -> Stored | None:
        now = self.clock.seconds()
        return next((each for each in self._messages if each.token == token and each.locked_until > now), None)

    def _release(self, stored: Stored, *, counts: bool = True) -> None:
        stored.token = None
        stored.deliveries += counts
        if stored.deliveries >= self.max_delivery_count:
            self._bury(stored, "MaxDeliveryCountExceeded", "Message could not be consumed after its last delivery.")

    def _bury(self, stored: Stored, reason: str, description: str) -> None:
        self._messages.remove(stored)
        if self.dead is None:
            return
        properties: dict[str, Any] = dict(stored.message.properties or {})
        properties |= {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        stored.message.properties = properties
        self.dead.put([stored.message])


class Namespace:
    """The queues of a namespace."""

    def __init__(self, clock: Clock) -> None:
        """Start with none."""
        self.clock = clock
        self._queues: dict[str, Queue] = {}

    def new_queue(self, name: str, **options: Any) -> Queue:
        """Make a queue, and its dead-letter queue; `topic/Subscriptions/name` makes a subscription."""
        dead = Queue(f"{name}/{DEAD_LETTER}", self.clock)
        queue = Queue(name, self.clock, dead=dead, **options)
        self._queues[name.lower()] = queue
        self._queues[dead.name.lower()] = dead
        return queue

    def find(self, name: str) -> Queue | None:
        """A queue by name, in whatever case."""
        return self._queues.get(name.strip("/").lower())

    def receiving(self, name: str) -> list[Queue]:
        """The queues that get what is sent to a name: the queue, or all subscriptions of the topic."""
        queue = self.find(name)
        if queue is not None:
            return [queue]
        prefix = f"{name.strip('/').lower()}/subscriptions/"
        return [
            queue
            for key, queue in self._queues.items()
            if key.startswith(prefix) and not key.endswith(DEAD_LETTER.lower())
        ]

    def all(self) -> list[Queue]:
        """All of them."""
        return list(self._queues.values())

    def clear(self) -> None:
        """Forget all."""
        self._queues.clear()
