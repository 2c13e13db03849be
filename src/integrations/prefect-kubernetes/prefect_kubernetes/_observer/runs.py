"""Flow runs, read from the Prefect API many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, StateType

IDS_AT_ONCE = 500
_PAGE = 200  # the API gives no more at a time


async def read_runs(
    client: PrefectClient, ids: Iterable[UUID], types: Sequence[StateType], *, concurrency: int = 1
) -> AsyncGenerator[FlowRun, None]:
    """Read those of some runs whose state is of one of the types.

    Args:
        client: Client of the Prefect API.
        ids: IDs of the runs, any number.
        types: Types of states.
        concurrency: How many requests are under way at a time.
    """
    wanted = list(dict.fromkeys(ids))
    parts = [wanted[start : start + IDS_AT_ONCE] for start in range(0, len(wanted), IDS_AT_ONCE)]
    for start in range(0, len(parts), concurrency):
        few = parts[start : start + concurrency]
        for found in await asyncio.gather(*(_read(client, part, types) for part in few)):
            for run in found:
                yield run


async def _read(client: PrefectClient, ids: Sequence[UUID], types: Sequence[StateType]) -> list[FlowRun]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterId,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    wanted: Any = FlowRunFilter(
        id=FlowRunFilterId(any_=list(ids)),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types))),
    )
    found: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.ID_DESC, limit=_PAGE, offset=len(found)
        )
        found += page
        if len(page) < _PAGE:
            return found


def unfinished_types() -> list[StateType]:
    """Types of the states that a run can still leave by itself."""
    from prefect.client.schemas.objects import TERMINAL_STATES, StateType

    return [each for each in StateType if each not in TERMINAL_STATES]


def stopping_types() -> list[StateType]:
    """Types of the states in which a run has no use for a job any more."""
    from prefect.client.schemas.objects import TERMINAL_STATES, StateType

    return [*(each for each in StateType if each in TERMINAL_STATES), StateType.CANCELLING]
