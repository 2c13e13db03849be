"""Pub/Sub by its REST API: topics, pull subscriptions, deadlines, ordering, dead letters.

https://cloud.google.com/pubsub/docs/reference/rest
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clock import stamp
from .errors import Json, already_exists, failed_precondition, invalid_argument, not_found
from .service import ApiRequest, Service, answers, page

if TYPE_CHECKING:
    from .rest_server import RestServer

TOPICS = "pubsub.projects.topics"
SUBSCRIPTIONS = "pubsub.projects.subscriptions"
HOLD_SECONDS = 90.0
"""How long a pull waits for a message."""

_LEAST_DEADLINE, _MOST_DEADLINE = 10, 600
_MAX_BYTES = 10_000_000


@dataclass
class _Message:
    data: Json
    due_at: float
    """When it may be delivered (again)."""

    attempts: int = 0
    ack_id: str = ""
    """Of the delivery that is under way; empty when there is none."""


@dataclass
class Subscription:
    """One subscription and what was not acknowledged yet."""

    body: Json
    messages: list[_Message] = field(default_factory=list[_Message])

    @property
    def backlog(self) -> list[Json]:
        """Messages that are not acknowledged, delivered or not."""
        return [message.data for message in self.messages]

    @property
    def deadline_seconds(self) -> int:
        """How long an acknowledgement may take."""
        return int(self.body.get("ackDeadlineSeconds") or _LEAST_DEADLINE)


class PubSub(Service):
    """Pub/Sub."""

    api, version = "pubsub", "v1"

    def __init__(self, server: RestServer) -> None:
        """Start with nothing."""
        super().__init__(server)
        self.topics: dict[str, Json] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self._ids = itertools.count(1)

    def reset(self) -> None:
        """Forget everything."""
        self.topics.clear()
        self.subscriptions.clear()

    # What tests do

    def new_topic(self, name: str) -> str:
        """Create a topic, and return its full name."""
        with self.server.changed:
            self.topics[name] = {"name": name}
        return name

    def new_subscription(self, topic: str, name: str, **body: Any) -> Subscription:
        """Create a subscription.

        Args:
            topic: Full name of its topic; it is created if need be.
            name: Its full name.
            body: Further fields, as in the API.
        """
        with self.server.changed:
            self.topics.setdefault(topic, {"name": topic})
            made = Subscription({"name": name, "topic": topic, "ackDeadlineSeconds": 10, "state": "ACTIVE", **body})
            self.subscriptions[name] = made
            return made

    # Topics

    @answers(f"{TOPICS}.create")
    def create_topic(self, request: ApiRequest) -> Json:
        """Create a topic."""
        if request.name in self.topics:
            raise already_exists(f"Resource already exists in the project (resource={_short(request.name)}).")
        self.topics[request.name] = {**request.body, "name": request.name}
        return self.topics[request.name]

    @answers(f"{TOPICS}.get")
    def get_topic(self, request: ApiRequest) -> Json:
        """Give a topic."""
        return self._topic(request.params["topic"])

    @answers(f"{TOPICS}.list")
    def list_topics(self, request: ApiRequest) -> Json:
        """Give a page of the topics of a project."""
        prefix = f"{request.params['project']}/topics/"
        return page([each for name, each in self.topics.items() if name.startswith(prefix)], request.params, "topics")

    @answers(f"{TOPICS}.delete")
    def delete_topic(self, request: ApiRequest) -> Json:
        """Delete a topic; its subscriptions stay, without one."""
        name = self._topic(request.params["topic"])["name"]
        del self.topics[name]
        for subscription in self.subscriptions.values():
            if subscription.body["topic"] == name:
                subscription.body["topic"] = "_deleted-topic_"
        return {}

    @answers(f"{TOPICS}.publish")
    def publish(self, request: ApiRequest) -> Json:
        """Publish messages."""
        name = self._topic(request.params["topic"])["name"]
        messages: list[Json] = request.body.get("messages") or []
        if not messages:
            raise invalid_argument("The request contains an invalid argument: no messages.", ("messages", "empty"))
        if len(messages) > 1000:
            raise invalid_argument("The value for message_count is too large. You passed more than 1000.")
        size = sum(len(str(each.get("data") or "")) * 3 // 4 for each in messages)
        if size > _MAX_BYTES:
            raise invalid_argument(f"The value for request_size is too large. You passed {size} in the request.")
        ids = [self._add(name, message) for message in messages]
        return {"messageIds": ids}

    def _add(self, topic: str, message: Json) -> str:
        if not message.get("data") and not message.get("attributes"):
            raise invalid_argument("Some messages contain neither a non-empty data field nor attributes.")
        message_id = str(next(self._ids))
        made = {**message, "messageId": message_id, "publishTime": self.server.clock.text()}
        for subscription in self.subscriptions.values():
            if subscription.body["topic"] == topic:
                subscription.messages.append(_Message(dict(made), 0.0))
        return message_id

    # Subscriptions

    @answers(f"{SUBSCRIPTIONS}.create")
    def create_subscription(self, request: ApiRequest) -> Json:
        """Create a subscription."""
        if request.name in self.subscriptions:
            raise already_exists(f"Resource already exists in the project (resource={_short(request.name)}).")
        self._topic(request.body.get("topic", ""))
        deadline = request.body.get("ackDeadlineSeconds") or _LEAST_DEADLINE
        if not _LEAST_DEADLINE <= deadline <= _MOST_DEADLINE:
            raise invalid_argument(f"Invalid ack deadline given (ack_deadline_secs={deadline}).")
        body = {**request.body, "name": request.name, "ackDeadlineSeconds": deadline, "state": "ACTIVE"}
        self.subscriptions[request.name] = Subscription(body)
        return body

    @answers(f"{SUBSCRIPTIONS}.get")
    def get_subscription(self, request: ApiRequest) -> Json:
        """Give a subscription."""
        return self._subscription(request).body

    @answers(f"{SUBSCRIPTIONS}.delete")
    def delete_subscription(self, request: ApiRequest) -> Json:
        """Delete a subscription with its messages."""
        del self.subscriptions[self._subscription(request).body["name"]]
        return {}

    @answers(f"{SUBSCRIPTIONS}.pull")
    def pull(self, request: ApiRequest) -> Json:
        """Deliver messages, when there are some; without `returnImmediately` the request waits for them."""
        subscription = self._pulled(request)
        maximum = int(request.body.get("maxMessages") or 0)
        if maximum < 1:
            raise invalid_argument("You have passed an invalid argument: max_messages must be at least 1.")
        waited = 0.0
        while not (ready := self._ready(subscription)):
            if request.body.get("returnImmediately") or waited >= HOLD_SECONDS:
                return {}
            self.server.changed.wait(0.05)  # deadlines pass without anybody telling
            waited += 0.05
        return {"receivedMessages": [self._deliver(subscription, each) for each in ready[: min(maximum, 1000)]]}

    @answers(f"{SUBSCRIPTIONS}.acknowledge")
    def acknowledge(self, request: ApiRequest) -> Json:
        """Take messages away; what is not known (any more) is passed over."""
        subscription = self._pulled(request)
        ids = self._ack_ids(request)
        now = self.server.clock.seconds()
        subscription.messages = [
            each for each in subscription.messages if each.ack_id not in ids or not each.ack_id or each.due_at <= now
        ]
        return {}

    @answers(f"{SUBSCRIPTIONS}.modifyAckDeadline")
    def modify_deadline(self, request: ApiRequest) -> Json:
        """Give messages another deadline."""
        subscription = self._pulled(request)
        ids = self._ack_ids(request)
        seconds = int(request.body.get("ackDeadlineSeconds") or 0)
        if not 0 <= seconds <= _MOST_DEADLINE:
            raise invalid_argument(f"Invalid ack deadline given (ack_deadline_secs={seconds}).")
        now = self.server.clock.seconds()
        for message in subscription.messages:
            if message.ack_id in ids and message.due_at > now:
                message.due_at = now + seconds
                message.ack_id = message.ack_id if seconds else ""
        return {}

    def _ready(self, subscription: Subscription) -> list[_Message]:
        now = self.server.clock.seconds()
        self._put_aside(subscription, now)
        is_ordered = bool(subscription.body.get("enableMessageOrdering"))
        held: set[str] = set()
        ready: list[_Message] = []
        for message in subscription.messages:
            key = str(message.data.get("orderingKey") or "") if is_ordered else ""
            if key and key in held:
                continue
            if message.due_at <= now:
                ready.append(message)
            elif key:
                held.add(key)  # later messages of the key wait for it
        return ready

    def _deliver(self, subscription: Subscription, message: _Message) -> Json:
        message.attempts += 1
        message.ack_id = f"ack-{uuid.uuid4().hex}"
        message.due_at = self.server.clock.seconds() + subscription.deadline_seconds
        received: Json = {"ackId": message.ack_id, "message": message.data}
        if subscription.body.get("deadLetterPolicy"):
            received["deliveryAttempt"] = message.attempts
        return received

    def _put_aside(self, subscription: Subscription, now: float) -> None:
        policy: Json = subscription.body.get("deadLetterPolicy") or {}
        if not policy.get("deadLetterTopic"):
            return
        most = int(policy.get("maxDeliveryAttempts") or 5)
        dead = [each for each in subscription.messages if each.due_at <= now and each.attempts >= most]
        for message in dead:
            subscription.messages.remove(message)
            self._add(policy["deadLetterTopic"], {**message.data, "publishTime": stamp(now)})

    def _ack_ids(self, request: ApiRequest) -> set[str]:
        ids: list[str] = request.body.get("ackIds") or []
        if not ids:
            raise invalid_argument("No ack ids specified.", ("ack_ids", "empty"))
        wrong = [each for each in ids if not each.startswith("ack-")]
        if wrong:
            raise invalid_argument(f"You have passed an invalid ack ID to the service (ack_id={wrong[0]}).")
        return set(ids)

    def _topic(self, name: str) -> Json:
        if name not in self.topics:
            raise not_found(f"Resource not found (resource={_short(name)}).")
        return self.topics[name]

    def _subscription(self, request: ApiRequest) -> Subscription:
        name = request.params["subscription"]
        if name not in self.subscriptions:
            raise not_found(f"Resource not found (resource={_short(name)}).")
        return self.subscriptions[name]

    def _pulled(self, request: ApiRequest) -> Subscription:
        subscription = self._subscription(request)
        if (subscription.body.get("pushConfig") or {}).get("pushEndpoint"):
            raise failed_precondition("This method is not supported for this subscription type.")
        if subscription.body.get("detached"):
            raise failed_precondition("The subscription is detached from its topic.")
        return subscription


def _short(name: str) -> str:
    return name.rpartition("/")[2]
