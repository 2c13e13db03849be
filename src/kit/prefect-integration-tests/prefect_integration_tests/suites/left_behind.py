"""What holds for every worker whose jobs the next one looks after when it has died, and sweeps when nobody does."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect import get_client
from prefect.states import Completed, Pending, Running

from prefect_integration_kit._job_reconciliation import JobReconciliation
from prefect_integration_kit._job_sweep import JobSweep
from prefect_integration_tests.pool_runs import Started, state_of, until

from .played_jobs import PlayedJobsBase

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from prefect_integration_tests.pool_runs import NewPool


class LeftBehindSuite(PlayedJobsBase):
    """Checks what a worker does about what others left behind, and which jobs it counts as its own.

    Attributes:
        of_the_dead: Further job variables that only the worker knows which dies.
        asks_before: Whether a worker looks whether a run has a job before it asks for one; else it asks again, by the
            same name.
    """

    of_the_dead: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    asks_before: ClassVar[bool] = False

    @pytest.fixture
    def listing(self) -> None:
        """How the cloud lists jobs, where it does so in several ways: a package may parametrize this."""

    @abstractmethod
    def another(self, pool: Any) -> NewPool[Any]:
        """Make another pool at the same cloud."""

    @abstractmethod
    def variables(self, pool: Any) -> dict[str, Any]:
        """Job variables that a worker reads back from the Prefect API; their credentials reach the cloud."""

    @abstractmethod
    async def make_unstarted(self, pool: Any, worker: Any, run: FlowRun) -> None:
        """Do for a run what a worker does that dies between the making of its job and the start."""

    @abstractmethod
    def refuse_deletion(self, pool: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """Let the next worker be unable to delete its job; return what lets the one after it."""

    async def look_closer(self, pool: Any, run: FlowRun) -> None:
        """Check what else holds once a run that was left behind has crashed."""
        del pool, run

    async def _started(self, pool: NewPool[Any], run: FlowRun, **variables: Any) -> str:
        """Start a run's job, and die."""
        started: Any = Started()
        worker: Any = pool.worker()
        async with worker:
            task = asyncio.create_task(worker.run(run, pool.configure(run, **variables), started))
            await until(lambda: started.identifier, "a job that has been started")
            task.cancel()
            await asyncio.wait([task])
        return started.identifier

    # Picking up

    async def test_a_run_whose_worker_died_is_looked_after_by_the_next(self, pool: NewPool[Any]) -> None:
        """Its end is seen, and nothing is started twice."""
        self.let_run(pool)
        run = await pool.new_run(**self.variables(pool))
        identifier = await self._started(pool, run, **self.of_the_dead)
        async with get_client() as client:
            await client.update_flow_run(run.id, infrastructure_pid=identifier)
            await client.set_flow_run_state(run.id, Running(), force=True)
        async with pool.worker(limit=1) as worker:
            await JobReconciliation(worker, worker.job_runs).reconcile()
            assert worker.job_runs.is_busy_with(run.id)
            await until(lambda: self.running(pool), "a container")
            self.end(pool, exit_code=5)
            await until(lambda: not worker.job_runs.is_busy_with(run.id), "the end")
            await until(lambda: not self.left_over(pool), "the deletion")
            await self.look_closer(pool, run)
        assert (await state_of(run)).is_crashed()
        assert set(self.made(pool).values()) == {1}, self.made(pool)

    async def test_a_job_whose_identifier_was_never_stored_is_found(self, pool: NewPool[Any]) -> None:
        """The next worker finds it by the name that the run's submission gives it."""
        self.let_run(pool)
        run = await pool.new_run(**self.variables(pool))
        identifier = await self._started(pool, run)
        async with get_client() as client, pool.worker() as worker:
            await JobReconciliation(worker, worker.job_runs).reconcile()
            assert (await client.read_flow_run(run.id)).infrastructure_pid == identifier
            await until(lambda: self.running(pool), "a container")
            self.end(pool)
            await until(lambda: not self.left_over(pool), "the deletion")
        assert set(self.made(pool).values()) == {1}, self.made(pool)

    async def test_a_run_that_never_got_a_job_is_submitted_again(self, pool: NewPool[Any]) -> None:
        """It is pending, and nothing was made for it."""
        await pool.new_run(**self.variables(pool))
        async with pool.worker() as worker:
            await JobReconciliation(worker, worker.job_runs).reconcile()
            await until(lambda: self.made(pool)["started"], "a job")
            await until(lambda: not self.left_over(pool), "the deletion")

    async def test_a_job_whose_worker_died_before_it_was_started_is_started_once(self, pool: NewPool[Any]) -> None:
        """What the dead worker has made is used."""
        run = await pool.new_run(**self.variables(pool))
        async with pool.worker() as worker:
            await self.make_unstarted(pool, worker, run)
            await JobReconciliation(worker, worker.job_runs).reconcile()
            await until(lambda: self.made(pool)["started"], "the start")
            await until(lambda: not self.left_over(pool), "the deletion")
        made = self.made(pool)
        assert made["started"] == 1
        assert not self.asks_before or set(made.values()) == {1}, made

    # Sweeping

    async def test_jobs_of_runs_that_are_over_are_deleted_when_they_are_old_and_no_others(
        self, pool: NewPool[Any], listing: object
    ) -> None:
        """Jobs that run, that are to stay and those of other pools are left alone."""
        self.let_run(pool)
        over, alive, kept = [await pool.new_run() for _ in range(3)]
        of_another_pool = self.another(pool)
        foreign = await of_another_pool.new_run()
        await self._started(pool, over)
        left = {
            await self._started(pool, alive),
            await self._started(pool, kept, **self.keeping),
            await self._started(of_another_pool, foreign),
        }
        async with get_client() as client:
            for run in (over, kept, foreign):
                await client.set_flow_run_state(run.id, Completed(), force=True)
            await client.set_flow_run_state(alive.id, Running(), force=True)
        async with pool.worker() as worker:
            worker.job_runs.service_of(pool.configure(over))
            await JobSweep(worker, worker.job_runs).sweep()
            assert len(self.jobs(pool)) == 4
            await JobSweep(worker, worker.job_runs, now=later(hours=2)).sweep()
        assert set(self.jobs(pool)) == {self.name_of(identifier) for identifier in left}
        await until(lambda: self.running(pool) == 3, "the other containers")

    async def test_a_job_that_could_not_be_deleted_is_swept_later(
        self, pool: NewPool[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run's own end does not suffer from it."""
        allow = self.refuse_deletion(pool, monkeypatch)
        run = await pool.new_run()
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Completed(), force=True)
        async with pool.worker() as worker:
            result: Any = await worker.run(run, pool.configure(run))
            assert result.status_code == 0
            assert len(self.jobs(pool)) == 1
            allow()
            await JobSweep(worker, worker.job_runs, now=later(hours=2)).sweep()
        assert not self.left_over(pool)

    # What a worker counts as its own

    async def test_the_worker_s_limit_counts_runs_until_their_job_has_ended(self, pool: NewPool[Any]) -> None:
        """A run that is looked after in the background counts, too."""
        self.let_run(pool)
        runs = [await pool.new_run(state=Pending()) for _ in range(2)]
        worker: Any
        async with pool.worker(limit=2) as worker:
            for run in runs:
                await worker._initiate_run(run, pool.configure(run))  # noqa: SLF001 - as Prefect's own worker calls it
            limiter: Any = worker._limiter  # noqa: SLF001 - it is told nowhere else
            assert limiter.borrowed_tokens == 2
            await until(lambda: self.running(pool) == 2, "both containers")
            self.end(pool)
            await until(lambda: limiter.borrowed_tokens == 0, "both ends")


def later(hours: float) -> Callable[[], datetime]:
    """A clock that is ahead."""
    return lambda: datetime.now(timezone.utc) + timedelta(hours=hours)
