"""Calls that block end when the one who waits for them is ended."""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

import pytest

from prefect_dbt.core._calls import Interrupted, call_in_thread, close_in_thread, run_to_end

asked: ContextVar[str] = ContextVar("asked", default="")


class Blocking:
    """A call that waits in short steps, as those of an executor do, and takes a while to end."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.ended_with: BaseException | None = None
        self.is_over = False

    def __call__(self) -> None:
        self.has_begun.set()
        try:
            never = threading.Event()
            while not never.wait(0.01):
                pass
        except BaseException as exc:
            self.ended_with = exc
            end = time.monotonic() + 0.3  # dbt, ending its queries
            while time.monotonic() < end:
                threading.Event().wait(0.01)
            raise
        finally:
            self.is_over = True


async def test_a_call_returns_or_raises_as_the_function_does() -> None:
    asked.set("here")
    assert await call_in_thread(asked.get) == "here"
    with pytest.raises(ZeroDivisionError):
        await call_in_thread(lambda: 1 / 0)


async def test_cancelling_ends_the_call_and_waits_until_it_has_ended() -> None:
    call = Blocking()
    task = asyncio.create_task(call_in_thread(call))
    await asyncio.to_thread(call.has_begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(call.ended_with, Interrupted)
    assert call.is_over


async def test_cancelling_twice_does_not_leave_the_call_behind() -> None:
    call = Blocking()
    task = asyncio.create_task(call_in_thread(call))
    await asyncio.to_thread(call.has_begun.wait)
    task.cancel()
    await asyncio.wait([task], timeout=0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.is_over


async def test_what_cleans_up_is_not_cut_short_by_a_cancellation() -> None:
    has_begun, may_end, is_done = threading.Event(), threading.Event(), threading.Event()

    def close() -> None:
        has_begun.set()
        may_end.wait(10)
        is_done.set()

    task = asyncio.create_task(close_in_thread(close))
    await asyncio.to_thread(has_begun.wait)
    for _ in range(2):
        task.cancel()
        await asyncio.wait([task], timeout=0.05)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_done.is_set()


async def test_a_time_out_of_the_loop_ends_the_call() -> None:
    call = Blocking()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(call_in_thread(call), 0.2)
    assert call.is_over


class Terminated(BaseException):
    """Stands for what a signal or a time-out of Prefect raises."""


def _throw_when(event: threading.Event, ident: int) -> None:
    event.wait()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Terminated))


def test_what_ends_the_waiting_thread_ends_the_work_first() -> None:
    call = Blocking()
    throw: Callable[[], None] = partial(_throw_when, call.has_begun, threading.get_ident())
    threading.Thread(target=throw, daemon=True).start()
    with pytest.raises(Terminated):
        run_to_end(partial(call_in_thread, call))
    assert isinstance(call.ended_with, Interrupted)
    assert call.is_over


def test_the_work_sees_the_context_of_the_caller() -> None:
    async def body() -> str:
        return asked.get()

    token = asked.set("there")
    try:
        assert run_to_end(body) == "there"
    finally:
        asked.reset(token)
