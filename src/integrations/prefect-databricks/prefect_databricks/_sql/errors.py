"""How statements end that do not end well, as Python exceptions.

DatabricksError
└── DatabricksStatementError            a statement, with its id and state
    ├── DatabricksStatementCancelled    somebody, or the warehouse, cancelled it
    └── DatabricksStatementTimedOut     it did not end in time (TimeoutError)
"""

from __future__ import annotations

from ..errors import DatabricksError

_PUBLISHED = "prefect_databricks.sql"
"""Where users, and errors that were pickled, look for them."""


class DatabricksStatementError(DatabricksError):
    """A statement failed, or its result is not to be had.

    Attributes:
        statement_id: ID of the statement; `None` where it is not known.
        sql_state: SQLSTATE of the failure, where Databricks gives one.
    """

    __module__ = _PUBLISHED

    statement_id: str | None = None
    sql_state: str | None = None


class DatabricksStatementCancelled(DatabricksStatementError):
    """A statement was cancelled by somebody else."""

    __module__ = _PUBLISHED


class DatabricksStatementTimedOut(DatabricksStatementError, TimeoutError):
    """A statement did not end in time; the message says what became of it."""

    __module__ = _PUBLISHED
