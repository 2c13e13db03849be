"""Pick up the runs that a worker left behind when it died."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from . import workers
from .job_service import C
from .reconciliation import Reconciliation

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from .job_runs import JobRuns
    from .job_worker import JobWorker


class JobReconciliation(Reconciliation[C]):
    """Looks for runs left behind, at the worker's start and once in a while."""

    def __init__(self, worker: JobWorker[C, Any, Any], runs: JobRuns[C]) -> None:
        super().__init__(
            worker,
            after_seconds=runs.settings.reconcile_after_seconds,
            interval_seconds=runs.settings.reconcile_interval_seconds,
        )
        self._job_worker = worker
        self._runs = runs

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Whether the run's job is being started or looked after."""
        return self._runs.is_busy_with(flow_run_id)

    def is_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a job of this kind."""
        return self._job_worker.is_job_identifier(infrastructure_pid)

    async def adopt(self, flow_run: FlowRun, configuration: C, infrastructure_pid: str) -> None:
        """Look after the job, or settle the run where it has ended."""
        await self._runs.adopt(flow_run, configuration, infrastructure_pid)

    async def find(self, flow_run: FlowRun, configuration: C) -> str | None:
        """Look for the job of the run's present submission."""
        submission = await workers.submission_of(self.worker.client, flow_run)
        return await self._runs.service_of(configuration).find(flow_run, configuration, submission=submission)

    async def submit(self, flow_run: FlowRun, configuration: C) -> None:
        """Start the job, and look after it in the background."""
        await self._runs.initiate(flow_run, configuration)
