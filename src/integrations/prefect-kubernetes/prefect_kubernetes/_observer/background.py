"""The one observer of a process, in a thread of its own, for as long as somebody uses it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

THREAD_NAME = "prefect-kubernetes-observer"
_JOIN_SECONDS = 30.0

Main = Callable[[], Coroutine[Any, Any, None]]


async def repeat_for_ever(main: Main, backoff: Backoff, logger: logging.Logger, clock: Clock) -> None:
    """Run something, and start it again whatever ends it.

    Args:
        main: What to run.
        backoff: Delays between an end and the next start; a run that lasted longer than its longest delay begins anew.
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
            logger.debug("The Kubernetes observer failed.", exc_info=True)
            cause = exc
            while len(parts := getattr(cause, "exceptions", ())) == 1:  # what a group of tasks has made of it
                cause = parts[0]
            why = f"{type(cause).__name__}: {cause}"
        failures = 1 if clock.monotonic() - start > backoff.maximum_seconds else failures + 1
        delay = backoff.delay(failures)
        logger.error("The Kubernetes observer stopped and is started again in %.0f seconds: %s", delay, why)
        await clock.asleep(delay)


class BackgroundObserver:
    """Runs an observer in a daemon thread while it has users.

    A thread with an event loop of its own serves workers in whatever loops they run, and neither waits for the other.

    Args:
        main: What to run.
        backoff: Delays between restarts.
        logger: Told of starts, ends and failures.
    """

    def __init__(self, main: Main, backoff: Backoff, logger: logging.Logger) -> None:
        self._main = main
        self._backoff = backoff
        self._logger = logger
        self._lock = threading.Lock()
        self._users = 0
        self._thread: _LoopThread | None = None
        self.clock: Clock = SYSTEM_CLOCK

    def acquire(self) -> None:
        """Count a user, and start the thread for the first."""
        with self._lock:
            self._users += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = _LoopThread(
                    partial(repeat_for_ever, self._main, self._backoff, self._logger, self.clock)
                )
                self._thread.start()
                self._logger.debug("Observing Kubernetes jobs and pods.")

    def release(self) -> None:
        """Count a user out, and stop the thread with the last; wait for it to end."""
        with self._lock:
            if not self._users:
                return
            self._users -= 1
            if self._users:
                return
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.cancel()
            thread.join(_JOIN_SECONDS)
            self._logger.debug("No longer observing Kubernetes jobs and pods.")

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        thread = self._thread
        return thread is not None and thread.is_alive()


class _LoopThread(threading.Thread):
    """A thread that runs one coroutine, with the context of whoever started it, until it is cancelled."""

    def __init__(self, main: Main) -> None:
        super().__init__(name=THREAD_NAME, daemon=True)
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
