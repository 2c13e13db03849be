"""Start a flow run for each message of an SQS queue: what its user sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_kit.health import Health
from prefect_integration_kit.message_actions import ParameterMap
from prefect_integration_kit.message_trigger import MessageSource, TriggerCounts
from prefect_integration_kit.triggers import StartsRuns, Trigger

from ._remote_work import FAILURES
from ._sqs_queue import MAX_BATCH, MAX_VISIBILITY_SECONDS, SqsMessage, SqsQueue
from .credentials import AwsCredentials
from .errors import AwsBatchRefused, AwsInvalidRequest, AwsNotFound


class _Queue(MessageSource[SqsMessage]):
    """A queue, with how a trigger receives from it."""

    failures = FAILURES
    max_batch = MAX_BATCH
    remedy = "has no dead-letter queue, so malformed messages come again until they expire. Give it a redrive policy."

    def __init__(self, queue: SqsQueue, wait_seconds: int, visibility_seconds: int) -> None:
        self._queue = queue
        self._wait_seconds = wait_seconds
        self._visibility_seconds = visibility_seconds
        self.waits = bool(wait_seconds)

    @property
    def subject(self) -> str:
        return self._queue.subject

    def puts_aside(self) -> bool:
        return self._queue.has_dead_letter_queue()

    def is_missing(self, error: Exception) -> bool:
        return isinstance(error, AwsNotFound)

    def receive(self, maximum: int) -> list[SqsMessage]:
        return self._queue.receive(maximum, self._wait_seconds, self._visibility_seconds)

    def take(self, message: SqsMessage) -> str | None:
        try:
            self._queue.delete([message.receipt_handle])
        except AwsBatchRefused as exc:
            return str(exc)
        return None

    def hide(self, message: SqsMessage, seconds: int) -> None:
        self._queue.hide(message.receipt_handle, seconds)


class SqsFlowTrigger(StartsRuns[SqsMessage], Trigger[SqsMessage]):
    """Start a run of a deployment for each message of a queue.

    A message is deleted after its flow run was created, never before. The run's idempotency key is made of the ID of
    the message, so a message that is delivered twice has one run. While Prefect's API or AWS cannot be reached,
    messages go back to the queue and are received later and later.

    A message that no run can be made of (it is not JSON, lacks a field, or does not fit the deployment's parameters)
    stays in the queue, so that the queue's
    [redrive policy](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html)
    puts it aside; a warning says why, once for each message. In FIFO queues it holds up its group until then.

    This identity needs `sqs:ReceiveMessage`, `sqs:DeleteMessage` and `sqs:ChangeMessageVisibility`.

    Example:
        ```python
        from prefect_aws import AwsCredentials
        from prefect_aws.sqs import SqsFlowTrigger

        if __name__ == "__main__":
            SqsFlowTrigger(
                queue_url="https://sqs.eu-central-1.amazonaws.com/123456789012/orders",
                deployment="pack-order/nightly",
                parameters={"number": "order.number", "first_item": "order.items.0.name"},
                aws_credentials=AwsCredentials.load("BLOCK_NAME"),
            ).serve()
        ```
    """

    _key: ClassVar[str] = "sqs"

    def __init__(
        self,
        queue_url: str,
        deployment: str,
        *,
        aws_credentials: AwsCredentials | None = None,
        parameters: ParameterMap[SqsMessage] | None = None,
        body_format: Literal["json", "text"] = "json",
        concurrency: int = 10,
        wait_seconds: int = 20,
        visibility_seconds: int = 60,
        max_backoff_seconds: int = 900,
        tags: Sequence[str] = (),
    ) -> None:
        """Describe the trigger; nothing is received yet.

        Args:
            queue_url: URL of the queue.
            deployment: Name of the deployment, as `flow/deployment`, or its ID.
            aws_credentials: Who we are at AWS; boto3's own sources when not given.
            parameters: Parameters of the flow run by name, each with the path of its value in the body, such as
                `order.items.0.name`; `.` is the whole body. Or a function that makes them of a message, and raises
                `ValueError`, `LookupError` or `TypeError` for a malformed one. When not given, the flow gets one
                parameter, `message`: the whole body.
            body_format: Whether bodies are read as JSON, or taken as text.
            concurrency: How many messages are worked on at a time.
            wait_seconds: Seconds that one request waits for messages, up to 20. Stopping takes as long at most.
            visibility_seconds: Seconds until a message that was received, and not deleted, comes again.
            max_backoff_seconds: Most seconds for which a message is put back when its run could not be created.
            tags: Tags of the flow runs.

        Raises:
            AwsInvalidRequest: If an argument makes no sense.
        """
        self._credentials = aws_credentials or AwsCredentials()
        self._queue_url = queue_url
        self._wait_seconds = wait_seconds
        self._visibility_seconds = visibility_seconds
        queue = SqsQueue(queue_url, self._credentials)
        super().__init__(
            f"Trigger of {queue.subject}", concurrency=concurrency, max_backoff_seconds=max_backoff_seconds
        )
        queue.check_times(wait_seconds, visibility_seconds)
        problems = self._describe_runs(deployment, parameters, body_format, tags)
        if concurrency < 1:
            problems.append(f"concurrency is {concurrency}; it must be at least 1")
        most = MAX_VISIBILITY_SECONDS
        if not 1 <= max_backoff_seconds <= most:
            problems.append(f"max_backoff_seconds is {max_backoff_seconds}; from 1 to {most} are allowed")
        if problems:
            raise AwsInvalidRequest(f"{self._subject}: {problems[0]}.", subject=queue.subject)

    def _source(self) -> _Queue:
        queue = SqsQueue(self._queue_url, self._credentials, self._clock)
        return _Queue(queue, self._wait_seconds, self._visibility_seconds)

    async def run(self, until_empty: bool = False) -> TriggerCounts:
        """Async form of `serve`. It handles no signals: cancel it, or call `stop`."""
        return await self._run(until_empty)

    @async_dispatch(run)
    def serve(self, until_empty: bool = False) -> TriggerCounts:
        """Receive messages and start flow runs, until the process is told to end (SIGTERM, Ctrl-C) or `stop` is called.

        What was received by then is finished or given back.

        Args:
            until_empty: Whether to return when the queue has no more messages, as a scheduled job wants it.

        Returns:
            How many messages were handled, and how many not.

        Raises:
            AwsNotFound: If there is no such queue.
            LookupError: If Prefect has no such deployment.
            AwsAccessDenied: If this identity may not receive or delete messages.
            AwsError: If AWS refuses for another reason that will not pass.
        """
        return self._serve(until_empty)

    def health(self) -> Health:
        """Say whether the trigger receives and starts runs; any thread may call it, such as one that answers probes.

        Returns:
            `state` is `healthy` while AWS and Prefect answer, `degraded` after three failures in a row, and `stopped`
            when nothing runs; `last_error` says why.
        """
        return self._runs.health

    def flow_parameters(self, message: SqsMessage) -> dict[str, Any]:
        """Make the parameters of the flow run for a message, as the trigger does.

        Args:
            message: The message.

        Raises:
            ValueError: If no parameters can be made of it. The error says why, and quotes no value of the message.
        """
        return self._parameters_of(message)
