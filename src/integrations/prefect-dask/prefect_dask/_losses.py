"""What became of a task run that Dask lost, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_integration_kit.task_run_losses import crashed_state

from .errors import DaskResultLost, DaskTaskRunLost

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


def why(exc: BaseException, scheduler: str) -> str:
    """Say in one sentence what became of a task run, and what to do.

    Args:
        exc: What Dask raised for its future.
        scheduler: Address of the scheduler.
    """
    kind = type(exc).__name__
    if kind == "KilledWorker":
        return (
            f"The Dask worker that ran it died, as did those that tried again: {_line(exc)}. Look at the workers' "
            "logs; running out of memory is the most common cause."
        )
    if "scheduler-connection-lost" in str(exc) or "lost the connection to the scheduler" in str(exc):
        return f"The connection to the Dask scheduler at {scheduler} was lost."
    if kind in ("CancelledError", "FutureCancelledError", "FuturesCancelledError"):
        reason = _line(exc) or "its client or its cluster was closed"
        return f"Dask cancelled it: {reason}. It also does so when scattered data that it needs are lost with a worker."
    return f"Dask could not run it: {kind}: {_line(exc)}"


def _line(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:1000].rstrip(".")


def lost_state(task_run_id: UUID, name: str, exc: BaseException, scheduler: str) -> State[Any]:
    """Make the final state of a task run that Dask lost.

    Args:
        task_run_id: The run.
        name: Name of its task.
        exc: What Dask raised for its future.
        scheduler: Address of the scheduler.
    """
    error = (
        exc
        if isinstance(exc, DaskResultLost)
        else DaskTaskRunLost(f"Task run '{task_run_id}' of task {name!r} was lost. {why(exc, scheduler)}")
    )
    error.__cause__ = exc if error is not exc else error.__cause__
    return crashed_state(task_run_id, error)
