"""Give a flow run its final state when its task has stopped and the run itself did not report one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_integration_kit import settlement
from prefect_integration_kit.settlement import Ended, Settled

from . import tags as names
from .outcomes import outcome_of
from .times import time_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from prefect_integration_kit.logs import Log

STOPPED = ("STOPPED", "DELETED")


async def settle(
    task: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    client: PrefectClient,
    logger: Log,
    grace_seconds: float = 60.0,
    now: datetime | None = None,
) -> Settled:
    """Look at the run that a stopped task was for, and propose its final state if it lacks one.

    Args:
        task: The task, as DescribeTasks or an event gives it.
        tags: The task's tags.
        client: Reads the run and proposes the state.
        logger: Told what was done.
        grace_seconds: How long after the task stopped the engine's own report is waited for when its container exited
            with 0.
        now: The present; the system's time when not given.

    Returns:
        What was done, as `prefect_integration_kit.settlement.settle` says; `LEFT_ALONE` for a task that runs, or that
        is for no run.

    Raises:
        prefect.exceptions.PrefectHTTPStatusError: If the API refuses. Nothing is swallowed: ask again.
    """
    flow_run_id = flow_run_of(tags)
    if flow_run_id is None or task.get("lastStatus") not in STOPPED:
        return Settled.LEFT_ALONE
    return await settlement.settle(
        flow_run_id, _end_of(task, tags), client=client, logger=logger, grace_seconds=grace_seconds, now=now
    )


def flow_run_of(tags: Mapping[str, str]) -> UUID | None:
    """Read which flow run a task is for; `None` if its tags do not say."""
    try:
        return UUID(tags.get(names.FLOW_RUN_ID, ""))
    except ValueError:
        return None


def is_task_of(infrastructure_pid: str, task_arn: str) -> bool:
    """Say whether a run's `infrastructure_pid` (`cluster::task_arn`) names this task."""
    return infrastructure_pid.rpartition("::")[2].rpartition("/")[2] == task_arn.rpartition("/")[2]


def _end_of(task: Mapping[str, Any], tags: Mapping[str, str]) -> Ended:
    outcome = outcome_of(task, tags)
    arn = str(task.get("taskArn") or "")
    short = arn.rpartition("/")[2] or "unknown"
    return Ended(
        name=f"ECS task {short}",
        message=outcome.message,
        succeeded=outcome.succeeded,
        # The other times are only for a task that was deleted, whose record may lack the first.
        ended_at=time_of(task, "stoppedAt", "executionStoppedAt", "stoppingAt", "updatedAt"),
        is_named_by=lambda pid: not arn or is_task_of(pid, arn),
        label=short,
    )
