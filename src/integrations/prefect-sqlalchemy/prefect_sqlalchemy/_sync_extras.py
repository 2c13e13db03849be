"""What `SqlAlchemyConnector` offers beside statements and cursors: transactions, streams, many rows, data frames."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import run_stoppable
from prefect_integration_kit.sql import Statement

from . import _frames
from ._threads import in_threads

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.engine import Row

    from ._inserts import InsertPlan
    from ._sync_database import SyncDatabase
    from .transactions import Transaction


class SyncExtras:
    """Methods of `SqlAlchemyConnector`."""

    _database: SyncDatabase
    fetch_size: int

    @contextmanager
    def transaction(self, **execution_options: Any) -> Generator[Transaction, None, None]:
        """Begin a transaction: what is executed in it takes effect together, or not at all.

        It is committed at the end of the `with` block, and rolled back if that raises. It has a connection of its own:
        use the methods of the transaction in it, not those of the connector.

        Args:
            execution_options: Options of the connection, such as `isolation_level="SERIALIZABLE"`
                (https://docs.sqlalchemy.org/en/20/core/connections.html#sqlalchemy.engine.Connection.execution_options).

        Returns:
            The transaction.

        Raises:
            DatabaseError: If it cannot be begun or committed.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                with database.transaction() as transaction:
                    transaction.execute("UPDATE accounts SET balance = balance - 10 WHERE name = 'Ford'")
                    transaction.execute("UPDATE accounts SET balance = balance + 10 WHERE name = 'Marvin'")
                    with transaction.savepoint():
                        transaction.execute("INSERT INTO log (text) VALUES (:text)", {"text": "moved 10"})
            ```
        """
        from .transactions import Transaction

        with self._database.transaction(execution_options) as connection:
            yield Transaction(self._database, connection, self.fetch_size)

    @asynccontextmanager
    async def atransaction(self, **execution_options: Any) -> AsyncGenerator[Transaction, None]:
        """Async form of `transaction`. Use the methods of the transaction that begin with an `a`."""
        async with in_threads(self.transaction(**execution_options)) as transaction:
            yield transaction

    def stream(
        self,
        operation: str,
        parameters: dict[str, Any] | None = None,
        chunk_size: int = 1000,
        **execution_options: Any,
    ) -> Generator[list[Row[Any]], None, None]:
        """Execute a statement and yield its rows in lists, without holding all of them.

        Servers that have cursors stream. Each call executes the statement; the connection is given back at the end of
        the rows, or when the generator is closed.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.
            chunk_size: How many rows a list has, except for the last one.
            execution_options: As for `fetch_one`.

        Returns:
            The lists of rows.

        Raises:
            DatabaseError: If it fails.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                for rows in database.stream("SELECT * FROM customers", chunk_size=10_000):
                    print(len(rows))
            ```
        """
        rows = self._database.rows(streamed(operation, parameters, chunk_size, execution_options), whole=False)
        try:
            while page := rows.read(chunk_size):
                yield list(page)
        finally:
            rows.close()

    async def astream(
        self,
        operation: str,
        parameters: dict[str, Any] | None = None,
        chunk_size: int = 1000,
        **execution_options: Any,
    ) -> AsyncGenerator[list[Row[Any]], None]:
        """Async form of `stream`."""
        statement = streamed(operation, parameters, chunk_size, execution_options)
        opened: list[Any] = []
        try:
            await run_stoppable(lambda stop: opened.append(self._database.rows(statement, whole=False, stop=stop)))
            while page := await run_stoppable(lambda _: opened[0].read(chunk_size)):
                yield list(page)
        finally:
            if opened:
                await run_stoppable(lambda _: opened[0].close())

    def insert_many(
        self,
        table: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]] | pd.DataFrame,
        *,
        columns: Sequence[str] | None = None,
        schema: str | None = None,
        chunk_size: int = 1000,
    ) -> int:
        """Insert many rows into a table, all or none. Rows are taken chunk by chunk, so they may be a generator.

        Args:
            table: Name of the table.
            rows: Dictionaries, sequences in the order of `columns`, or a data frame of pandas.
            columns: Names of the columns; those of the first dictionary or of the frame if not given.
            schema: Schema of the table.
            chunk_size: How many rows are sent at a time.

        Returns:
            How many rows were inserted.

        Raises:
            DatabaseConstraintViolated: If a row is refused; `row` is its number, from 0.
            DatabaseArgumentInvalid: If rows and columns do not fit together.
            DatabaseError: If it fails otherwise.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                rows = ({"name": f"Customer {n}", "address": "Space"} for n in range(10_000))
                database.insert_many("customers", rows)
            ```
        """
        return self._database.insert_many(plan_of(table, rows, columns, schema, chunk_size))

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
        plan = plan_of(table, rows, columns, schema, chunk_size)
        return await run_stoppable(lambda stop: self._database.insert_many(plan, stop))

    def read_dataframe(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> pd.DataFrame:
        """Read all rows of a statement as a data frame of pandas. Each call executes it.

        Args:
            operation: The statement.
            parameters: Values for its `:name` placeholders.
            execution_options: As for `fetch_one`.

        Returns:
            The frame, with the columns of the statement.

        Raises:
            ImportError: If pandas is not installed.
            DatabaseError: If it fails.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                frame = database.read_dataframe("SELECT * FROM customers WHERE name = :name", {"name": "Me"})
            ```
        """
        _frames.require_pandas()
        return _frames.frame_of(*self._database.read_whole(operation, parameters, execution_options))

    async def aread_dataframe(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> pd.DataFrame:
        """Async form of `read_dataframe`."""
        _frames.require_pandas()
        return await run_stoppable(
            lambda stop: _frames.frame_of(*self._database.read_whole(operation, parameters, execution_options, stop))
        )


def streamed(operation: str, parameters: dict[str, Any] | None, chunk_size: int, options: dict[str, Any]) -> Statement:
    """Describe a statement whose rows are streamed.

    Args:
        operation: The statement.
        parameters: Its values.
        chunk_size: Rows that are read at a time.
        options: Further execution options.
    """
    from . import _statements

    _statements.checked(operation, parameters)
    chunk = _statements.positive(chunk_size, "chunk_size")
    return Statement(operation, parameters, {"yield_per": chunk, **options})


def plan_of(table: str, rows: Any, columns: Sequence[str] | None, schema: str | None, chunk_size: int) -> InsertPlan:
    """Describe an insertion of many rows.

    Args:
        table: Name of the table.
        rows: The rows.
        columns: Names of the columns.
        schema: Schema of the table.
        chunk_size: Rows that are sent at a time.
    """
    from ._inserts import InsertPlan

    return InsertPlan(table, rows, columns=columns, schema=schema, chunk_size=chunk_size)
