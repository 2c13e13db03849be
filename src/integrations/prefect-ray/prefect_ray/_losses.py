"""What became of a task run that Ray lost, in words."""

from __future__ import annotations

from uuid import UUID

from .errors import RayResultLost, RayTaskRunLost

_OBJECT_LOST = {"ObjectLostError", "ObjectReconstructionFailedError", "ReferenceCountingAssertionError"}
_NO_ROOM = {"OutOfDiskError", "ObjectStoreFullError"}


def why(exc: BaseException) -> str:
    """Say in one sentence what became of a task run, and what to do.

    Args:
        exc: What Ray raised for its object.
    """
    kinds = {each.__name__ for each in type(exc).__mro__} | {type(getattr(exc, "cause", None)).__name__}
    text = _line(exc)
    if "WorkerCrashedError" in kinds:
        return "The Ray worker that ran it died. Look at its log; running out of memory is the most common cause."
    if "OutOfMemoryError" in kinds:
        return f"Ray killed its worker, since memory ran out: {text}."
    if kinds & {"NodeDiedError", "OwnerDiedError"}:
        return f"The Ray node that it was on died: {text}."
    if kinds & _NO_ROOM:
        return f"Its Ray node has no room for its result, neither in memory nor on disk: {text}."
    if kinds & _OBJECT_LOST:
        return f"Its result was lost with the Ray node that held it: {text}."
    if "TaskCancelledError" in kinds:
        return "Ray cancelled it."
    if "failed to import on the worker" in text or "No module named 'prefect" in text:
        return (
            "The Ray worker cannot import 'prefect_ray'. Install it there in the version that the flow run has, or "
            f"name it in `init_kwargs={{'runtime_env': {{'pip': ['prefect-ray']}}}}`: {text}."
        )
    if isinstance(exc, ConnectionError) or "Connection" in type(exc).__name__ or "Failed to connect" in text:
        return f"The connection to the Ray cluster was lost: {text}."
    return f"Ray could not run it: {type(exc).__name__}: {text}"


def worker_died(exc: BaseException) -> bool:
    """Say whether the worker of the task run itself has died, rather than one of those that it waited for.

    Args:
        exc: What Ray raised for its object.
    """
    return type(exc).__name__ in ("WorkerCrashedError", "OutOfMemoryError", "NodeDiedError")


def lost_its_result(exc: BaseException) -> bool:
    """Say whether the task run has ended, and its result went with the node that held it.

    Args:
        exc: What Ray raised for its object.
    """
    kinds = {each.__name__ for each in type(exc).__mro__}
    return has_no_room(exc) or (bool(kinds & _OBJECT_LOST) and "OwnerDiedError" not in kinds)


def has_no_room(exc: BaseException) -> bool:
    """Say whether the task run has ended, and there was no room for its result.

    Args:
        exc: What Ray raised for its object.
    """
    return type(exc).__name__ in _NO_ROOM or type(getattr(exc, "cause", None)).__name__ in _NO_ROOM


def _line(exc: BaseException) -> str:
    return " ".join(str(exc).split())[-1000:].rstrip(".")


def lost_error(task_run_id: UUID, name: str, exc: BaseException) -> BaseException:
    """Make the error that a lost task run raises.

    Args:
        task_run_id: The run.
        name: Name of its task.
        exc: What Ray raised for its object.
    """
    cause = getattr(exc, "cause", None)
    for each in (exc, cause):
        if type(each) in (RayResultLost, RayTaskRunLost):
            return each  # pyright: ignore[reportReturnType]
    error = RayTaskRunLost(f"Task run '{task_run_id}' of task {name!r} was lost. {why(exc)}")
    error.__cause__ = exc
    return error


def orphan_error(task_run_id: UUID, name: str) -> RayTaskRunLost:
    """Make the error of a task run that a task has submitted, and that ended with the worker of that.

    Args:
        task_run_id: The run.
        name: Name of its task.
    """
    return RayTaskRunLost(
        f"Task run '{task_run_id}' of task {name!r} was lost. The Ray worker that ran it died, as it does when the one "
        "dies that has submitted the task run."
    )
