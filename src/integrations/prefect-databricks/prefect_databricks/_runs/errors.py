"""How runs end that do not end well, as Python exceptions.

DatabricksError
└── DatabricksJobRunError           a run, with its id, page and failed tasks
    ├── DatabricksJobTerminated     it ended, and not with success
    ├── DatabricksJobSkipped        it was not run
    ├── DatabricksJobInternalError  Databricks could not run it, or a part of it
    └── DatabricksJobRunTimedOut    it did not end within the time that we wait (TimeoutError)
"""

from __future__ import annotations

from typing import Any

from ..errors import DatabricksError

_PUBLISHED = "prefect_databricks.flows"
"""Where users, and errors that were pickled, look for them."""


class DatabricksJobRunError(DatabricksError):
    """A run did not end well.

    Attributes:
        run_id: ID of the run; `None` where it is not known.
        run_url: The run's page in the workspace; `None` where it is not known.
        result_state: How the run ended, such as `FAILED`; `None` while it has not.
        failed_tasks: For each task that did not succeed `task_key`, `run_id`, `result_state`, `message`, and where
            Databricks has them, `error` and `error_trace`.
    """

    __module__ = _PUBLISHED

    run_id: int | None = None
    run_url: str | None = None
    result_state: str | None = None
    failed_tasks: tuple[dict[str, Any], ...] = ()


class DatabricksJobTerminated(DatabricksJobRunError):
    """A run ended, and not with success: it failed, was cancelled, or ran into a time-out of Databricks's own."""

    __module__ = _PUBLISHED


class DatabricksJobSkipped(DatabricksJobRunError):
    """A run was skipped, usually because too many of the job go on."""

    __module__ = _PUBLISHED


class DatabricksJobInternalError(DatabricksJobRunError):
    """Databricks reports an internal error for a run; also said of runs with several tasks of which one failed."""

    __module__ = _PUBLISHED


class DatabricksJobRunTimedOut(DatabricksJobRunError, TimeoutError):
    """A run did not end within `max_wait_seconds`; the message says what became of it."""

    __module__ = _PUBLISHED
