"""The worker's slot that a task run holds, given away while the task waits for other work."""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_in_slot_thread: ContextVar[Callable[[Callable[[], Any]], Any] | None] = ContextVar("in_slot_thread", default=None)
"""Runs a function in the thread that holds the slot, where the task's function runs in another one."""


def current_worker() -> Any | None:
    """The Dask worker that runs the calling task; `None` outside of one."""
    module = sys.modules.get("distributed.worker")
    if module is None:
        return None  # then no worker can be in this process
    if "_worker_cvar" not in vars(module):
        # Outside of a task, `get_worker` of older releases returns any worker of this process.
        return getattr(vars(module)["thread_state"], "execution_state", {}).get("worker")
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


@contextmanager
def slot_thread(call: Callable[[Callable[[], Any]], Any]) -> Generator[None, None, None]:
    """Say how code that runs in another thread reaches the one that holds the slot."""
    token = _in_slot_thread.set(call)
    try:
        yield
    finally:
        _in_slot_thread.reset(token)


def _leave() -> bool:
    from distributed import secede
    from distributed.threadpoolexecutor import thread_state

    if not hasattr(thread_state, "executor") or not getattr(thread_state, "proceed", False):
        return False  # not a thread of the worker's pool, or one that has left it already
    secede()
    return True


def _return() -> None:
    from distributed import rejoin
    from distributed.threadpoolexecutor import thread_state

    rejoin()
    thread_state.proceed = True


def _call(function: Callable[[], Any]) -> Any:
    return function()


@contextmanager
def slot_released() -> Generator[None, None, None]:
    """Let the worker run something else while the caller waits: a worker with one thread would wait for itself."""
    if current_worker() is None:
        yield
        return
    call = _in_slot_thread.get() or _call
    has_left = call(_leave)
    try:
        yield
    finally:
        if has_left:
            call(_return)


def leave_slot() -> None:
    """Let the worker run something else until the caller's task ends: nobody will say when its wait is over."""
    if current_worker() is not None:
        (_in_slot_thread.get() or _call)(_leave)
