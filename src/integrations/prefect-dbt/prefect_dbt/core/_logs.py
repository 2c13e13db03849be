"""dbt's log lines in the logs of Prefect's runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.logging.loggers import get_logger

from ._scope import RunScope

LEVELS: Mapping[str, int] = {
    "test": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.ERROR,
}
"""Python's levels by dbt's names; Prefect's names are there for its setting, dbt has none above `error`."""

# Control sequences of terminals, ECMA-48 section 5.4.
_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def plain(message: str) -> str:
    """Take colours out of a message."""
    return _COLOURS.sub("", message) if "\x1b" in message else message


def level_of(name: str) -> int:
    """Return Python's level for a level of dbt's; INFO for one that is not known."""
    return LEVELS.get(name.lower(), logging.INFO)


def dbt_level(level: int) -> str:
    """Name the lowest level of dbt's that is not less severe than a level of Python's."""
    if level <= logging.DEBUG:
        return "debug"
    if level <= logging.INFO:
        return "info"
    return "warn" if level <= logging.WARNING else "error"


def prefect_level() -> int:
    """Return the level that Prefect logs at, which `PREFECT_LOGGING_LEVEL` sets."""
    return get_logger().getEffectiveLevel()


class RunLogs:
    """Writes lines to the run that invokes dbt, or to the task run of a node, with dbt's own times.

    Only what Prefect's own level lets through is written.
    """

    def __init__(self, scope: RunScope) -> None:
        """Write for the run of `scope`."""
        logger, extra = scope.logger, {}
        if isinstance(logger, logging.LoggerAdapter):
            logger, extra = logger.logger, dict(logger.extra or {})
        self._run_logger: logging.Logger = logger
        self._run_extra: dict[str, Any] = extra
        self._task_logger = get_logger("task_runs")
        self._task_extra = {
            "flow_run_id": None if scope.flow_run_id is None else str(scope.flow_run_id),
            "flow_run_name": scope.flow_run_name,
            "flow_name": scope.flow_name,
        }

    def write(self, level: int, message: str, timestamp: float | None = None) -> None:
        """Write a line to the run that invokes dbt.

        Args:
            level: A level of the `logging` module.
            message: The line.
            timestamp: When it was said, in seconds since the epoch; now when not given.
        """
        _write(self._run_logger, level, message, timestamp, self._run_extra)

    def write_for(
        self, task_run_id: UUID, task_run_name: str, level: int, message: str, timestamp: float | None = None
    ) -> None:
        """Write a line to the task run of a node.

        Args:
            task_run_id: The task run.
            task_run_name: Its name, which stands in front of the line on the console.
            level: A level of the `logging` module.
            message: The line.
            timestamp: When it was said, in seconds since the epoch; now when not given.
        """
        names = {"task_run_id": str(task_run_id), "task_run_name": task_run_name, "task_name": task_run_name}
        _write(self._task_logger, level, message, timestamp, {**self._task_extra, **names})


def _write(logger: logging.Logger, level: int, message: str, timestamp: float | None, extra: Mapping[str, Any]) -> None:
    if not logger.isEnabledFor(level):
        return
    record = logger.makeRecord(logger.name, level, "(dbt)", 0, message, (), None, extra=dict(extra))
    if timestamp is not None:
        record.created = timestamp
        record.msecs = (timestamp % 1) * 1000
    logger.handle(record)
