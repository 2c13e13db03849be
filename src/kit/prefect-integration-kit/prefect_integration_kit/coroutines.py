"""Coroutines that sync callers may run, too, and that tidy up when their caller is interrupted or cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Generic, TypeVar

import anyio

R = TypeVar("R")

_WAIT_SECONDS = 0.1
_TIDY_SECONDS = 60.0
"""How long an interrupted caller waits until the coroutine has tidied up."""


def run_to_end(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine from sync code, in a thread of its own, and cancel it when the caller is interrupted.

    An exception that is thrown into the calling thread meanwhile, such as that of Ctrl+C, of SIGTERM or of a time-out,
    is raised when the coroutine has ended.
    """
    work = _Work(coroutine)
    context = copy_context()
    thread = threading.Thread(target=lambda: context.run(work.run), name="prefect-integration-call", daemon=True)
    try:
        thread.start()
        # In short waits: what Prefect throws into a thread, as a task's time-out, arrives between them only.
        while not work.ended.wait(_WAIT_SECONDS):
            pass
    except BaseException:
        work.cancel()
        # A thread that was not started will tidy up nothing.
        work.ended.wait(_WAIT_SECONDS if thread.ident is None else _TIDY_SECONDS)
        raise
    return work.result()


def settled(answer: Any) -> Any:
    """Wait, from sync code, for an answer that may be awaitable, as that of a client of somebody else's.

    Args:
        answer: The answer, or what it is awaited by.
    """

    async def wait() -> Any:
        return await answer

    return run_to_end(wait()) if inspect.isawaitable(answer) else answer


class _Work(Generic[R]):
    """A coroutine that runs in another thread."""

    def __init__(self, coroutine: Coroutine[Any, Any, R]) -> None:
        self.ended = threading.Event()
        self._coroutine = coroutine
        self._outcome: Callable[[], R] | None = None
        self._lock = threading.Lock()
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._is_cancelled = False

    def run(self) -> None:
        try:
            value = asyncio.run(self._watched())
        except BaseException as exc:  # noqa: BLE001 - raised where the result is wanted
            error = exc

            def fail() -> R:
                raise error

            self._outcome = fail
        else:
            self._outcome = lambda: value
        finally:
            self.ended.set()

    async def _watched(self) -> R:
        with self._lock:
            task = asyncio.current_task()
            self._task = None if task is None else (asyncio.get_running_loop(), task)
            if self._is_cancelled:
                self._coroutine.close()
                raise asyncio.CancelledError
        return await self._coroutine

    def cancel(self) -> None:
        with self._lock:
            self._is_cancelled = True
            if self._task is not None:
                loop, task = self._task
                with contextlib.suppress(RuntimeError):  # its loop has ended
                    loop.call_soon_threadsafe(task.cancel)

    def result(self) -> R:
        if self._outcome is None:
            raise RuntimeError("The call has not ended.")
        return self._outcome()


async def known_before_cancel(work: Coroutine[Any, Any, R], undo: Callable[[R], Coroutine[Any, Any, Any]]) -> R:
    """Await a request that makes something; when the caller is cancelled meanwhile, see it made, and undo it.

    Args:
        work: The request. It is not cancelled itself.
        undo: Takes back what it made. It must not raise.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            while not task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                await undo(task.result())
        raise
    return task.result()
