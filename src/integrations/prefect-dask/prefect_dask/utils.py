"""Dask clients for tasks and flows that work with Dask collections."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prefect.context import FlowRunContext

from ._slots import current_worker, slot_released

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["get_async_dask_client", "get_dask_client"]


def _options(timeout: float | str | timedelta | None, given: dict[str, Any], *, asynchronous: bool) -> dict[str, Any]:
    """Where to connect, and how: to the cluster that the caller runs on, or whose task runner its flow has."""
    from .task_runners import DaskTaskRunner

    found: dict[str, Any] = {}
    context = FlowRunContext.get()
    runner = context.task_runner if context is not None else None
    worker = current_worker()
    if isinstance(runner, DaskTaskRunner):
        found.update(runner.client_kwargs)
    if worker is not None:
        # A worker keeps whatever client it finds, for all tasks. It must have one that stays before it can find ours.
        worker._get_client()  # noqa: SLF001 - `get_client`, for a worker that is known
        found.update(address=worker.scheduler.address, security=worker.security, set_as_default=False)
    elif isinstance(runner, DaskTaskRunner):
        running: Any = runner.client
        found.update(address=running.scheduler.address, security=running.security)
    found.update(given, asynchronous=asynchronous)
    if timeout is not None:
        found["timeout"] = timeout
    return found


@contextmanager
def get_dask_client(
    timeout: float | str | timedelta | None = None, **client_kwargs: Any
) -> Generator[Client, None, None]:
    """Yield a Dask client of the cluster that the flow's task runner uses, for work on Dask collections.

    Without it a task computes a collection by itself, in its own worker. While the client is in use, the task gives the
    worker's slot to others, so that a worker with one thread can compute for its own task. Resolve all futures before
    the block ends: `client.compute(collection, sync=True)` or `.result()`.

    Outside of flows and tasks it connects to what `client_kwargs` say, or to a new local cluster.

    Args:
        timeout: Seconds, or text such as `"120s"`, to wait for the connection; the configuration value
            `distributed.comm.timeouts.connect` by default.
        client_kwargs: Keyword arguments of `distributed.Client`; they go before those of the task runner.

    Yields:
        The client, which is closed at the end of the block.

    Example:
        ```python
        import dask
        from prefect import flow, task
        from prefect_dask import DaskTaskRunner, get_dask_client


        @task
        def summarize():
            with get_dask_client(timeout="120s") as client:
                frame = dask.datasets.timeseries("2000", "2001", partition_freq="4w")
                return client.compute(frame.describe()).result()


        @flow(task_runner=DaskTaskRunner())
        def dask_flow():
            return summarize.submit().result()
        ```
    """
    from distributed import Client

    options = _options(timeout, client_kwargs, asynchronous=False)
    with slot_released(), Client(**options) as client, client.as_current():
        yield client


@asynccontextmanager
async def get_async_dask_client(
    timeout: float | str | timedelta | None = None, **client_kwargs: Any
) -> AsyncGenerator[Client, None]:
    """Yield an asynchronous Dask client of the cluster that the flow's task runner uses.

    As `get_dask_client`, for async tasks and flows. Await what the client returns before the block ends.

    Args:
        timeout: Seconds, or text such as `"120s"`, to wait for the connection; the configuration value
            `distributed.comm.timeouts.connect` by default.
        client_kwargs: Keyword arguments of `distributed.Client`; they go before those of the task runner.

    Yields:
        The client, which is closed at the end of the block.

    Example:
        ```python
        import dask
        from prefect import flow, task
        from prefect_dask import DaskTaskRunner, get_async_dask_client


        @task
        async def summarize():
            async with get_async_dask_client(timeout="120s") as client:
                frame = dask.datasets.timeseries("2000", "2001", partition_freq="4w")
                return await client.compute(frame.describe())


        @flow(task_runner=DaskTaskRunner())
        async def dask_flow():
            return summarize.submit().result()
        ```
    """
    from distributed import Client

    options = _options(timeout, client_kwargs, asynchronous=True)
    with slot_released():
        async with Client(**options) as client:
            with client.as_current():
                yield client
