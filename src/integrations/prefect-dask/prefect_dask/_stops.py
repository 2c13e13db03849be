"""Stops of functions: asked for in one thread, they arrive in another, in the function and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from prefect_integration_kit.task_run_stops import is_logging

_AGAIN_SECONDS = 0.02
"""Between two tries to stop what is in the midst of logging."""


class Stop:
    """A stop of one function; before it begins, it is kept for then, and when it has ended, it comes too late.

    Args:
        error: Raised in the function.
    """

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error
        self._lock = threading.Lock()
        self._throw: Callable[[], bool] | None = None
        self._is_asked = self._is_thrown = False

    def ask(self) -> None:
        """Ask for the stop, which arrives as soon as it may."""
        if self._is_asked:
            return
        self._is_asked = True
        if not self._tried():
            threading.Thread(target=self._try_again, name="prefect-dask-stop", daemon=True).start()

    def _try_again(self) -> None:
        while not self._tried():
            time.sleep(_AGAIN_SECONDS)

    def _tried(self) -> bool:
        """Throw if that may be; say whether there is nothing more to do."""
        # The thread that is stopped may be so just when it has taken the lock. Then nobody needs that any more.
        while not self._is_thrown:
            if self._lock.acquire(timeout=_AGAIN_SECONDS):
                try:
                    self._is_thrown = self._throw is not None and self._throw()
                    return self._is_thrown or self._throw is None
                finally:
                    self._lock.release()
        return True

    @contextmanager
    def let_in(self) -> Generator[None, None, None]:
        """Let the stop arrive in the block, which this thread executes."""
        thread_id = threading.get_ident()
        self._begin(lambda: _throw_outside_of_logging(thread_id, self._error), self._error)
        try:
            yield
        finally:
            self._end()
            if self._is_thrown:
                _throw(thread_id, None)

    @contextmanager
    def let_in_coroutine(self) -> Generator[None, None, None]:
        """Let the stop arrive in the block of a coroutine, as a cancellation."""
        current, loop = asyncio.current_task(), asyncio.get_running_loop()
        is_in = True

        def cancel() -> None:
            if is_in and current is not None:
                current.cancel()

        def throw() -> bool:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(cancel)
            return True

        self._begin(throw, asyncio.CancelledError)
        try:
            yield
        finally:
            is_in = False
            self._end()

    def _begin(self, throw: Callable[[], bool], error: type[BaseException]) -> None:
        if not self._is_asked:
            with self._lock:
                if not self._is_asked:
                    self._throw = throw
                    return
        raise error

    def _end(self) -> None:
        if not self._is_thrown:
            with self._lock:
                self._throw = None


def _throw_outside_of_logging(thread_id: int, error: type[BaseException]) -> bool:
    """Raise an error in another thread, unless that is in the midst of logging; say whether that was done."""
    if _is_logging(thread_id):
        return False
    _throw(thread_id, error)
    if _is_logging(thread_id):  # it went there meanwhile, and may wait for a lock
        _throw(thread_id, None)
        return False
    return True


def _is_logging(thread_id: int) -> bool:
    return is_logging(sys._current_frames().get(thread_id))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - documented


def _throw(thread_id: int, error: type[BaseException] | None) -> None:
    """Raise an error in another thread, at the next line of Python that it executes; without one, take it back."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), None if error is None else ctypes.py_object(error)
    )
