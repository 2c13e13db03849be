"""The error that an invocation of dbt ended with."""

from __future__ import annotations

import sys
from typing import Any

from prefect_integration_kit.sdk_errors import combined, standing_for

from .._dbt import ExceptionInfo, Outcome
from ..errors import DbtCancelled, DbtError, DbtInvocationFailed, DbtProcessDied, DbtProfileError, error_of
from ._failures import is_failure, run_failed

_INTERRUPTIONS = frozenset({"KeyboardInterrupt", "SystemExit"})


def error_from(outcome: Outcome, command: str) -> DbtError | None:
    """Make the error of an outcome, by dbt's word on the whole alone; `None` if dbt says that all went well.

    It is also of the class of what dbt raised, which is its `__cause__`. A profile that cannot be read has no cause:
    dbt quotes the lines of the file, which may hold a password.

    Args:
        outcome: How dbt ended.
        command: The command, if the outcome does not know it.
    """
    if outcome.success:
        return None
    command, raised = outcome.command or command, outcome.exception
    if outcome.interrupted or (raised is not None and raised.class_name in _INTERRUPTIONS):
        return DbtCancelled(f"dbt {command} was cancelled before it ended.")
    if raised is not None:
        if raised.class_name == DbtProcessDied.__name__:
            return DbtProcessDied(raised.message)
        return _standing_for(raised, error_of(raised.class_name, raised.message, command=command))
    if any(is_failure(node.status) for node in outcome.nodes):
        return run_failed(command, outcome.nodes)
    return DbtInvocationFailed(f"dbt {command} failed and named no node that did; its log says why.")


def _standing_for(raised: ExceptionInfo, error: DbtError) -> DbtError:
    """Give an error the class of what dbt raised, which code may catch that called dbt by itself before."""
    if isinstance(error, DbtProfileError):
        kind = _loaded_class(raised)
        return error if kind is None else combined(type(error), kind)(str(error))
    cause = raised.load()
    if _is_dbts(type(cause)):
        error = standing_for(type(error), cause, str(error), subject=error.subject)
        if "msg" in vars(cause):
            vars(error)["msg"] = raised.message  # without what must not be shown
    error.__cause__ = cause
    return error


def _loaded_class(raised: ExceptionInfo) -> type[BaseException] | None:
    """The class, if code of this process may know it."""
    found: Any = sys.modules.get(raised.module)
    for name in raised.class_name.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) and _is_dbts(found) else None


def _is_dbts(kind: type[BaseException]) -> bool:
    """Whether code that catches a class can mean dbt by it: not one of Python's own, nor one of ours."""
    return kind.__module__ != "builtins" and not issubclass(kind, DbtError)
