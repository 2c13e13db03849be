"""Statements on a connection, whoever opened it: bodies that the synchronous and the asynchronous connector share.

An asynchronous connection runs them by `run_sync`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import exc as sa
from sqlalchemy import text
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

from prefect_integration_kit.garbage import many_objects
from prefect_integration_kit.sdk_errors import combined
from prefect_integration_kit.sql import whole_number

from .errors import DatabaseArgumentInvalid, DatabaseStatementFailed

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult, Row

CHUNK = 1000
"""Rows that are read or written at a time when the caller does not say."""

# With these, drivers hold a whole result in memory once the statement was executed, unless they stream.
_BUFFERING = frozenset({"postgresql", "mysql", "mariadb"})
# Here a read that is under way keeps others from writing.
_LOCKING = frozenset({"sqlite", "duckdb"})


@dataclass(frozen=True)
class Choices:
    """What a caller chose beside the statement.

    Attributes:
        commits: Whether the statement is committed.
        streams: Whether its rows are to be streamed by a cursor of the server.
        options: What is left for `Connection.execution_options`.
    """

    commits: bool
    streams: bool
    options: dict[str, Any]


def choices_of(execution_options: Mapping[str, Any]) -> Choices:
    """Take apart the execution options of a method.

    Args:
        execution_options: What the method was given as keywords.

    Raises:
        DatabaseArgumentInvalid: If `yield_per` is no positive number.
    """
    options = dict(execution_options)
    autocommit = options.pop("autocommit", True)
    if "yield_per" in options:
        chunk = positive(options.pop("yield_per"), "yield_per")
        options.update(stream_results=True, max_row_buffer=chunk)
    return Choices(autocommit is not False, bool(options.get("stream_results")), options)


def positive(value: Any, name: str) -> int:
    """Check a number of rows.

    Args:
        value: What the caller gave.
        name: The argument's name.

    Raises:
        DatabaseArgumentInvalid: If it is no positive whole number.
    """
    rows = whole_number(value)
    if rows is None or rows < 1:
        raise DatabaseArgumentInvalid(f"{name} is {value!r}; it must be a whole number of rows, at least 1.")
    return rows


def checked(operation: Any, parameters: Any) -> None:
    """Refuse what is no statement, or no set of values.

    Args:
        operation: What the caller gave as statement.
        parameters: What the caller gave as values.

    Raises:
        DatabaseArgumentInvalid: With what was expected.
    """
    if not isinstance(operation, str) or not operation.strip():
        raise DatabaseArgumentInvalid(f"operation is {_kind(operation)}; give a statement of SQL as text.")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise DatabaseArgumentInvalid(
            f"parameters is {_kind(cast('object', parameters))}; give a dictionary of values for :name placeholders."
        )


def checked_many(operation: Any, seq_of_parameters: Any) -> list[dict[str, Any]]:
    """Refuse what is no statement, or no sequence of sets of values.

    Args:
        operation: What the caller gave as statement.
        seq_of_parameters: What the caller gave as values.

    Raises:
        DatabaseArgumentInvalid: With what was expected, and at which row.
    """
    checked(operation, None)
    if isinstance(seq_of_parameters, str | bytes | Mapping) or not isinstance(seq_of_parameters, Sequence):
        raise DatabaseArgumentInvalid(
            f"seq_of_parameters is {_kind(cast('object', seq_of_parameters))}; give a list of dictionaries."
        )
    rows = cast("Sequence[Any]", seq_of_parameters)
    if not rows:
        raise DatabaseArgumentInvalid("seq_of_parameters is empty; give at least one dictionary of values.")
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DatabaseArgumentInvalid(f"Row {index} of seq_of_parameters is {_kind(row)}; it must be a dictionary.")
    return list(rows)


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "empty" if not value.strip() else "text"
    return "None" if value is None else f"a {type(value).__name__}"


def executed(connection: Connection, operation: str, parameters: Mapping[str, Any] | None) -> CursorResult[Any]:
    """Execute a statement for its effect; rows that it gives are in memory afterwards.

    Args:
        connection: Where.
        operation: The statement.
        parameters: Its values.
    """
    result = connection.execute(text(operation), dict(parameters or {}))
    if result.returns_rows and not isinstance(result.cursor_strategy, FullyBufferedCursorFetchStrategy):
        # They outlive the connection, and a statement that gives rows can be committed only when they were read.
        cursor: Any = result.cursor
        result.cursor_strategy = FullyBufferedCursorFetchStrategy(cursor, initial_buffer=cursor.fetchall())
    return result


def executed_many(connection: Connection, operation: str, rows: list[dict[str, Any]]) -> CursorResult[Any]:
    """Execute a statement once for each set of values.

    Args:
        connection: Where.
        operation: The statement.
        rows: The values.
    """
    return connection.execute(text(operation), rows)


def opened(connection: Connection, operation: str, parameters: Mapping[str, Any] | None) -> CursorResult[Any]:
    """Execute a statement for its rows.

    Args:
        connection: Where.
        operation: The statement.
        parameters: Its values.

    Raises:
        DatabaseStatementFailed: If it is not one that gives rows.
    """
    result = connection.execute(text(operation), dict(parameters or {}))
    if not result.returns_rows:
        error = combined(DatabaseStatementFailed, sa.ResourceClosedError)  # what SQLAlchemy says when rows are fetched
        raise error(
            f"The statement gives no rows, and was rolled back: use execute for it. Statement: {operation[:200]}"
        )
    return result


def all_rows(connection: Connection, operation: str, parameters: Mapping[str, Any] | None) -> list[Row[Any]]:
    """Execute a statement and read all its rows.

    Args:
        connection: Where.
        operation: The statement.
        parameters: Its values.
    """
    result = opened(connection, operation, parameters)
    with many_objects():
        return cast("list[Row[Any]]", result.fetchall())


def buffers(connection: Connection) -> bool:
    """Whether a driver has the rows in memory once the statement was executed, so that it can be committed then.

    Args:
        connection: Where.
    """
    return connection.dialect.name in _BUFFERING


def reads_lock(dialect_name: str) -> bool:
    """Whether an open read keeps others from writing.

    Args:
        dialect_name: Such as `sqlite`.
    """
    return dialect_name in _LOCKING


def begin(connection: Connection) -> Any:
    """Begin a transaction that is one in SQLite, too, where Python's module begins only before it changes data.

    Without it, a savepoint that comes first is committed by its own release, and a table that is created stays.

    Args:
        connection: Where.
    """
    transaction = connection.begin()
    if connection.dialect.name == "sqlite" and not connection.get_execution_options().get("isolation_level"):
        connection.exec_driver_sql("BEGIN")
    return transaction
