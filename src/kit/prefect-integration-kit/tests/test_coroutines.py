"""Coroutines that sync callers run, and that tidy up."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import threading
from contextvars import ContextVar

import pytest

from prefect_integration_kit.coroutines import known_before_cancel, run_to_end, settled

_who: ContextVar[str] = ContextVar("who", default="nobody")


class _Interrupted(BaseException):
    pass


def test_a_sync_caller_gets_the_result_and_its_context_is_seen() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return _who.get()

    token = _who.set("me")
    try:
        assert run_to_end(work()) == "me"
    finally:
        _who.reset(token)


def test_a_sync_caller_gets_the_error() -> None:
    async def work() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_to_end(work())


async def test_an_answer_is_settled_whether_it_must_be_awaited_or_not() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "later"

    assert settled("now") == "now"
    assert settled(work()) == "later"


async def test_it_runs_beside_a_loop() -> None:
    async def work() -> int:
        return 1

    assert run_to_end(work()) == 1


def test_what_is_thrown_into_the_caller_cancels_the_work_and_waits_until_it_has_tidied_up() -> None:
    begun, tidied, seen = threading.Event(), threading.Event(), list[BaseException]()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            tidied.set()

    def call() -> None:
        try:
            run_to_end(work())
        except BaseException as exc:
            seen.append(exc)
            assert tidied.is_set()

    thread = threading.Thread(target=call)
    thread.start()
    assert begun.wait(10)
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Interrupted))
    thread.join(10)
    assert [type(exc) for exc in seen] == [_Interrupted]
    assert tidied.is_set()


async def test_what_was_made_is_undone_when_the_caller_was_cancelled() -> None:
    begun, go, undone = asyncio.Event(), asyncio.Event(), list[int]()

    async def make() -> int:
        begun.set()
        await go.wait()
        return 7

    async def undo(made: int) -> None:
        undone.append(made)

    work = asyncio.ensure_future(known_before_cancel(make(), undo))
    await begun.wait()
    for _ in range(2):  # the second must not leave it behind either
        work.cancel()
        await asyncio.sleep(0)
    assert not work.done()
    go.set()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    assert work.cancelled()
    assert undone == [7]


async def test_nothing_is_undone_when_nothing_was_made_or_nobody_cancelled() -> None:
    undone = list[int]()

    async def make(fails: bool) -> int:
        await asyncio.sleep(0)
        if fails:
            raise LookupError("no")
        return 7

    async def undo(made: int) -> None:
        undone.append(made)

    assert await known_before_cancel(make(False), undo) == 7
    work = asyncio.ensure_future(known_before_cancel(make(True), undo))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert undone == []
