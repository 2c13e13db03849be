"""Tasks looked up at ECS, a hundred at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio.lowlevel
from prefect.logging import get_logger

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from .._ecs import tags as names
from .._ecs.calls import answer_of
from ..errors import AwsError, aws_errors
from ._aws import open_client, region_of
from ._bounded import RecentlyUsed
from ._health import HealthMonitor
from ._sqs import SQS_BACKOFF, SQS_CONSECUTIVE_FAILURES, SQS_MAX_BACKOFF_ATTEMPTS, SQS_MEMORY

if TYPE_CHECKING:
    from typing_extensions import Self

logger = get_logger("prefect_aws.observers.ecs")

_BATCH = 100  # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
_KNOWN_TASKS = 10_000
_BACKOFF = Backoff(initial_seconds=SQS_BACKOFF, maximum_seconds=SQS_BACKOFF * 2.0**SQS_MAX_BACKOFF_ATTEMPTS)

Task = Mapping[str, Any]


class _Cluster:
    """The look-ups of one cluster: one request at a time, for all who wait."""

    def __init__(self) -> None:
        self.waiting: dict[str, asyncio.Future[Task | None]] = {}
        self.worker: asyncio.Task[None] | None = None
        self.failures = 0
        self.not_before = 0.0


class TaskLookup:
    """Describes tasks. Who asks while a request is under way is answered by the next one, with all others.

    After a failure the next request waits, longer each time, and takes along whoever has come in the meantime: a
    throttling ECS gets one request, not one for each event.

    Args:
        monitor: Told how it goes.
        clock: Time.
    """

    def __init__(self, monitor: HealthMonitor | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self.client: Any = None
        self.backoff = _BACKOFF
        self.clock = clock
        self._monitor = monitor
        self._clusters: dict[str, _Cluster] = {}

    async def describe(self, cluster_arn: str, task_arn: str) -> Task | None:
        """Look a task up, tags included.

        Returns:
            The task; `None` if ECS does not know it: it stopped more than about an hour ago, or was started just now.

        Raises:
            AwsError: If ECS does not answer.
        """
        cluster = self._clusters.setdefault(cluster_arn, _Cluster())
        future = cluster.waiting.get(task_arn)
        if future is None:
            future = cluster.waiting[task_arn] = asyncio.get_running_loop().create_future()
        if cluster.worker is None:
            cluster.worker = asyncio.create_task(self._work(cluster_arn, cluster))
        return await asyncio.shield(future)

    async def close(self) -> None:
        """Stop looking; who waits is cancelled."""
        for cluster in self._clusters.values():
            for future in cluster.waiting.values():
                future.cancel()
            if cluster.worker is not None:
                cluster.worker.cancel()
                await asyncio.wait([cluster.worker])
        self._clusters.clear()

    async def _work(self, cluster_arn: str, cluster: _Cluster) -> None:
        try:
            while cluster.waiting:
                await self.clock.asleep(max(0.0, cluster.not_before - self.clock.monotonic()))
                batch = {arn: cluster.waiting.pop(arn) for arn in list(cluster.waiting)[:_BATCH]}
                try:
                    await self._look(cluster_arn, cluster, batch)
                finally:  # a request that was cut off
                    for future in batch.values():
                        future.cancel()
        finally:
            cluster.worker = None
            if not cluster.failures and not cluster.waiting:
                self._clusters.pop(cluster_arn, None)

    async def _look(self, cluster_arn: str, cluster: _Cluster, batch: dict[str, asyncio.Future[Task | None]]) -> None:
        try:
            tasks = await self._describe(cluster_arn, list(batch))
        except Exception as exc:  # noqa: BLE001 - it is raised by those who wait
            cluster.failures += 1
            cluster.not_before = self.clock.monotonic() + self.backoff.delay(cluster.failures)
            if self._monitor is not None:
                self._monitor.failed(str(exc))
            for future in batch.values():
                if not future.done():
                    future.set_exception(exc)
                    future.exception()  # who asked may have left
            return
        cluster.failures = 0
        if self._monitor is not None:
            self._monitor.succeeded()
        for arn, future in batch.items():
            if not future.done():
                future.set_result(tasks.get(arn))

    async def _describe(self, cluster_arn: str, task_arns: list[str]) -> dict[str, Task]:
        try:
            with aws_errors(f"Tasks of ECS cluster {cluster_arn}"):
                answer = await answer_of(self._ask, cluster_arn, task_arns)
        except AwsError as exc:
            if exc.code == "ClusterNotFoundException":  # and its tasks with it
                return {}
            raise
        return {task.get("taskArn", task_arns[0]): task for task in answer.get("tasks") or ()}

    def _ask(self, cluster_arn: str, task_arns: list[str]) -> Any:
        client = self.client or open_client("ecs", region_of(cluster_arn))
        return client.describe_tasks(cluster=cluster_arn, tasks=task_arns, include=["TAGS"])


class EcsTaskTagsReader:
    """Reads the tags of tasks, which events do not carry.

    Tags of a task do not change, so what was read once is remembered, for the 10,000 tasks seen last. It is used as an
    async context manager.

    Attributes:
        ecs_client: A client to use, of boto3 or aiobotocore; when it is `None`, clients for the regions of the clusters
            are opened, with the credentials that boto3 finds.
    """

    def __init__(self) -> None:
        self.ecs_client: Any = None
        self.monitor = HealthMonitor("Tags of ECS tasks", logger, patience=SQS_CONSECUTIVE_FAILURES, memory=SQS_MEMORY)
        self.clock: Clock = SYSTEM_CLOCK
        self._lookup: TaskLookup | None = None
        self._known: RecentlyUsed[str, dict[str, str]] = RecentlyUsed(_KNOWN_TASKS)

    async def read_tags(self, cluster_arn: str, task_arn: str) -> dict[str, str]:
        """Read the tags of a task.

        Args:
            cluster_arn: ARN of its cluster.
            task_arn: ARN of the task.

        Returns:
            Names and values; empty if the task has none, or ECS does not know it.

        Raises:
            AwsError: If ECS does not answer: nothing is known about the task then.
            RuntimeError: If the reader was neither entered nor given a client.
        """
        if (known := self._known.get(task_arn)) is not None:
            return dict(known)
        if self._lookup is None and self.ecs_client is not None:  # a client that is given needs no entering
            await self.__aenter__()
        if self._lookup is None:
            raise RuntimeError("Enter the reader first: `async with EcsTaskTagsReader() as reader: ...`")
        self._lookup.client = self.ecs_client
        task = await self._lookup.describe(cluster_arn, task_arn)
        if task is None:
            return {}
        tags = names.as_dict(task.get("tags"))
        self._known.put(task_arn, tags)
        return dict(tags)

    async def __aenter__(self) -> Self:
        """Get ready to read."""
        self._lookup = TaskLookup(self.monitor, self.clock)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Stop reading."""
        if self._lookup is not None:
            await self._lookup.close()
            self._lookup = None


_lookup: anyio.lowlevel.RunVar[TaskLookup] = anyio.lowlevel.RunVar("prefect-aws-task-lookup")


def shared_lookup() -> TaskLookup:
    """The look-up that handlers of this event loop share."""
    try:
        return _lookup.get()
    except LookupError:
        lookup = TaskLookup()
        _lookup.set(lookup)
        return lookup
