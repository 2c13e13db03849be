"""The tasks of Prefect that execute nodes and waves, and how many of them run at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect import Task
from prefect.cache_policies import NO_CACHE

from ._executor import DbtExecutor
from ._local import DEFAULT_THREADS
from ._manifest import DbtNode

if TYPE_CHECKING:
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
        cache_policy=NO_CACHE,
        persist_result=False,
    )
