"""Messages of Service Bus: what is sent, checked before anything is sent, and what is received."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from ..errors import AzureInvalidRequest

# https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-quotas
_MAX_ID_CHARACTERS = 128
_VALUES = (str, bool, int, float, bytes, datetime, uuid.UUID)


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to send, with more than a body.

    Attributes:
        body: Bytes or text as they are; anything else is sent as JSON.
        properties: Application properties by name, for subscriptions to filter by: text, numbers, booleans, bytes,
            times and UUIDs.
        message_id: ID, 128 characters at most; where duplicate detection is on, Service Bus drops a second message of
            the same ID. A random one when not given.
        subject: What it is about, which subscriptions can filter by.
        session_id: Messages of one session come in order, from queues that have sessions.
        content_type: Such as `application/json`, which it is for what is sent as JSON.
        correlation_id: ID of what it belongs to.
        scheduled_at: When Service Bus makes it available; at once when not given.
    """

    body: Any = ""
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])
    message_id: str | None = None
    subject: str | None = None
    session_id: str | None = None
    content_type: str | None = None
    correlation_id: str | None = None
    scheduled_at: datetime | None = None


@dataclass(frozen=True)
class ServiceBusMessage:
    """A message that was received.

    Attributes:
        message_id: ID that its sender gave it; the same each time that it is received.
        data: Its content.
        properties: Application properties that its sender gave it.
        delivery_count: How often it was received before, and not taken.
        sequence_number: Its number in the queue.
        subject: What it is about.
        session_id: Messages of one session come in order; `None` when it has none.
        content_type: Such as `application/json`.
        correlation_id: ID of what it belongs to.
        enqueued_at: When Service Bus took it, in UTC.
        dead_letter_reason: Why it was put aside, where it comes from the dead-letter queue.
    """

    message_id: str
    data: bytes = field(repr=False)
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    delivery_count: int = 0
    sequence_number: int | None = None
    subject: str | None = None
    session_id: str | None = None
    content_type: str | None = None
    correlation_id: str | None = None
    enqueued_at: datetime | None = None
    dead_letter_reason: str | None = None
    received: Any = field(default=None, repr=False, compare=False)
    """The SDK's `ServiceBusReceivedMessage`."""

    @property
    def body(self) -> str:
        """The content as text.

        Raises:
            ValueError: If it is not UTF-8. The message names the message, not its content.
        """
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise ValueError(
                f"Service Bus message {self.message_id}: the body is not UTF-8 (byte {exc.start})."
            ) from None

    @property
    def identity(self) -> str:
        """What no other message has: senders may give several the same ID."""
        at = f"{self.enqueued_at.timestamp():.3f}" if self.enqueued_at else ""
        return f"{self.message_id}-{self.sequence_number}-{at}"

    @property
    def receive_count(self) -> int:
        """How often it was received, this time included."""
        return self.delivery_count + 1

    @property
    def group_id(self) -> str | None:
        """Nothing: messages of a queue without sessions stand alone."""
        return None

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            ValueError: If it is not JSON. The message names the message, not its content.
        """
        text = self.body
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as exc:
            where = f"at character {exc.pos}" if isinstance(exc, json.JSONDecodeError) else type(exc).__name__
            raise ValueError(f"Service Bus message {self.message_id}: the body is not JSON ({where}).") from None


def read_message(received: Any) -> ServiceBusMessage:
    """Read a message of the SDK.

    Args:
        received: A `ServiceBusReceivedMessage`.
    """
    return ServiceBusMessage(
        message_id=str(received.message_id or received.sequence_number or ""),
        data=_content(received),
        properties=_named(received.application_properties),
        delivery_count=int(received.delivery_count or 0),
        sequence_number=received.sequence_number,
        subject=received.subject,
        session_id=received.session_id,
        content_type=received.content_type,
        correlation_id=received.correlation_id,
        enqueued_at=received.enqueued_time_utc,
        dead_letter_reason=received.dead_letter_reason,
        received=received,
    )


def _content(received: Any) -> bytes:
    """The body, whichever of AMQP's three forms its sender gave it."""
    body: Any = received.body
    if body is None:
        return b""
    if isinstance(body, bytes | str):
        return body if isinstance(body, bytes) else body.encode()
    kind = str(getattr(received.body_type, "value", received.body_type))
    is_one = isinstance(body, Mapping) or not hasattr(body, "__iter__")
    parts: list[Any] = [body] if is_one else list(cast("Any", body))
    if kind == "data":
        return b"".join(bytes(part) for part in parts)
    plain: Any = _plain(parts if kind == "sequence" else body)
    return plain.encode() if isinstance(plain, str) else json.dumps(plain, default=str).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {_plain(name): _plain(each) for name, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[Any]", value)]
    return value


def _named(properties: Mapping[Any, Any] | None) -> dict[str, Any]:
    found = {_plain(name): value for name, value in (properties or {}).items()}
    return {str(name): _plain(value) if isinstance(value, bytes) else value for name, value in found.items()}


def entry(message: Any, place: int, subject: str) -> Any:
    """Make the SDK's message of what is to be sent.

    Args:
        message: Bytes, text, what can be written as JSON, or an `OutgoingMessage`.
        place: Where it stands among those to send, for errors.
        subject: The queue or topic, for errors.

    Raises:
        AzureInvalidRequest: If it breaks a rule of Service Bus.
    """
    from azure.servicebus import ServiceBusMessage as SdkMessage

    outgoing = message if isinstance(message, OutgoingMessage) else OutgoingMessage(message)

    def refuse(why: str) -> AzureInvalidRequest:
        return AzureInvalidRequest(f"{subject}: message {place}: {why}. Nothing was sent.", subject=subject)

    is_json = not isinstance(outgoing.body, bytes | bytearray | str)
    try:
        body = json.dumps(outgoing.body, allow_nan=False, ensure_ascii=False) if is_json else outgoing.body
    except (TypeError, ValueError, RecursionError) as exc:
        raise refuse(f"it is neither bytes nor text and cannot be written as JSON ({exc})") from exc
    if problem := _problem(outgoing):
        raise refuse(problem)
    return SdkMessage(
        bytes(body) if isinstance(body, bytearray) else body,
        application_properties=cast("Any", dict(outgoing.properties) or None),
        message_id=outgoing.message_id or str(uuid.uuid4()),
        subject=outgoing.subject,
        session_id=outgoing.session_id,
        content_type=outgoing.content_type or ("application/json" if is_json else None),
        correlation_id=outgoing.correlation_id,
        scheduled_enqueue_time_utc=outgoing.scheduled_at,
    )


def _problem(outgoing: OutgoingMessage) -> str:
    for name in ("message_id", "session_id"):
        value = getattr(outgoing, name)
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= _MAX_ID_CHARACTERS):
            return f"{name} must be text of 1 to {_MAX_ID_CHARACTERS} characters"
    if outgoing.scheduled_at is not None and outgoing.scheduled_at.tzinfo is None:
        return "scheduled_at has no time zone; give one, such as datetime.timezone.utc"
    for name, value in outgoing.properties.items():
        if not isinstance(name, str) or not name:
            return f"the name of property {name!r} must be text"
        if not isinstance(value, _VALUES):
            return (
                f"property {name!r} is a {type(value).__name__}; text, numbers, booleans, bytes, times and UUIDs are "
                "allowed"
            )
    return ""
