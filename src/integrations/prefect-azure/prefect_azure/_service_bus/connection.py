"""Connections to a namespace: who opens them, what they are about, what their failures mean."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.extras import require_extra
from prefect_integration_kit.remote_work import Failures
from prefect_integration_kit.waiting import Clock

from .. import _clients
from .._endpoints import CLOUDS
from .._identity import describe, secrets_of
from .._sdk_logs import guard_sdk_logs
from ..errors import AzureError, AzureInvalidRequest, AzureWaitTimeout, azure_errors, is_transient
from .messages import ServiceBusMessage, entry, read_message

if TYPE_CHECKING:
    from .credentials import AzureServiceBusCredentials

FAILURES = Failures(base=AzureError, refused=AzureInvalidRequest, timed_out=AzureWaitTimeout, is_passing=is_transient)

MAX_WAIT_SECONDS = 60
_LEAST_WAIT_SECONDS = 0.2
_OPTIONS: dict[str, Any] = {"retry_total": 0, "user_agent": "prefect-azure"}
"""What is repeated is repeated by us, who know whether that is safe."""
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/~-]{0,258}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Entity:
    """A queue, or a topic and a subscription to it.

    Attributes:
        name: Of the queue or topic.
        subscription: Of the topic; `None` for a queue, and for a topic to send to.
        is_dead_letter: Whether its dead-letter queue is meant.
    """

    name: str
    subscription: str | None = None
    is_dead_letter: bool = False

    @property
    def subject(self) -> str:
        """What it is, for messages."""
        what = "Dead-letter queue of " if self.is_dead_letter else ""
        if self.subscription is not None:
            return f"{what}Service Bus subscription {self.subscription!r} of topic {self.name!r}"
        return f"{what}Service Bus queue {self.name!r}"

    def check(self) -> None:
        """Refuse names that are none.

        Raises:
            AzureInvalidRequest: Naming the field and the remedy.
        """
        for field, name in (("queue or topic", self.name), ("subscription", self.subscription)):
            if name is not None and not _NAME.fullmatch(name):
                raise AzureInvalidRequest(
                    f"{self.subject}: {field} is {name!r}; give a name of letters, digits and ._-/ that begins and "
                    "ends with a letter or a digit.",
                    subject=self.subject,
                )


def open_client(credentials: AzureServiceBusCredentials, **options: Any) -> Any:
    """A new `azure.servicebus.ServiceBusClient`; who asks for it closes it.

    Args:
        credentials: Who we are, and of which namespace.
        **options: Further arguments of the client.
    """
    module: Any = require_extra("azure.servicebus", distribution="prefect-azure", extra="service-bus")
    guard_sdk_logs()
    if credentials.connection_string is not None:
        text = credentials.connection_string.get_secret_value()
        return module.ServiceBusClient.from_connection_string(text, **options)
    return _clients.service_bus_client(credentials, credentials.host, **options)


def namespace_host(namespace: str, cloud: str) -> str:
    """Host of a namespace, of its name or of the host itself."""
    host = namespace.strip().removeprefix("sb://").removeprefix("https://").strip("/")
    return host if "." in host else f"{host}.{CLOUDS[cloud].servicebus_suffix}"


@contextmanager
def bus_errors(credentials: AzureServiceBusCredentials, subject: str) -> Generator[None]:
    """Raise failures of the SDK as this package's errors."""
    with azure_errors(subject, identity=describe(credentials), secrets=secrets_of(credentials)):
        yield


def send(credentials: AzureServiceBusCredentials, entity: Entity, messages: Sequence[Any], clock: Clock) -> list[str]:
    """Send messages in batches, one after the other, and return their IDs in order.

    Raises:
        AzureInvalidRequest: If a message breaks a limit; nothing was sent then.
        AzureError: If a batch was refused; says how many messages were sent before.
    """
    entity.check()
    subject = entity.subject.replace("queue", "queue or topic")
    entries = [entry(message, place, subject) for place, message in enumerate(messages)]
    if not entries:
        return []
    batches: list[tuple[int, Any]] | None = None
    sent = done = 0

    def work() -> None:
        nonlocal batches, sent, done
        with (
            bus_errors(credentials, subject),
            open_client(credentials, **_OPTIONS) as client,
            client.get_queue_sender(entity.name) as sender,
        ):
            if batches is None:
                batches = _batches(sender, entries, subject)
            for count, batch in batches[done:]:
                sender.send_messages(batch)
                sent += count
                done += 1

    try:
        FAILURES.persist(work, clock)
    except AzureError as exc:
        if sent:
            exc.args = (f"{exc} Of {len(entries)} messages, the first {sent} were sent.",)
        raise
    return [str(each.message_id) for each in entries]


def _batches(sender: Any, entries: Sequence[Any], subject: str) -> list[tuple[int, Any]]:
    """Put messages into as few batches as they fit in; a batch holds messages of one session.

    One that no batch can hold goes alone: premium namespaces take messages of 100 MB, and smaller batches.
    """
    batches: list[tuple[int, Any]] = []
    batch: Any = None
    count, session = 0, None
    for place, each in enumerate(entries):
        if batch is not None and each.session_id == session and _fits(batch, each):
            count += 1
            batches[-1] = (count, batch)
            continue
        batch, session, count = sender.create_message_batch(), each.session_id, 1
        if _fits(batch, each):
            batches.append((count, batch))
            continue
        most = int(getattr(sender, "_max_message_size_on_link", 0)) or batch.max_size_in_bytes
        if sum(len(part) for part in each.body) > most:
            raise AzureInvalidRequest(
                f"{subject}: message {place} is larger than the {most} bytes that are allowed. Put what is large into "
                "Blob Storage and send its name. Nothing was sent.",
                subject=subject,
            )
        batches.append((1, each))
        batch = None
    return batches


def _fits(batch: Any, message: Any) -> bool:
    from azure.servicebus.exceptions import MessageSizeExceededError

    try:
        batch.add_message(message)
    except MessageSizeExceededError:
        return False
    return True


class Receiver:
    """A link that gives messages. One thread uses it at a time; the SDK's links are not made for more.

    Args:
        credentials: Who we are.
        entity: Queue or subscription.
        takes_at_once: Whether what is received is taken from the queue at once, and cannot come again.
    """

    def __init__(self, credentials: AzureServiceBusCredentials, entity: Entity, *, takes_at_once: bool = False) -> None:
        entity.check()
        self.entity = entity
        self.subject = entity.subject
        self._credentials = credentials
        self._takes_at_once = takes_at_once
        self._client: Any = None
        self._receiver: Any = None

    def receive(self, maximum: int, wait_seconds: float) -> list[ServiceBusMessage]:
        """Receive once: what is there, or the first that comes within the time."""
        with bus_errors(self._credentials, self.subject):
            try:
                found = self._open().receive_messages(maximum, max(_LEAST_WAIT_SECONDS, wait_seconds))
            except Exception:
                self.close()  # a link that has failed is not used again
                raise
        return [read_message(each) for each in found]

    def receive_all(self, maximum: int, wait_seconds: float) -> list[ServiceBusMessage]:
        """Receive until there are enough or there is nothing more; only the first request waits."""
        check_wait(self.subject, wait_seconds)
        if maximum < 1:
            raise AzureInvalidRequest(
                f"{self.subject}: max_messages is {maximum}; it must be at least 1.", subject=self.subject
            )
        found: list[ServiceBusMessage] = []
        while len(found) < maximum:
            messages = self.receive(maximum - len(found), 0 if found else wait_seconds)
            if not messages:
                break
            found += messages
        return found

    def peek(self, maximum: int) -> list[ServiceBusMessage]:
        """Look at messages, and leave them where they are."""
        with bus_errors(self._credentials, self.subject):
            return [read_message(each) for each in self._open().peek_messages(maximum)]

    def settle(self, message: ServiceBusMessage, act: str, **details: Any) -> str | None:
        """Complete, abandon or dead-letter a message; returns why it could not be, if it comes again.

        Args:
            message: As it was received by this object.
            act: `complete`, `abandon` or `dead_letter`.
            **details: Further arguments of the SDK's method.
        """
        from azure.servicebus.exceptions import MessageAlreadySettled, MessageLockLostError, ServiceBusError

        with bus_errors(self._credentials, self.subject):
            try:
                getattr(self._open(), f"{act}_message")(message.received, **details)
            except (MessageLockLostError, MessageAlreadySettled) as exc:
                return str(exc)
            except ServiceBusError as exc:
                if is_transient(exc) is False:
                    raise
                return str(exc)
        return None

    def renew(self, message: ServiceBusMessage) -> None:
        """Keep a message from others for as long again as the queue says."""
        with bus_errors(self._credentials, self.subject):
            self._open().renew_message_lock(message.received)

    def close(self) -> None:
        """Close the link and its connection; what was received and not settled comes again when its lock ends."""
        receiver, client, self._receiver, self._client = self._receiver, self._client, None, None
        for each in (receiver, client):
            if each is not None:
                try:
                    each.close()
                except Exception:  # noqa: BLE001, S112 - it is broken already
                    continue

    def _open(self) -> Any:
        if self._receiver is None:
            from azure.servicebus import ServiceBusReceiveMode, ServiceBusSubQueue

            self._client = open_client(self._credentials, **_OPTIONS)
            options: dict[str, Any] = {
                "receive_mode": ServiceBusReceiveMode.RECEIVE_AND_DELETE
                if self._takes_at_once
                else ServiceBusReceiveMode.PEEK_LOCK,
                "sub_queue": ServiceBusSubQueue.DEAD_LETTER if self.entity.is_dead_letter else None,
            }
            if self.entity.subscription is not None:
                self._receiver = self._client.get_subscription_receiver(
                    self.entity.name, self.entity.subscription, **options
                )
            else:
                self._receiver = self._client.get_queue_receiver(self.entity.name, **options)
            # Opened here, so that the time of the first wait is not spent on that.
            self._receiver.__enter__()
        return self._receiver


def check_wait(subject: str, wait_seconds: float) -> None:
    """Refuse a time that is out of its range."""
    if not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
        raise AzureInvalidRequest(
            f"{subject}: wait_seconds is {wait_seconds}; from 0 to {MAX_WAIT_SECONDS} are allowed.", subject=subject
        )


def lock_left_seconds(message: ServiceBusMessage) -> float:
    """Seconds until a message's lock ends."""
    until = getattr(message.received, "locked_until_utc", None)
    return until.timestamp() - time.time() if until is not None else 0.0
