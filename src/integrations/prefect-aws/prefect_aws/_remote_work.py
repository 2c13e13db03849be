"""Start work at AWS, wait until it has ended, and stop it when nobody waits for it any more."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from prefect_integration_kit.dispatch import run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, WaitTimeout, apoll, aretry, poll, retry

from .errors import (
    AwsConnectionFailed,
    AwsError,
    AwsInvalidRequest,
    AwsThrottled,
    AwsUnavailable,
    AwsWaitTimeout,
)

if TYPE_CHECKING:
    from prefect_integration_kit.brakes import Brake

R = TypeVar("R")

PATIENCE_SECONDS = 600.0
"""How long looks may fail for passing reasons, one after the other, before the wait fails, too."""

START_BACKOFF = Backoff(initial_seconds=1.0, maximum_seconds=15.0, deadline_seconds=60.0)
_SETTLE_INTERVAL_SECONDS, _SETTLE_SECONDS = 1.0, 5.0


def is_passing(error: BaseException) -> bool:
    """Say whether the same request may succeed later: throttling, errors on AWS's side, lost connections."""
    return isinstance(error, AwsThrottled | AwsUnavailable | AwsConnectionFailed)


def persist(call: Callable[[], R], clock: Clock = SYSTEM_CLOCK) -> R:
    """Make a request that is safe to repeat, again for up to a minute while it fails for a passing reason.

    Args:
        call: The request.
        clock: Time.
    """
    return retry(call, is_transient=is_passing, backoff=START_BACKOFF, clock=clock)


@dataclass(frozen=True)
class Patience:
    """How to wait.

    Attributes:
        interval_seconds: Seconds between two looks.
        timeout_seconds: Seconds before giving up; `None` waits for ever.
        stops: Whether the work is stopped when the wait is cancelled, interrupted, or out of time.
        clock: Time.
    """

    interval_seconds: float
    timeout_seconds: float | None = None
    stops: bool = True
    clock: Clock = SYSTEM_CLOCK

    def check(self, subject: str) -> None:
        """Refuse what cannot be meant, before anything is started.

        Raises:
            AwsInvalidRequest: If the interval or the time-out is not positive.
        """
        for name in ("interval_seconds", "timeout_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise AwsInvalidRequest(f"{subject}: {name} is {value}; it must be more than 0.", subject=subject)


class RemoteWork(ABC, Generic[R]):
    """Something that AWS does for us and that costs money meanwhile.

    The methods make a few requests at most and block the thread that long. `start`, `look` and `settle` raise what
    `aws_errors` raises.
    """

    @property
    @abstractmethod
    def subject(self) -> str:
        """What it is, for messages; with its identifier once it is known."""

    @property
    @abstractmethod
    def is_started(self) -> bool:
        """Whether there is something to stop."""

    @abstractmethod
    def start(self) -> None:
        """Try once to start it."""

    def may_start_again(self, error: Exception) -> bool:
        """Say whether a failed start may be tried again without starting the work twice."""
        return is_passing(error)

    @abstractmethod
    def look(self) -> bool:
        """Look at it, and say whether it has ended."""

    def settle(self) -> bool:
        """Look, after the end, whether all that it leaves behind is there."""
        return True

    @abstractmethod
    def result(self) -> R:
        """Make the result of what the last look saw.

        Raises:
            AwsJobFailed: If it did not end with success.
        """

    @abstractmethod
    def stop(self, reason: str) -> None:
        """Ask AWS to stop it.

        Args:
            reason: A sentence that AWS shows to others.
        """


def run(work: RemoteWork[R], patience: Patience) -> R:
    """Start work and wait for it, blocking the thread.

    Raises:
        AwsJobFailed: If it did not end with success.
        AwsWaitTimeout: If the time was up.
        AwsError: If it could not be started, or not be looked at.
    """
    patience.check(work.subject)
    try:
        retry(work.start, is_transient=work.may_start_again, backoff=START_BACKOFF, clock=patience.clock)
    except Exception:
        raise
    except BaseException:  # interrupted or cancelled
        _stop(work, patience, "was cancelled")
        raise
    return wait(work, patience)


async def arun(work: RemoteWork[R], patience: Patience) -> R:
    """Async form of `run`. Only the requests take a thread, not the time between them."""
    patience.check(work.subject)

    def start(brake: Brake) -> None:
        work.start()
        if brake.is_set():  # cancelled while the request was under way: only this thread knows what it started
            _stop(work, patience, "was cancelled")

    async def start_stoppably() -> None:
        await run_stoppable(start)

    await aretry(start_stoppably, is_transient=work.may_start_again, backoff=START_BACKOFF, clock=patience.clock)
    return await await_end(work, patience)


def wait(work: RemoteWork[R], patience: Patience) -> R:
    """Wait for work that was started, blocking the thread. Raises what `run` raises."""
    patience.check(work.subject)
    looks = _Looks(work, patience.clock)
    try:
        poll(
            looks.look,
            subject=f"The end of {work.subject}",
            interval_seconds=patience.interval_seconds,
            timeout_seconds=patience.timeout_seconds,
            clock=patience.clock,
        )
    except WaitTimeout as exc:
        raise _timed_out(work, patience, exc) from exc
    except Exception:
        raise
    except BaseException:  # interrupted or cancelled
        _stop(work, patience, "was cancelled")
        raise
    with contextlib.suppress(WaitTimeout):
        poll(
            looks.settle,
            subject=work.subject,
            interval_seconds=_SETTLE_INTERVAL_SECONDS,
            timeout_seconds=_SETTLE_SECONDS,
            clock=patience.clock,
        )
    return work.result()


async def await_end(work: RemoteWork[R], patience: Patience) -> R:
    """Async form of `wait`."""
    patience.check(work.subject)
    looks = _Looks(work, patience.clock)

    async def look() -> bool | None:
        return await run_sync_in_worker_thread(looks.look)

    async def settle() -> bool | None:
        return await run_sync_in_worker_thread(looks.settle)

    async def stop(why: str) -> None:
        with anyio.CancelScope(shield=True):
            await run_sync_in_worker_thread(_stop, work, patience, why)

    try:
        await apoll(
            look,
            subject=f"The end of {work.subject}",
            interval_seconds=patience.interval_seconds,
            timeout_seconds=patience.timeout_seconds,
            clock=patience.clock,
        )
    except WaitTimeout as exc:
        raise await run_sync_in_worker_thread(_timed_out, work, patience, exc) from exc
    except Exception:
        raise
    except BaseException:  # cancelled or interrupted
        await stop("was cancelled")
        raise
    with contextlib.suppress(WaitTimeout):
        await apoll(
            settle,
            subject=work.subject,
            interval_seconds=_SETTLE_INTERVAL_SECONDS,
            timeout_seconds=_SETTLE_SECONDS,
            clock=patience.clock,
        )
    return await run_sync_in_worker_thread(work.result)


class _Looks:
    """Looks that outlast throttling, lost connections and errors on AWS's side, but not for ever."""

    def __init__(self, work: RemoteWork[R], clock: Clock) -> None:
        self._work = work
        self._clock = clock
        self._failing_since: float | None = None

    def look(self) -> bool | None:
        try:
            has_ended = self._work.look()
        except (AwsConnectionFailed, AwsThrottled, AwsUnavailable) as exc:
            now = self._clock.monotonic()
            self._failing_since = now if self._failing_since is None else self._failing_since
            if now - self._failing_since >= PATIENCE_SECONDS:
                raise
            run_logger(__name__).warning("Could not look at %s, will look again: %s", self._work.subject, exc)
            return None
        self._failing_since = None
        return has_ended or None

    def settle(self) -> bool | None:
        return self._work.settle() or None


def _timed_out(work: RemoteWork[R], patience: Patience, exc: WaitTimeout) -> AwsWaitTimeout:
    said = _stop(work, patience, "ran out of time")
    return AwsWaitTimeout(f"{exc} {said}", subject=work.subject)


def _stop(work: RemoteWork[R], patience: Patience, why: str) -> str:
    """Stop the work. What goes wrong is only told: the caller is about to raise the reason for stopping."""
    if not work.is_started:
        return ""
    if not patience.stops:
        return "It goes on."
    logger = run_logger(__name__)
    try:
        persist(lambda: work.stop(f"The Prefect run that waited for it {why}."), patience.clock)
    except AwsError as exc:
        logger.warning("%s could not be stopped: %s", work.subject, exc)
        return "It could not be stopped and goes on."
    logger.info("Stopped %s, because the wait for it %s", work.subject, why)
    return "It was stopped."
