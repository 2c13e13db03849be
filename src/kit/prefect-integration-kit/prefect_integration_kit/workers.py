"""What every worker does the same, and the parts of Prefect's own worker that are reached for it.

A worker is a subclass of `prefect.workers.base.BaseWorker`, and its helpers need what that class keeps under private
names. They come here for it, so that a new Prefect release is one file to mend.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio

from .logs import Log

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.workers.base import BaseWorker

    AnyWorker = BaseWorker[Any, Any, Any]

_PAGE = 200

# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false


def client_of(worker: AnyWorker) -> PrefectClient | None:
    """The worker's client of the Prefect API; `None` outside of its context."""
    return worker._client


def logger_of(worker: AnyWorker) -> Log:
    """The worker's own logger, which is not that of a flow run."""
    return worker._logger


def pool_id_of(worker: AnyWorker) -> UUID | None:
    """ID of the worker's pool; `None` before the worker has synchronised with the API."""
    pool = worker._work_pool
    return pool.id if pool is not None else None


async def synchronised(worker: AnyWorker, *, interval_seconds: float = 1.0) -> None:
    """Wait until the worker has synchronised with the API: one whose API did not answer at its start goes on asking.

    Args:
        worker: A worker that serves its pool.
        interval_seconds: Seconds between two looks.
    """
    while worker._work_pool is None:  # noqa: ASYNC110 - Prefect's worker tells nobody when it has
        await anyio.sleep(interval_seconds)


def warn_of_silence(worker: AnyWorker) -> None:
    """Say what to do when the API has not told the worker of its pool. Prefect itself says only that it tries on.

    Args:
        worker: A worker that has not synchronised with the API.
    """
    client = client_of(worker)
    address = str(client.api_url.copy_with(userinfo=b"")).rstrip("/") if client is not None else "its address"
    logger_of(worker).warning(
        "Work pool %r could not be read from the Prefect API at %s yet. The worker goes on asking, and starts flow "
        "runs as soon as it can. Check that PREFECT_API_URL is right, that the server runs and can be reached from "
        "here, and that it has that work pool.",
        worker._work_pool_name,
        address,
    )


def is_submitting(worker: AnyWorker, flow_run_id: UUID) -> bool:
    """Say whether the worker is submitting a run at this moment."""
    return flow_run_id in worker._submitting_flow_run_ids


def take_slot(worker: AnyWorker, flow_run_id: UUID) -> bool:
    """Count a run towards the worker's limit.

    Returns:
        Whether there was room, or there is no limit. `False` also for a run that is counted already.
    """
    limiter: anyio.CapacityLimiter | None = worker._limiter
    if limiter is None:
        return True
    try:
        limiter.acquire_on_behalf_of_nowait(flow_run_id)
    except (anyio.WouldBlock, RuntimeError):
        return False
    return True


def release_slot(worker: AnyWorker, flow_run_id: UUID) -> None:
    """Count a run towards the worker's limit no longer; one that is not counted is no error."""
    worker._release_limit_slot(flow_run_id)


async def report_crash(worker: AnyWorker, flow_run: FlowRun, message: str) -> None:
    """Propose that a run has crashed; errors are logged and not raised."""
    await worker._propose_crashed_state(flow_run, message)


async def store_identifier(worker: AnyWorker, flow_run: FlowRun, identifier: str, what: str) -> None:
    """Store what names a run's infrastructure where Prefect does not, so that the run can be cancelled.

    Outside of the worker's context nothing is stored. Errors are logged and not raised: the infrastructure runs,
    whatever the API says.

    Args:
        worker: The worker that started the infrastructure.
        flow_run: The run.
        identifier: Names the infrastructure to `kill_infrastructure`.
        what: The infrastructure as a warning calls it: `ECS task arn:...`.
    """
    client = client_of(worker)
    if client is None:
        return
    try:
        await client.update_flow_run(flow_run.id, infrastructure_pid=identifier)
    except Exception as exc:  # noqa: BLE001 - see above
        worker.get_flow_run_logger(flow_run).warning(
            "The identifier of %s could not be stored with the flow run: %s", what, exc
        )


async def names_online(worker: AnyWorker) -> set[str]:
    """Names of the other workers of the pool that Prefect has heard of lately.

    Args:
        worker: A worker that has synchronised with the API.
    """
    workers = await worker.client.read_workers_for_work_pool(worker.work_pool.name)
    online = {other.name for other in workers if str(getattr(other.status, "value", "")) == "ONLINE"}
    return online - {worker.name}


def owner_of(flow_run: FlowRun) -> str:
    """Name of the worker that took a run; empty when none has said so."""
    return str((flow_run.labels or {}).get("prefect.worker.name", ""))


async def unfinished_runs(worker: AnyWorker) -> AsyncIterator[FlowRun]:
    """List the runs of the worker's pool and queues that are pending, running or being cancelled.

    Args:
        worker: A worker that has synchronised with the API.
    """
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        WorkPoolFilter,
        WorkPoolFilterName,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    queues: set[str] = worker._work_queues
    under_way = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    seen: set[UUID] = set()
    while True:
        page = await worker.client.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[worker.work_pool.name])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=under_way))),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=_PAGE,
            offset=len(seen),
        )
        for flow_run in page:
            if flow_run.id not in seen and (not queues or flow_run.work_queue_name in queues):
                yield flow_run
        seen.update(flow_run.id for flow_run in page)
        if len(page) < _PAGE:
            return


async def submission_of(client: PrefectClient | None, flow_run: FlowRun) -> str:
    """Name one submission of a run: the same from the moment it is scheduled until it is scheduled again.

    It makes requests to start infrastructure repeatable, by a worker that starts after another has died, too.

    Args:
        client: Reads the run's former states where its present one is not the one that scheduled it.
        flow_run: The run.
    """
    state = flow_run.state
    if state is None:
        return str(flow_run.id)
    if client is not None:
        state = await last_scheduled(client, flow_run) or state
    return f"{flow_run.id}/{state.id}"


async def last_scheduled(client: PrefectClient, flow_run: FlowRun) -> State | None:
    """Find the state that scheduled a run last.

    Args:
        client: Reads the run's former states where its present one is another.
        flow_run: The run.

    Returns:
        The state; `None` for a run that was never scheduled: its caller starts it, and no worker of the pool.
    """
    if flow_run.state is not None and flow_run.state.is_scheduled():
        return flow_run.state
    states = await client.read_flow_run_states(flow_run.id)
    scheduled = [state for state in states if state.is_scheduled()]
    return max(scheduled, key=lambda state: state.timestamp, default=None)


PLAIN_SECRETS = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
"""Variables of a run's environment whose values are secret."""


class PlainSecretWarning:
    """Warns, once for each variable, that a secret goes out as plain text."""

    def __init__(self, logger: Log, infrastructure: str, remedies: Mapping[str, str]) -> None:
        """Say what to warn of.

        Args:
            logger: Where to warn.
            infrastructure: Who gets the environment, in the plural: `ECS tasks`.
            remedies: For each variable, what to do instead.
        """
        self._logger = logger
        self._infrastructure = infrastructure
        self._remedies = remedies
        self._warned: set[str] = set()

    def look_at(self, names: Iterable[str]) -> None:
        """Warn of the secrets among these variables.

        Args:
            names: Names of the variables that go out as plain text.
        """
        for name in names:
            if name in self._remedies and name not in self._warned:
                self._warned.add(name)
                self._logger.warning(
                    "%s is passed to %s as a plain environment variable, which everybody can read who may look at "
                    "them. %s",
                    name,
                    self._infrastructure,
                    self._remedies[name],
                )
