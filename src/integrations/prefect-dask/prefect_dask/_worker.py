"""What happens on a worker: a task run is unpacked and run, once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from signal import SIGTERM
from typing import TYPE_CHECKING, Any
from uuid import UUID

import cloudpickle
from prefect.context import TaskRunContext
from prefect.exceptions import TerminationSignal

from prefect_integration_kit.task_run_environments import drain
from prefect_integration_kit.task_run_environments import run_order as run_packed
from prefect_integration_kit.task_run_stops import around_function

from ._ledger import Ledger
from ._slots import current_worker
from ._stops import Stop
from ._time_limits import limit_task

if TYPE_CHECKING:
    from prefect import Task

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
    with _stoppable(wanted.task_run_id):
        outcome = run_packed(wanted, received, prepare=_prepare)
    if ledger is not None:
        ledger.write(outcome, wanted.return_type)
    return outcome


def _prepare(task: Task[..., Any]) -> None:
    limit_task(task)
    around_function(task, _let_in_coroutine if task.isasync else _let_in)


# What can be stopped

_running: dict[UUID, Stop] = {}


@contextmanager
def _stoppable(task_run_id: UUID) -> Generator[None, None, None]:
    """Make a task run known, so that it can be stopped."""
    _running[task_run_id] = Stop(Stopped)
    try:
        yield
    finally:
        _running.pop(task_run_id, None)


# A task that submits itself pickles these, too, by name.


def _let_in() -> AbstractContextManager[None]:
    stop = _stop_here()
    return nullcontext() if stop is None else stop.let_in()


def _let_in_coroutine() -> AbstractContextManager[None]:
    stop = _stop_here()
    return nullcontext() if stop is None else stop.let_in_coroutine()


def _stop_here() -> Stop | None:
    context = TaskRunContext.get()
    return None if context is None else _running.get(context.task_run.id)


def stop_runs(task_run_ids: list[UUID]) -> list[UUID]:
    """Stop task runs of this process, at the next line of Python or `await` of the function of their task.

    Args:
        task_run_ids: Those that shall not go on; others than these may run.

    Returns:
        Those that were running here.
    """
    found = {each: stop for each in task_run_ids if (stop := _running.get(each)) is not None}
    for each in found.values():
        each.ask()
    return list(found)


async def flush(client_pid: int, timeout_seconds: float) -> None:
    """Send what this process has logged, and the states of its task runs, to the Prefect API.

    Args:
        client_pid: A worker that lives in the process of the flow leaves it to that.
        timeout_seconds: How long it may take.
    """
    if os.getpid() != client_pid:
        await asyncio.to_thread(drain, timeout_seconds)
