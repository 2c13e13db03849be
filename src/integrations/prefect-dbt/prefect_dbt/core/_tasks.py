"""The tasks of Prefect that execute nodes and waves, and how many of them run at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect import Task
from prefect.cache_policies import NO_CACHE

from ._executor import DbtExecutor
from ._hopeless import is_permanent
from ._local_target import DEFAULT_THREADS
from ._manifest import DbtNode

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun

    from .orchestrator import PrefectDbtOrchestrator


def slots(orchestrator: PrefectDbtOrchestrator, executor: DbtExecutor, target: str | None) -> int:
    """Count how many nodes may run at once."""
    wanted = orchestrator.concurrency if isinstance(orchestrator.concurrency, int) else None
    known: Any = getattr(executor, "max_concurrency", None)
    most = known(target) if callable(known) else known
    if isinstance(most, int):
        return max(1, min(wanted or most, most))
    return wanted or DEFAULT_THREADS


def task_of(orchestrator: PrefectDbtOrchestrator, fn: Callable[..., Any], subject: DbtNode | str) -> Task[..., Any]:
    """Make the task that executes a node or a wave."""
    label = subject if isinstance(subject, str) else f"{subject.resource_type} {subject.name}"
    return Task(
        fn,
        name=fn.__name__.replace("_", " "),
        task_run_name=lambda: label,
        tags=set(orchestrator.tags),
        retries=orchestrator.retries,
        retry_delay_seconds=orchestrator.retry_delay_seconds,
        timeout_seconds=orchestrator.timeout_seconds,
        retry_condition_fn=_is_worth_retrying if orchestrator.retries else None,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


async def _is_worth_retrying(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Prefect asks before each retry."""
    del task, task_run
    error = state.data if isinstance(state.data, BaseException) else None
    return error is None or not is_permanent(error.__cause__)
