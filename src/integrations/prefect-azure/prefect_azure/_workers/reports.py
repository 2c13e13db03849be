"""Ask Prefect which runs have reported their end, all of them together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_integration_kit import workers

if TYPE_CHECKING:
    from prefect.workers.base import BaseWorker

Reported = Callable[[Collection[UUID]], Awaitable[set[UUID]]]
"""Says which of these flow runs have no process any more as far as Prefect has heard."""

_RUNS_AT_ONCE = 200


async def ended_among(reported: Reported | None, flow_run_ids: Collection[UUID]) -> set[UUID]:
    """The runs whose end Prefect has heard of; none where it cannot say: it only tells which to look at first.

    Args:
        reported: Who to ask.
        flow_run_ids: The runs.
    """
    if reported is None or not flow_run_ids:
        return set()
    try:
        return await reported(flow_run_ids)
    except Exception:  # noqa: BLE001 - see above
        return set()


async def reported(worker: BaseWorker[Any, Any, Any], flow_run_ids: Collection[UUID]) -> set[UUID]:
    """Find the runs whose process is done as far as Prefect has heard: ended, paused, or to be started again.

    Args:
        worker: A worker; outside of its context nobody is asked.
        flow_run_ids: The runs.
    """
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterId,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    client = workers.client_of(worker)
    if client is None:
        return set()
    going_on = (StateType.PENDING, StateType.RUNNING)
    types = FlowRunFilterStateType(any_=[each for each in StateType if each not in going_on])
    wanted = sorted(flow_run_ids, key=str)
    found: set[UUID] = set()
    for start in range(0, len(wanted), _RUNS_AT_ONCE):
        part = FlowRunFilterId(any_=wanted[start : start + _RUNS_AT_ONCE])
        runs = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=part, state=FlowRunFilterState(type=types)), limit=_RUNS_AT_ONCE
        )
        found.update(run.id for run in runs)
    return found
