"""Wait for remote work: back off, honour Retry-After, poll, all with a deadline and a clock that tests can set.

`retry` and `poll` have an async form with an `a` in front. The delays are a pure function of `Backoff`, so both forms
agree.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What waiting needs of time; the default is the system's, a test brings its own."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the thread."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Suspend the coroutine."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the thread."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Suspend the coroutine."""
        await asyncio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


class WaitTimeout(TimeoutError):
    """The deadline passed before the thing waited for was there."""


@dataclass(frozen=True)
class Backoff:
    """How long to wait between attempts: exponential, with full jitter, within a deadline.

    Full jitter draws each delay between zero and the exponential bound, which spreads the load of many clients best
    (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
    """

    initial_seconds: float = 0.5
    factor: float = 2.0
    maximum_seconds: float = 30.0
    deadline_seconds: float = 120.0
    max_attempts: int | None = None
    random: Callable[[], float] = field(default=random.random, repr=False, compare=False)

    def delay(self, attempt: int, retry_after_seconds: float | None = None) -> float:
        """Seconds to wait after failed attempt number `attempt` (the first is 1).

        A server's Retry-After is a lower bound: asking sooner only fails again.
        """
        try:
            bound = min(self.maximum_seconds, self.initial_seconds * self.factor ** (attempt - 1))
        except OverflowError:
            bound = self.maximum_seconds
        jittered = bound * self.random()
        return max(jittered, retry_after_seconds or 0.0)

    def next_delay(
        self, attempt: int, elapsed_seconds: float, retry_after_seconds: float | None = None
    ) -> float | None:
        """Seconds to wait before the next attempt, or `None` when there must be no other.

        Args:
            attempt: How many attempts have failed.
            elapsed_seconds: Time since the first attempt began.
            retry_after_seconds: What the server asked for, if it did.
        """
        if self.max_attempts is not None and attempt >= self.max_attempts:
            return None
        delay = self.delay(attempt, retry_after_seconds)
        return None if elapsed_seconds + delay > self.deadline_seconds else delay


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header: seconds or an HTTP date (RFC 9110, section 10.2.3).

    Args:
        value: The header's value, `None` when it is absent.
        now: The present, for dates; the system's UTC time when not given.

    Returns:
        Seconds from now, never negative; `None` when the header is absent or unreadable.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        seconds = (moment - (now or datetime.now(timezone.utc))).total_seconds()
    return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None


Verdict = bool | float
"""Whether an error is transient; a number means yes, and says after how many seconds the server wants us back."""


@dataclass
class _Attempts:
    """The bookkeeping that both faces of `retry` share."""

    is_transient: Callable[[Exception], Verdict]
    backoff: Backoff
    clock: Clock
    count: int = 0

    def __post_init__(self) -> None:
        self._start = self.clock.monotonic()

    def delay_after(self, error: Exception) -> float | None:
        self.count += 1
        verdict = self.is_transient(error)
        if verdict is False:
            return None
        asked = None if verdict is True else float(verdict)
        return self.backoff.next_delay(self.count, self.clock.monotonic() - self._start, asked)


def retry(
    call: Callable[[], T],
    *,
    is_transient: Callable[[Exception], Verdict],
    backoff: Backoff | None = None,
    on_retry: Callable[[Exception, float], None] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> T:
    """Call until it succeeds, fails for good, or the deadline would pass.

    Args:
        call: What to do. It must be safe to repeat.
        is_transient: Says of an error whether to try again; a number of seconds is a server's Retry-After.
        backoff: Delays and deadline.
        on_retry: Told the error and the coming delay in seconds, before each wait.
        clock: Time.

    Raises:
        Exception: The last error of `call`, unchanged.
    """
    attempts = _Attempts(is_transient, backoff or Backoff(), clock)
    while True:
        try:
            return call()
        except Exception as exc:
            delay = attempts.delay_after(exc)
            if delay is None:
                raise
            if on_retry is not None:
                on_retry(exc, delay)
        clock.sleep(delay)


async def aretry(
    call: Callable[[], Awaitable[T]],
    *,
    is_transient: Callable[[Exception], Verdict],
    backoff: Backoff | None = None,
    on_retry: Callable[[Exception, float], None] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> T:
    """Async form of `retry`."""
    attempts = _Attempts(is_transient, backoff or Backoff(), clock)
    while True:
        try:
            return await call()
        except Exception as exc:
            delay = attempts.delay_after(exc)
            if delay is None:
                raise
            if on_retry is not None:
                on_retry(exc, delay)
        await clock.asleep(delay)


@dataclass
class _Polls:
    """The bookkeeping that both faces of `poll` share."""

    subject: str
    interval_seconds: float
    timeout_seconds: float | None
    clock: Clock

    def __post_init__(self) -> None:
        if self.interval_seconds < 0:
            raise ValueError(f"interval_seconds is {self.interval_seconds}; it must not be negative.")
        self._start = self.clock.monotonic()

    def delay(self) -> float:
        """Seconds until the next look, cut short so that the last look falls on the deadline."""
        if self.timeout_seconds is None:
            return self.interval_seconds
        left = self._start + self.timeout_seconds - self.clock.monotonic()
        if left <= 0:
            raise WaitTimeout(
                f"{self.subject} was not there after {self.timeout_seconds:g} seconds. "
                "Raise timeout_seconds if it needs longer."
            )
        return min(self.interval_seconds, left)


def poll(
    look: Callable[[], T | None],
    *,
    subject: str,
    interval_seconds: float,
    timeout_seconds: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> T:
    """Look again and again until `look` returns something other than `None`.

    Args:
        look: One look. It returns `None` while the thing is not there.
        subject: What is waited for, for the error message.
        interval_seconds: Seconds between two looks.
        timeout_seconds: Seconds before giving up; `None` waits for ever.
        clock: Time.

    Raises:
        WaitTimeout: If the time is up. One last look is taken at the deadline.
    """
    polls = _Polls(subject, interval_seconds, timeout_seconds, clock)
    while (found := look()) is None:
        clock.sleep(polls.delay())
    return found


async def apoll(
    look: Callable[[], Awaitable[T | None]],
    *,
    subject: str,
    interval_seconds: float,
    timeout_seconds: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> T:
    """Async form of `poll`."""
    polls = _Polls(subject, interval_seconds, timeout_seconds, clock)
    while (found := await look()) is None:
        await clock.asleep(polls.delay())
    return found
