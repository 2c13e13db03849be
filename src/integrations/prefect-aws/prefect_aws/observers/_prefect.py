"""The Prefect API, as handlers use it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


class TaskNotReady(Exception):
    """It is too early to say what an event means; the event is to be handled again."""


class _Shared:
    """One client for all handlers of a run, opened when first needed."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._stack = contextlib.AsyncExitStack()
        self._client: PrefectClient | None = None

    async def get(self) -> PrefectClient:
        async with self._lock:
            if self._client is None:
                self._client = await self._stack.enter_async_context(_opened())
        return self._client

    async def close(self) -> None:
        await self._stack.aclose()


_shared: ContextVar[_Shared | None] = ContextVar("prefect_aws_observer_client", default=None)


@contextlib.asynccontextmanager
async def shared_client() -> AsyncGenerator[None, None]:
    """Let handlers in this context share a client, which is nobody else's: a worker's heartbeats do not wait for it."""
    shared = _Shared()
    token = _shared.set(shared)
    try:
        yield
    finally:
        _shared.reset(token)
        await shared.close()


@contextlib.asynccontextmanager
async def prefect_client() -> AsyncGenerator[PrefectClient, None]:
    """Give a handler its client: the shared one, or one for this time.

    Raises:
        ConnectionError: If the API cannot be reached.
    """
    shared = _shared.get()
    if shared is not None:
        yield await shared.get()
        return
    async with _opened() as client:
        yield client


@contextlib.asynccontextmanager
async def _opened() -> AsyncGenerator[PrefectClient, None]:
    from prefect.client.orchestration import get_client

    async with contextlib.AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(get_client())
        except RuntimeError as exc:  # how the client says that the API does not answer
            raise ConnectionError(str(exc)) from exc
        yield client
