"""Requests to one topic or one subscription of Pub/Sub. Each blocks the thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._identity import project_of
from ._pubsub_messages import MAX_BATCH, PubsubMessage, batches, entry, full_name, read_message
from ._remote_work import FAILURES, Api
from .errors import GcpConnectionFailed, GcpError, GcpInvalidRequest

if TYPE_CHECKING:
    from .credentials import GcpCredentials

Json = dict[str, Any]

# https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/modifyAckDeadline
MAX_DEADLINE_SECONDS = 600
MAX_WAIT_SECONDS = 60


class Topic:
    """One topic.

    Args:
        topic: Short or full name.
        credentials: Who we are.
        project: For short names; that of the credentials when not given.
        clock: Time.
    """

    def __init__(
        self, topic: str, credentials: GcpCredentials, project: str | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        is_full = topic.startswith("projects/")
        self.name = full_name("topics", topic, "" if is_full else project or project_of(credentials))
        self.subject = f"Pub/Sub topic {self.name.rpartition('/')[2]!r}"
        self._api = Api(credentials, "pubsub", "v1")
        self._clock = clock

    def publish(self, messages: Sequence[Any]) -> list[str]:
        """Publish messages in batches, one after the other, and return their IDs in order.

        Raises:
            GcpInvalidRequest: If a message breaks a limit; nothing was published then.
            GcpError: If a batch was refused; says how many messages were published before.
        """
        entries = [entry(message, place, self.subject) for place, message in enumerate(messages)]
        ids: list[str] = []
        for batch in batches(entries):
            try:
                answer = FAILURES.persist(lambda: self._publish(batch), self._clock)  # noqa: B023
            except GcpError as exc:
                if ids:
                    exc.args = (f"{exc} Of {len(entries)} messages, the first {len(ids)} were published.",)
                raise
            ids += [str(name) for name in answer.get("messageIds") or ()]
        return ids

    def _publish(self, batch: list[Json]) -> Json:
        return self._api.call(
            "projects.topics.publish", subject=self.subject, topic=self.name, body={"messages": batch}
        )


class Subscription:
    """One subscription.

    Args:
        subscription: Short or full name.
        credentials: Who we are.
        project: For short names; that of the credentials when not given.
        clock: Time.
    """

    def __init__(
        self, subscription: str, credentials: GcpCredentials, project: str | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        is_full = subscription.startswith("projects/")
        self.name = full_name("subscriptions", subscription, "" if is_full else project or project_of(credentials))
        self.subject = f"Pub/Sub subscription {self.name.rpartition('/')[2]!r}"
        self._api = Api(credentials, "pubsub", "v1")
        self._clock = clock

    def describe(self) -> Json:
        """Read its settings."""
        return self._api.call("projects.subscriptions.get", subject=self.subject, subscription=self.name)

    def pull(self, maximum: int, wait_seconds: int) -> list[PubsubMessage]:
        """Receive once."""
        body: Json = {"maxMessages": min(MAX_BATCH, maximum)}
        if not wait_seconds:
            body["returnImmediately"] = True
        try:
            answer = self._api.call(
                "projects.subscriptions.pull",
                subject=self.subject,
                subscription=self.name,
                body=body,
                timeout_seconds=wait_seconds or None,
            )
        except GcpConnectionFailed as exc:
            # Pub/Sub decides how long it waits; who will not wait so long hangs up, as Google's own clients do.
            if wait_seconds and _is_timeout(exc):
                return []
            raise
        received: Sequence[Json] = answer.get("receivedMessages") or ()
        return [read_message(each) for each in received]

    def receive(self, maximum: int, wait_seconds: int) -> list[PubsubMessage]:
        """Receive until there are enough or there is nothing more; only the first request waits."""
        self.check_wait(wait_seconds)
        if maximum < 1:
            raise GcpInvalidRequest(
                f"{self.subject}: max_messages is {maximum}; it must be at least 1.", subject=self.subject
            )
        found: dict[str, PubsubMessage] = {}
        while len(found) < maximum:
            left, seconds = maximum - len(found), 0 if found else wait_seconds
            messages = FAILURES.persist(lambda: self.pull(left, seconds), self._clock)  # noqa: B023
            known = len(found)
            # Messages are delivered at least once: the newest ID of a delivery is the one that acknowledges it.
            found.update((message.message_id, message) for message in messages)
            if len(found) == known:
                break
        return list(found.values())

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Take deliveries away for good; one whose time is up comes again all the same."""
        for part in _parts(ack_ids):
            FAILURES.persist(
                lambda: self._api.call(
                    "projects.subscriptions.acknowledge",
                    subject=self.subject,
                    subscription=self.name,
                    body={"ackIds": part},  # noqa: B023
                ),
                self._clock,
            )

    def modify_deadline(self, ack_ids: Sequence[str], seconds: int) -> None:
        """Let deliveries come again after so many seconds from now; 0 gives them back at once."""
        if not 0 <= seconds <= MAX_DEADLINE_SECONDS:
            raise GcpInvalidRequest(
                f"{self.subject}: seconds is {seconds}; from 0 to {MAX_DEADLINE_SECONDS} are allowed.",
                subject=self.subject,
            )
        for part in _parts(ack_ids):
            FAILURES.persist(lambda: self.modify_once(part, seconds), self._clock)  # noqa: B023

    def modify_once(self, ack_ids: Sequence[str], seconds: int) -> None:
        """The same, by one request, once."""
        self._api.call(
            "projects.subscriptions.modifyAckDeadline",
            subject=self.subject,
            subscription=self.name,
            body={"ackIds": list(ack_ids), "ackDeadlineSeconds": seconds},
        )

    def check_wait(self, wait_seconds: int) -> None:
        """Refuse times that make no sense.

        Raises:
            GcpInvalidRequest: Naming the argument.
        """
        if not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
            raise GcpInvalidRequest(
                f"{self.subject}: wait_seconds is {wait_seconds}; from 0 to {MAX_WAIT_SECONDS} are allowed.",
                subject=self.subject,
            )


def _is_timeout(error: GcpConnectionFailed) -> bool:
    import requests

    return isinstance(error, requests.ReadTimeout)


def _parts(ack_ids: Sequence[str]) -> list[list[str]]:
    """IDs of a request may take 512 KiB; one takes some 200 bytes."""
    ids = list(ack_ids)
    return [ids[start : start + MAX_BATCH] for start in range(0, len(ids), MAX_BATCH)]
