"""Start a flow run, or emit an event, for each message of a Pub/Sub subscription."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_kit.health import Health
from prefect_integration_kit.message_actions import ParameterMap
from prefect_integration_kit.message_trigger import MessageSource, TriggerCounts
from prefect_integration_kit.triggers import EmitsEvents, StartsRuns, Trigger

from ._pubsub_api import MAX_DEADLINE_SECONDS, Subscription
from ._pubsub_messages import PubsubMessage, full_name
from ._remote_work import FAILURES
from ._rest import in_thread, in_waiting_thread
from .credentials import GcpCredentials
from .errors import GcpError, GcpInvalidRequest, GcpNotFound, is_transient

V = TypeVar("V")

# The least that a subscription can have; what is not known may be as short.
_LEAST_DEADLINE_SECONDS = 10
_DELIVERIES = ("pushConfig", "bigqueryConfig", "cloudStorageConfig", "bigtableConfig")


class PubsubSource(MessageSource[PubsubMessage]):
    """A subscription, with how messages are received from it.

    Args:
        subscription: The subscription.
        wait_seconds: How long one request waits for a message.
    """

    failures = FAILURES
    max_batch = 100
    remedy = (
        "has no dead-letter topic, so malformed messages come again until they expire. Give it a dead-letter policy."
    )

    def __init__(self, subscription: Subscription, wait_seconds: int) -> None:
        self._subscription = subscription
        self._wait_seconds = wait_seconds
        self._deadline_seconds = _LEAST_DEADLINE_SECONDS
        self.waits = bool(wait_seconds)
        self.lease_seconds = _LEAST_DEADLINE_SECONDS / 2

    @property
    def subject(self) -> str:
        """The subscription."""
        return self._subscription.subject

    async def in_thread(self, call: Callable[[], V], *, waits: bool = False) -> V:
        """Make a request in a thread that Prefect does not need."""
        return await (in_waiting_thread(call) if waits else in_thread(call))

    def puts_aside(self) -> bool:
        """Read the subscription: its dead-letter policy, and how long it waits for an acknowledgement."""
        found = FAILURES.persist(self._subscription.describe)
        if found.get("detached"):
            raise GcpInvalidRequest(
                f"{self.subject}: it is detached from its topic and gets no messages. Create another one.",
                subject=self.subject,
            )
        for name in _DELIVERIES:
            delivery: Mapping[str, Any] = found.get(name) or {}
            if any(delivery.values()):
                raise GcpInvalidRequest(
                    f"{self.subject}: it delivers elsewhere ({name}), so nothing can be pulled from it. Give the "
                    "topic a pull subscription.",
                    subject=self.subject,
                )
        self._deadline_seconds = int(found.get("ackDeadlineSeconds") or _LEAST_DEADLINE_SECONDS)
        self.lease_seconds = self._deadline_seconds / 2
        policy: Mapping[str, Any] = found.get("deadLetterPolicy") or {}
        return bool(policy.get("deadLetterTopic"))

    def is_missing(self, error: Exception) -> bool:
        """Whether there is nothing that could be received from."""
        return isinstance(error, GcpNotFound | GcpInvalidRequest)

    def receive(self, maximum: int) -> list[PubsubMessage]:
        """Pull once."""
        return self._subscription.pull(maximum, self._wait_seconds)

    def take(self, message: PubsubMessage) -> str | None:
        """Acknowledge a message."""
        try:
            self._subscription.acknowledge([message.ack_id])
        except GcpError as exc:
            if is_transient(exc) is False:
                raise
            return str(exc)
        return None

    def hide(self, message: PubsubMessage, seconds: int) -> None:
        """Have a message come again later."""
        self._subscription.modify_once([message.ack_id], min(seconds, MAX_DEADLINE_SECONDS))

    def keep(self, messages: Sequence[PubsubMessage]) -> None:
        """Put the deadline off."""
        self._subscription.modify_deadline([message.ack_id for message in messages], self._deadline_seconds)


class PubsubTrigger(Trigger[PubsubMessage]):
    """What triggers on Pub/Sub have in common."""

    _key: ClassVar[str] = "pubsub"

    def __init__(
        self,
        subscription: str,
        gcp_credentials: GcpCredentials | None,
        project: str | None,
        concurrency: int,
        wait_seconds: int,
        max_backoff_seconds: int,
        problems: list[str],
    ) -> None:
        # The project may come from the environment, which is not asked before it must be.
        name = full_name("subscriptions", subscription, project or "p")
        super().__init__(
            f"Trigger of Pub/Sub subscription {name.rpartition('/')[2]!r}",
            concurrency=concurrency,
            max_backoff_seconds=max_backoff_seconds,
        )
        self._credentials = gcp_credentials or GcpCredentials()
        self._name = subscription
        self._project = project
        self._wait_seconds = wait_seconds
        if concurrency < 1:
            problems.append(f"concurrency is {concurrency}; it must be at least 1")
        most = MAX_DEADLINE_SECONDS
        if not 1 <= max_backoff_seconds <= most:
            problems.append(f"max_backoff_seconds is {max_backoff_seconds}; from 1 to {most} are allowed")
        if not 0 <= wait_seconds <= 60:
            problems.append(f"wait_seconds is {wait_seconds}; from 0 to 60 are allowed")
        if problems:
            raise GcpInvalidRequest(f"{self._subject}: {problems[0]}.", subject=self._subject)

    def _source(self) -> PubsubSource:
        subscription = Subscription(self._name, self._credentials, self._project, self._clock)
        return PubsubSource(subscription, self._wait_seconds)

    async def run(self, until_empty: bool = False) -> TriggerCounts:
        """Async form of `serve`. It handles no signals: cancel it, or call `stop`."""
        return await self._run(until_empty)

    @async_dispatch(run)
    def serve(self, until_empty: bool = False) -> TriggerCounts:
        """Receive messages and act on them, until the process is told to end (SIGTERM, Ctrl-C) or `stop` is called.

        What was received by then is finished or given back.

        Args:
            until_empty: Whether to return when there are no more messages, as a scheduled job wants it.

        Returns:
            How many messages were handled, and how many not.

        Raises:
            GcpNotFound: If there is no such subscription.
            GcpInvalidRequest: If it is a push subscription, or is detached from its topic.
            LookupError: If Prefect has no such deployment.
            GcpAccessDenied: If this identity may not receive or acknowledge messages.
        """
        return self._serve(until_empty)

    def health(self) -> Health:
        """Say whether the trigger receives and acts; any thread may call it, such as one that answers probes.

        Returns:
            `state` is `healthy` while Pub/Sub and Prefect answer, `degraded` after three failures in a row, and
            `stopped` when nothing runs; `last_error` says why.
        """
        return self._runs.health


class PubsubFlowTrigger(StartsRuns[PubsubMessage], PubsubTrigger):
    """Start a run of a deployment for each message of a subscription.

    A message is acknowledged after its flow run was created, never before. The run's idempotency key is made of the ID
    of the message, so a message that is delivered twice has one run. While Prefect's API or Pub/Sub cannot be reached,
    messages go back to the subscription and are received later and later, for ever. While a message is worked on, its
    deadline is put off.

    A message that no run can be made of (it is not JSON, lacks a field, or does not fit the deployment's parameters)
    stays, so that the subscription's
    [dead-letter policy](https://cloud.google.com/pubsub/docs/handling-failures#dead_letter_topic) puts it aside; a
    warning says why, once for each message.

    This identity needs the role `roles/pubsub.subscriber` on the subscription; with `roles/pubsub.viewer` it also knows
    the subscription's settings.

    Example:
        ```python
        from prefect_gcp import GcpCredentials
        from prefect_gcp.pubsub import PubsubFlowTrigger

        if __name__ == "__main__":
            PubsubFlowTrigger(
                subscription="orders",
                deployment="pack-order/nightly",
                parameters={"number": "order.number", "first_item": "order.items.0.name"},
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            ).serve()
        ```
    """

    def __init__(
        self,
        subscription: str,
        deployment: str,
        *,
        gcp_credentials: GcpCredentials | None = None,
        project: str | None = None,
        parameters: ParameterMap[PubsubMessage] | None = None,
        body_format: Literal["json", "text"] = "json",
        concurrency: int = 10,
        wait_seconds: int = 20,
        max_backoff_seconds: int = 600,
        tags: Sequence[str] = (),
    ) -> None:
        """Describe the trigger; nothing is received yet.

        Args:
            subscription: Short or full name of the subscription.
            deployment: Name of the deployment, as `flow/deployment`, or its ID.
            gcp_credentials: Who we are at Google Cloud; Application Default Credentials when not given.
            project: Project of the subscription; that of the credentials when not given.
            parameters: Parameters of the flow run by name, each with the path of its value in the body, such as
                `order.items.0.name`; `.` is the whole body. Or a function that makes them of a message, and raises
                `ValueError`, `LookupError` or `TypeError` for a malformed one. When not given, the flow gets one
                parameter, `message`: the whole body.
            body_format: Whether bodies are read as JSON, or taken as text.
            concurrency: How many messages are worked on at a time.
            wait_seconds: Seconds that one request waits for messages, up to 60. Stopping takes as long at most.
            max_backoff_seconds: Most seconds for which a message is put back when its run could not be created, up to
                600.
            tags: Tags of the flow runs.

        Raises:
            GcpInvalidRequest: If an argument makes no sense.
        """
        problems = self._describe_runs(deployment, parameters, body_format, tags)
        super().__init__(
            subscription, gcp_credentials, project, concurrency, wait_seconds, max_backoff_seconds, problems
        )

    def flow_parameters(self, message: PubsubMessage) -> dict[str, Any]:
        """Make the parameters of the flow run for a message, as the trigger does.

        Args:
            message: The message.

        Raises:
            ValueError: If no parameters can be made of it. The error says why, and quotes no value of the message.
        """
        return self._parameters_of(message)


class PubsubEventTrigger(EmitsEvents[PubsubMessage], PubsubTrigger):
    """Emit an event of Prefect for each message of a subscription, for automations to react to.

    A message is acknowledged after Prefect has taken the event, never before. The event's ID is made of that of the
    message, so a message that is delivered twice has one event. Everything else is as with `PubsubFlowTrigger`.

    Example:
        Emit an event for each object that is written to a bucket with
        [notifications](https://cloud.google.com/storage/docs/reporting-changes):

        ```python
        from prefect_gcp import GcpCredentials
        from prefect_gcp.pubsub import PubsubEventTrigger

        if __name__ == "__main__":
            PubsubEventTrigger(
                subscription="uploads",
                event=lambda message: f"gcs.{message.attributes['eventType'].lower()}",
                resource=lambda message: {
                    "prefect.resource.id": f"gs://{message.attributes['bucketId']}/{message.attributes['objectId']}"
                },
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            ).serve()
        ```
    """

    def __init__(
        self,
        subscription: str,
        *,
        event: str | Callable[[PubsubMessage], str] = "google.pubsub.message",
        resource: Callable[[PubsubMessage], Mapping[str, str]] | None = None,
        gcp_credentials: GcpCredentials | None = None,
        project: str | None = None,
        body_format: Literal["json", "text"] = "json",
        concurrency: int = 10,
        wait_seconds: int = 20,
        max_backoff_seconds: int = 600,
    ) -> None:
        """Describe the trigger; nothing is received yet.

        The payload of an event holds `message_id`, `attributes`, `body`, `ordering_key` and `published_at`.

        Args:
            subscription: Short or full name of the subscription.
            event: Name of the events, or a function that makes it of a message.
            resource: Makes the labels of the event's resource of a message, `prefect.resource.id` among them; the
                subscription when not given.
            gcp_credentials: Who we are at Google Cloud; Application Default Credentials when not given.
            project: Project of the subscription; that of the credentials when not given.
            body_format: Whether bodies are read as JSON, or taken as text.
            concurrency: How many messages are worked on at a time.
            wait_seconds: Seconds that one request waits for messages, up to 60. Stopping takes as long at most.
            max_backoff_seconds: Most seconds for which a message is put back when Prefect did not take its event, up
                to 600.

        Raises:
            GcpInvalidRequest: If an argument makes no sense.
        """
        problems = self._describe_events(event, resource, body_format)
        super().__init__(
            subscription, gcp_credentials, project, concurrency, wait_seconds, max_backoff_seconds, problems
        )

    def event_fields(self, message: PubsubMessage) -> dict[str, Any]:
        """Make the event for a message, as the trigger does.

        Args:
            message: The message.

        Returns:
            Fields of a `prefect.events.Event`: `event`, `resource`, `payload`, and `occurred` where it is known.

        Raises:
            ValueError: If no event can be made of it.
        """
        short = self._name.rpartition("/")[2]
        resource = {"prefect.resource.id": f"google.pubsub.subscription.{short}", "prefect.resource.name": short}
        details = {
            "attributes": dict(message.attributes),
            "ordering_key": message.ordering_key,
            "published_at": message.published_at.isoformat() if message.published_at else None,
        }
        return self._fields_of(message, resource, details, message.published_at)
