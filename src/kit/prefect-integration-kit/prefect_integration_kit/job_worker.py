"""The base of workers whose infrastructure is a job at a cloud service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

import anyio
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from .job_runs import JobRuns
    from .job_service import JobService
    from .job_settings import JobRunSettings

C = TypeVar("C", bound=BaseJobConfiguration)
V = TypeVar("V", bound=BaseVariables)
R = TypeVar("R", bound=BaseWorkerResult)


class JobWorker(BaseWorker[C, V, R], ABC):
    """A worker that starts each run as a job of its own, and looks after all of them together.

    A package's worker says which service a configuration leads to and which settings count, and gives `run` and
    `kill_infrastructure` their types: they call `job_runs.run` and `job_runs.kill`.
    """

    plain_secrets: ClassVar[Mapping[str, str]] = {}
    """Variables whose values are secret, and for each the remedy, should one be about to go out as plain text."""

    jobs_title: ClassVar[str] = "jobs"
    """What messages call the worker's jobs."""

    @abstractmethod
    def job_service(self, configuration: C) -> JobService[C]:
        """The service that a configuration's account and region lead to. Called for each run: it opens nothing."""

    @abstractmethod
    def job_settings(self) -> JobRunSettings:
        """How this worker looks after its jobs; read once."""

    @abstractmethod
    def is_job_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a job of this kind; another kind of worker may have had the pool before."""

    def keeps_job(self, configuration: C) -> bool:
        """Whether the job stays after its end.

        Args:
            configuration: What the run asks for.
        """
        return bool(getattr(configuration, "keep_job", False))

    @cached_property
    def job_runs(self) -> JobRuns[C]:
        """What the worker has under way."""
        from .job_runs import JobRuns

        return JobRuns(self, self.job_settings())

    async def start(
        self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print
    ) -> None:
        """Poll the work pool and run what is due, and pick up what a worker before this one left behind.

        Args:
            run_once: Whether to poll once and return.
            with_healthcheck: Whether to serve a page that says whether the worker still polls.
            printer: Told when the worker starts and stops.
        """
        self.job_runs.serving = True
        await super().start(run_once=run_once, with_healthcheck=with_healthcheck, printer=printer)

    async def setup(self) -> None:
        """Prepare the worker to run.

        Raises:
            pydantic.ValidationError: If a setting of the worker has a bad value; the message names it.
        """
        runs = self.job_runs
        await super().setup()
        runs.open()

    async def teardown(self, *exc_info: Any) -> None:
        """Wait for the runs, then stop looking after jobs. Those that go on are found by the next worker.

        Args:
            *exc_info: The exception that ends the worker, as `__aexit__` is given it; runs are not waited for then.
        """
        try:
            await self.job_runs.begin_to_close()
            await super().teardown(*exc_info)  # waits for the runs
        finally:
            with anyio.CancelScope(shield=True):
                await self.job_runs.close()

    async def _initiate_run(self, flow_run: FlowRun, configuration: C) -> None:
        await self.job_runs.initiate(flow_run, configuration)

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        # The job of a run that is being submitted has no identifier yet: it is stopped as soon as it has one.
        self.job_runs.cancel_requested(flow_run_id)
        await super()._cancel_run(flow_run_id)

    async def _propose_crashed_state(
        self, flow_run: FlowRun, message: str, client: PrefectClient | None = None
    ) -> None:
        # Prefect's worker proposes a crash for every exit code other than 0, also when the run is paused, or waits to
        # be retried. Here the run has been settled by then, and the cause said.
        if flow_run.id in self.job_runs.settled:
            self.job_runs.settled.discard(flow_run.id)
            return
        await super()._propose_crashed_state(flow_run, message, client=client)

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        if not self.job_runs.holds_slot(flow_run_id):
            super()._release_limit_slot(flow_run_id)
