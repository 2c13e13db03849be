"""The queue of ECS events, read for ever."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import anyio
from prefect.logging import get_logger

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from .._ecs.calls import in_thread
from .._sdk_logs import silent_sdk
from ..errors import AwsError, aws_errors
from ._aws import open_client
from ._health import HealthMonitor
from ._threads import in_own_thread

logger = get_logger("prefect_aws.observers.ecs")

SQS_MEMORY = 10
"""How many of the last errors the observer's health tells."""

SQS_CONSECUTIVE_FAILURES = 3
"""After how many failures in a row the observer's health is degraded."""

SQS_BACKOFF = 1
"""Bound, in seconds, of the random delay after the first failure; it doubles with each further one."""

SQS_MAX_BACKOFF_ATTEMPTS = 5
"""How often that bound doubles; there it stays, and the queue is asked for ever."""

SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS = 300
"""For how long the queue hides a message that was received."""

SQS_VISIBILITY_EXTENSION_INTERVAL_SECONDS = 240
"""Seconds after which it is asked to hide a message for longer, while handlers work on it."""

SQS_VISIBILITY_EXTENSION_RETRY_INTERVAL_SECONDS = 5
"""Seconds until it is asked again if it refused."""

# The longest that SQS waits, and the most that it gives at a time:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
_WAIT_SECONDS = 20
_BATCH = 10
_RELEASE_SECONDS = 5.0
_NO_QUEUE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
_SETTING = "PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME"

Message = Mapping[str, Any]


class SqsMessage(NamedTuple):
    """A message of the queue, with what can be done with it.

    Attributes:
        message: The message as
            [SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html) gives it.
        ack: Deletes it from the queue; says whether that succeeded.
        extend_visibility: Hides it from others for another `SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS`; says whether that
            succeeded.
    """

    message: Message
    ack: Callable[[], Awaitable[bool]]
    extend_visibility: Callable[[], Awaitable[bool]]


class SqsSubscriber:
    """Reads a queue for ever, whatever happens to it.

    A queue that refuses, cannot be reached or does not exist is asked again, after a delay that grows to
    half a minute; `monitor.health` says how it is.

    Attributes:
        queue_name: Name of the queue.
        queue_region: Region of the queue; that of the environment or the profile when not given.
    """

    def __init__(self, queue_name: str, queue_region: str | None = None) -> None:
        """Name the queue.

        Args:
            queue_name: Name of the queue, not its URL or ARN.
            queue_region: Region of the queue.
        """
        self.queue_name = queue_name
        self.queue_region = queue_region
        self.clock: Clock = SYSTEM_CLOCK
        self.backoff = Backoff(initial_seconds=SQS_BACKOFF, maximum_seconds=SQS_BACKOFF * 2.0**SQS_MAX_BACKOFF_ATTEMPTS)
        self.monitor = HealthMonitor(self._subject, logger, patience=SQS_CONSECUTIVE_FAILURES, memory=SQS_MEMORY)
        self._url: str | None = None

    @property
    def _subject(self) -> str:
        where = f" in {self.queue_region}" if self.queue_region else ""
        return f"SQS queue {self.queue_name!r}{where} of ECS events"

    async def stream_messages(self) -> AsyncGenerator[SqsMessage, None]:
        """Receive messages as they come.

        It never ends by itself. Closing it, or cancelling the one who waits for it, gives messages back to the queue
        that were received and not handed out.

        Yields:
            One message at a time, hidden from others for `SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS`.
        """
        failures = 0
        while True:
            try:
                messages = await in_own_thread(self._receive, self._give_back)
            except AwsError as exc:
                failures += 1
                self.monitor.failed(self._explain(exc))
                await self.clock.asleep(self.backoff.delay(failures))
                continue
            failures = 0
            self.monitor.succeeded()
            try:
                while messages:
                    message = messages.pop(0)
                    yield SqsMessage(message, partial(self._ack, message), partial(self.hide, message))
            finally:
                if messages:
                    with anyio.move_on_after(_RELEASE_SECONDS, shield=True):
                        await in_thread(self._give_back, messages)

    async def hide(self, message: Message, seconds: int = SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS) -> bool:
        """Say when others may receive a message, counted from now.

        Args:
            message: A message that was received.
            seconds: For how long it stays hidden; 0 gives it back at once.

        Returns:
            Whether the queue did so. It does not for a message that was acknowledged, or received 12 hours ago.
        """
        return await self._attempt(
            "change_message_visibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    async def _ack(self, message: Message) -> bool:
        return await self._attempt("delete_message", ReceiptHandle=message["ReceiptHandle"])

    async def _attempt(self, operation: str, **parameters: Any) -> bool:
        try:
            await in_thread(self._call, operation, **parameters)
        except AwsError as exc:
            logger.debug("%s: %s", self._subject, exc)
            return False
        return True

    def _client(self) -> Any:
        return open_client("sqs", self.queue_region)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        client = self._client()
        with silent_sdk(), aws_errors(self._subject):  # events show the environment that tasks were started with
            if self._url is None:
                self._url = client.get_queue_url(QueueName=self.queue_name)["QueueUrl"]
            return getattr(client, operation)(QueueUrl=self._url, **parameters)

    def _receive(self) -> list[Message]:
        try:
            answer = self._call(
                "receive_message",
                MaxNumberOfMessages=_BATCH,
                # The first answer tells that all is well, so it is not waited for.
                WaitTimeSeconds=_WAIT_SECONDS if self.monitor.health.is_healthy else 0,
                VisibilityTimeout=SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS,
            )
        except AwsError as exc:
            if exc.code in _NO_QUEUE:
                self._url = None  # it may be made again, elsewhere
            raise
        return list(answer.get("Messages") or ())

    def _give_back(self, messages: list[Message]) -> None:
        entries = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for index, message in enumerate(messages)
        ]
        if entries:
            try:
                self._call("change_message_visibility_batch", Entries=entries)
            except AwsError as exc:  # they come back by themselves
                logger.debug("%s: %s", self._subject, exc)

    def _explain(self, error: AwsError) -> str:
        if error.code in _NO_QUEUE:
            return (
                f"{self._subject} does not exist. Create it, or set {_SETTING} to the name of the queue (neither its "
                "URL nor its ARN), and PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_REGION to its region. "
                "`prefect-aws ecs-worker deploy-events` makes one. Until then tasks are looked at now and then instead."
            )
        return str(error)
