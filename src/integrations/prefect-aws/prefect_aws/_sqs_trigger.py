"""Start a flow run for each message of an SQS queue: what its user sees."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Sequence
from typing import Any, Literal

from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._sqs_queue import SqsMessage, SqsQueue
from ._sqs_trigger_run import ParameterMap, TriggerCounts, TriggerOptions, TriggerRun, flow_parameters
from .credentials import AwsCredentials


class SqsFlowTrigger:
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

    def __init__(
        self,
        queue_url: str,
        deployment: str,
        *,
        aws_credentials: AwsCredentials | None = None,
        parameters: ParameterMap | None = None,
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
        self._options = TriggerOptions(
            queue_url=queue_url,
            deployment=deployment,
            parameters=parameters,
            body_format=body_format,
            concurrency=concurrency,
            wait_seconds=wait_seconds,
            visibility_seconds=visibility_seconds,
            max_backoff_seconds=max_backoff_seconds,
            tags=tuple(tags),
        )
        self._options.check(SqsQueue(queue_url, self._credentials))
        self._clock: Clock = SYSTEM_CLOCK
        self._runs: list[TriggerRun] = []

    async def run(self, until_empty: bool = False) -> TriggerCounts:
        """Async form of `serve`. It handles no signals: cancel it, or call `stop`."""
        from prefect.client.orchestration import get_client

        queue = SqsQueue(self._options.queue_url, self._credentials, self._clock)
        async with get_client() as client:
            run = TriggerRun(self._options, queue, client, self._clock)
            self._runs.append(run)
            try:
                return await run.run(until_empty=until_empty)
            finally:
                self._runs.remove(run)

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
        return asyncio.run(self._run_until_told(until_empty))

    async def _run_until_told(self, until_empty: bool) -> TriggerCounts:
        loop = asyncio.get_running_loop()
        handled: list[int] = []
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                with contextlib.suppress(NotImplementedError):  # Windows
                    loop.add_signal_handler(number, self.stop)
                    handled.append(number)
        try:
            return await self.run(until_empty)
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Let `run` and `serve` return when what is under way is finished; any thread may call it."""
        for run in list(self._runs):
            run.stop()

    def flow_parameters(self, message: SqsMessage) -> dict[str, Any]:
        """Make the parameters of the flow run for a message, as the trigger does.

        Args:
            message: The message.

        Raises:
            ValueError: If no parameters can be made of it. The error says why, and quotes no value of the message.
        """
        return flow_parameters(message, self._options)
