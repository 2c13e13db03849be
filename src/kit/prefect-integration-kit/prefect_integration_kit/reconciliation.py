"""Pick up flow runs that a worker left behind when it died.

A run of the pool that has infrastructure is watched over again. One that is pending without any, and whose worker is
not there any more, is looked for where it would have been started: what is found is adopted, and where there is nothing
the run is submitted again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import anyio

from . import workers

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.workers.base import BaseJobConfiguration, BaseWorker

    C = TypeVar("C", bound=BaseJobConfiguration)
else:
    C = TypeVar("C")


class Reconciliation(ABC, Generic[C]):
    """Looks for runs left behind, at a worker's start and once in a while."""

    def __init__(self, worker: BaseWorker[C, Any, Any], *, after_seconds: float, interval_seconds: float) -> None:
        """Say for which worker.

        Args:
            worker: The worker. `repeat` waits until it has synchronised with the API; `reconcile` needs that.
            after_seconds: How long a run is pending without infrastructure before it counts as left behind.
            interval_seconds: How long to wait between two looks.
        """
        self.worker = worker
        self._after_seconds = after_seconds
        self._interval_seconds = interval_seconds
        self._logger = workers.logger_of(worker)

    @abstractmethod
    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Say whether this worker looks after a run already."""

    @abstractmethod
    def is_identifier(self, infrastructure_pid: str) -> bool:
        """Say whether an identifier is of this kind of worker; another kind may have had the pool before."""

    @abstractmethod
    async def adopt(self, flow_run: FlowRun, configuration: C, infrastructure_pid: str) -> None:
        """Watch over infrastructure that another worker started; settle the run when it has ended."""

    @abstractmethod
    async def find(self, flow_run: FlowRun, configuration: C) -> str | None:
        """Look for the infrastructure that was started for the present submission of a run.

        Args:
            flow_run: A run that is pending and names no infrastructure.
            configuration: What it asks for.

        Returns:
            Its identifier, whether it is running or has ended since; `None` when nothing was started.

        Raises:
            Exception: If nobody can tell; the run is looked at again later.
        """

    async def repeat(self) -> None:
        """Reconcile for ever, from when the API has told the worker of its pool. What goes wrong is tried again."""
        if workers.pool_id_of(self.worker) is None:
            workers.warn_of_silence(self.worker)
            await workers.synchronised(self.worker)
        while True:
            try:
                await self.reconcile()
            except Exception as exc:  # noqa: BLE001 - it must go on for as long as the worker does
                self._logger.warning("Cannot look for flow runs left behind at present; trying on: %s", exc)
            await anyio.sleep(self._interval_seconds)

    async def reconcile(self) -> None:
        """Look once at all unfinished runs of the pool that no worker looks after."""
        online = await workers.names_online(self.worker)
        async for flow_run in workers.unfinished_runs(self.worker):
            if workers.owner_of(flow_run) in online or self.is_busy_with(flow_run.id):
                continue
            try:
                await self._pick_up(flow_run)
            except Exception as exc:  # noqa: BLE001 - one run must not keep the others waiting
                self._logger.warning("Cannot pick up flow run %s at present: %s", flow_run.id, exc)

    async def _pick_up(self, flow_run: FlowRun) -> None:
        if flow_run.infrastructure_pid:
            if self.is_identifier(flow_run.infrastructure_pid):
                await self._adopt(flow_run, await self._configuration_of(flow_run), flow_run.infrastructure_pid)
        elif self._is_left_behind(flow_run) and await workers.last_scheduled(self.worker.client, flow_run):
            # A flow that was called with its decorator is never scheduled: who called it starts it.
            configuration = await self._configuration_of(flow_run)
            found = await self.find(flow_run, configuration)
            if found is None:
                await self._submit_again(flow_run, configuration)
            else:
                await self.worker.client.update_flow_run(flow_run.id, infrastructure_pid=found)
                await self._adopt(flow_run, configuration, found)

    async def _adopt(self, flow_run: FlowRun, configuration: C, infrastructure_pid: str) -> None:
        await self.adopt(flow_run, configuration, infrastructure_pid)
        self._logger.info(
            "Watching over %s of flow run %s, started by another worker.", infrastructure_pid, flow_run.id
        )

    def _is_left_behind(self, flow_run: FlowRun) -> bool:
        state = flow_run.state
        if state is None or not state.is_pending():
            return False
        age = (datetime.now(timezone.utc) - state.timestamp).total_seconds()
        return not workers.is_submitting(self.worker, flow_run.id) and age >= self._after_seconds

    async def _configuration_of(self, flow_run: FlowRun) -> C:
        worker = self.worker
        return await worker.job_configuration.resolve_for_flow_run(
            flow_run,
            client=worker.client,
            work_pool=worker.work_pool.model_copy(deep=True),
            worker_name=worker.name,
            worker_id=worker.backend_id,
        )

    async def _submit_again(self, flow_run: FlowRun, configuration: C) -> None:
        worker = self.worker
        logger = worker.get_flow_run_logger(flow_run)
        if not workers.take_slot(worker, flow_run.id):
            return  # next time
        logger.warning("The flow run was left without infrastructure by a worker that is gone; submitting it again.")
        try:
            await self.submit(flow_run, configuration)
        except Exception as exc:
            logger.exception("Failed to submit flow run '%s' to infrastructure.", flow_run.name)
            message = f"Failed to submit flow run to infrastructure: {type(exc).__name__}: {exc}"
            await workers.report_crash(worker, flow_run, message)
        finally:
            workers.release_slot(worker, flow_run.id)

    async def submit(self, flow_run: FlowRun, configuration: C) -> None:
        """Submit a run again; it counts towards the worker's limit until this returns.

        A worker whose `run` returns only when the infrastructure has ended starts that elsewhere and returns at once,
        or the other runs left behind would wait for it.
        """
        await self.worker.run(flow_run, configuration)
