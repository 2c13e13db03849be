"""The methods of `SnowflakeConnector` for Arrow tables and data frames of pandas."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.sql import Statement

from ._faces import paired
from ._frames import arrow_table, batches, pandas_frame, require_pandas, require_pyarrow, write_frame
from ._statement_session import StatementSession

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor


class Frames(StatementSession):
    """Reads results as tables and frames, and writes frames to tables."""

    if TYPE_CHECKING:  # for pydantic, they would be fields
        database: str
        schema_: str

    @abstractmethod
    def _get_connection(self, connect_kwargs: dict[str, Any]) -> SnowflakeConnection: ...

    def _cursor_of(
        self, operation: str, parameters: Any, execute_kwargs: dict[str, Any], stop: threading.Event
    ) -> SnowflakeCursor:
        return self._executed(Statement(operation, parameters, execute_kwargs), stop, self._surroundings())

    async def fetch_pandas_all_async(
        self, operation: str, parameters: Any = None, **execute_kwargs: Any
    ) -> pd.DataFrame:
        """Async form of `fetch_pandas_all`."""
        require_pandas()
        return await run_stoppable(
            lambda stop: pandas_frame(self._cursor_of(operation, parameters, execute_kwargs, stop))
        )

    @paired(fetch_pandas_all_async)
    def fetch_pandas_all(self, operation: str, parameters: Any = None, **execute_kwargs: Any) -> pd.DataFrame:
        """Execute a query and fetch its result as a data frame.

        Args:
            operation: The query.
            parameters: Values for its placeholders.
            execute_kwargs: Further arguments of the cursor's `execute`, as for `fetch_one`.

        Returns:
            The data frame.

        Raises:
            ImportError: If pandas is not installed.
            SnowflakeError: If the query fails.
        """
        require_pandas()
        return pandas_frame(self._cursor_of(operation, parameters, execute_kwargs, threading.Event()))

    async def fetch_arrow_all_async(self, operation: str, parameters: Any = None, **execute_kwargs: Any) -> Any:
        """Async form of `fetch_arrow_all`."""
        require_pyarrow()
        return await run_stoppable(
            lambda stop: arrow_table(self._cursor_of(operation, parameters, execute_kwargs, stop))
        )

    @paired(fetch_arrow_all_async)
    def fetch_arrow_all(self, operation: str, parameters: Any = None, **execute_kwargs: Any) -> Any:
        """Execute a query and fetch its result as a table of Arrow.

        Args:
            operation: The query.
            parameters: Values for its placeholders.
            execute_kwargs: Further arguments of the cursor's `execute`, as for `fetch_one`.

        Returns:
            The table, also when it has no rows.

        Raises:
            ImportError: If pyarrow is not installed.
            SnowflakeError: If the query fails.
        """
        require_pyarrow()
        return arrow_table(self._cursor_of(operation, parameters, execute_kwargs, threading.Event()))

    async def fetch_pandas_batches_async(
        self, operation: str, parameters: Any = None, **execute_kwargs: Any
    ) -> AsyncGenerator[pd.DataFrame, None]:
        """Async form of `fetch_pandas_batches`, for `async for`."""
        require_pandas()
        async for batch in self._abatches("fetch_pandas_batches", operation, parameters, execute_kwargs):
            yield batch

    def fetch_pandas_batches(
        self, operation: str, parameters: Any = None, **execute_kwargs: Any
    ) -> Generator[pd.DataFrame, None, None]:
        """Execute a query and read its result as data frames, one after the other, so that memory stays bounded.

        Args:
            operation: The query.
            parameters: Values for its placeholders.
            execute_kwargs: Further arguments of the cursor's `execute`, as for `fetch_one`.

        Yields:
            A data frame for each part of the result, as Snowflake has cut it.

        Raises:
            ImportError: If pandas is not installed.
            SnowflakeError: If the query fails.
        """
        require_pandas()
        cursor = self._cursor_of(operation, parameters, execute_kwargs, threading.Event())
        yield from batches(cursor, "fetch_pandas_batches")

    async def fetch_arrow_batches_async(
        self, operation: str, parameters: Any = None, **execute_kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        """Async form of `fetch_arrow_batches`, for `async for`."""
        require_pyarrow()
        async for batch in self._abatches("fetch_arrow_batches", operation, parameters, execute_kwargs):
            yield batch

    def fetch_arrow_batches(
        self, operation: str, parameters: Any = None, **execute_kwargs: Any
    ) -> Generator[Any, None, None]:
        """Execute a query and read its result as tables of Arrow, one after the other, so that memory stays bounded.

        Args:
            operation: The query.
            parameters: Values for its placeholders.
            execute_kwargs: Further arguments of the cursor's `execute`, as for `fetch_one`.

        Yields:
            A table for each part of the result, as Snowflake has cut it.

        Raises:
            ImportError: If pyarrow is not installed.
            SnowflakeError: If the query fails.
        """
        require_pyarrow()
        cursor = self._cursor_of(operation, parameters, execute_kwargs, threading.Event())
        yield from batches(cursor, "fetch_arrow_batches")

    async def _abatches(
        self, method: str, operation: str, parameters: Any, execute_kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        cursor = await run_stoppable(lambda stop: self._cursor_of(operation, parameters, execute_kwargs, stop))
        parts = batches(cursor, method)
        try:
            while (part := await run_sync_in_worker_thread(next, parts, None)) is not None:
                yield part
        finally:
            parts.close()

    async def write_pandas_async(self, df: pd.DataFrame, table_name: str, **write_kwargs: Any) -> int:
        """Async form of `write_pandas`."""
        return await run_sync_in_worker_thread(self._write_pandas, df, table_name, write_kwargs)

    @paired(write_pandas_async)
    def write_pandas(self, df: pd.DataFrame, table_name: str, **write_kwargs: Any) -> int:
        """Write a data frame to a table, by way of a temporary stage.

        Args:
            df: The data frame; its columns are those of the table, upper and lower case included.
            table_name: Name of the table, upper and lower case included.
            write_kwargs: Further arguments of the connector's `write_pandas`
                (https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api#write_pandas), such
                as `auto_create_table`.

        Returns:
            How many rows were written.

        Raises:
            ImportError: If pandas is not installed.
            SnowflakeError: If they were not written.
        """
        return self._write_pandas(df, table_name, write_kwargs)

    def _write_pandas(self, df: pd.DataFrame, table_name: str, write_kwargs: dict[str, Any]) -> int:
        require_pandas()
        options = {"database": self.database, "schema": self.schema_, "quote_identifiers": True, **write_kwargs}
        if "database" not in write_kwargs and "schema" not in write_kwargs:
            options.pop("database")  # those of the session, whose names need no quotes
            options.pop("schema")
        return write_frame(self._get_connection({}), df, table_name, options)
