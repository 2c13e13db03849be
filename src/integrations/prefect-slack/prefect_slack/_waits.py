"""Run blocking calls from both faces: an interrupted async caller does not leave a thread waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from prefect_integration_kit.dispatch import run_stoppable
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff

R = TypeVar("R")

_stop: ContextVar[threading.Event | None] = ContextVar("_stop", default=None)

_DEADLINE_SECONDS = 300.0


class CallStopped(Exception):
    """Nobody waits for the result any more."""


class CallClock:
    """The system's clock, whose sleeps end when the caller was cancelled."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return SYSTEM_CLOCK.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the thread.

        Raises:
            CallStopped: If the caller is gone.
        """
        stop = _stop.get()
        if stop is None:
            SYSTEM_CLOCK.sleep(seconds)
        elif stop.wait(seconds):
            raise CallStopped

    async def asleep(self, seconds: float) -> None:
        """Suspend the coroutine."""
        await SYSTEM_CLOCK.asleep(seconds)


CLOCK = CallClock()


def current_stop() -> threading.Event:
    """Give the event that tells the running call to end; it is never set for sync callers."""
    return _stop.get() or threading.Event()


async def in_thread(body: Callable[[], R]) -> R:
    """Run a body in a worker thread, and tell it to end when the coroutine is cancelled."""

    def run(stop: threading.Event) -> R:
        token = _stop.set(stop)
        try:
            return body()
        finally:
            _stop.reset(token)

    return await run_stoppable(run)


def backoff(max_attempts: int) -> Backoff:
    """Say how long to wait between attempts: Slack's Retry-After at least, five minutes in all at most."""
    return Backoff(initial_seconds=1.0, deadline_seconds=_DEADLINE_SECONDS, max_attempts=max_attempts)
