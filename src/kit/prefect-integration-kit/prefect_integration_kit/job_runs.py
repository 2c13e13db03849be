"""What a worker has under way at a service that runs containers as jobs: from their start until they are deleted.

One body for all of them. A worker inherits `prefect_integration_kit.job_worker.JobWorker`, and brings a `JobService`
that speaks with its cloud. How jobs end is learnt by listing all of them together; runs whose job ended without a
word are settled, cancelled ones stopped, those that a dead worker left behind picked up, and no job is left over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

import anyio
from prefect.exceptions import InfrastructureNotFound

from . import workers
from ._job_poller import JobPoller
from ._job_reconciliation import JobReconciliation
from ._job_sweep import JobSweep
from .attended_runs import AttendedRuns, End, Finished
from .job_service import C, JobService, Seen
from .logs import Log
from .settlement import Ended

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from .job_settings import JobRunSettings
    from .job_worker import JobWorker

__all__ = ["UNKNOWN_STATUS_CODE", "Finished", "JobRuns", "RunningJob"]

UNKNOWN_STATUS_CODE = -1
"""Status code of a job that was deleted before anybody saw how it ended."""


@dataclass
class RunningJob(Generic[C]):
    """A job that was started, and has not ended."""

    service: JobService[C]
    identifier: str
    keep: bool
    started_seconds: float
    stop_sent: bool = False

    @property
    def title(self) -> str:
        """Kind and name, for messages."""
        return f"{self.service.kind} '{self.service.name_of(self.identifier)}'"


class JobRuns(AttendedRuns[C, RunningJob[C]]):
    """The runs of one worker."""

    def __init__(self, worker: JobWorker[C, Any, Any], settings: JobRunSettings) -> None:
        super().__init__(
            worker,
            settings,
            look_seconds=settings.cancellation_interval_seconds,
            retry_seconds=settings.poll_interval_seconds,
            infrastructure=worker.jobs_title,
            plain_secrets=worker.plain_secrets,
        )
        self.settings = settings
        self.services: dict[Hashable, JobService[C]] = {}
        self._job_worker = worker
        self._pollers: dict[Hashable, JobPoller] = {}
        self._submitting: anyio.Semaphore | None = None

    # While the worker is open

    def open(self) -> None:
        """Begin to look after cancelled runs; where the worker serves its pool, after what was left behind, too."""
        self._submitting = anyio.Semaphore(self.settings.max_concurrent_submissions)
        super().open()

    def _rounds(self) -> Iterable[Coroutine[Any, Any, None]]:
        yield JobReconciliation(self._job_worker, self).repeat()
        yield JobSweep(self._job_worker, self).repeat()

    async def close(self) -> None:
        """Stop looking. Jobs go on; the next worker finds them."""
        await super().close()
        pollers, self._pollers = self._pollers, {}
        for poller in pollers.values():
            await poller.close()

    # Running

    def service_of(self, configuration: C) -> JobService[C]:
        """The service that a configuration's credentials lead to; the same one for the same account and region."""
        service = self._job_worker.job_service(configuration)
        return self.services.setdefault(service.key, service)

    async def adopt(self, flow_run: FlowRun, configuration: C, infrastructure_pid: str) -> None:
        """Look after a job that another worker started; settle its run when it has ended.

        Raises:
            ValueError: If the identifier is not of this kind.
        """
        service = self.service_of(configuration)
        identifier = service.normal(infrastructure_pid)
        job = RunningJob(service, identifier, self._job_worker.keeps_job(configuration), time.monotonic())
        self._see_through_in_background(flow_run, job)

    async def _begin(
        self, flow_run: FlowRun, configuration: C, is_wanted: Callable[[], bool], logger: Log
    ) -> RunningJob[C] | None:
        service = self.service_of(configuration)
        submission = await workers.submission_of(workers.client_of(self._worker), flow_run)
        async with self._submitting or anyio.Semaphore(1):
            identifier = await service.start(
                flow_run, configuration, submission=submission, is_wanted=is_wanted, logger=logger
            )
        if identifier is None:
            logger.info("The flow run was cancelled before its %s was started.", service.kind)
            return None
        job = RunningJob(service, identifier, self._job_worker.keeps_job(configuration), time.monotonic())
        logger.info("Started %s.", job.title)
        return job

    async def _await_end(self, item: RunningJob[C]) -> End:
        seen = await self._poller_of(item.service).wait(item.identifier)
        return End(
            ended=self._end_of(item, seen),
            status_code=UNKNOWN_STATUS_CODE if seen is None else seen.exit_code,
            is_left=seen is not None,
        )

    def _end_of(self, job: RunningJob[C], seen: Seen | None) -> Ended:
        if seen is not None and seen.ended is not None:
            return seen.ended
        name = job.service.name_of(job.identifier)
        return Ended(
            name=f"{job.service.kind} {name}",
            message=f"{job.title} was deleted before its end was seen, so how it ended is not known. Leave it to the "
            "worker to delete jobs.",
            is_named_by=lambda pid: self._names(job, pid),
            label=name,
        )

    @staticmethod
    def _names(job: RunningJob[C], infrastructure_pid: str) -> bool:
        try:
            return job.service.normal(infrastructure_pid) == job.identifier
        except ValueError:
            return False

    def _poller_of(self, service: JobService[C]) -> JobPoller:
        if service.key not in self._pollers:
            logger = workers.logger_of(self._worker)
            interval = service.poll_interval_seconds or self.settings.poll_interval_seconds
            self._pollers[service.key] = JobPoller(service, interval_seconds=interval, logger=logger)
        return self._pollers[service.key]

    async def _clear_away(self, item: RunningJob[C]) -> None:
        if item.keep:
            return
        try:
            await item.service.delete(item.identifier)
        except Exception as exc:  # noqa: BLE001 - the sweep tries again; the run's end counts
            logger = workers.logger_of(self._worker)
            logger.warning("%s could not be deleted; it is swept later: %s", self._subject_of(item), exc)

    async def _last_lines(self, item: RunningJob[C], count: int) -> str:
        return await item.service.last_lines(item.identifier, count)

    def _identifier_of(self, item: RunningJob[C]) -> str:
        return item.identifier

    def _title_of(self, item: RunningJob[C]) -> str:
        return item.title

    # Ends

    async def kill(self, identifier: str, configuration: C, grace_seconds: float) -> None:
        """Stop a job that this or another worker started, and delete it when its container has ended.

        Raises:
            InfrastructureNotFound: If the service does not know it.
            ValueError: If the identifier is not of this kind.
        """
        service = self.service_of(configuration)
        identifier = service.normal(identifier)
        if not await service.stop(identifier, grace_seconds):
            name = service.name_of(identifier)
            raise InfrastructureNotFound(f"Cannot stop {service.kind} {name!r}: it does not exist.")
        if not self._job_worker.keeps_job(configuration):
            await service.delete(identifier)
        if (poller := self._pollers.get(service.key)) is not None:
            poller.look_soon()

    async def _stop(self, item: RunningJob[C]) -> None:
        """Stop the job of a cancelled run, once. Its end is seen like any other."""
        if item.stop_sent:
            return
        await item.service.stop(item.identifier, self.settings.stop_grace_seconds)
        item.stop_sent = True
        workers.logger_of(self._worker).info("Stopped %s: its flow run was cancelled.", item.title)
        self._poller_of(item.service).look_soon()
