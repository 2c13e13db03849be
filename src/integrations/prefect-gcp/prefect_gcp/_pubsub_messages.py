"""Messages of Pub/Sub: what is sent, checked against the limits before anything is sent, and what is received."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .errors import GcpInvalidRequest

Json = dict[str, Any]

# https://cloud.google.com/pubsub/quotas#resource_limits
MAX_MESSAGE_BYTES = 10_000_000
MAX_BATCH = 1000
_MAX_ATTRIBUTES = 100
_MAX_KEY_BYTES = 256
_MAX_VALUE_BYTES = 1024
_MAX_ORDERING_KEY_BYTES = 1024
# The limit of a request is that of a message. JSON needs a third more for the same content.
_BATCH_BYTES = 7_000_000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to publish, with more than a body.

    Attributes:
        body: Bytes or text as they are; anything else is sent as JSON.
        attributes: Attributes: text by name, 100 at most; subscriptions can filter by them.
        ordering_key: Messages of one key come in the order in which they are published, from subscriptions that have
            message ordering on.
    """

    body: Any = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    ordering_key: str = ""


@dataclass(frozen=True)
class PubsubMessage:
    """A message that was received; it comes again when it is not acknowledged in time.

    Attributes:
        message_id: ID of the message; the same each time that it is received.
        ack_id: What acknowledges this delivery.
        data: Its content.
        attributes: Attributes that its publisher gave it.
        ordering_key: Messages of one key come in order; empty when it has none.
        delivery_attempt: How often it was delivered, this time included; 0 where the subscription has no dead-letter
            topic, since Pub/Sub counts only then.
        published_at: When it was published, in UTC.
    """

    message_id: str
    ack_id: str = field(repr=False)
    data: bytes = field(repr=False)
    attributes: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    ordering_key: str = ""
    delivery_attempt: int = 0
    published_at: datetime | None = None

    @property
    def body(self) -> str:
        """The content as text.

        Raises:
            ValueError: If it is not UTF-8. The message names the message, not its content.
        """
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise ValueError(f"Pub/Sub message {self.message_id}: the body is not UTF-8 (byte {exc.start}).") from None

    @property
    def receive_count(self) -> int:
        """The same as `delivery_attempt`."""
        return self.delivery_attempt

    @property
    def group_id(self) -> str | None:
        """The ordering key; `None` when it has none."""
        return self.ordering_key or None

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
            raise ValueError(f"Pub/Sub message {self.message_id}: the body is not JSON ({where}).") from None


def read_message(received: Mapping[str, Any]) -> PubsubMessage:
    """Read a member of a pull's `receivedMessages`."""
    message: Json = received.get("message") or {}
    attributes: Mapping[str, str] = message.get("attributes") or {}
    published = str(message.get("publishTime") or "")
    return PubsubMessage(
        message_id=str(message.get("messageId") or ""),
        ack_id=str(received.get("ackId") or ""),
        data=base64.b64decode(str(message.get("data") or "")),
        attributes=dict(attributes),
        ordering_key=str(message.get("orderingKey") or ""),
        delivery_attempt=int(received.get("deliveryAttempt") or 0),
        published_at=read_time(published) if published else None,
    )


def read_time(text: str) -> datetime | None:
    """Read a time of Google's; `None` when it is none."""
    # Python 3.10 reads neither Z nor digits other than three or six.
    match = re.fullmatch(r"(?P<head>[^.Z]+)(?:\.(?P<digits>\d+))?Z?", text)
    if match is None:
        return None
    digits = (match["digits"] or "0")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{match['head']}.{digits}+00:00")
    except ValueError:
        return None


def entry(message: Any, place: int, subject: str) -> Json:
    """Make a message of a publish request.

    Args:
        message: Bytes, text, what can be written as JSON, or an `OutgoingMessage`.
        place: Where it stands among those to publish, for errors.
        subject: The topic, for errors.

    Raises:
        GcpInvalidRequest: If it breaks a limit of Pub/Sub.
    """
    outgoing = message if isinstance(message, OutgoingMessage) else OutgoingMessage(message)

    def refuse(why: str) -> GcpInvalidRequest:
        return GcpInvalidRequest(f"{subject}: message {place}: {why}. Nothing was published.", subject=subject)

    try:
        data = _data(outgoing.body)
    except (TypeError, ValueError, RecursionError) as exc:
        raise refuse(f"it is neither bytes nor text and cannot be written as JSON ({exc})") from exc
    if not data and not outgoing.attributes:
        raise refuse("it is empty; give it a body or an attribute")
    problem = _problem(data, outgoing.attributes, outgoing.ordering_key)
    if problem:
        raise refuse(problem)
    made: Json = {"data": base64.b64encode(data).decode()} if data else {}
    if outgoing.attributes:
        made["attributes"] = dict(outgoing.attributes)
    if outgoing.ordering_key:
        made["orderingKey"] = outgoing.ordering_key
    return made


def _data(body: Any) -> bytes:
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    text = body if isinstance(body, str) else json.dumps(body, allow_nan=False, ensure_ascii=False)
    return text.encode("utf-8")


def _problem(data: bytes, attributes: Mapping[str, str], ordering_key: str) -> str:
    if len(attributes) > _MAX_ATTRIBUTES:
        return f"it has {len(attributes)} attributes; at most {_MAX_ATTRIBUTES} are allowed"
    size = len(data)
    for name, value in attributes.items():
        if not isinstance(name, str) or not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            return f"attribute {name!r} is a {type(value).__name__}; names and values must be text"
        lengths = len(name.encode()), len(value.encode())
        size += sum(lengths)
        if not name or lengths[0] > _MAX_KEY_BYTES:
            return f"the name of an attribute has {lengths[0]} bytes; from 1 to {_MAX_KEY_BYTES} are allowed"
        if name.startswith("goog"):
            return f"attribute {name!r} begins with 'goog', which Google keeps for itself"
        if lengths[1] > _MAX_VALUE_BYTES:
            return f"attribute {name!r} has {lengths[1]} bytes; at most {_MAX_VALUE_BYTES} are allowed"
    if len(ordering_key.encode()) > _MAX_ORDERING_KEY_BYTES:
        return f"ordering_key has {len(ordering_key.encode())} bytes; at most {_MAX_ORDERING_KEY_BYTES} are allowed"
    if size > MAX_MESSAGE_BYTES:
        return (
            f"it has {size} bytes; at most {MAX_MESSAGE_BYTES} are allowed. Put what is large into Cloud Storage and "
            "publish its name"
        )
    return ""


def batches(entries: Sequence[Json]) -> Iterator[list[Json]]:
    """Fill requests up to 1,000 messages and to what a request may weigh; a heavy message goes alone."""
    batch: list[Json] = []
    size = 0
    for each in entries:
        weight = len(each.get("data") or "") * 3 // 4
        attributes: Mapping[str, str] = each.get("attributes") or {}
        weight += sum(len(name) + len(value) for name, value in attributes.items())
        if batch and (len(batch) == MAX_BATCH or size + weight > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += weight
    if batch:
        yield batch


def full_name(kind: str, name: str, project: str) -> str:
    """Make the full name of a topic or a subscription.

    Args:
        kind: `topics` or `subscriptions`.
        name: Short or full name.
        project: For short names.

    Raises:
        GcpInvalidRequest: If it is neither.
    """
    if name.startswith("projects/"):
        parts = name.split("/")
        if len(parts) == 4 and parts[1] and parts[2] == kind and _NAME.fullmatch(parts[3]):
            return name
    elif _NAME.fullmatch(name) and not name.startswith("goog"):
        return f"projects/{project}/{kind}/{name}"
    subject = f"Pub/Sub {kind[:-1]} {name!r}"
    raise GcpInvalidRequest(
        f"{subject}: {kind[:-1]} is {name!r}; give a name of 3 to 255 letters, digits and -._~+% that begins with a "
        f"letter, or a full one such as 'projects/my-project/{kind}/orders'.",
        subject=subject,
    )
