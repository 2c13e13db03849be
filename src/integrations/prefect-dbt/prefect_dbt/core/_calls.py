"""Calls that block, made from an event loop in such a way that cancelling the loop's side ends them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import anyio

__all__ = ["Interrupted", "call_in_thread", "close_in_thread", "run_to_end"]

T = TypeVar("T")

_LOOK_SECONDS = 0.2


class Interrupted(BaseException):
    """Thrown into a thread whose work is no longer wanted; no `Exception`, so that nothing takes it for a failure."""


class _Call(Generic[T]):
    """One call in a thread of its own, which an exception can be thrown into."""

    def __init__(self, fn: Callable[[], T], name: str) -> None:
        context = contextvars.copy_context()
        self._fn = lambda: context.run(fn)
        self._lock = threading.Lock()
        self._is_over = False
        self.done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.result: T | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            try:
                self.result = self._fn()
            except BaseException as exc:  # noqa: BLE001 - raised again by the caller
                self.error = exc
            with self._lock:
                self._is_over = True
        except Interrupted as exc:  # thrown in the moment in which the call ended
            self.error = self.error or exc
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self.done.set)

    def interrupt(self) -> None:
        """Raise `Interrupted` in the thread, at its next instruction."""
        with self._lock:
            if not self._is_over and self.thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.thread.ident), ctypes.py_object(Interrupted)
                )

    async def wait(self) -> None:
        while self.thread.is_alive() and not self.done.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.done.wait(), _LOOK_SECONDS)


async def call_in_thread(fn: Callable[[], T], *, name: str = "dbt") -> T:
    """Run a blocking function in a thread of its own; a cancellation is thrown into it, and waits until it has ended.

    Args:
        fn: The function. It runs in a copy of the caller's context.
        name: Name of the thread, for debuggers.
    """
    call = _Call(fn, name)
    call.thread.start()
    try:
        await call.wait()
    except asyncio.CancelledError:
        call.interrupt()
        with anyio.CancelScope(shield=True):
            while call.thread.is_alive():  # cancelled once more, it still must not leave the work behind
                with contextlib.suppress(asyncio.CancelledError):
                    await call.wait()
        raise
    if call.error is not None:
        raise call.error
    return call.result  # pyright: ignore[reportReturnType] - it is `T` where there was no error


async def close_in_thread(close: Callable[[], None]) -> None:
    """Run what cleans up, in a thread; a cancellation meanwhile comes through when it is done.

    Args:
        close: The function.
    """
    call = _Call(close, "dbt-close")
    call.thread.start()
    was_cancelled = False
    while call.thread.is_alive():
        try:
            await call.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:  # noqa: PERF203 - at most twice
            was_cancelled = True
    if call.error is not None:
        raise call.error
    if was_cancelled:
        raise asyncio.CancelledError


def run_to_end(body: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in an event loop and a thread of its own.

    An exception that is raised in the waiting thread meanwhile (a signal, a time-out) cancels the coroutine, and is
    raised on when that has ended.

    Args:
        body: Makes the coroutine.
    """
    context = contextvars.copy_context()
    over = threading.Event()
    started = threading.Event()
    outcome: dict[str, Any] = {}

    async def main() -> T:
        outcome["loop"], outcome["task"] = asyncio.get_running_loop(), asyncio.current_task()
        started.set()
        return await body()

    def run() -> None:
        try:
            outcome["result"] = context.run(asyncio.run, main())
        except BaseException as exc:  # noqa: BLE001 - raised again by the caller
            outcome["error"] = exc
        finally:
            started.set()
            over.set()

    thread = threading.Thread(target=run, name="dbt-orchestrator", daemon=True)
    thread.start()
    try:
        while not over.wait(_LOOK_SECONDS):  # short waits: exceptions thrown into this thread arrive between them
            pass
    except BaseException:
        started.wait()
        with contextlib.suppress(RuntimeError, KeyError):
            outcome["loop"].call_soon_threadsafe(outcome["task"].cancel)
        thread.join()
        raise
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
