"""Something that observes a service for ever, in a thread of its own, for as long as somebody uses it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio.to_thread

from .waiting import SYSTEM_CLOCK, Backoff, Clock

_JOIN_SECONDS = 30.0

Main = Callable[[], Coroutine[Any, Any, None]]


async def observe_for_ever(
    main: Main, *, subject: str, backoff: Backoff, logger: logging.Logger, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Run an observer, and start it again whatever ends it, until cancelled.

    Args:
        main: Observes; called anew for each start.
        subject: What is observed, in the plural, for the log: "ECS events".
        backoff: Delays between an end and the next start; a run that lasted longer than its longest delay begins anew.
            Its deadline and number of attempts do not count.
        logger: Told why a run ended.
        clock: Time.
    """
    failures = 0
    while True:
        start = clock.monotonic()
        why = "it came to an end"
        try:
            await main()
        except Exception as exc:
            logger.debug("The observer of %s failed.", subject, exc_info=True)
            cause = _only_cause(exc)
            why = f"{type(cause).__name__}: {cause}"
        failures = 1 if clock.monotonic() - start > backoff.maximum_seconds else failures + 1
        delay = backoff.delay(failures)
        logger.error("The observer of %s stopped and is started again in %.0f seconds: %s", subject, delay, why)
        await clock.asleep(delay)


class BackgroundObserver:
    """Runs an observer in a daemon thread while it has users, as `observe_for_ever` does.

    A thread with an event loop of its own serves users in whatever loops they run, and neither waits for the other. The
    observer sees the context variables, and so Prefect's settings, of the user who had the thread started.

    Args:
        main: Observes; called anew for each start, and cancelled when the last user has gone.
        subject: What is observed, in the plural, for the log: "ECS events".
        thread_name: Name of the thread.
        backoff: Delays between restarts.
        logger: Told of starts, ends and failures.
        clock: Time.
    """

    def __init__(
        self,
        main: Main,
        *,
        subject: str,
        thread_name: str,
        backoff: Backoff,
        logger: logging.Logger,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.backoff = backoff
        self._run = partial(observe_for_ever, main, subject=subject, backoff=backoff, logger=logger, clock=clock)
        self._subject = subject
        self._thread_name = thread_name
        self._logger = logger
        self._lock = threading.Lock()
        self._users = 0
        self._thread: _LoopThread | None = None

    def acquire(self) -> None:
        """Count a user, and start the thread for the first, or if it has died."""
        with self._lock:
            self._users += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = _LoopThread(self._run, self._thread_name)
                self._thread.start()
                self._logger.debug("Observing %s.", self._subject)

    def release(self) -> None:
        """Count a user out, and stop the thread with the last; wait up to 30 seconds for it to end.

        Once too often does no harm.
        """
        thread = self._without_a_user()
        if thread is not None:
            thread.join(_JOIN_SECONDS)
            self._say_ended()

    async def arelease(self) -> None:
        """Async form of `release`; whoever is cancelled meanwhile waits no longer."""
        thread = self._without_a_user()
        if thread is not None:
            await anyio.to_thread.run_sync(thread.join, _JOIN_SECONDS, abandon_on_cancel=True)
            self._say_ended()

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _without_a_user(self) -> _LoopThread | None:
        """Count a user out; the thread that is asked to end if that was the last one."""
        with self._lock:
            if not self._users:
                return None
            self._users -= 1
            if self._users:
                return None
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.cancel()
        return thread

    def _say_ended(self) -> None:
        self._logger.debug("No longer observing %s.", self._subject)


def _only_cause(error: BaseException) -> BaseException:
    """What a group of tasks has wrapped, if it is one."""
    while len(parts := getattr(error, "exceptions", ())) == 1:
        error = parts[0]
    return error


class _LoopThread(threading.Thread):
    """A thread that runs one coroutine, with the context of whoever started it, until it is cancelled."""

    def __init__(self, main: Main, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._main = main
        self._context = contextvars.copy_context()  # Prefect's settings live there
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def run(self) -> None:
        self._context.run(asyncio.run, self._run())

    async def _run(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self._main()

    def cancel(self) -> None:
        self._ready.wait(_JOIN_SECONDS)
        if self._loop is not None and self._task is not None:
            try:
                self._loop.call_soon_threadsafe(self._task.cancel)
            except RuntimeError:  # it has ended
                return
