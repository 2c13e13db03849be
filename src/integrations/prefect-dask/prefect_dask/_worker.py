"""What happens on a worker: a task run is unpacked and run, once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from signal import SIGTERM
from typing import TYPE_CHECKING, Any
from uuid import UUID

import cloudpickle
from prefect.exceptions import TerminationSignal

from prefect_integration_kit.task_run_environments import drain
from prefect_integration_kit.task_run_environments import run_order as run_packed

from ._ledger import Ledger
from ._slots import current_worker
from ._time_limits import limit_task, throw

if TYPE_CHECKING:
    from prefect_integration_kit.task_run_orders import Order


class Stopped(TerminationSignal):
    """Ends a task run whose flow run has ended."""

    def __init__(self) -> None:
        super().__init__(signal=SIGTERM)


def run_order(order: bytes, *received: Any) -> Any:
    """Run a task run; Dask calls this.

    Args:
        order: A pickled `Order`.
        received: Parcels, then results of other work.

    Returns:
        The final state; the task's result where the order says so.
    """
    wanted: Order = cloudpickle.loads(order)
    worker = current_worker()
    ledger = None if worker is None else Ledger(worker, wanted.ledger, wanted.task_run_id)
    if ledger is not None and (outcome := ledger.read()) is not None:
        return outcome.returned()
    with _Running(wanted.task_run_id):
        outcome = run_packed(
            wanted,
            received,
            prepare=limit_task,
            run_async=lambda run: asyncio.run(_run_async(wanted.task_run_id, run)),
        )
    if ledger is not None:
        ledger.write(outcome, wanted.return_type)
    return outcome


async def _run_async(task_run_id: UUID, run: Coroutine[Any, Any, Any]) -> Any:
    current, loop = asyncio.current_task(), asyncio.get_running_loop()
    if current is not None:
        _running[task_run_id] = lambda: loop.call_soon_threadsafe(current.cancel)
    return await run


# What can be stopped

_running: dict[UUID, Callable[[], object]] = {}


class _Running:
    """Makes a task run known, so that it can be stopped."""

    def __init__(self, task_run_id: UUID) -> None:
        self._task_run_id = task_run_id

    def __enter__(self) -> None:
        thread_id = threading.get_ident()
        _running[self._task_run_id] = lambda: throw(thread_id, Stopped)

    def __exit__(self, *_: object) -> None:
        _running.pop(self._task_run_id, None)


def stop_runs(task_run_ids: list[UUID]) -> list[UUID]:
    """Stop task runs of this process, at their next line of Python.

    Args:
        task_run_ids: Those that shall not go on; others than these may run.

    Returns:
        Those that were running here.
    """
    found = [each for each in task_run_ids if each in _running]
    for each in found:
        _running[each]()
    return found


async def flush(client_pid: int, timeout_seconds: float) -> None:
    """Send what this process has logged, and the states of its task runs, to the Prefect API.

    Args:
        client_pid: A worker that lives in the process of the flow leaves it to that.
        timeout_seconds: How long it may take.
    """
    if os.getpid() != client_pid:
        await asyncio.to_thread(drain, timeout_seconds)
