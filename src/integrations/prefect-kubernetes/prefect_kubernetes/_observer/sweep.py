"""Delete the jobs of runs that have no use for them any more.

A run that was cancelled, or has ended, may leave its job behind: it hangs, a sidecar keeps its pod going, nobody looks
after the cancelling of a run whose deployment was deleted. Jobs are found by their label, so none of that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from ..errors import KubernetesAccessDenied
from .records import Record
from .runs import read_runs, stopping_types, unfinished_types

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from .keeper import Keeper


def is_past_use(flow_run: FlowRun, now: datetime, grace_seconds: float) -> bool:
    """Say whether a run has been cancelled, or has ended, so long ago that its job should be gone.

    Args:
        flow_run: The run.
        now: The present.
        grace_seconds: How long its job may take to go by itself.
    """
    state = flow_run.state
    if state is None or not (state.is_final() or state.is_cancelling()):
        return False
    return now - state.timestamp >= timedelta(seconds=grace_seconds)


async def sweep(
    records: Iterable[Record],
    keeper: Keeper,
    client: PrefectClient,
    *,
    now: datetime,
    grace_seconds: float,
    mark: Callable[[Record], None],
) -> int:
    """Delete the jobs of runs that are past use.

    Args:
        records: The jobs.
        keeper: Deletes them.
        client: Client of the Prefect API; the runs are read some hundred at a time.
        now: The present.
        grace_seconds: How long a job may take to go by itself.
        mark: Has a job looked after.

    Returns:
        How many jobs were deleted.

    Raises:
        KubernetesError: If the cluster refuses or cannot be reached; the other jobs have been deleted.
        prefect.exceptions.PrefectHTTPStatusError: If the Prefect API refuses.
    """
    by_run: dict[UUID, list[Record]] = {}
    for record in records:
        if record.is_alive and not record.deletion_sent:
            by_run.setdefault(record.flow_run_id, []).append(record)
    count = 0
    failed: Exception | None = None
    async for flow_run in read_runs(client, by_run, stopping_types()):
        if flow_run.state is None or not is_past_use(flow_run, now, grace_seconds):
            continue
        for record in by_run[flow_run.id]:
            job = record.job
            if job is None or not record.is_alive:
                continue
            try:
                await keeper.delete(record, job, f"the run is {flow_run.state.name}.")
                count += 1
            except KubernetesAccessDenied:
                continue  # which has been said
            except Exception as exc:  # noqa: BLE001 - one job must not keep the others
                failed = failed or exc
            mark(record)
    if failed is not None:
        raise failed
    return count


async def unfinished(client: PrefectClient, ids: Iterable[UUID], concurrency: int) -> set[UUID]:
    """Find out which runs have no final state, some hundred in a request.

    Raises:
        prefect.exceptions.PrefectHTTPStatusError: If the Prefect API refuses.
    """
    return {flow_run.id async for flow_run in read_runs(client, ids, unfinished_types(), concurrency=concurrency)}
