"""Pick up flow runs that a worker left behind when it died.

A run of the pool that has a job is watched over again. One that is pending without a job, and whose worker is not there
any more, is looked for in its namespace by label: a job that was made for its present submission is adopted, and gets
its Secret if that is still missing. Where there is none the run is submitted again, under the same name, so that there
is no second job whatever happened to the first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from prefect_integration_kit import workers
from prefect_integration_kit.reconciliation import Reconciliation

from .configuration import KubernetesWorkerJobConfiguration
from .identifiers import JobIdentifier, parse_identifier
from .manifest import SUBMISSION

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from ..settings import KubernetesWorkerSettings
    from ..worker import KubernetesWorker
    from .submission import KubernetesSubmissions


class KubernetesReconciliation(Reconciliation[KubernetesWorkerJobConfiguration]):
    """Looks for runs left behind, at the worker's start and once in a while."""

    def __init__(
        self, worker: KubernetesWorker, submissions: KubernetesSubmissions, settings: KubernetesWorkerSettings
    ) -> None:
        super().__init__(
            worker,
            after_seconds=settings.reconcile_after_seconds,
            interval_seconds=settings.reconcile_interval_seconds,
        )
        self._submissions = submissions

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Say whether the worker creates or watches over the run's job."""
        return self._submissions.is_busy_with(flow_run_id)

    def is_identifier(self, infrastructure_pid: str) -> bool:
        """Say whether an identifier names a job."""
        try:
            parse_identifier(infrastructure_pid)
        except ValueError:
            return False
        return True

    async def adopt(
        self, flow_run: FlowRun, configuration: KubernetesWorkerJobConfiguration, infrastructure_pid: str
    ) -> None:
        """Watch over a job that another worker created."""
        job = parse_identifier(infrastructure_pid)
        if flow_run.state is not None and flow_run.state.is_pending():
            await self._submissions.complete(flow_run, configuration, job)
        self._submissions.watch_over(flow_run.id, job, configuration)

    async def find(self, flow_run: FlowRun, configuration: KubernetesWorkerJobConfiguration) -> str | None:
        """Look for the job of a run's present submission."""
        token = await workers.submission_of(workers.client_of(self.worker), flow_run)
        async with self._submissions.clusters.at(configuration.cluster_config) as cluster:
            jobs = await cluster.find_jobs(configuration.namespace, flow_run.id)
        # Jobs of older versions do not say for which submission they were made.
        since = flow_run.state.timestamp if flow_run.state is not None else None
        mine = [
            job
            for job in jobs
            if job["annotations"].get(SUBMISSION, token) == token
            and (SUBMISSION in job["annotations"] or since is None or job["created_at"] >= since)
        ]
        newest = max(mine, key=lambda job: job["created_at"], default=None)
        return str(JobIdentifier(newest["namespace"], newest["name"])) if newest is not None else None
