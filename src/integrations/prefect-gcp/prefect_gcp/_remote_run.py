"""Jobs of tasks and blocks: start, wait, ask, cancel. Dataproc, Batch and Cloud Run differ in nothing here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from prefect.blocks.abstract import JobRun
from pydantic import BaseModel, ConfigDict, Field

from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, retry

from ._remote_job import RemoteJob
from ._remote_work import FAILURES, START_BACKOFF, Patience, RemoteWork, arun, await_end, run, wait
from ._rest import in_thread
from .credentials import GcpCredentials

R = TypeVar("R")
W = TypeVar("W", bound=RemoteWork[Any])
Run = TypeVar("Run", bound="RemoteRun[Any]")

_clock: Clock = SYSTEM_CLOCK


def patience(interval_seconds: float, timeout_seconds: float | None, *, stops: bool = True) -> Patience:
    """How to wait, on this module's clock."""
    return Patience(interval_seconds, timeout_seconds, stops, _clock)


def started(work: W) -> W:
    """Start work; again for a minute while that fails for a passing reason."""
    retry(work.start, is_transient=work.may_start_again, backoff=START_BACKOFF, clock=_clock)
    return work


def submit(describe: Callable[[], RemoteJob[Any]]) -> str:
    """Start a job, without waiting for it.

    Args:
        describe: Checks what is asked for, and makes the job of it.

    Returns:
        Full name of the job.
    """
    return started(describe()).name


async def asubmit(describe: Callable[[], RemoteJob[Any]]) -> str:
    """Async form of `submit`."""
    return await in_thread(submit, describe)


def submit_and_wait(describe: Callable[[], RemoteJob[R]], interval_seconds: float, timeout_seconds: float | None) -> R:
    """Start a job, and wait until it has succeeded.

    Args:
        describe: Checks what is asked for, and makes the job of it.
        interval_seconds: Seconds between two looks.
        timeout_seconds: Seconds after which to give up; `None` waits for ever.

    Returns:
        The job at its end.
    """
    return run(describe(), patience(interval_seconds, timeout_seconds))


async def asubmit_and_wait(
    describe: Callable[[], RemoteJob[R]], interval_seconds: float, timeout_seconds: float | None
) -> R:
    """Async form of `submit_and_wait`."""
    return await arun(await in_thread(describe), patience(interval_seconds, timeout_seconds))


class Waiting(BaseModel):
    """Who waits for a job, and how."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    gcp_credentials: GcpCredentials = Field(
        default_factory=GcpCredentials, title="GCP Credentials", description="Who we are at Google Cloud."
    )
    interval_seconds: float = Field(default=10.0, gt=0, description="Seconds between two looks at the job.")
    stop_on_cancel: bool = Field(
        default=True,
        description="Whether the job is cancelled when the wait for it is cancelled, interrupted or out of time.",
    )


class RemoteRun(Waiting, JobRun[R], Generic[R]):
    """A job that was started at Google Cloud."""

    if not TYPE_CHECKING:

        def __class_getitem__(cls, _: Any) -> type:
            """Give the class: pydantic would define another model for each result."""
            return cls

    @abstractmethod
    def _work(self) -> RemoteWork[R]:
        """What is waited for."""

    def _patience(self, timeout_seconds: float | None) -> Patience:
        return patience(self.interval_seconds, timeout_seconds, stops=self.stop_on_cancel)

    async def await_for_completion(self, timeout_seconds: float | None = None) -> None:
        """Async form of `wait_for_completion`. Only the requests take a thread, not the time between them."""
        await await_end(self._work(), self._patience(timeout_seconds))

    @async_dispatch(await_for_completion)
    def wait_for_completion(self, timeout_seconds: float | None = None) -> None:
        """Wait until the job has succeeded.

        Args:
            timeout_seconds: Seconds after which to give up; `None` waits for ever.

        Raises:
            GcpJobFailed: If the job failed or was cancelled. It is a `RuntimeError`, and names the job and the cause.
            GcpWaitTimeout: If the time was up. It is a `TimeoutError`.
            GcpNotFound: If there is no such job.
        """
        wait(self._work(), self._patience(timeout_seconds))

    def _look(self) -> RemoteWork[R]:
        work = self._work()
        FAILURES.persist(work.look, _clock)
        return work

    def _fetch(self) -> R:
        return self._look().seen()

    async def afetch_result(self) -> R:
        """Async form of `fetch_result`."""
        return await in_thread(self._fetch)

    @async_dispatch(afetch_result)
    def fetch_result(self) -> R:
        """Ask for the job as it is now, whether it has ended or not.

        Returns:
            Its state and what is known of it. A failed job is no error here; `state` says so.

        Raises:
            GcpNotFound: If there is no such job.
        """
        return self._fetch()

    def _cancel(self) -> None:
        work = self._look()
        if work.is_started:
            FAILURES.persist(lambda: work.stop("It was cancelled."), _clock)

    async def acancel(self) -> None:
        """Async form of `cancel`."""
        await in_thread(self._cancel)

    @async_dispatch(acancel)
    def cancel(self) -> None:
        """Ask Google Cloud to cancel the job; one that has ended stays as it is.

        Raises:
            GcpNotFound: If there is no such job.
            GcpAccessDenied: If this identity may not cancel it.
        """
        self._cancel()


class TriggeredJob(Waiting, Generic[Run]):
    """What a job block is besides Prefect's `JobBlock`: it starts a job, and hands out its run."""

    if not TYPE_CHECKING:

        def __class_getitem__(cls, _: Any) -> type:
            """Give the class: pydantic would define another model for each run."""
            return cls

    @abstractmethod
    def _describe(self) -> RemoteJob[Any]:
        """Check what is asked for, and make the job of it."""

    @abstractmethod
    def _run_of(self, **fields: Any) -> Run:
        """The run with these fields."""

    def _trigger(self) -> Run:
        return self._run_of(
            name=submit(self._describe),
            gcp_credentials=self.gcp_credentials,
            interval_seconds=self.interval_seconds,
            stop_on_cancel=self.stop_on_cancel,
        )

    async def atrigger(self) -> Run:
        """Async form of `trigger`."""
        return await in_thread(self._trigger)

    @async_dispatch(atrigger)
    def trigger(self) -> Run:
        """Start the job, without waiting for it.

        In a task, a retry takes over what an earlier try has started, unless that has failed.

        Returns:
            The job's run, to wait for, to ask for its state, or to cancel. It can be pickled and used in another
            process.

        Raises:
            GcpInvalidRequest: If a field is not one, or is refused.
            GcpNotFound: If a job that must exist does not.
            GcpAccessDenied: If this identity may not start such jobs, or not act as their service account.
        """
        return self._trigger()
