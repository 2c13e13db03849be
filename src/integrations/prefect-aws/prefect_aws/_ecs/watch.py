"""Watch over the tasks that were started: find those that ended, stop those of cancelled runs.

All tasks of a cluster are looked at together, a hundred in a request
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html). While events tell how tasks end,
that is only the net below them and seldom done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import anyio

from prefect_integration_kit.settlement import Settled
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .._clients import fingerprint
from ..errors import AwsError, AwsInvalidRequest, AwsNotFound, aws_errors
from . import registration, tags
from .calls import in_thread, open_client

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from prefect_integration_kit.logs import Log

    from ..credentials import AwsCredentials
    from ..settings import EcsWorkerSettings

T = TypeVar("T")

DESCRIBED_AT_ONCE = 100
_RUNS_AT_ONCE = 200
_SETTLED_AT_ONCE = 10

_MISSING_AFTER_SECONDS = 60.0
"""ECS may not know a task for some seconds after it was started, and forgets it about an hour after it stopped."""


@dataclass
class WatchedTask:
    """A task that was started for a flow run."""

    flow_run_id: UUID
    cluster: str
    task_arn: str
    credentials: AwsCredentials
    identity: bytes
    added_seconds: float
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    cancelled_seconds: float | None = None
    stop_sent: bool = False

    @property
    def identifier(self) -> str:
        """What the run's `infrastructure_pid` says."""
        return f"{self.cluster}::{self.task_arn}"


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into parts of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def describe_tasks(ecs: Any, cluster: str, arns: Sequence[str]) -> list[dict[str, Any]]:
    """Look at tasks, with their tags. Blocks.

    Args:
        ecs: A client of ECS.
        cluster: Name or ARN of their cluster.
        arns: ARNs of the tasks, any number.

    Returns:
        The tasks that ECS knows. Where the cluster is gone, none.

    Raises:
        AwsError: If ECS refuses to tell.
    """
    found: list[dict[str, Any]] = []
    for part in batches(arns, DESCRIBED_AT_ONCE):
        try:
            with aws_errors(f"ECS cluster {cluster!r}"):
                answer = ecs.describe_tasks(cluster=cluster, tasks=list(part), include=["TAGS"])
        except AwsNotFound:
            return []
        found += answer["tasks"]
    return found


def stop_task(ecs: Any, cluster: str, task_arn: str, reason: str) -> bool:
    """Stop a task. Blocks.

    Args:
        ecs: A client of ECS.
        cluster: Name or ARN of its cluster.
        task_arn: ARN of the task.
        reason: Why, for those who look at the task.

    Returns:
        Whether ECS knows the task.

    Raises:
        AwsError: If ECS refuses.
    """
    try:
        with aws_errors(f"ECS task {task_arn!r}"):
            ecs.stop_task(cluster=cluster, task=task_arn, reason=reason)
    except AwsNotFound:
        return False
    except AwsInvalidRequest as exc:
        # InvalidParameterException "The referenced task was not found."
        if "not found" in str(exc).lower():
            return False
        raise
    return True


Settle = Callable[[WatchedTask, Mapping[str, Any]], Awaitable[Settled]]


class TaskWatch:
    """The tasks of one worker whose end is not known yet."""

    def __init__(
        self,
        settings: EcsWorkerSettings,
        *,
        settle: Settle,
        prefect: Callable[[], PrefectClient],
        on_end: Callable[[UUID], None],
        events_are_coming: Callable[[], bool],
        logger: Log,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._settle = settle
        self._prefect = prefect
        self._on_end = on_end
        self._events_are_coming = events_are_coming
        self._logger = logger
        self._clock = clock
        self._tasks: dict[str, WatchedTask] = {}
        self._runs: dict[UUID, str] = {}
        self._looked_seconds = clock.monotonic()
        self._troubles: set[str] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, flow_run_id: UUID) -> bool:
        return flow_run_id in self._runs

    def add(
        self, flow_run_id: UUID, cluster: str, task_arn: str, credentials: AwsCredentials, tags: Mapping[str, str]
    ) -> WatchedTask:
        """Watch over a task from now on."""
        # Who asks for it is worked out here, once, and not at each look at thousands of tasks.
        identity = fingerprint(credentials)
        task = WatchedTask(flow_run_id, cluster, task_arn, credentials, identity, self._clock.monotonic(), tags)
        self._tasks[task_arn] = task
        self._runs[flow_run_id] = task_arn
        return task

    def forget(self, task: WatchedTask) -> None:
        """Watch over a task no longer."""
        self._tasks.pop(task.task_arn, None)
        if self._runs.get(task.flow_run_id) == task.task_arn:
            del self._runs[task.flow_run_id]
            self._on_end(task.flow_run_id)

    async def watch(self) -> None:
        """Watch for ever. What goes wrong is logged once and tried again."""
        while True:
            await self._clock.asleep(self._settings.watch_interval_seconds)
            if not self._tasks:
                continue
            await self._guarded("cancelled runs", self.stop_cancelled)
            waited = self._clock.monotonic() - self._looked_seconds
            if not self._events_are_coming() or waited >= self._settings.sweep_interval_seconds:
                await self._guarded("running tasks", self.look)

    async def _guarded(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as exc:  # noqa: BLE001 - the watch must go on for as long as the worker does
            if what not in self._troubles:
                self._logger.warning("Cannot look after %s at present; trying on: %s", what, exc)
                self._troubles.add(what)
        else:
            if what in self._troubles:
                self._logger.info("Looking after %s again.", what)
                self._troubles.discard(what)

    async def look(self) -> None:
        """Look at all tasks, and settle the runs of those that have ended.

        Raises:
            AwsError: If a cluster could not be looked at; the others have been.
        """
        self._looked_seconds = self._clock.monotonic()
        failed: Exception | None = None
        for (cluster, _), group in _grouped(self._tasks.values()).items():
            try:
                await self._look_at(cluster, group)
            except Exception as exc:  # noqa: BLE001, PERF203 - one cluster must not hide the others
                failed = failed or exc
        if failed is not None:
            raise failed

    async def _look_at(self, cluster: str, group: list[WatchedTask]) -> None:
        credentials = group[0].credentials
        ecs = await in_thread(open_client, credentials, "ecs")
        for part in batches(group, DESCRIBED_AT_ONCE):
            found = await in_thread(describe_tasks, ecs, cluster, [task.task_arn for task in part])
            by_arn = {str(task.get("taskArn")): task for task in found}
            ended = [(task, seen) for task in part if (seen := self._ended(task, by_arn.get(task.task_arn)))]
            failures: list[Exception] = []
            for few in batches(ended, _SETTLED_AT_ONCE):
                async with anyio.create_task_group() as group_of_few:
                    for task, seen in few:
                        group_of_few.start_soon(self._end, ecs, task, seen, failures)
            if failures:
                raise failures[0]

    def _ended(self, task: WatchedTask, seen: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """The task as ECS last saw it, if it has ended."""
        if seen is not None:
            return seen if seen.get("lastStatus") in ("STOPPED", "DELETED") else None
        if self._clock.monotonic() - task.added_seconds < _MISSING_AFTER_SECONDS:
            return None
        return {
            "taskArn": task.task_arn,
            "clusterArn": task.cluster,
            "lastStatus": "STOPPED",
            "stoppedReason": "ECS no longer knows the task, so how it ended is not known",
            "containers": [],
        }

    async def _end(self, ecs: Any, task: WatchedTask, seen: Mapping[str, Any], failures: list[Exception]) -> None:
        try:
            if await self._settle(task, seen) is Settled.LATER:
                return
            known = {**task.tags, **tags.as_dict(seen.get("tags"))}
            if known.get(tags.DEREGISTER) == "true" and seen.get("taskDefinitionArn"):
                await in_thread(registration.deregister, ecs, str(seen["taskDefinitionArn"]))
        except Exception as exc:  # noqa: BLE001 - raised by the caller, after the others
            failures.append(exc)
        else:
            self.forget(task)

    async def stop_cancelled(self) -> None:
        """Stop tasks whose run was cancelled and has had time to end by itself.

        Raises:
            AwsError: If ECS refuses to stop one; the others have been stopped.
        """
        cancelled = await self._cancelled_runs()
        now = self._clock.monotonic()
        failed: Exception | None = None
        for task in list(self._tasks.values()):
            if task.flow_run_id not in cancelled:
                task.cancelled_seconds = None
                continue
            if task.cancelled_seconds is None:
                task.cancelled_seconds = now
            if task.stop_sent or now - task.cancelled_seconds < self._settings.cancellation_grace_seconds:
                continue
            try:
                await self.stop(task, "The flow run was cancelled in Prefect.")
            except AwsError as exc:
                failed = failed or exc
        if failed is not None:
            raise failed

    async def stop(self, task: WatchedTask, reason: str) -> bool:
        """Stop a task, and say whether ECS knew it. Its end is seen like any other."""
        ecs = await in_thread(open_client, task.credentials, "ecs")
        known = await in_thread(stop_task, ecs, task.cluster, task.task_arn, reason)
        task.stop_sent = True
        self._looked_seconds = float("-inf")  # look soon: an event may not come
        self._logger.info("Stopped ECS task %s of the cancelled flow run %s.", task.task_arn, task.flow_run_id)
        return known

    async def _cancelled_runs(self) -> set[UUID]:
        from prefect.client.schemas.filters import (
            FlowRunFilter,
            FlowRunFilterId,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )
        from prefect.client.schemas.objects import StateType

        cancelled: set[UUID] = set()
        for part in batches(list(self._runs), _RUNS_AT_ONCE):
            runs = await self._prefect().read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    id=FlowRunFilterId(any_=list(part)),
                    state=FlowRunFilterState(
                        type=FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.CANCELLED])
                    ),
                ),
                limit=_RUNS_AT_ONCE,
            )
            cancelled.update(run.id for run in runs)
        return cancelled


def _grouped(tasks: Iterable[WatchedTask]) -> dict[tuple[str, bytes], list[WatchedTask]]:
    """Tasks by cluster and account."""
    groups: dict[tuple[str, bytes], list[WatchedTask]] = {}
    for task in tasks:
        groups.setdefault((task.cluster, task.identity), []).append(task)
    return groups
