"""Requests that take their time, in threads that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

R = TypeVar("R")


async def in_own_thread(call: Callable[[], R], on_abandoned: Callable[[R], None]) -> R:
    """Run a blocking call in a daemon thread of its own.

    Whoever is cancelled does not wait for it, and neither does the end of the process.

    Args:
        call: What to do.
        on_abandoned: Gets the result, in a thread, if the caller was cancelled before it came.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[R] = loop.create_future()

    def settle(value: R) -> None:
        if future.cancelled():
            _start(on_abandoned, value)
        else:
            future.set_result(value)

    def fail(error: BaseException) -> None:
        if not future.cancelled():
            future.set_exception(error)

    def run() -> None:
        try:
            value = call()
        except BaseException as exc:  # noqa: BLE001 - it is raised where the result is awaited
            _post(loop, fail, exc)
            return
        if not _post(loop, settle, value):
            on_abandoned(value)

    _start(run)
    try:
        return await future
    except asyncio.CancelledError:
        if not future.cancelled() and future.exception() is None:  # cancelled between the answer and this turn
            _start(on_abandoned, future.result())
        raise


def _start(target: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=target, args=args, name="prefect-aws-observer-call", daemon=True).start()


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[[Any], None], value: Any) -> bool:
    try:
        loop.call_soon_threadsafe(callback, value)
    except RuntimeError:  # the loop is closed
        return False
    return True
