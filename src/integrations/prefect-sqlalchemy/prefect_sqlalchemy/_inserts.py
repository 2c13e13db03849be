"""Many rows into one table: in chunks, in one transaction, and with the number of the row that was refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy
from sqlalchemy import exc as sa

from . import _frames
from ._answers import classify
from ._statements import positive
from .errors import DatabaseArgumentInvalid, DatabaseConstraintViolated, DatabaseStatementFailed

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.dml import Insert

    Refused = Callable[[Exception, int | None, str], Exception]

_MOST_TRIED = 100_000  # rows among which the one that was refused is looked for
_TRIED_AT_ONCE = 100
_UNKNOWN_TYPE = re.compile("can't adapt|cannot adapt|type .* is not supported|unsupported type", re.IGNORECASE)


class InsertPlan:
    """What `insert_many` does, apart from the connection.

    Args:
        table: Name of the table.
        rows: The rows: dictionaries, sequences in the order of `columns`, or a data frame.
        columns: Names of the columns.
        schema: The table's schema.
        chunk_size: How many rows are sent at a time.

    Raises:
        DatabaseArgumentInvalid: If they do not fit together.
    """

    def __init__(
        self, table: str, rows: Any, *, columns: Sequence[str] | None, schema: str | None, chunk_size: int
    ) -> None:
        self.chunk_size = positive(chunk_size, "chunk_size")
        self._table, self._schema = _name(table, "table"), None if schema is None else _name(schema, "schema")
        if isinstance(rows, str | bytes | Mapping) or not (isinstance(rows, Iterable) or _frames.is_frame(rows)):
            kind = type(cast("object", rows)).__name__
            raise DatabaseArgumentInvalid(f"rows is a {kind}; give dictionaries, sequences or a data frame.")
        frame = cast("Any", rows)
        given: Iterator[Any] = iter(())
        if _frames.is_frame(frame):
            columns = columns or [str(name) for name in frame.columns]
            given = _frames.rows_of(frame)
        else:
            given = iter(cast("Iterable[Any]", rows))
        if columns is None:
            first: Any = next(given, None)
            if first is not None and not isinstance(first, Mapping):
                raise DatabaseArgumentInvalid("columns is missing: rows that are no dictionaries have no names.")
            columns = list(cast("Mapping[str, Any]", first or {}))
            given = given if first is None else chain([first], given)
        self._columns = [_name(column, "columns") for column in columns]
        self._rows = given
        self.refused_chunk: tuple[int, list[dict[str, Any]]] | None = None  # where it starts, and its rows

    def chunks(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows in chunks, each a dictionary.

        Raises:
            DatabaseArgumentInvalid: If a row has other columns than the first.
        """
        numbered = enumerate(self._rows)
        while chunk := list(islice(numbered, self.chunk_size)):
            yield [self._named(index, row) for index, row in chunk]

    def _named(self, index: int, row: Any) -> dict[str, Any]:
        columns = self._columns
        if isinstance(row, Mapping):
            named = cast("Mapping[str, Any]", row)
            if len(named) != len(columns) or any(column not in named for column in columns):
                raise DatabaseArgumentInvalid(
                    f"Row {index} has the columns {', '.join(map(str, named))}; expected {', '.join(columns)}.",
                    row=index,
                )
            return {column: named[column] for column in columns}
        if isinstance(row, str | bytes) or not isinstance(row, Sequence):
            raise DatabaseArgumentInvalid(f"Row {index} is a {type(row).__name__}; give a sequence.", row=index)
        values = cast("Sequence[Any]", row)
        if len(values) != len(columns):
            raise DatabaseArgumentInvalid(
                f"Row {index} has {len(values)} values for {len(columns)} columns ({', '.join(columns)}).", row=index
            )
        return dict(zip(columns, values, strict=True))

    def statement(self) -> Insert:
        """The statement, with all names quoted where the database asks for it."""
        columns: list[Any] = [sqlalchemy.column(column) for column in self._columns]
        return sqlalchemy.table(self._table, *columns, schema=self._schema).insert()


def _name(value: Any, argument: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise DatabaseArgumentInvalid(f"{argument}: {value!r} is no name.")
    return value


def insert_all(connection: Connection, plan: InsertPlan, refused: Refused) -> int:
    """Insert the rows of a plan. The caller ends the transaction.

    Args:
        connection: Where, in a transaction.
        plan: What.
        refused: Makes the error of an exception, the number of the row if it is known, and which rows it may be.

    Returns:
        How many rows were inserted.
    """
    statement, done = None, 0
    savepoints = has_savepoints(connection)
    for chunk in plan.chunks():
        statement = plan.statement() if statement is None else statement
        try:
            if savepoints:
                with connection.begin_nested():
                    connection.execute(statement, chunk)
            else:
                connection.execute(statement, chunk)
        except sa.StatementError as exc:
            if not is_of_a_row(exc):
                raise
            if not savepoints:  # nothing else can be done in this transaction
                plan.refused_chunk = (done, chunk)
                raise
            found = _first_refused(connection, statement, chunk)
            raise refused(exc, None if found is None else done + found, rows_text(done, len(chunk))) from exc
        done += len(chunk)
    return done


def has_savepoints(connection: Connection) -> bool:
    """Whether a database has savepoints.

    Args:
        connection: A connection to it.
    """
    return connection.dialect.name != "duckdb"


def require_savepoints(connection: Connection) -> None:
    """Refuse to begin a savepoint where there are none: to try would end the transaction.

    Args:
        connection: A connection to the database.

    Raises:
        DatabaseStatementFailed: If it has none.
    """
    if not has_savepoints(connection):
        raise DatabaseStatementFailed(f"{connection.dialect.name} has no savepoints. Use a transaction of its own.")


def rows_text(start: int, size: int) -> str:
    """Name some rows.

    Args:
        start: The number of the first one.
        size: How many they are.
    """
    return f"rows {start} to {start + size - 1}" if size > 1 else f"row {start}"


def _first_refused(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> int | None:
    """Find the first row that is refused, in a savepoint that is rolled back."""
    for index, row in enumerate(rows):
        savepoint = connection.begin_nested()
        try:
            connection.execute(statement, row)
        except sa.StatementError:
            savepoint.rollback()
            return index
        savepoint.commit()
    return None


def find_refused(connection: Connection, operation: Any, rows: list[dict[str, Any]]) -> int | None:
    """Find the first row that a statement refuses, by doing it again and rolling it back.

    Args:
        connection: Where; no transaction has begun.
        operation: The statement, which failed for all rows at once.
        rows: The values.

    Returns:
        Its number, from 0; `None` if it cannot be told.
    """
    if len(rows) > _MOST_TRIED:
        return None
    statement = sqlalchemy.text(operation) if isinstance(operation, str) else operation
    start = _refused_chunk(connection, statement, rows)
    if start is None:
        return None
    transaction = connection.begin()
    try:
        if start:
            connection.execute(statement, rows[:start])
        for index in range(start, len(rows)):
            try:
                connection.execute(statement, rows[index])
            except sa.SQLAlchemyError:  # noqa: PERF203 - which one fails is the question
                return index
    finally:
        transaction.rollback()
    return None


def _refused_chunk(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> int | None:
    transaction = connection.begin()
    try:
        for start in range(0, len(rows), _TRIED_AT_ONCE):
            try:
                connection.execute(statement, rows[start : start + _TRIED_AT_ONCE])
            except sa.SQLAlchemyError:  # noqa: PERF203 - which one fails is the question
                return start
    finally:
        transaction.rollback()
    return None


def is_of_a_row(exc: BaseException) -> bool:
    """Whether an exception tells of a row's values, and not of the statement or the connection.

    Args:
        exc: What executing raised.
    """
    if isinstance(exc, sa.IntegrityError | sa.DataError | sa.InterfaceError):
        return not getattr(exc, "connection_invalidated", False)
    if classify(exc) is DatabaseConstraintViolated:  # pg8000 has one class for all that a server refuses
        return True
    return type(exc) in (sa.StatementError, sa.DBAPIError) or bool(_UNKNOWN_TYPE.search(str(exc)))
