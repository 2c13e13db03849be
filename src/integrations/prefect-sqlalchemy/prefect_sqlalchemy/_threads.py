"""Context managers that block, for coroutines."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from prefect_integration_kit.dispatch import run_stoppable


@asynccontextmanager
async def in_threads(manager: Any) -> AsyncGenerator[Any, None]:
    """Enter and leave a context manager in worker threads.

    Args:
        manager: It may block.
    """
    entered: list[Any] = []

    async def leave(exc: BaseException | None) -> None:
        details = (None, None, None) if exc is None else (type(exc), exc, exc.__traceback__)
        await run_stoppable(lambda _: manager.__exit__(*details))

    try:
        await run_stoppable(lambda _: entered.append(manager.__enter__()))
        yield entered[0]
    except BaseException as exc:
        if entered:
            await leave(exc)
        raise
    await leave(None)
