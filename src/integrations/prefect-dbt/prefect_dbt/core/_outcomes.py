"""The error that an invocation of dbt ended with."""

from __future__ import annotations

from .._dbt import Outcome
from ..errors import DbtCancelled, DbtError, DbtInvocationFailed, DbtProcessDied, DbtProfileError, error_of
from ._failures import is_failure, run_failed

_INTERRUPTIONS = frozenset({"KeyboardInterrupt", "SystemExit"})


def error_from(outcome: Outcome, command: str) -> DbtError | None:
    """Make the error of an outcome, by dbt's word on the whole alone; `None` if dbt says that all went well.

    Its `__cause__` is what dbt raised. A profile that cannot be read has none: dbt quotes the lines of the file, which
    may hold a password.

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
        error = error_of(raised.class_name, raised.message, command=command)
        if not isinstance(error, DbtProfileError):
            error.__cause__ = raised.load()
        return error
    if any(is_failure(node.status) for node in outcome.nodes):
        return run_failed(command, outcome.nodes)
    return DbtInvocationFailed(f"dbt {command} failed and named no node that did; its log says why.")
