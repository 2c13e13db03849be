"""How tasks and statements go: what a test sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class TaskPlay:
    """How an attempt of a task goes."""

    seconds: float | None = 0.0
    """How long it runs by the server's clock; `None`: until it is cancelled."""

    pending_seconds: float = 0.0
    """How long it waits for its cluster."""

    result: str = "SUCCESS"
    """`SUCCESS`, `FAILED`, `TIMEDOUT`, `CANCELED`, `SKIPPED`, or `INTERNAL_ERROR`."""

    message: str = ""
    """What the state says; by default what Databricks says."""

    code: str = ""
    """The code of the termination (API 2.2), such as `DRIVER_ERROR`; by default it follows from the result."""

    output: str = ""
    """What a notebook exits with."""

    logs: str = ""
    """What a script prints."""

    error: str = ""
    """The error, if it fails."""

    error_trace: str = ""
    """Its trace."""

    is_truncated: bool = False
    """Whether the output was too long."""

    command: tuple[str, ...] = ()
    """A program to run instead: its exit code is the result, what it prints the logs, its standard error the trace."""


@dataclass
class StatementPlay:
    """How a statement goes."""

    seconds: float | None = 0.0
    """How long it runs by the server's clock; `None`: until it is cancelled."""

    pending_seconds: float = 0.0
    """How long it waits for the warehouse to start."""

    error: str = ""
    """What fails; nothing is executed then."""

    error_code: str = "BAD_REQUEST"
    """The code of that error."""

    is_truncated: bool = False
    """Whether the result says that rows are missing."""


def task_kind(spec: dict[str, Any]) -> str:
    """Give the field that says what a task does, such as `notebook_task`; empty if there is none."""
    return next((name for name in spec if name.endswith("_task")), "")
