"""Transactions: several statements that take effect together, or not at all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import run_sync_in_worker_thread
from prefect_integration_kit.sql import Cursors, Statement, positive_size

from . import _frames
from ._threads import in_threads

if TYPE_CHECKING:
    import threading

    import pandas as pd
    from sqlalchemy.engine import Connection, CursorResult, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from prefect_integration_kit.sql_async import AsyncCursors

    from ._async_database import AsyncDatabase
    from ._sync_database import SyncDatabase

__all__ = ["AsyncTransaction", "Transaction"]


class _AllRows:
    """Rows of a statement in a transaction: all in memory, so that nothing is open when it ends."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def read(self, size: int | None) -> list[Any]:
        del size
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        self._rows = []


class Transaction:
    """An open transaction of `SqlAlchemyConnector.transaction`, with the connector's methods.

    The fetch methods go on where the last call stopped, as the connector's do, until a statement is executed.

    Args:
        database: The connector's database.
        connection: The connection that the transaction has.
        fetch_size: Rows that `fetch_many` gives when it is not told.

    Attributes:
        connection: The connection of SQLAlchemy, for what is not offered here. Do not commit on it.
    """

    def __init__(self, database: SyncDatabase, connection: Connection, fetch_size: int) -> None:
        self.connection = connection
        self._database = database
        self._fetch_size = fetch_size
        self._cursors: Cursors[Row[Any]] = Cursors(self._open)

    def _open(self, statement: Statement, stop: threading.Event) -> _AllRows:
        from . import _statements

        del stop
        parameters: Any = statement.parameters
        _statements.checked(statement.operation, parameters)
        with self._database.target.errors():
            return _AllRows(_statements.all_rows(self.connection, statement.operation, parameters))

    def execute(self, operation: str, parameters: dict[str, Any] | None = None) -> CursorResult[Any]:
        """Execute a statement.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.

        Returns:
            The result; its rows, if any, are in memory.

        Raises:
            DatabaseError: If it fails.
        """
        from . import _statements

        _statements.checked(operation, parameters)
        self._cursors.reset()
        with self._database.target.errors():
            return _statements.executed(self.connection, operation, parameters)

    async def aexecute(self, operation: str, parameters: dict[str, Any] | None = None) -> CursorResult[Any]:
        """Async form of `execute`."""
        return await run_sync_in_worker_thread(self.execute, operation, parameters)

    def execute_many(self, operation: str, seq_of_parameters: list[dict[str, Any]]) -> CursorResult[Any]:
        """Execute a statement once for each set of values.

        Args:
            operation: The statement.
            seq_of_parameters: Values for its `:name` placeholders, for each execution.

        Raises:
            DatabaseError: If it fails.
        """
        from . import _statements

        rows = _statements.checked_many(operation, seq_of_parameters)
        self._cursors.reset()
        with self._database.target.errors():
            return _statements.executed_many(self.connection, operation, rows)

    async def aexecute_many(self, operation: str, seq_of_parameters: list[dict[str, Any]]) -> CursorResult[Any]:
        """Async form of `execute_many`."""
        return await run_sync_in_worker_thread(self.execute_many, operation, seq_of_parameters)

    def insert_many(
        self,
        table: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]] | pd.DataFrame,
        *,
        columns: Sequence[str] | None = None,
        schema: str | None = None,
        chunk_size: int = 1000,
    ) -> int:
        """Insert many rows into a table.

        Args:
            table: Name of the table.
            rows: Dictionaries, sequences in the order of `columns`, or a data frame.
            columns: Names of the columns; those of the first dictionary or of the frame if not given.
            schema: Schema of the table.
            chunk_size: How many rows are sent at a time.

        Returns:
            How many rows were inserted.

        Raises:
            DatabaseError: If a row is refused; `row` is its number.
        """
        from . import _inserts

        plan = _inserts.InsertPlan(table, rows, columns=columns, schema=schema, chunk_size=chunk_size)
        self._cursors.reset()
        with self._database.target.errors():
            return _inserts.insert_all(self.connection, plan, self._database.refused)

    async def ainsert_many(
        self,
        table: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]] | pd.DataFrame,
        *,
        columns: Sequence[str] | None = None,
        schema: str | None = None,
        chunk_size: int = 1000,
    ) -> int:
        """Async form of `insert_many`."""
        return await run_sync_in_worker_thread(
            self.insert_many, table, rows, columns=columns, schema=schema, chunk_size=chunk_size
        )

    def fetch_one(self, operation: str, parameters: dict[str, Any] | None = None) -> Row[Any] | None:
        """Fetch the next row.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.

        Returns:
            The row; `None` at the end.
        """
        return self._cursors.fetch_one(Statement(operation, parameters))

    async def afetch_one(self, operation: str, parameters: dict[str, Any] | None = None) -> Row[Any] | None:
        """Async form of `fetch_one`."""
        return await self._cursors.afetch_one(Statement(operation, parameters))

    def fetch_many(
        self, operation: str, parameters: dict[str, Any] | None = None, size: int | None = None
    ) -> list[Row[Any]]:
        """Fetch the next rows.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.
            size: How many; the connector's `fetch_size` when `None` or 0.
        """
        return self._cursors.fetch(Statement(operation, parameters), positive_size(size, self._fetch_size))

    async def afetch_many(
        self, operation: str, parameters: dict[str, Any] | None = None, size: int | None = None
    ) -> list[Row[Any]]:
        """Async form of `fetch_many`."""
        return await self._cursors.afetch(Statement(operation, parameters), positive_size(size, self._fetch_size))

    def fetch_all(self, operation: str, parameters: dict[str, Any] | None = None) -> list[Row[Any]]:
        """Fetch all rows that are left.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.
        """
        return self._cursors.fetch(Statement(operation, parameters), None)

    async def afetch_all(self, operation: str, parameters: dict[str, Any] | None = None) -> list[Row[Any]]:
        """Async form of `fetch_all`."""
        return await self._cursors.afetch(Statement(operation, parameters), None)

    def read_dataframe(self, operation: str, parameters: dict[str, Any] | None = None) -> pd.DataFrame:
        """Read all rows of a statement as a data frame of pandas.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.

        Raises:
            ImportError: If pandas is not installed.
        """
        from . import _statements

        _frames.require_pandas()
        _statements.checked(operation, parameters)
        with self._database.target.errors():
            result = _statements.opened(self.connection, operation, parameters)
            return _frames.frame_of(result.fetchall(), result.keys())

    async def aread_dataframe(self, operation: str, parameters: dict[str, Any] | None = None) -> pd.DataFrame:
        """Async form of `read_dataframe`."""
        return await run_sync_in_worker_thread(self.read_dataframe, operation, parameters)

    @contextmanager
    def savepoint(self) -> Generator[Transaction, None, None]:
        """Begin a part that can fail alone: an exception rolls back to where it began, and is raised.

        Returns:
            The transaction.

        Raises:
            DatabaseError: If the database has no savepoints, as DuckDB.
        """
        from . import _inserts

        self._cursors.reset()
        with self._database.target.errors():
            _inserts.require_savepoints(self.connection)
            savepoint = self.connection.begin_nested()
        try:
            yield self
        except BaseException:
            self._cursors.reset()
            savepoint.rollback()
            raise
        with self._database.target.errors():
            savepoint.commit()

    @asynccontextmanager
    async def asavepoint(self) -> AsyncGenerator[Transaction, None]:
        """Async form of `savepoint`."""
        async with in_threads(self.savepoint()) as transaction:
            yield transaction


class AsyncTransaction:
    """An open transaction of `AsyncSqlAlchemyConnector.transaction`, with the connector's methods.

    The fetch methods go on where the last call stopped, as the connector's do, until a statement is executed.

    Args:
        database: The connector's database.
        connection: The connection that the transaction has.
        fetch_size: Rows that `fetch_many` gives when it is not told.

    Attributes:
        connection: The connection of SQLAlchemy, for what is not offered here. Do not commit on it.
    """

    def __init__(self, database: AsyncDatabase, connection: AsyncConnection, fetch_size: int) -> None:
        from prefect_integration_kit.sql_async import AsyncCursors

        self.connection = connection
        self._database = database
        self._fetch_size = fetch_size
        self._cursors: AsyncCursors[Row[Any]] = AsyncCursors(self._open)

    async def _open(self, statement: Statement) -> Any:
        from . import _statements
        from ._async_database import Given

        parameters: Any = statement.parameters
        _statements.checked(statement.operation, parameters)
        with self._database.target.errors():
            return Given(await self.connection.run_sync(_statements.all_rows, statement.operation, parameters))

    async def execute(self, operation: str, parameters: dict[str, Any] | None = None) -> CursorResult[Any]:
        """Execute a statement; see `Transaction.execute`.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.
        """
        from . import _statements

        _statements.checked(operation, parameters)
        await self._cursors.reset()
        with self._database.target.errors():
            return await self.connection.run_sync(_statements.executed, operation, parameters)

    async def execute_many(self, operation: str, seq_of_parameters: list[dict[str, Any]]) -> CursorResult[Any]:
        """Execute a statement once for each set of values.

        Args:
            operation: The statement.
            seq_of_parameters: Values for its `:name` placeholders, for each execution.
        """
        from . import _statements

        rows = _statements.checked_many(operation, seq_of_parameters)
        await self._cursors.reset()
        with self._database.target.errors():
            return await self.connection.run_sync(_statements.executed_many, operation, rows)

    async def insert_many(
        self,
        table: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]] | pd.DataFrame,
        *,
        columns: Sequence[str] | None = None,
        schema: str | None = None,
        chunk_size: int = 1000,
    ) -> int:
        """Insert many rows into a table; see `Transaction.insert_many`.

        Args:
            table: Name of the table.
            rows: Dictionaries, sequences in the order of `columns`, or a data frame.
            columns: Names of the columns; those of the first dictionary or of the frame if not given.
            schema: Schema of the table.
            chunk_size: How many rows are sent at a time.

        Returns:
            How many rows were inserted.
        """
        from . import _inserts

        plan = _inserts.InsertPlan(table, rows, columns=columns, schema=schema, chunk_size=chunk_size)
        await self._cursors.reset()
        with self._database.target.errors():
            return await self.connection.run_sync(_inserts.insert_all, plan, self._database.refused)

    async def fetch_one(self, operation: str, parameters: dict[str, Any] | None = None) -> Row[Any] | None:
        """Fetch the next row.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.

        Returns:
            The row; `None` at the end.
        """
        return await self._cursors.fetch_one(Statement(operation, parameters))

    async def fetch_many(
        self, operation: str, parameters: dict[str, Any] | None = None, size: int | None = None
    ) -> list[Row[Any]]:
        """Fetch the next rows.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.
            size: How many; the connector's `fetch_size` when `None` or 0.
        """
        return await self._cursors.fetch(Statement(operation, parameters), positive_size(size, self._fetch_size))

    async def fetch_all(self, operation: str, parameters: dict[str, Any] | None = None) -> list[Row[Any]]:
        """Fetch all rows that are left.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.
        """
        return await self._cursors.fetch(Statement(operation, parameters), None)

    async def read_dataframe(self, operation: str, parameters: dict[str, Any] | None = None) -> pd.DataFrame:
        """Read all rows of a statement as a data frame of pandas.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.

        Raises:
            ImportError: If pandas is not installed.
        """
        from . import _statements

        _frames.require_pandas()
        _statements.checked(operation, parameters)

        def body(connection: Connection) -> pd.DataFrame:
            result = _statements.opened(connection, operation, parameters)
            return _frames.frame_of(result.fetchall(), result.keys())

        with self._database.target.errors():
            return await self.connection.run_sync(body)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[AsyncTransaction, None]:
        """Begin a part that can fail alone: an exception rolls back to where it began, and is raised.

        Returns:
            The transaction.

        Raises:
            DatabaseError: If the database has no savepoints.
        """
        await self._cursors.reset()
        with self._database.target.errors():
            savepoint = await self.connection.run_sync(lambda connection: connection.begin_nested())
        try:
            yield self
        except BaseException:
            await self._cursors.reset()
            await self.connection.run_sync(lambda _: savepoint.rollback())
            raise
        with self._database.target.errors():
            await self.connection.run_sync(lambda _: savepoint.commit())

    aexecute = execute
    aexecute_many = execute_many
    ainsert_many = insert_many
    afetch_one = fetch_one
    afetch_many = fetch_many
    afetch_all = fetch_all
    aread_dataframe = read_dataframe
    asavepoint = savepoint
