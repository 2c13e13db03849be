"""Start work at another service, wait until it has ended, and stop it when nobody waits for it any more.

A package describes one kind of work by a `RemoteWork`: how it is started, looked at and stopped. `run` and `wait`, and
their async forms `arun` and `await_end`, do the rest: starts that are repeated, looks that outlast what passes,
deadlines, and a stop when the wait is cancelled, interrupted or out of time.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Generic, TypeVar

import anyio

from prefect_integration_kit.dispatch import await_to_end, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.sdk_errors import TranslatedError
from prefect_integration_kit.waiting import (
    SYSTEM_CLOCK,
    Backoff,
    Clock,
    Verdict,
    WaitTimeout,
    apoll,
    aretry,
    poll,
    retry,
)

R = TypeVar("R")
V = TypeVar("V")

PATIENCE_SECONDS = 600.0
"""How long looks may fail for passing reasons, one after the other, before the wait fails, too."""

START_BACKOFF = Backoff(initial_seconds=1.0, maximum_seconds=15.0, deadline_seconds=60.0)
_SETTLE_INTERVAL_SECONDS, _SETTLE_SECONDS = 1.0, 5.0


@dataclass(frozen=True)
class Failures:
    """A package's errors, as far as those who wait must tell them apart.

    Attributes:
        base: Base of all errors that requests raise.
        refused: What bad arguments raise.
        timed_out: What a wait raises when its time is up; it should be a `TimeoutError`.
        is_passing: Says whether the same request may succeed later; a number of seconds is a server's Retry-After.
    """

    base: type[TranslatedError]
    refused: type[TranslatedError]
    timed_out: type[TranslatedError]
    is_passing: Callable[[Exception], Verdict]

    def persist(self, call: Callable[[], R], clock: Clock = SYSTEM_CLOCK) -> R:
        """Make a request that is safe to repeat, again for up to a minute while it fails for a passing reason.

        Args:
            call: The request.
            clock: Time.
        """
        return retry(call, is_transient=self.is_passing, backoff=START_BACKOFF, clock=clock)


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

    def check(self, subject: str, failures: Failures) -> None:
        """Refuse what cannot be meant, before anything is started.

        Args:
            subject: What is waited for.
            failures: Says what to raise.

        Raises:
            TranslatedError: `failures.refused`, if the interval or the time-out is not positive.
        """
        for name in ("interval_seconds", "timeout_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise failures.refused(f"{subject}: {name} is {value}; it must be more than 0.", subject=subject)


class RemoteWork(ABC, Generic[R]):
    """Something that another service does for us and that costs money meanwhile.

    The methods make a few requests at most and block the thread that long. `start`, `look` and `settle` raise errors of
    the package, translated.

    Attributes:
        failures: The package's errors.
    """

    failures: ClassVar[Failures]

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

    def may_start_again(self, error: Exception) -> Verdict:
        """Say whether a failed start may be tried again without starting the work twice."""
        return self.failures.is_passing(error)

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
            TranslatedError: If it did not end with success.
        """

    @abstractmethod
    def stop(self, reason: str) -> None:
        """Ask the service to stop it.

        Args:
            reason: A sentence that the service may show to others.
        """

    async def in_thread(self, call: Callable[[], V]) -> V:
        """Make a request in a thread: one of Prefect's, unless a package has a pool of its own for requests.

        Args:
            call: The request. When the coroutine is cancelled, it goes on to its end in its thread.
        """
        return await run_sync_in_worker_thread(call)


def run(work: RemoteWork[R], patience: Patience) -> R:
    """Start work and wait for it, blocking the thread.

    Args:
        work: What to start.
        patience: How to wait.

    Raises:
        TranslatedError: If it did not end with success, could not be started, or not be looked at; or
            `failures.timed_out`, if the time was up.
    """
    patience.check(work.subject, work.failures)
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
    patience.check(work.subject, work.failures)

    async def start_stoppably() -> None:
        try:
            await await_to_end(work.in_thread(work.start))
        except BaseException as exc:
            if not isinstance(exc, Exception):  # only now is it known whether there is something to stop
                with anyio.CancelScope(shield=True):
                    await work.in_thread(partial(_stop, work, patience, "was cancelled"))
            raise

    await aretry(start_stoppably, is_transient=work.may_start_again, backoff=START_BACKOFF, clock=patience.clock)
    return await await_end(work, patience)


def wait(work: RemoteWork[R], patience: Patience) -> R:
    """Wait for work that was started, blocking the thread. Raises what `run` raises."""
    patience.check(work.subject, work.failures)
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
    patience.check(work.subject, work.failures)
    looks = _Looks(work, patience.clock)

    async def look() -> bool | None:
        return await work.in_thread(looks.look)

    async def settle() -> bool | None:
        return await work.in_thread(looks.settle)

    async def stop(why: str) -> None:
        with anyio.CancelScope(shield=True):
            await work.in_thread(partial(_stop, work, patience, why))

    try:
        await apoll(
            look,
            subject=f"The end of {work.subject}",
            interval_seconds=patience.interval_seconds,
            timeout_seconds=patience.timeout_seconds,
            clock=patience.clock,
        )
    except WaitTimeout as exc:
        raise await work.in_thread(partial(_timed_out, work, patience, exc)) from exc
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
    return await work.in_thread(work.result)


class _Looks:
    """Looks that outlast throttling, lost connections and errors on the service's side, but not for ever."""

    def __init__(self, work: RemoteWork[R], clock: Clock) -> None:
        self._work = work
        self._clock = clock
        self._failing_since: float | None = None

    def look(self) -> bool | None:
        try:
            has_ended = self._work.look()
        except self._work.failures.base as exc:
            if self._work.failures.is_passing(exc) is False:
                raise
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


def _timed_out(work: RemoteWork[R], patience: Patience, exc: WaitTimeout) -> TranslatedError:
    said = _stop(work, patience, "ran out of time")
    return work.failures.timed_out(f"{exc} {said}", subject=work.subject)


def _stop(work: RemoteWork[R], patience: Patience, why: str) -> str:
    """Stop the work. What goes wrong is only told: the caller is about to raise the reason for stopping."""
    if not work.is_started:
        return ""
    if not patience.stops:
        return "It goes on."
    logger = run_logger(__name__)
    try:
        work.failures.persist(lambda: work.stop(f"The Prefect run that waited for it {why}."), patience.clock)
    except work.failures.base as exc:
        logger.warning("%s could not be stopped: %s", work.subject, exc)
        return "It could not be stopped and goes on."
    logger.info("Stopped %s, because the wait for it %s", work.subject, why)
    return "It was stopped."
