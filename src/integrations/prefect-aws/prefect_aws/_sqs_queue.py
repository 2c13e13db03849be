"""One SQS queue: receive, send and delete in batches, with what AWS refuses told apart from what it may take later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, cast

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._remote_work import is_passing, persist
from .credentials import AwsCredentials
from .errors import AwsBatchRefused, AwsError, AwsInvalidRequest, AwsUnavailable, aws_errors

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BATCH = 10
MAX_WAIT_SECONDS = 20
MAX_VISIBILITY_SECONDS = 43_200
_MAX_DELAY_SECONDS = 900
# AWS takes 1 MiB in all; older endpoints took a quarter of it, and small batches cost nothing more than requests.
_BATCH_BYTES = 262_144

_Batch = list[dict[str, Any]]
_Entry = Mapping[str, Any]


@dataclass(frozen=True)
class SqsMessage:
    """A message that was received, and stays hidden from others until its visibility time-out.

    Attributes:
        message_id: ID of the message; the same each time that it is received.
        receipt_handle: What deletes it, until it is received again.
        body: Its text.
        attributes: Attributes that its sender gave it: text, numbers as text, or bytes.
        receive_count: How often it was received, this time included.
        sent_at: When it was sent, in UTC; `None` when the queue does not say.
        group_id: Its group, in FIFO queues.
    """

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    attributes: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"], repr=False)
    receive_count: int = 1
    sent_at: datetime | None = None
    group_id: str | None = None

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            ValueError: If it is not JSON. The message names the message, not its content.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            where = f"at character {exc.pos}" if isinstance(exc, json.JSONDecodeError) else type(exc).__name__
            raise ValueError(f"SQS message {self.message_id}: the body is not JSON ({where}).") from None


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to send, with more than a body.

    Attributes:
        body: Its text, or what is sent as JSON.
        attributes: Attributes: text or bytes by name.
        delay_seconds: Seconds for which nobody receives it, up to 900; as the queue says when not given.
        group_id: Its group; FIFO queues need one.
        deduplication_id: What FIFO queues know a repeated message by, for five minutes.
    """

    body: Any
    attributes: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"])
    delay_seconds: int | None = None
    group_id: str | None = None
    deduplication_id: str | None = None


class SqsQueue:
    """Requests to one queue. Each blocks the thread.

    Args:
        queue_url: URL of the queue.
        credentials: Who we are at AWS.
        clock: Time.
    """

    def __init__(self, queue_url: str, credentials: AwsCredentials, clock: Clock = SYSTEM_CLOCK) -> None:
        self.url = queue_url
        self.subject = f"SQS queue {queue_url.rstrip('/').rpartition('/')[2]!r}"
        if not queue_url.startswith(("https://", "http://")):
            raise AwsInvalidRequest(
                f"{self.subject}: queue_url is {queue_url!r}; give the URL of the queue, such as "
                "https://sqs.eu-central-1.amazonaws.com/123456789012/orders.",
                subject=self.subject,
            )
        self._credentials = credentials
        self._clock = clock

    @property
    def _client(self) -> Any:
        return self._credentials.get_client("sqs")

    @property
    def is_fifo(self) -> bool:
        """Whether messages of a group come in order, one at a time."""
        return self.url.endswith(".fifo")

    def receive(self, maximum: int, wait_seconds: int, visibility_seconds: int | None) -> list[SqsMessage]:
        """Receive up to ten messages, once."""
        request: dict[str, Any] = {
            "QueueUrl": self.url,
            "MaxNumberOfMessages": min(MAX_BATCH, maximum),
            "WaitTimeSeconds": wait_seconds,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        if visibility_seconds is not None:
            request["VisibilityTimeout"] = visibility_seconds
        client = self._client
        with aws_errors(self.subject):
            answer = client.receive_message(**request)
        return [read_message(message) for message in cast("list[_Entry]", answer.get("Messages") or [])]

    def receive_many(self, maximum: int, wait_seconds: int, visibility_seconds: int | None) -> list[SqsMessage]:
        """Receive until there are enough or there is nothing more; only the first request waits."""
        self.check_times(wait_seconds, visibility_seconds)
        if maximum < 1:
            raise AwsInvalidRequest(f"{self.subject}: max_messages is {maximum}; it must be at least 1.")
        found: dict[str, SqsMessage] = {}
        while len(found) < maximum:
            left, seconds = maximum - len(found), 0 if found else wait_seconds
            messages = persist(lambda: self.receive(left, seconds, visibility_seconds), self._clock)  # noqa: B023
            known = len(found)
            # Standard queues deliver at least once: the newest handle of a message is the one that deletes it.
            found.update((message.message_id, message) for message in messages)
            if len(found) == known:  # nothing, or nothing new: what is not hidden comes again and again
                break
        return list(found.values())

    def check_times(self, wait_seconds: int, visibility_seconds: int | None) -> None:
        """Refuse times that AWS does not know.

        Raises:
            AwsInvalidRequest: Naming the parameter.
        """
        limits = {
            "wait_seconds": (wait_seconds, MAX_WAIT_SECONDS),
            "visibility_seconds": (visibility_seconds or 0, MAX_VISIBILITY_SECONDS),
        }
        for name, (value, most) in limits.items():
            if not 0 <= value <= most:
                raise AwsInvalidRequest(
                    f"{self.subject}: {name} is {value}; from 0 to {most} are allowed.", subject=self.subject
                )

    def send(self, messages: Sequence[Any]) -> list[str]:
        """Send messages in batches, and return their IDs in order."""
        entries = [self._entry(message, place) for place, message in enumerate(messages)]

        def send_batch(batch: _Batch) -> Any:
            return self._client.send_message_batch(QueueUrl=self.url, Entries=batch)

        accepted = self._work_off(_batches(entries), send_batch, "sent")
        ids = {int(sent["Id"]): str(sent["MessageId"]) for sent in accepted}
        return [ids[place] for place in range(len(messages))]

    def delete(self, handles: Sequence[str]) -> None:
        """Delete messages by receipt handle, in batches."""
        entries = [{"Id": str(place), "ReceiptHandle": handle} for place, handle in enumerate(handles)]

        def delete_batch(batch: _Batch) -> Any:
            return self._client.delete_message_batch(QueueUrl=self.url, Entries=batch)

        batches = [entries[start : start + MAX_BATCH] for start in range(0, len(entries), MAX_BATCH)]
        self._work_off(batches, delete_batch, "deleted")

    def hide(self, handle: str, seconds: int) -> None:
        """Let nobody receive a message for so many seconds from now; 0 gives it back at once."""
        client = self._client
        with aws_errors(self.subject):
            client.change_message_visibility(QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=seconds)

    def has_dead_letter_queue(self) -> bool:
        """Whether messages that were received too often go to another queue."""
        client = self._client
        with aws_errors(self.subject):
            answer = client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["RedrivePolicy"])
        return bool(cast("Mapping[str, str]", answer.get("Attributes") or {}).get("RedrivePolicy"))

    def _entry(self, message: Any, place: int) -> dict[str, Any]:
        outgoing = message if isinstance(message, OutgoingMessage) else OutgoingMessage(message)
        entry: dict[str, Any] = {"Id": str(place), "MessageBody": self._body(outgoing.body, place)}
        if outgoing.attributes:
            entry["MessageAttributes"] = {name: _attribute(value) for name, value in outgoing.attributes.items()}
        if (delay := outgoing.delay_seconds) is not None:
            if not 0 <= delay <= _MAX_DELAY_SECONDS:
                raise self._refusal(place, f"delay_seconds is {delay}; from 0 to {_MAX_DELAY_SECONDS} are allowed")
            entry["DelaySeconds"] = delay
        if self.is_fifo and not outgoing.group_id:
            raise self._refusal(place, "the queue is FIFO, so the message needs a group_id")
        fifo = {"MessageGroupId": outgoing.group_id, "MessageDeduplicationId": outgoing.deduplication_id}
        entry.update({name: value for name, value in fifo.items() if value is not None})
        return entry

    def _body(self, body: Any, place: int) -> str:
        if isinstance(body, str):
            text = body
        else:
            try:
                text = json.dumps(body, allow_nan=False, ensure_ascii=False)
            except (TypeError, ValueError) as exc:
                raise self._refusal(place, f"it is no text and cannot be written as JSON ({exc})") from exc
        if not text:
            raise self._refusal(place, "it is empty")
        return text

    def _refusal(self, place: int, why: str) -> AwsInvalidRequest:
        return AwsInvalidRequest(f"{self.subject}: message {place}: {why}. Nothing was sent.", subject=self.subject)

    def _work_off(self, batches: Iterable[_Batch], call: Callable[[_Batch], Any], verb: str) -> list[_Entry]:
        """Have all batches accepted, and return what SQS says about each entry.

        Raises:
            AwsBatchRefused: If some entries were not accepted in the end.
        """
        accepted: list[_Entry] = []
        refused: dict[int, str] = {}
        count = 0
        for batch in batches:
            count += len(batch)
            accepted += self._work_off_one(batch, call, refused)
        if refused:
            place, why = min(refused.items())
            raise AwsBatchRefused(
                f"{self.subject}: {len(refused)} of {count} messages were not {verb}. Number {place}: {why}.",
                subject=self.subject,
                failed=refused,
            )
        return accepted

    def _work_off_one(self, batch: _Batch, call: Callable[[_Batch], Any], refused: dict[int, str]) -> list[_Entry]:
        """Try again what failed on SQS's side, and note what it refuses."""
        left = {str(entry["Id"]): entry for entry in batch}
        accepted: list[_Entry] = []
        reasons: dict[str, str] = {}

        def once() -> None:
            with aws_errors(self.subject):
                answer = call(list(left.values()))
            for entry in cast("list[_Entry]", answer.get("Successful") or []):
                accepted.append(entry)
                left.pop(str(entry["Id"]), None)
            for entry in cast("list[_Entry]", answer.get("Failed") or []):
                reasons[str(entry["Id"])] = f"{entry['Code']} {entry.get('Message') or ''}".strip().rstrip(".")
                if entry["SenderFault"]:
                    refused[int(entry["Id"])] = reasons[str(entry["Id"])]
                    left.pop(str(entry["Id"]), None)
            if left:
                raise AwsUnavailable("; ".join(reasons[name] for name in left if name in reasons))

        try:
            persist(once, self._clock)
        except AwsError as exc:
            if not is_passing(exc):
                raise
            why = str(exc).removeprefix(f"{self.subject}: ").rstrip(".")
            refused.update({int(name): reasons.get(name, why) for name in left})
        return accepted


def read_message(message: Mapping[str, Any]) -> SqsMessage:
    """Read a member of ReceiveMessage's `Messages`."""
    system = cast("Mapping[str, str]", message.get("Attributes") or {})
    own = cast("Mapping[str, Mapping[str, Any]]", message.get("MessageAttributes") or {})
    sent = system.get("SentTimestamp")
    return SqsMessage(
        message_id=str(message["MessageId"]),
        receipt_handle=str(message["ReceiptHandle"]),
        body=str(message.get("Body") or ""),
        attributes={name: value.get("StringValue", value.get("BinaryValue", "")) for name, value in own.items()},
        receive_count=int(system.get("ApproximateReceiveCount") or 1),
        sent_at=datetime.fromtimestamp(int(sent) / 1000, timezone.utc) if sent else None,
        group_id=system.get("MessageGroupId"),
    )


def _attribute(value: str | bytes) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"DataType": "Binary", "BinaryValue": value}
    return {"DataType": "String", "StringValue": value}


def _batches(entries: _Batch) -> Iterator[_Batch]:
    """Fill batches up to ten entries and to what all of them may weigh; a heavy one goes alone."""
    batch: _Batch = []
    size = 0
    for entry in entries:
        weight = len(entry["MessageBody"].encode()) + sum(
            len(name) + len(str(value)) for name, value in entry.get("MessageAttributes", {}).items()
        )
        if batch and (len(batch) == MAX_BATCH or size + weight > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += weight
    if batch:
        yield batch
