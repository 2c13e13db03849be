"""What holds for every worker whose infrastructure is a job: what becomes of the job, and what Prefect is told."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect import get_client
from prefect.exceptions import InfrastructureNotFound
from prefect.states import Cancelled, Cancelling, Completed, Paused, Running

from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.pool_runs import Started, logs_of, state_of, until

from .played_jobs import PlayedJobsBase

if TYPE_CHECKING:
    from prefect_integration_tests.pool_runs import NewPool

_REPORTED = {"completed": Completed(), "paused": Paused(), "cancelled": Cancelled()}


class JobWorkerSuite(PlayedJobsBase):
    """Checks a worker at a cloud that plays its jobs.

    Attributes:
        report_grace_variables: Variables of the environment that set `report_grace_seconds`.
        identifier_forms: What may name a job to `kill_infrastructure`, by what it is: `{identifier}` and `{name}` stand
            for the job's.
        elsewhere: Job variables that lead elsewhere, and do not matter where an identifier says where its job is.
        gone: An identifier of a job that is not there; its name is `no-such-job`.
        foreign: An identifier of another worker's.
        foreign_error: Pattern of what is said of it.
        memory_words: What the state of a run says that has run out of memory.
        permission: Pattern of the permission that is named when it is missing.
        error: Base of the package's errors.
    """

    report_grace_variables: ClassVar[Sequence[str]]
    identifier_forms: ClassVar[Mapping[str, str]]
    elsewhere: ClassVar[Mapping[str, Any]] = {}
    gone: ClassVar[str] = "no-such-job"
    foreign: ClassVar[str] = "arn:aws:ecs"
    foreign_error: ClassVar[str]
    memory_words: ClassVar[Sequence[str]]
    permission: ClassVar[str]
    error: ClassVar[type[Exception]]

    @abstractmethod
    def let_fail(self, pool: Any, exit_code: int, lines: Sequence[str] = ()) -> None:
        """Let containers end with a code at once, having said something."""

    @abstractmethod
    def run_out_of_memory(self, pool: Any) -> None:
        """Kill all containers for want of memory."""

    @abstractmethod
    def forget(self, pool: Any, name: str) -> None:
        """Delete a job behind everybody's back."""

    @abstractmethod
    def when_making(self, pool: Any, call: Callable[[], None]) -> None:
        """Call something while the cloud is asked to make a job."""

    @abstractmethod
    def deny(self, pool: Any) -> None:
        """Let the identity not make jobs."""

    @abstractmethod
    def stops_and_deletions(self, pool: Any) -> Sequence[str]:
        """Tell in which order the cloud was asked to `stop` and to `delete`."""

    def look_at_crash(self, pool: Any, message: str) -> None:
        """Check what else holds when a container has failed."""
        del pool, message

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run tests that take `form` once for each form of an identifier."""
        if "form" in metafunc.fixturenames:
            metafunc.parametrize("form", list(self.identifier_forms))

    # The way of a job

    async def test_a_job_that_succeeds_is_a_result_of_zero_and_deleted(self, pool: NewPool[Any]) -> None:
        """Prefect's own worker hears the same identifier as the caller."""
        run = await pool.new_run()
        started: Any = Started()
        worker: Any
        async with pool.worker() as worker:
            result = await worker.run(run, pool.configure(run), started)
        assert result.status_code == 0
        assert self.name_of(result.identifier)
        assert started.identifier == result.identifier
        assert set(self.made(pool).values()) == {1}, self.made(pool)
        assert not self.left_over(pool)

    async def test_a_job_that_is_to_be_kept_stays(self, pool: NewPool[Any]) -> None:
        """Its run is over, and it is there."""
        run = await pool.new_run()
        worker: Any
        async with pool.worker() as worker:
            result = await worker.run(run, pool.configure(run, **self.keeping))
        assert list(self.jobs(pool)) == [self.name_of(result.identifier)]

    async def test_a_job_that_fails_crashes_its_run_with_code_cause_and_last_lines(self, pool: NewPool[Any]) -> None:
        """The state has the code, and the run's logs have what the container said last, in order."""
        self.let_fail(pool, 3, ["about to fail", "Traceback: boom"])
        run = await pool.new_run()
        worker: Any
        async with pool.worker() as worker:
            result = await worker.run(run, pool.configure(run))
            assert result.status_code == 3
            state = await state_of(run)
            assert state.is_crashed()
            assert "exited with code 3" in str(state.message)
            logs = await logs_of(run, "Traceback: boom")
        assert logs.index("about to fail") < logs.index("Traceback: boom")
        assert not self.left_over(pool)
        self.look_at_crash(pool, str(state.message))

    async def test_a_job_without_memory_says_so_and_what_to_do(self, pool: NewPool[Any]) -> None:
        """It is no mere exit code."""
        self.let_run(pool)
        run = await pool.new_run()
        worker: Any
        async with pool.worker() as worker:
            running = asyncio.create_task(worker.run(run, pool.configure(run)))
            await until(lambda: self.running(pool), "a container")
            self.run_out_of_memory(pool)
            result = await asyncio.wait_for(running, 30)
        message = str((await state_of(run)).message)
        assert result.status_code == 137
        assert [words for words in self.memory_words if words not in message] == [], message

    @pytest.mark.parametrize("reported", list(_REPORTED))
    async def test_a_run_that_has_reported_its_end_keeps_its_state(self, pool: NewPool[Any], reported: str) -> None:
        """What the process reported counts, whatever its exit code."""
        self.let_fail(pool, 143)
        run = await pool.new_run()
        async with get_client() as client:
            await client.set_flow_run_state(run.id, _REPORTED[reported], force=True)
        worker: Any
        async with pool.worker() as worker:
            await worker.run(run, pool.configure(run))
        assert (await state_of(run)).type == _REPORTED[reported].type

    async def test_a_run_that_never_reports_crashes_after_a_grace(
        self, pool: NewPool[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its job succeeded, and the run itself said nothing."""
        for name in self.report_grace_variables:
            monkeypatch.setenv(name, "0.5")
        run = await pool.new_run()
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Running(), force=True)
        worker: Any
        async with pool.worker() as worker:
            await worker.run(run, pool.configure(run))

            async def crashed() -> bool | None:
                return (await state_of(run)).is_crashed() or None

            await apoll(crashed, subject="the crash", interval_seconds=0.1, timeout_seconds=20)
        assert "ended without reporting" in str((await state_of(run)).message)

    async def test_a_job_that_is_deleted_by_hand_crashes_its_run(self, pool: NewPool[Any]) -> None:
        """How it ended is not known, and nobody waits for ever."""
        self.let_run(pool)
        run = await pool.new_run()
        started: Any = Started()
        worker: Any
        async with pool.worker() as worker:
            running = asyncio.create_task(worker.run(run, pool.configure(run), started))
            await until(lambda: started.identifier and self.running(pool), "a container")
            self.forget(pool, self.name_of(started.identifier))
            result = await asyncio.wait_for(running, 30)
        assert result.status_code == -1
        assert "was deleted before its end was seen" in str((await state_of(run)).message)

    # Cancelling

    async def test_a_cancelled_run_has_its_job_stopped_and_deleted(self, pool: NewPool[Any]) -> None:
        """The process in the container hears nothing of it."""
        self.let_run(pool)
        run = await pool.new_run()
        worker: Any
        async with pool.worker() as worker, get_client() as client:
            running = asyncio.create_task(worker.run(run, pool.configure(run)))
            await until(lambda: self.running(pool), "a container")
            await client.set_flow_run_state(run.id, Running(), force=True)
            await client.set_flow_run_state(run.id, Cancelling(), force=True)
            await asyncio.wait_for(running, 30)
        assert (await state_of(run)).is_cancelled()
        assert self.running(pool) == 0
        assert not self.left_over(pool)

    async def test_a_run_that_is_cancelled_while_it_is_submitted_starts_nothing(self, pool: NewPool[Any]) -> None:
        """Its job has no identifier yet."""
        run = await pool.new_run()
        worker: Any
        async with pool.worker() as worker:
            self.when_making(pool, lambda: worker.job_runs.cancel_requested(run.id))
            result = await worker.run(run, pool.configure(run))
        assert (result.identifier, result.status_code) == ("", 0)
        assert self.made(pool)["started"] == 0
        assert not self.left_over(pool)

    async def test_killing_stops_the_container_before_the_job_is_deleted(self, pool: NewPool[Any], form: str) -> None:
        """A container whose job is deleted has no time to tidy up."""
        self.let_run(pool)
        run = await pool.new_run()
        started: Any = Started()
        worker: Any
        async with pool.worker() as worker:
            running = asyncio.create_task(worker.run(run, pool.configure(run), started))
            await until(lambda: started.identifier and self.running(pool), "a container")
            identifier = self.identifier_forms[form].format(
                identifier=started.identifier, name=self.name_of(started.identifier)
            )
            # A day later, a configuration may lead elsewhere: the identifier suffices.
            await worker.kill_infrastructure(identifier, pool.configure(run, **self.elsewhere))
            await asyncio.wait_for(running, 30)
        order = list(self.stops_and_deletions(pool))
        assert order.index("stop") < order.index("delete")
        assert self.running(pool) == 0
        assert not self.left_over(pool)

    async def test_killing_what_is_gone_says_so(self, pool: NewPool[Any]) -> None:
        """So does what never was a job of this kind."""
        run = await pool.new_run()
        async with pool.worker() as worker:
            with pytest.raises(InfrastructureNotFound, match="no-such-job"):
                await worker.kill_infrastructure(self.gone, pool.configure(run))
            with pytest.raises(ValueError, match=self.foreign_error):
                await worker.kill_infrastructure(self.foreign, pool.configure(run))
            assert not worker.is_job_identifier(self.foreign)

    # What is refused

    async def test_an_identity_without_rights_is_told_which_one_it_lacks(self, pool: NewPool[Any]) -> None:
        """The error is one of the package's, and Python's own word for it."""
        self.deny(pool)
        run = await pool.new_run()
        worker: Any
        async with pool.worker() as worker:
            with pytest.raises(PermissionError, match=self.permission) as caught:
                await worker.run(run, pool.configure(run))
        assert isinstance(caught.value, self.error)
        assert self.made(pool)["started"] == 0
