"""What a worker has under way at a service that runs containers as jobs: from their start until they are deleted.

One body for all of them. A worker inherits `prefect_integration_kit.job_worker.JobWorker`, and brings a `JobService`
that speaks with its cloud. How jobs end is learnt by listing all of them together; runs whose job ended without a
word are settled, cancelled ones stopped, those that a dead worker left behind picked up, and no job is left over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic
from uuid import UUID

import anyio
import anyio.abc
from prefect.exceptions import InfrastructureNotFound

from . import workers
from ._job_poller import JobPoller
from ._job_reconciliation import JobReconciliation
from ._job_sweep import JobSweep
from .background import Background
from .cancellation import Cancellation
from .job_service import C, JobService, Seen
from .settlement import Ended, Settled, settle
from .waiting import Backoff, aretry

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from .job_settings import JobRunSettings
    from .job_worker import JobWorker

UNKNOWN_STATUS_CODE = -1
"""Status code of a job that was deleted before anybody saw how it ended."""

_DRAIN_SECONDS = 10.0
_SETTLE = Backoff(deadline_seconds=60.0)


@dataclass(frozen=True)
class Finished:
    """A job that has come to its end; without an identifier when there never was one."""

    identifier: str
    status_code: int


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


class JobRuns(Generic[C]):
    """The runs of one worker."""

    def __init__(self, worker: JobWorker[C, Any, Any], settings: JobRunSettings) -> None:
        self.serving = False
        self.settings = settings
        self.running: dict[UUID, RunningJob[C]] = {}
        self.settled: set[UUID] = set()
        self.services: dict[Hashable, JobService[C]] = {}
        self._worker = worker
        self._cancelled: dict[UUID, bool] = {}
        self._ending: set[UUID] = set()
        self._pollers: dict[Hashable, JobPoller] = {}
        self._background = Background()
        self._serving = Background()
        self._unattended: dict[UUID, asyncio.Task[None]] = {}
        self._submitting: anyio.Semaphore | None = None
        logger = workers.logger_of(worker)
        self._plain_secrets = workers.PlainSecretWarning(logger, worker.jobs_title, worker.plain_secrets)

    # While the worker is open

    def open(self) -> None:
        """Begin to look after cancelled runs; where the worker serves its pool, after what was left behind, too."""
        self._submitting = anyio.Semaphore(self.settings.max_concurrent_submissions)
        self._background.open()
        cancellation = Cancellation(
            self._worker,
            running=self.running,
            stop=self._stop,
            interval_seconds=self.settings.cancellation_interval_seconds,
            grace_seconds=self.settings.cancellation_grace_seconds,
        )
        self._background.start(cancellation.repeat())
        if self.serving:
            self._serving.open()
            self._serving.start(JobReconciliation(self._worker, self).repeat())
            self._serving.start(JobSweep(self._worker, self).repeat())

    async def begin_to_close(self) -> None:
        """Pick up nothing more. Where a flow was called, give its job time to end when its run has."""
        await self._serving.close()
        client = workers.client_of(self._worker)
        if self.serving or client is None:
            return
        ending: list[asyncio.Task[None]] = []
        for flow_run_id, task in list(self._unattended.items()):
            try:
                flow_run = await client.read_flow_run(flow_run_id)
            except Exception:  # noqa: BLE001, S112 - then it is not waited for
                continue
            if flow_run.state is not None and flow_run.state.is_final():
                ending.append(task)
        if ending:
            await asyncio.wait(ending, timeout=_DRAIN_SECONDS)

    async def close(self) -> None:
        """Stop looking. Jobs go on; the next worker finds them."""
        await self._background.close()
        pollers, self._pollers = self._pollers, {}
        for poller in pollers.values():
            await poller.close()

    # Running

    def service_of(self, configuration: C) -> JobService[C]:
        """The service that a configuration's credentials lead to; the same one for the same account and region."""
        service = self._worker.job_service(configuration)
        return self.services.setdefault(service.key, service)

    async def run(self, flow_run: FlowRun, configuration: C, task_status: anyio.abc.TaskStatus[Any] | None) -> Finished:
        """Start the job of a run, and see it through until it is deleted."""
        job = await self._start(flow_run, configuration)
        if task_status is not None:
            task_status.started(job.identifier if job else None)
        elif job is not None:
            await self._store_identifier(flow_run, job)
        if job is None:
            return Finished("", 0)
        return await self._see_through(flow_run, job)

    async def initiate(self, flow_run: FlowRun, configuration: C) -> None:
        """Start the job of a run, and see it through in the background for as long as the worker is open."""
        job = await self._start(flow_run, configuration)
        if job is not None:
            await self._store_identifier(flow_run, job)
            self._see_through_in_background(flow_run, job)

    async def adopt(self, flow_run: FlowRun, configuration: C, infrastructure_pid: str) -> None:
        """Look after a job that another worker started; settle its run when it has ended.

        Raises:
            ValueError: If the identifier is not of this kind.
        """
        service = self.service_of(configuration)
        identifier = service.normal(infrastructure_pid)
        job = RunningJob(service, identifier, self._worker.keeps_job(configuration), time.monotonic())
        self._see_through_in_background(flow_run, job)

    def _see_through_in_background(self, flow_run: FlowRun, job: RunningJob[C]) -> None:
        """Look after a job that runs. It counts towards the worker's limit until its end."""
        self.running[flow_run.id] = job
        workers.take_slot(self._worker, flow_run.id)
        if (task := self._background.start(self._unattended_run(flow_run, job))) is not None:
            self._unattended[flow_run.id] = task

    async def _unattended_run(self, flow_run: FlowRun, job: RunningJob[C]) -> None:
        try:
            await self._see_through(flow_run, job)
            self.settled.discard(flow_run.id)
        except Exception:  # noqa: BLE001 - the sweep and the reconciliation go on
            self._worker.get_flow_run_logger(flow_run).exception("%s is not looked after any more.", job.title)
        finally:
            self._unattended.pop(flow_run.id, None)
            workers.release_slot(self._worker, flow_run.id)

    async def _start(self, flow_run: FlowRun, configuration: C) -> RunningJob[C] | None:
        """Start the job; `None` when the run was cancelled before."""
        logger = self._worker.get_flow_run_logger(flow_run)
        service = self.service_of(configuration)
        self.settled.discard(flow_run.id)
        self._cancelled[flow_run.id] = False

        def is_wanted() -> bool:
            return not self._cancelled.get(flow_run.id)

        try:
            self._plain_secrets.look_at(configuration.env)
            submission = await workers.submission_of(workers.client_of(self._worker), flow_run)
            async with self._submitting or anyio.Semaphore(1):
                identifier = await service.start(
                    flow_run, configuration, submission=submission, is_wanted=is_wanted, logger=logger
                )
            if identifier is None:
                logger.info("The flow run was cancelled before its %s was started.", service.kind)
                return None
            keep = self._worker.keeps_job(configuration)
            job = self.running[flow_run.id] = RunningJob(service, identifier, keep, time.monotonic())
            logger.info("Started %s.", job.title)
            if not is_wanted():
                await self._stop_at_once(job)
        finally:
            self._cancelled.pop(flow_run.id, None)
        return job

    async def _see_through(self, flow_run: FlowRun, job: RunningJob[C]) -> Finished:
        """Wait for a job's end, settle the run, delete the job."""
        try:
            seen = await self._poller_of(job.service).wait(job.identifier)
            self._ending.add(flow_run.id)
        finally:
            self.running.pop(flow_run.id, None)
        settled = None
        try:
            settled = await self._settle(flow_run, job, self._end_of(job, seen))
            if seen is not None and not job.keep:
                await self._delete(job)
        finally:
            if settled is not Settled.LATER:
                self._ending.discard(flow_run.id)
        status_code = UNKNOWN_STATUS_CODE if seen is None else seen.exit_code
        if settled is not None and status_code != 0:
            self.settled.add(flow_run.id)
        return Finished(job.identifier, status_code)

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

    async def _delete(self, job: RunningJob[C]) -> None:
        try:
            await job.service.delete(job.identifier)
        except Exception as exc:  # noqa: BLE001 - the sweep tries again; the run's end counts
            workers.logger_of(self._worker).warning("%s could not be deleted; it is swept later: %s", job.title, exc)

    async def _store_identifier(self, flow_run: FlowRun, job: RunningJob[C]) -> None:
        await workers.store_identifier(self._worker, flow_run, job.identifier, job.title)

    # Settling

    async def _settle(self, flow_run: FlowRun, job: RunningJob[C], ended: Ended) -> Settled | None:
        """Give the run its final state if it lacks one; say what was done, `None` when nobody could be asked."""
        client = workers.client_of(self._worker)
        if client is None:
            return None
        logger = self._worker.get_flow_run_logger(flow_run)
        grace = self.settings.report_grace_seconds

        async def work() -> Settled:
            return await settle(flow_run.id, ended, client=client, logger=logger, grace_seconds=grace)

        try:
            settled = await aretry(work, is_transient=lambda _: True, backoff=_SETTLE)
        except Exception as exc:  # noqa: BLE001 - the job has ended, whatever the API says
            logger.warning("The end of %s could not be reported: %s", ended.name, exc)
            return None
        if settled is Settled.CRASHED:
            await self._explain(flow_run, job)
        elif settled is Settled.LATER and self._background.start(self._settle_later(flow_run, ended)) is None:
            self._ending.discard(flow_run.id)
        return settled

    async def _settle_later(self, flow_run: FlowRun, ended: Ended) -> None:
        """Wait for the run's own report, and settle it when it does not come."""
        logger = self._worker.get_flow_run_logger(flow_run)
        grace = self.settings.report_grace_seconds
        settled = Settled.LATER
        while settled is Settled.LATER:
            passed = (datetime.now(timezone.utc) - ended.ended_at).total_seconds() if ended.ended_at else 0.0
            await anyio.sleep(max(0.5, grace - passed))
            try:
                client = self._worker.client
                settled = await settle(flow_run.id, ended, client=client, logger=logger, grace_seconds=grace)
            except Exception as exc:  # noqa: BLE001 - tried again
                logger.warning("The end of %s could not be reported; trying on: %s", ended.name, exc)
                await anyio.sleep(self.settings.poll_interval_seconds)
        self._ending.discard(flow_run.id)

    async def _explain(self, flow_run: FlowRun, job: RunningJob[C]) -> None:
        """Tell a crashed run's logs what its container said last."""
        if not self.settings.crash_log_lines:
            return
        try:
            said = await job.service.last_lines(job.identifier, self.settings.crash_log_lines)
        except Exception as exc:  # noqa: BLE001 - it only explains
            workers.logger_of(self._worker).warning("The last output of %s cannot be read: %s", job.title, exc)
            return
        if said.strip():
            logger = self._worker.get_flow_run_logger(flow_run)
            logger.info("The last output of %s:\n%s", job.title, said.rstrip())

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
        if not self._worker.keeps_job(configuration):
            await service.delete(identifier)
        if (poller := self._pollers.get(service.key)) is not None:
            poller.look_soon()

    async def _stop(self, job: RunningJob[C]) -> None:
        """Stop the job of a cancelled run, once. Its end is seen like any other."""
        if job.stop_sent:
            return
        await job.service.stop(job.identifier, self.settings.stop_grace_seconds)
        job.stop_sent = True
        workers.logger_of(self._worker).info("Stopped %s: its flow run was cancelled.", job.title)
        self._poller_of(job.service).look_soon()

    async def _stop_at_once(self, job: RunningJob[C]) -> None:
        try:
            await self._stop(job)
        except Exception as exc:  # noqa: BLE001 - the look for cancelled runs tries again
            workers.logger_of(self._worker).warning("%s could not be stopped at once; trying on: %s", job.title, exc)

    def cancel_requested(self, flow_run_id: UUID) -> None:
        """A run that is being submitted is no longer wanted."""
        if flow_run_id in self._cancelled:
            self._cancelled[flow_run_id] = True

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Whether the run's job is being started or looked after, or its end being reported."""
        return flow_run_id in self._cancelled or flow_run_id in self.running or flow_run_id in self._ending

    def holds_slot(self, flow_run_id: UUID) -> bool:
        """Whether a run that is looked after in the background counts towards the worker's limit."""
        return flow_run_id in self._unattended
