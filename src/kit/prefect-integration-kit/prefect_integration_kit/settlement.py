"""Give a flow run its final state when its infrastructure has ended and the run itself did not report one.

Workers and observers come here, at any time, more than once, and in any order: what is done depends on the run's state
and on what has ended alone, so doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

from .logs import Log

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun


CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far the clocks of the infrastructure and of the Prefect server may be apart."""


class Settled(str, Enum):
    """What was done about a run whose infrastructure has ended."""

    CRASHED = "crashed"
    CANCELLED = "cancelled"
    LEFT_ALONE = "left alone"
    GONE = "gone"
    LATER = "later"


def _any(infrastructure_pid: str) -> bool:
    del infrastructure_pid
    return True


@dataclass(frozen=True)
class Ended:
    """Infrastructure that has come to its end: a task, a container, a job.

    Attributes:
        name: How messages call it, kind first: `"ECS task 0f3a"`, `"container prefect-abc"`.
        message: What the run's Crashed state says: what happened, the exit code, the remedy when there is a known one.
        succeeded: Whether it ended as it should: then the run has most likely reported its end itself.
        ended_at: When; `None` when that is not known.
        is_named_by: Says whether a run's `infrastructure_pid` names this one. A run that names another has moved on.
        label: What a message of a state holds when it speaks of this one. A run's state that does is not taken for
            the sign of another one.
    """

    name: str
    message: str
    succeeded: bool = False
    ended_at: datetime | None = None
    is_named_by: Callable[[str], bool] = _any
    label: str = ""


async def settle(
    flow_run_id: UUID,
    ended: Ended,
    *,
    client: PrefectClient,
    logger: Log,
    grace_seconds: float = 60.0,
    now: datetime | None = None,
) -> Settled:
    """Look at the run that something was started for, and propose its final state if it lacks one.

    Args:
        flow_run_id: The run.
        ended: What was started for it, and has ended.
        client: Reads the run and proposes the state.
        logger: Told what was done.
        grace_seconds: How long after the end the engine's own report is waited for when the infrastructure ended as it
            should. When the time of the end is not known, it is not waited for.
        now: The present; the system's time when not given.

    Returns:
        `CRASHED` or `CANCELLED` when the run was given that state; `LEFT_ALONE` when its state stands, because it is
        final, paused, scheduled or belongs to other infrastructure; `GONE` when there is no such run; `LATER` when the
        engine's report may be under way: ask again.

    Raises:
        prefect.exceptions.PrefectHTTPStatusError: If the API refuses; other errors of the API's client come through,
            too. Nothing is swallowed: ask again.
    """
    from prefect.client.schemas.objects import StateType
    from prefect.exceptions import ObjectNotFound

    try:
        flow_run = await client.read_flow_run(flow_run_id)
        state = flow_run.state
        if state is None or needs_nothing(flow_run) or _names_another(flow_run, ended):
            return Settled.LEFT_ALONE
        if state.type == StateType.CANCELLING:
            return await _cancel(ended, flow_run, client, logger)
        if _has_moved_on(flow_run, ended):
            return Settled.LEFT_ALONE
        message = ended.message
        if ended.succeeded:
            if not _is_grace_over(ended, grace_seconds, now):
                return Settled.LATER
            message += (
                f" The run was still {state.name} {grace_seconds:g} seconds after: the process ended without reporting "
                "a final state. Check that the container's command runs the flow, and its way to the Prefect API."
            )
        return await _crash(message, flow_run, client, logger)
    except ObjectNotFound:
        logger.debug("Flow run %s does not exist any more; %s has ended.", flow_run_id, ended.name)
        return Settled.GONE


def needs_nothing(flow_run: FlowRun) -> bool:
    """Say whether a run's state is one that needs no infrastructure: final, paused, or yet to be started."""
    state = flow_run.state
    return state is None or state.is_final() or state.is_paused() or state.is_scheduled()


def _names_another(flow_run: FlowRun, ended: Ended) -> bool:
    return bool(flow_run.infrastructure_pid) and not ended.is_named_by(str(flow_run.infrastructure_pid))


def _has_moved_on(flow_run: FlowRun, ended: Ended) -> bool:
    """Say whether the run came into its state after the end: then other infrastructure is to come, or is there."""
    state = flow_run.state
    if state is None or ended.ended_at is None or not state.timestamp > ended.ended_at + CLOCK_TOLERANCE:
        return False
    # An observer may say that something is starting after it has ended; that names it, and is no sign of another.
    return not (state.name == "InfrastructurePending" and ended.label and ended.label in str(state.message))


def _is_grace_over(ended: Ended, grace_seconds: float, now: datetime | None) -> bool:
    present = now or datetime.now(timezone.utc)
    return ended.ended_at is None or present - ended.ended_at >= timedelta(seconds=grace_seconds)


async def _cancel(ended: Ended, flow_run: FlowRun, client: PrefectClient, logger: Log) -> Settled:
    from prefect.states import Cancelled

    message = f"The run was being cancelled, and its {ended.name} is gone."
    await client.set_flow_run_state(flow_run.id, Cancelled(message=message), force=True)
    logger.info("Reported flow run '%s' as cancelled: its %s has ended.", flow_run.id, ended.name)
    return Settled.CANCELLED


async def _crash(message: str, flow_run: FlowRun, client: PrefectClient, logger: Log) -> Settled:
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
