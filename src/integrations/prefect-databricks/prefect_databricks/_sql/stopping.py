"""Coroutines that end when somebody in another thread says so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from prefect_integration_kit.coroutines import run_to_end
from prefect_integration_kit.sql import FetchStopped

R = TypeVar("R")

_LOOK_SECONDS = 0.1


def run_until_stopped(work: Coroutine[Any, Any, R], stop: threading.Event) -> R:
    """Run a coroutine from sync code; when `stop` is set, cancel it and wait until it has tidied up.

    Args:
        work: What to run.
        stop: Set when nobody waits any more.

    Raises:
        FetchStopped: If it was stopped.
    """
    return run_to_end(_stoppable(work, stop))


async def _stoppable(work: Coroutine[Any, Any, R], stop: threading.Event) -> R:
    running = asyncio.ensure_future(work)
    try:
        while not running.done():
            await asyncio.wait([running], timeout=_LOOK_SECONDS)
            if stop.is_set() and not running.done():
                await _cancelled(running)
                raise FetchStopped
    except asyncio.CancelledError:
        await _cancelled(running)
        raise
    return running.result()


async def _cancelled(running: asyncio.Future[Any]) -> None:
    running.cancel()
    with contextlib.suppress(BaseException):
        await running
