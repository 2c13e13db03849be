"""Give a flow run its final state when its task has stopped and the run itself did not report one.

Worker and observer both come here, at any time, more than once, and in any order: what is done depends on the run's
state and on the task alone, so doing it twice changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from . import tags as names
from .outcomes import outcome_of
from .times import time_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    Logger = logging.Logger | logging.LoggerAdapter[Any]

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far the clocks of ECS and of the Prefect server may be apart."""

STOPPED = ("STOPPED", "DELETED")


class Settled(str, Enum):
    """What was done about a run whose task has stopped."""

    CRASHED = "crashed"
    CANCELLED = "cancelled"
    LEFT_ALONE = "left alone"
    GONE = "gone"
    LATER = "later"


async def settle(
    task: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    client: PrefectClient,
    logger: Logger,
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
        `CRASHED` or `CANCELLED` when the run was given that state; `LEFT_ALONE` when its state stands, because it is
        final, paused, scheduled or belongs to another task; `GONE` when there is no such run; `LATER` when the engine's
        report may be under way: ask again.

    Raises:
        prefect.exceptions.PrefectHTTPStatusError: If the API refuses; other errors of the API's client come through,
            too. Nothing is swallowed: ask again.
    """
    from prefect.client.schemas.objects import StateType
    from prefect.exceptions import ObjectNotFound

    flow_run_id = flow_run_of(tags)
    if flow_run_id is None or task.get("lastStatus") not in STOPPED:
        return Settled.LEFT_ALONE
    try:
        flow_run = await client.read_flow_run(flow_run_id)
        state = flow_run.state
        if state is None or _must_stand(flow_run) or _is_of_another_task(flow_run, task):
            return Settled.LEFT_ALONE
        if state.type == StateType.CANCELLING:
            return await _cancel(task, flow_run, client, logger)
        if _has_moved_on(flow_run, task):
            return Settled.LEFT_ALONE
        outcome = outcome_of(task, tags)
        message = outcome.message
        if outcome.succeeded:
            if not _is_grace_over(task, grace_seconds, now):
                return Settled.LATER
            message += (
                f" The run was still {state.name} {grace_seconds:g} seconds after: the process ended without reporting "
                "a final state. Check that the container's command runs the flow, and its way to the Prefect API."
            )
        return await _crash(message, flow_run, client, logger)
    except ObjectNotFound:
        logger.debug("Flow run %s does not exist any more; its ECS task %s has stopped.", flow_run_id, _short(task))
        return Settled.GONE


def flow_run_of(tags: Mapping[str, str]) -> UUID | None:
    """Read which flow run a task is for; `None` if its tags do not say."""
    try:
        return UUID(tags.get(names.FLOW_RUN_ID, ""))
    except ValueError:
        return None


def is_task_of(infrastructure_pid: str, task_arn: str) -> bool:
    """Say whether a run's `infrastructure_pid` (`cluster::task_arn`) names this task."""
    return infrastructure_pid.rpartition("::")[2].rpartition("/")[2] == task_arn.rpartition("/")[2]


def _must_stand(flow_run: FlowRun) -> bool:
    """Say whether the run's state is one that needs no infrastructure."""
    state = flow_run.state
    return state is None or state.is_final() or state.is_paused() or state.is_scheduled()


def _is_of_another_task(flow_run: FlowRun, task: Mapping[str, Any]) -> bool:
    pid, arn = flow_run.infrastructure_pid, str(task.get("taskArn") or "")
    return bool(pid) and bool(arn) and not is_task_of(str(pid), arn)


def _has_moved_on(flow_run: FlowRun, task: Mapping[str, Any]) -> bool:
    """Say whether the run came into its state after this task stopped: then another task is to come, or is there."""
    stopped_at, state = time_of(task, "stoppedAt"), flow_run.state
    if state is None or stopped_at is None or not state.timestamp > stopped_at + CLOCK_TOLERANCE:
        return False
    # The observer may say that the task is starting after it has stopped; that names the task, and is no sign of
    # another.
    return not (state.name == "InfrastructurePending" and _short(task) in str(state.message))


def _is_grace_over(task: Mapping[str, Any], grace_seconds: float, now: datetime | None) -> bool:
    stopped_at = time_of(task, "stoppedAt", "executionStoppedAt", "stoppingAt", "updatedAt")
    present = now or datetime.now(timezone.utc)
    return stopped_at is None or present - stopped_at >= timedelta(seconds=grace_seconds)


async def _cancel(task: Mapping[str, Any], flow_run: FlowRun, client: PrefectClient, logger: Logger) -> Settled:
    from prefect.states import Cancelled

    message = f"The run was being cancelled, and its ECS task {_short(task)} is gone."
    await client.set_flow_run_state(flow_run.id, Cancelled(message=message), force=True)
    logger.info("Reported flow run '%s' as cancelled: its ECS task has stopped.", flow_run.id)
    return Settled.CANCELLED


async def _crash(message: str, flow_run: FlowRun, client: PrefectClient, logger: Logger) -> Settled:
    from prefect.exceptions import Abort, Pause
    from prefect.states import Crashed
    from prefect.utilities.engine import propose_state

    try:
        state = await propose_state(client, Crashed(message=message), flow_run_id=flow_run.id)
    except (Abort, Pause):  # the run came to an end or was paused in the meantime
        return Settled.LEFT_ALONE
    if not state.is_crashed():
        return Settled.LEFT_ALONE
    logger.info("Reported flow run '%s' as crashed: %s", flow_run.id, message)
    return Settled.CRASHED


def _short(task: Mapping[str, Any]) -> str:
    return str(task.get("taskArn") or "unknown").rpartition("/")[2]
