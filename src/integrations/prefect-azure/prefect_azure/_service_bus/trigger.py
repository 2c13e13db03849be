"""Start a flow run, or emit an event, for each message of a queue or a subscription of Service Bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_kit.health import Health
from prefect_integration_kit.message_actions import ParameterMap
from prefect_integration_kit.message_trigger import TriggerCounts
from prefect_integration_kit.triggers import EmitsEvents, StartsRuns, Trigger

from ..errors import AzureInvalidRequest
from .connection import MAX_WAIT_SECONDS, Entity, Receiver
from .credentials import AzureServiceBusCredentials
from .messages import ServiceBusMessage
from .source import ServiceBusSource


class ServiceBusTrigger(Trigger[ServiceBusMessage]):
    """What triggers on Service Bus have in common."""

    _key: ClassVar[str] = "servicebus"

    def __init__(
        self,
        entity: Entity,
        credentials: AzureServiceBusCredentials,
        concurrency: int,
        wait_seconds: float,
        max_backoff_seconds: float,
        problems: list[str],
    ) -> None:
        super().__init__(
            f"Trigger of {entity.subject}", concurrency=concurrency, max_backoff_seconds=max_backoff_seconds
        )
        self._entity = entity
        self._credentials = credentials
        self._wait_seconds = wait_seconds
        entity.check()
        if concurrency < 1:
            problems.append(f"concurrency is {concurrency}; it must be at least 1")
        if max_backoff_seconds < 1:
            problems.append(f"max_backoff_seconds is {max_backoff_seconds}; it must be at least 1")
        if not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
            problems.append(f"wait_seconds is {wait_seconds}; from 0 to {MAX_WAIT_SECONDS} are allowed")
        if problems:
            raise AzureInvalidRequest(f"{self._subject}: {problems[0]}.", subject=self._subject)

    def _source(self) -> ServiceBusSource:
        return ServiceBusSource(Receiver(self._credentials, self._entity), self._wait_seconds, self._clock)

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
            AzureNotFound: If there is no such queue or subscription.
            AzureCredentialsError: If Service Bus does not accept the key or the identity.
            AzureAccessDenied: If this identity may not receive messages.
            LookupError: If Prefect has no such deployment.
            ImportError: If azure-servicebus is not installed; it names the extra to install.
        """
        return self._serve(until_empty)

    def health(self) -> Health:
        """Say whether the trigger receives and acts; any thread may call it, such as one that answers probes.

        Returns:
            `state` is `healthy` while Service Bus and Prefect answer, `degraded` after three failures in a row, and
            `stopped` when nothing runs; `last_error` says why.
        """
        return self._runs.health


class ServiceBusFlowTrigger(StartsRuns[ServiceBusMessage], ServiceBusTrigger):
    """Start a run of a deployment for each message of a queue, or of a subscription to a topic.

    A message is taken from the queue after its flow run was created, never before. The run's idempotency key is made of
    the message's ID, number and time, so a message that is delivered twice has one run. While Prefect's API cannot be
    reached, a message stays locked and is tried later and later, for ever, without using up deliveries. While a message
    is worked on, its lock is renewed.

    A message that no run can be made of (it is not JSON, lacks a field, or does not fit the deployment's parameters) is
    moved to the [dead-letter queue](https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-dead-letter-queues),
    with the reason; a warning says so, too.

    This identity needs the role Azure Service Bus Data Receiver, or a key the claim Listen. Queues with sessions are
    not received from.

    Example:
        ```python
        from prefect_azure.service_bus import AzureServiceBusCredentials, ServiceBusFlowTrigger

        if __name__ == "__main__":
            ServiceBusFlowTrigger(
                queue="orders",
                deployment="pack-order/nightly",
                parameters={"number": "order.number", "first_item": "order.items.0.name"},
                credentials=AzureServiceBusCredentials.load("BLOCK_NAME"),
            ).serve()
        ```
    """

    def __init__(
        self,
        queue: str,
        deployment: str,
        *,
        credentials: AzureServiceBusCredentials,
        subscription: str | None = None,
        parameters: ParameterMap[ServiceBusMessage] | None = None,
        body_format: Literal["json", "text"] = "json",
        concurrency: int = 10,
        wait_seconds: float = 20,
        max_backoff_seconds: float = 600,
        tags: Sequence[str] = (),
    ) -> None:
        """Describe the trigger; nothing is received yet.

        Args:
            queue: Name of the queue; of the topic, with `subscription`.
            deployment: Name of the deployment, as `flow/deployment`, or its ID.
            credentials: Who we are, and of which namespace.
            subscription: Name of the subscription to the topic.
            parameters: Parameters of the flow run by name, each with the path of its value in the body, such as
                `order.items.0.name`; `.` is the whole body. Or a function that makes them of a message, and raises
                `ValueError`, `LookupError` or `TypeError` for a malformed one. When not given, the flow gets one
                parameter, `message`: the whole body.
            body_format: Whether bodies are read as JSON, or taken as text.
            concurrency: How many messages are worked on at a time.
            wait_seconds: Seconds that one request waits for messages, up to 60. Stopping takes as long at most.
            max_backoff_seconds: Most seconds for which a message is kept back when its run could not be created.
            tags: Tags of the flow runs.

        Raises:
            AzureInvalidRequest: If an argument makes no sense.
        """
        problems = self._describe_runs(deployment, parameters, body_format, tags)
        entity = Entity(queue, subscription)
        super().__init__(entity, credentials, concurrency, wait_seconds, max_backoff_seconds, problems)

    def flow_parameters(self, message: ServiceBusMessage) -> dict[str, Any]:
        """Make the parameters of the flow run for a message, as the trigger does.

        Args:
            message: The message.

        Raises:
            ValueError: If no parameters can be made of it. The error says why, and quotes no value of the message.
        """
        return self._parameters_of(message)


class ServiceBusEventTrigger(EmitsEvents[ServiceBusMessage], ServiceBusTrigger):
    """Emit an event of Prefect for each message of a queue or a subscription, for automations to react to.

    A message is taken after Prefect has taken the event, never before. The event's ID is made of the message, so one
    that is delivered twice has one event. Everything else is as with `ServiceBusFlowTrigger`.

    Example:
        Emit an event for each blob that Event Grid tells a queue of:

        ```python
        from prefect_azure.service_bus import AzureServiceBusCredentials, ServiceBusEventTrigger

        if __name__ == "__main__":
            ServiceBusEventTrigger(
                queue="uploads",
                event=lambda message: message.json()["eventType"],
                resource=lambda message: {"prefect.resource.id": message.json()["subject"]},
                credentials=AzureServiceBusCredentials.load("BLOCK_NAME"),
            ).serve()
        ```
    """

    def __init__(
        self,
        queue: str,
        *,
        credentials: AzureServiceBusCredentials,
        subscription: str | None = None,
        event: str | Callable[[ServiceBusMessage], str] = "azure.servicebus.message",
        resource: Callable[[ServiceBusMessage], Mapping[str, str]] | None = None,
        body_format: Literal["json", "text"] = "json",
        concurrency: int = 10,
        wait_seconds: float = 20,
        max_backoff_seconds: float = 600,
    ) -> None:
        """Describe the trigger; nothing is received yet.

        The payload of an event holds `message_id`, `properties`, `body`, `subject`, `correlation_id`,
        `sequence_number` and `enqueued_at`.

        Args:
            queue: Name of the queue; of the topic, with `subscription`.
            credentials: Who we are, and of which namespace.
            subscription: Name of the subscription to the topic.
            event: Name of the events, or a function that makes it of a message.
            resource: Makes the labels of the event's resource of a message, `prefect.resource.id` among them; the
                queue or subscription when not given.
            body_format: Whether bodies are read as JSON, or taken as text.
            concurrency: How many messages are worked on at a time.
            wait_seconds: Seconds that one request waits for messages, up to 60. Stopping takes as long at most.
            max_backoff_seconds: Most seconds for which a message is kept back when Prefect did not take its event.

        Raises:
            AzureInvalidRequest: If an argument makes no sense.
        """
        problems = self._describe_events(event, resource, body_format)
        entity = Entity(queue, subscription)
        super().__init__(entity, credentials, concurrency, wait_seconds, max_backoff_seconds, problems)

    def event_fields(self, message: ServiceBusMessage) -> dict[str, Any]:
        """Make the event for a message, as the trigger does.

        Args:
            message: The message.

        Returns:
            Fields of a `prefect.events.Event`: `event`, `resource`, `payload`, and `occurred` where it is known.

        Raises:
            ValueError: If no event can be made of it.
        """
        name = "/".join(part for part in (self._entity.name, self._entity.subscription) if part)
        resource = {"prefect.resource.id": f"azure.servicebus.{name}", "prefect.resource.name": name}
        details = {
            "properties": {name: _as_json(value) for name, value in message.properties.items()},
            "subject": message.subject,
            "correlation_id": message.correlation_id,
            "sequence_number": message.sequence_number,
            "enqueued_at": message.enqueued_at.isoformat() if message.enqueued_at else None,
        }
        return self._fields_of(message, resource, details, message.enqueued_at)


def _as_json(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) or value is None else str(value)
