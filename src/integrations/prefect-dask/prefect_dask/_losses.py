"""What became of a task run that Dask lost, in words."""

from __future__ import annotations

from uuid import UUID

from .errors import DaskResultLost, DaskTaskRunLost


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
    if kind == "Stopped":
        return "It was stopped, as what runs is when its flow run ends."
    if "scheduler-connection-lost" in str(exc) or "lost the connection to the scheduler" in str(exc):
        return f"The connection to the Dask scheduler at {scheduler} was lost."
    if kind in ("CancelledError", "FutureCancelledError", "FuturesCancelledError"):
        reason = _line(exc)
        if " " not in reason:  # older versions of Dask say its key alone
            return (
                f"Dask cancelled it: the connection to the Dask scheduler at {scheduler} was lost, its client or its "
                "cluster was closed, or scattered data that it needs were lost with a worker."
            )
        return f"Dask cancelled it: {reason}. It also does so when scattered data that it needs are lost with a worker."
    return f"Dask could not run it: {kind}: {_line(exc)}"


def _line(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:1000].rstrip(".")


def lost_error(task_run_id: UUID, name: str, exc: BaseException, scheduler: str) -> BaseException:
    """Make the error that a lost task run raises.

    Args:
        task_run_id: The run.
        name: Name of its task.
        exc: What Dask raised for its future.
        scheduler: Address of the scheduler.
    """
    if isinstance(exc, DaskResultLost):
        return exc
    error = DaskTaskRunLost(f"Task run '{task_run_id}' of task {name!r} was lost. {why(exc, scheduler)}")
    error.__cause__ = exc
    return error
