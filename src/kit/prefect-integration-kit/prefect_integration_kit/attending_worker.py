"""The base of workers that see each run through to the end of what it runs in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import anyio
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from .attended_runs import AttendedRuns

C = TypeVar("C", bound=BaseJobConfiguration)
V = TypeVar("V", bound=BaseVariables)
R = TypeVar("R", bound=BaseWorkerResult)


class AttendingWorker(BaseWorker[C, V, R], ABC):
    """A worker whose runs are `AttendedRuns`: it tells them of what Prefect's worker does, and opens and closes them.

    A package's worker says which they are, opens them in `setup`, and gives `run` and `kill_infrastructure` their
    types.
    """

    @property
    @abstractmethod
    def _attended(self) -> AttendedRuns[C, Any]:
        """What the worker has under way; the same at each call."""

    async def start(
        self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print
    ) -> None:
        """Poll the work pool and run what is due, and pick up what a worker before this one left behind.

        Args:
            run_once: Whether to poll once and return.
            with_healthcheck: Whether to serve a page that says whether the worker still polls.
            printer: Told when the worker starts and stops.
        """
        self._attended.serving = True
        await super().start(run_once=run_once, with_healthcheck=with_healthcheck, printer=printer)

    async def teardown(self, *exc_info: Any) -> None:
        """Wait for the runs, then stop looking after what runs. What goes on is found by the next worker.

        Args:
            *exc_info: The exception that ends the worker, as `__aexit__` is given it; runs are not waited for then.
        """
        try:
            await self._attended.begin_to_close()
            await super().teardown(*exc_info)  # waits for the runs
        finally:
            with anyio.CancelScope(shield=True):
                await self._attended.close()

    async def _initiate_run(self, flow_run: FlowRun, configuration: C) -> None:
        await self._attended.initiate(flow_run, configuration)

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        # What a run that is being submitted will run in has no identifier yet: it is stopped as soon as it has one.
        self._attended.cancel_requested(flow_run_id)
        await super()._cancel_run(flow_run_id)

    async def _propose_crashed_state(
        self, flow_run: FlowRun, message: str, client: PrefectClient | None = None
    ) -> None:
        # Prefect's worker proposes a crash for every exit code other than 0, also when the run is paused, or waits to
        # be retried. Here the run has been settled by then, and the cause said.
        if flow_run.id in self._attended.settled:
            self._attended.settled.discard(flow_run.id)
            return
        await super()._propose_crashed_state(flow_run, message, client=client)

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        if not self._attended.holds_slot(flow_run_id):
            super()._release_limit_slot(flow_run_id)
