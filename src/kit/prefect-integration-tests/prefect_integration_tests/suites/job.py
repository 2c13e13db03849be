"""What holds for job blocks: trigger, wait, fetch, and a failure that is an error."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.checks import assert_loop_is_free
from prefect_integration_tests.faces import Call

from .base import Suite

if TYPE_CHECKING:
    from prefect_integration_tests.leaks import LeakWatch


class JobSuite(Suite):
    """Checks a `JobBlock` and its `JobRun`.

    Attributes:
        failure: What a failed run must raise while it is waited for or its result fetched.
        failure_names: Texts that the failure must hold: the job, its exit code, the cause.
    """

    failure: ClassVar[type[Exception] | tuple[type[Exception], ...]] = RuntimeError
    failure_names: ClassVar[tuple[str, ...]]

    @pytest.fixture
    @abstractmethod
    def job(self, canary: str) -> Any:
        """A job block whose run succeeds soon; `canary` is in its secrets, if it has any."""

    @pytest.fixture
    @abstractmethod
    def failing_job(self, canary: str) -> Any:
        """A job block whose run fails soon."""

    @abstractmethod
    def check_result(self, result: Any) -> None:
        """Assert that the result of `job` is right.

        Args:
            result: What `fetch_result` returned.
        """

    async def finish(self, call: Call, job: Any) -> Any:
        """Trigger a job, wait for it, and fetch the result.

        Args:
            call: The face.
            job: The block.
        """
        run = await call(job, "trigger")
        await call(run, "wait_for_completion")
        return await call(run, "fetch_result")

    async def test_a_job_ends_with_its_result(self, job: Any, call: Call) -> None:
        """Trigger, wait, fetch."""
        self.check_result(await self.finish(call, job))

    async def test_a_job_can_be_waited_for_twice(self, job: Any, call: Call) -> None:
        """Waiting and fetching again is harmless, and gives the same result."""
        run = await call(job, "trigger")
        await call(run, "wait_for_completion")
        await call(run, "wait_for_completion")
        first = await call(run, "fetch_result")
        assert await call(run, "fetch_result") == first

    async def test_a_job_can_run_again(self, job: Any, call: Call) -> None:
        """One block starts any number of runs."""
        for _ in range(2):
            self.check_result(await self.finish(call, job))

    async def test_runs_do_not_mix(self, job: Any) -> None:
        """Several runs at once each have a result of their own."""
        call = Call("async")
        results = await asyncio.gather(*(self.finish(call, job) for _ in range(3)))
        for result in results:
            self.check_result(result)

    async def test_a_failed_job_is_an_error(self, failing_job: Any, call: Call) -> None:
        """Rule 5: a failure is never taken for success, and the error says what failed."""
        with pytest.raises(self.failure) as caught:
            await self.finish(call, failing_job)
        missing = [name for name in self.failure_names if name not in str(caught.value)]
        assert not missing, f"The error does not name {missing}: {caught.value}"

    async def test_one_face_waits_for_what_the_other_started(self, job: Any) -> None:
        """A run may be handed from sync to async code and back."""
        for first, second in ((Call("sync"), Call("async")), (Call("async"), Call("sync"))):
            run = await first(job, "trigger")
            await second(run, "wait_for_completion")
            self.check_result(await first(run, "fetch_result"))

    async def test_the_sync_names_can_be_awaited_on_a_loop(self, job: Any) -> None:
        """Rule 2: inside an event loop the sync names hand out coroutines."""
        run = await job.trigger()
        await run.wait_for_completion()
        self.check_result(await run.fetch_result())

    async def test_secrets_are_not_said(
        self, job: Any, failing_job: Any, call: Call, no_canary_leaks: LeakWatch
    ) -> None:
        """Rule 3: running a job tells nobody its secrets, whether it succeeds or fails."""
        run = await call(job, "trigger")
        no_canary_leaks.add("repr", f"{job!r} {run!r}")
        await call(run, "wait_for_completion")
        with pytest.raises(self.failure) as caught:
            await self.finish(call, failing_job)
        no_canary_leaks.add_error(caught.value)
        no_canary_leaks.check()

    async def test_the_event_loop_is_free_meanwhile(self, job: Any) -> None:
        """Rule 8: waiting for a job does not keep the loop from its work."""
        call = Call("async")

        async def finish() -> None:
            await self.finish(call, job)

        await finish()  # the first use imports the SDK, which holds the interpreter
        await assert_loop_is_free(finish)
