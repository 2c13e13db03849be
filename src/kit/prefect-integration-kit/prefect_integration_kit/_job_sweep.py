"""Delete jobs of the pool that nobody deleted: their worker died, or could not reach the service at the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic
from uuid import UUID

import anyio

from . import workers
from .job_service import C, JobService, Seen

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from .job_runs import JobRuns
    from .job_settings import JobRunSettings
    from .job_worker import JobWorker

_RUNS_AT_ONCE = 200
_DELETED_AT_ONCE = 8


def to_delete(
    jobs: Iterable[Seen], runs: Mapping[UUID, FlowRun], settings: JobRunSettings, now: datetime
) -> list[Seen]:
    """Choose the jobs that nobody needs any more.

    Args:
        jobs: Jobs of the pool that this worker does not look after.
        runs: The flow runs that exist of those that the jobs are for.
        settings: From which age on a job counts.
        now: The present.

    Returns:
        Those that are old enough, were not made to stay, and whose run has a final state since as long, names another
        job, or does not exist. A job that still runs is among them only when its run has come to its end: what goes on
        costs money, and its run can be cancelled no more. Jobs whose run is not known are chosen when they have ended.
    """
    limit = timedelta(seconds=settings.sweep_after_seconds)
    chosen: list[Seen] = []
    for job in jobs:
        if not job.is_ours or job.is_kept or job.created_at is None or now - job.created_at < limit:
            continue
        run = runs.get(job.flow_run_id) if job.flow_run_id is not None else None
        if run is None:
            is_over = job.ended is not None or job.flow_run_id is not None
        elif run.state is not None and run.state.is_final():
            grace = timedelta(seconds=min(settings.sweep_after_seconds, settings.cancellation_grace_seconds))
            is_over = job.ended is not None or now - run.state.timestamp >= grace
        else:
            # The run goes on elsewhere; where it still names this job, the reconciliation settles it.
            is_over = job.ended is not None and bool(run.infrastructure_pid) and not _names(job, run)
        if is_over:
            chosen.append(job)
    return chosen


def _names(job: Seen, run: FlowRun) -> bool:
    return job.ended is None or job.ended.is_named_by(str(run.infrastructure_pid))


class JobSweep(Generic[C]):
    """Deletes jobs, at the worker's start and once in a while."""

    def __init__(
        self,
        worker: JobWorker[C, Any, Any],
        runs: JobRuns[C],
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._now = now
        self._worker = worker
        self._runs = runs
        self._logger = workers.logger_of(worker)

    async def repeat(self) -> None:
        """Sweep for ever, from when the API has told the worker of its pool. What goes wrong is tried again."""
        await workers.synchronised(self._worker)
        while True:
            try:
                await self.sweep()
            except Exception as exc:  # noqa: BLE001 - it must go on for as long as the worker does
                self._logger.warning("Cannot delete jobs that were left over at present; trying on: %s", exc)
            await anyio.sleep(self._runs.settings.sweep_interval_seconds)

    async def sweep(self) -> None:
        """Sweep once, in all accounts and regions that the worker has used, and that of its pool's own template.

        Raises:
            Exception: If a service does not answer; the others have been swept. One that lacks credentials, or may
                not list jobs, is passed over.
        """
        failure: Exception | None = None
        try:
            await self._open_own()
        except Exception as exc:  # noqa: BLE001 - such as a variable without a default: deployments name what to use
            self._logger.debug("The work pool's template alone names no account to sweep: %s", exc)
        for service in list(self._runs.services.values()):
            try:
                await self._sweep(service)
            except (PermissionError, ValueError) as exc:  # noqa: PERF203 - one account must not hide the others
                # The pool's own template may have no credentials where all deployments bring theirs.
                self._logger.debug("%ss cannot be listed, so none are swept: %s", service.kind, exc)
            except Exception as exc:  # noqa: BLE001
                failure = failure or exc
        if failure is not None:
            raise failure

    async def _open_own(self) -> None:
        worker = self._worker
        configuration = await worker.job_configuration.from_template_and_values(
            base_job_template=worker.work_pool.base_job_template, values={}, client=worker.client
        )
        self._runs.service_of(configuration)

    async def _sweep(self, service: JobService[C]) -> None:
        watched = {job.identifier for job in self._runs.running.values()}
        left_over = [
            job
            async for job in service.list_left_over()
            if job.is_ours and job.identifier not in watched and not self._is_busy_with(job)
        ]
        chosen = to_delete(left_over, await self._runs_of(left_over), self._runs.settings, self._now())
        failures: list[Exception] = []
        limiter = anyio.Semaphore(_DELETED_AT_ONCE)

        async def delete(job: Seen) -> None:
            async with limiter:
                try:
                    if job.ended is None:
                        await service.stop(job.identifier, self._runs.settings.stop_grace_seconds)
                    await service.delete(job.identifier)
                except Exception as exc:  # noqa: BLE001 - raised below, after the others
                    failures.append(exc)

        async with anyio.create_task_group() as group:
            for job in chosen:
                group.start_soon(delete, job)
        if deleted := len(chosen) - len(failures):
            self._logger.info("Deleted %d %ss of flow runs that had come to their end.", deleted, service.kind)
        if failures:
            raise failures[0]

    def _is_busy_with(self, job: Seen) -> bool:
        return job.flow_run_id is not None and self._runs.is_busy_with(job.flow_run_id)

    async def _runs_of(self, jobs: Iterable[Seen]) -> dict[UUID, FlowRun]:
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        wanted = sorted({job.flow_run_id for job in jobs if job.flow_run_id is not None}, key=str)
        found: dict[UUID, FlowRun] = {}
        for start in range(0, len(wanted), _RUNS_AT_ONCE):
            part = wanted[start : start + _RUNS_AT_ONCE]
            runs = await self._worker.client.read_flow_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=part)), limit=_RUNS_AT_ONCE
            )
            found.update({run.id: run for run in runs})
        return found
