"""What `AsyncSqlAlchemyConnector` offers beside statements and cursors; see `_sync_extras`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from . import _frames
from ._sync_extras import plan_of, streamed

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.engine import Row

    from ._async_database import AsyncDatabase
    from .transactions import AsyncTransaction


class AsyncExtras:
    """Methods of `AsyncSqlAlchemyConnector`."""

    _database: AsyncDatabase
    fetch_size: int

    @asynccontextmanager
    async def transaction(self, **execution_options: Any) -> AsyncGenerator[AsyncTransaction, None]:
        """Begin a transaction: what is executed in it takes effect together, or not at all.

        It is committed at the end of the `async with` block, and rolled back if that raises. It has a connection of its
        own: use the methods of the transaction in it, not those of the connector.

        Args:
            execution_options: Options of the connection, such as `isolation_level="SERIALIZABLE"`
                (https://docs.sqlalchemy.org/en/20/core/connections.html#sqlalchemy.engine.Connection.execution_options).

        Returns:
            The transaction.

        Raises:
            DatabaseError: If it cannot be begun or committed.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def move() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    async with database.transaction() as transaction:
                        await transaction.execute("UPDATE accounts SET balance = balance - 10 WHERE name = 'Ford'")
                        await transaction.execute("UPDATE accounts SET balance = balance + 10 WHERE name = 'Marvin'")
                        async with transaction.savepoint():
                            await transaction.execute("INSERT INTO log (text) VALUES (:text)", {"text": "moved 10"})
            ```
        """
        from .transactions import AsyncTransaction

        async with self._database.transaction(execution_options) as connection:
            yield AsyncTransaction(self._database, connection, self.fetch_size)

    async def stream(
        self,
        operation: str,
        parameters: dict[str, Any] | None = None,
        chunk_size: int = 1000,
        **execution_options: Any,
    ) -> AsyncGenerator[list[Row[Any]], None]:
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
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    async for rows in database.stream("SELECT * FROM customers", chunk_size=10_000):
                        print(len(rows))
            ```
        """
        rows = await self._database.stream(streamed(operation, parameters, chunk_size, execution_options))
        try:
            while page := await rows.read(chunk_size):
                yield page
        finally:
            await rows.close()

    async def insert_many(
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
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    rows = ({"name": f"Customer {n}", "address": "Space"} for n in range(10_000))
                    await database.insert_many("customers", rows)
            ```
        """
        return await self._database.insert_many(plan_of(table, rows, columns, schema, chunk_size))

    async def read_dataframe(
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
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    frame = await database.read_dataframe("SELECT * FROM customers WHERE name = :name", {"name": "Me"})
                    print(frame)
            ```
        """
        _frames.require_pandas()
        return _frames.frame_of(*await self._database.read_whole(operation, parameters, execution_options))

    atransaction = transaction
    astream = stream
    ainsert_many = insert_many
    aread_dataframe = read_dataframe
