"""BigQuery: tasks that query, create, insert and load, and a block to query with."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from prefect.blocks.abstract import DatabaseBlock
from pydantic import Field, HttpUrl, PrivateAttr, field_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.late_imports import late_names
from prefect_integration_kit.live_blocks import LiveBlock
from prefect_integration_kit.replaced import is_replaced
from prefect_integration_kit.sql import Cursors, Statement, positive_size

from . import _stand_ins
from ._bigquery.configuration import BigQueryUnknownOption
from ._bigquery.inserts import BigQueryRowsRefused
from ._bigquery.loads import BigQueryFileNotFound
from ._bigquery.own_connections import OwnConnection
from ._bigquery.queries import BigQueryTooManyBytes
from ._bigquery.sdk import BigQueryWrongType, bigquery_sdk
from ._bigquery.statements import database_errors, open_rows, seq_statements, statement_job
from ._bigquery.storage_reads import read_client
from ._bigquery.streams import Stream
from .credentials import GcpCredentials
from .errors import GcpError

if TYPE_CHECKING:
    import pandas as pd
    from google.cloud.bigquery import Client
    from google.cloud.bigquery.dbapi.connection import Connection
    from google.cloud.bigquery.table import Row
    from typing_extensions import Self

    from ._bigquery.load_tasks import (
        abigquery_load_cloud_storage,
        abigquery_load_file,
        bigquery_load_cloud_storage,
        bigquery_load_file,
    )
    from ._bigquery.query_tasks import abigquery_query, bigquery_query
    from ._bigquery.table_tasks import (
        abigquery_create_table,
        abigquery_insert_stream,
        bigquery_create_table,
        bigquery_insert_stream,
    )

__all__ = [
    "BigQueryFileNotFound",
    "BigQueryRowsRefused",
    "BigQueryTooManyBytes",
    "BigQueryUnknownOption",
    "BigQueryWarehouse",
    "BigQueryWrongType",
    "GcpCredentials",
    "abigquery_create_table",
    "abigquery_insert_stream",
    "abigquery_load_cloud_storage",
    "abigquery_load_file",
    "abigquery_query",
    "bigquery_create_table",
    "bigquery_insert_stream",
    "bigquery_load_cloud_storage",
    "bigquery_load_file",
    "bigquery_query",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "abigquery_create_table": "._bigquery.table_tasks",
        "abigquery_insert_stream": "._bigquery.table_tasks",
        "abigquery_load_cloud_storage": "._bigquery.load_tasks",
        "abigquery_load_file": "._bigquery.load_tasks",
        "abigquery_query": "._bigquery.query_tasks",
        "bigquery_create_table": "._bigquery.table_tasks",
        "bigquery_insert_stream": "._bigquery.table_tasks",
        "bigquery_load_cloud_storage": "._bigquery.load_tasks",
        "bigquery_load_file": "._bigquery.load_tasks",
        "bigquery_query": "._bigquery.query_tasks",
    },
)


class BigQueryWarehouse(LiveBlock, QuickKey, DatabaseBlock):
    """Query a database with BigQuery.

    The fetch methods remember where they are: called again with the same operation, parameters and options, they do not
    execute it again but give the next rows, in either face and from any thread, until `reset_cursors` or `close`.
    Results are read page by page. Use the block as a context manager, which closes it at the end.

    In `operation`, `%(name)s` stands for a parameter of a dictionary and `%s` for one of a sequence; they may name a
    type (`%(limit:INT64)s`). A percent sign is written `%%`.

    Attributes:
        gcp_credentials: Who we are at Google Cloud.
        fetch_size: How many rows `fetch_many` gives when it is not told.

    Example:
        ```python
        from prefect_gcp.bigquery import BigQueryWarehouse

        with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
            warehouse.execute("CREATE TABLE IF NOT EXISTS shop.parcels (id INT64, country STRING)")
            warehouse.execute_many(
                "INSERT INTO shop.parcels (id, country) VALUES (%(id)s, %(country)s)",
                seq_of_parameters=[{"id": 1, "country": "NO"}, {"id": 2, "country": "PT"}],
            )
            while rows := warehouse.fetch_many("SELECT * FROM shop.parcels", size=1000):
                print(len(rows))
        ```
    """

    _block_type_name = "BigQuery Warehouse"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-gcp")
    _live: ClassVar[tuple[str, ...]] = ("_cursors", "_lock", "_connection", "_own_connection")

    gcp_credentials: GcpCredentials = Field(description="The credentials to authenticate with.")
    fetch_size: int = Field(
        default=1, description="The number of rows to fetch at a time when fetch_many is not told how many."
    )

    _cursors: Cursors[Row] = PrivateAttr()
    _lock: threading.Lock = PrivateAttr()
    _connection: Connection | None = PrivateAttr(default=None)
    _own_connection: OwnConnection | None = PrivateAttr(default=None)

    @field_validator("fetch_size")
    @classmethod
    def _check_fetch_size(cls, value: int) -> int:
        if value < 1:
            raise ValueError(f"fetch_size is {value}; it must be at least 1.")
        return value

    def block_initialization(self) -> None:
        """Prepare the cursors. Nothing is connected, and the SDK is not imported, before the first statement."""
        self._cursors = Cursors(self._open)
        self._lock = threading.Lock()
        self._connection = None
        self._own_connection = None

    def _client(self) -> Client:
        bigquery_sdk()
        return self.gcp_credentials.get_bigquery_client()

    def _open(self, statement: Statement, stop: threading.Event) -> Any:
        return open_rows(self._client(), statement, stop)

    def _own(self) -> OwnConnection | None:
        """The connection of a subclass or a test; `None` where there is none, and statements are jobs of the client."""
        kept = self._connection
        is_stand_in = kept is not None and _stand_ins.is_stand_in(kept, _stand_ins.BIGQUERY_CONNECTION)
        if not is_stand_in and not is_replaced(self, "get_connection", __name__):
            return None
        if self._own_connection is None:
            self._own_connection = OwnConnection(self.get_connection)
        return self._own_connection

    def get_connection(self) -> Connection:
        """Get the connection of Python's database API, for what this block does not offer.

        Returns:
            A `google.cloud.bigquery.dbapi.Connection`, always the same until `close`.

        Raises:
            ImportError: If the SDK is not installed.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                cursor = warehouse.get_connection().cursor()
                cursor.execute("SELECT 1")
            ```
        """
        client = self._client()
        from google.cloud.bigquery import dbapi

        with self._lock:
            if self._connection is None:
                storage = read_client(self.gcp_credentials, client)
                self._connection = dbapi.Connection(client, storage, prefer_bqstorage_client=storage is not None)
            return self._connection

    def reset_cursors(self) -> None:
        """Close all cursors: the next fetch executes its operation again.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                first = warehouse.fetch_one("SELECT CURRENT_TIMESTAMP()")
                warehouse.reset_cursors()
                second = warehouse.fetch_one("SELECT CURRENT_TIMESTAMP()")
            ```
        """
        self._cursors.reset()
        if self._own_connection is not None:
            self._own_connection.reset()

    async def afetch_one(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> Row | None:
        """Async form of `fetch_one`."""
        statement = Statement(operation, parameters, execution_options)
        if (own := self._own()) is not None:
            return await run_sync_in_worker_thread(own.fetch_one, statement)
        return await self._cursors.afetch_one(statement)

    @async_dispatch(afetch_one)
    def fetch_one(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> Row | None:
        """Fetch the next row.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            execution_options: `job_config`, a `QueryJobConfig` or a dictionary of its options; `job_id`; `location`.

        Returns:
            The row: a tuple whose values can also be had by name. `None` at the end of the result.

        Raises:
            GcpError: If it fails; also a `google.cloud.bigquery.dbapi.DatabaseError`. `GcpInvalidRequest` for a wrong
                statement, parameter or option, `GcpNotFound` for a table or data set that does not exist,
                `GcpQuotaExceeded`.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                row = warehouse.fetch_one(
                    "SELECT word, word_count FROM `bigquery-public-data.samples.shakespeare` "
                    "WHERE corpus = %(corpus)s ORDER BY word_count DESC",
                    parameters={"corpus": "romeoandjuliet"},
                )
            ```
        """
        statement = Statement(operation, parameters, execution_options)
        if (own := self._own()) is not None:
            return own.fetch_one(statement)
        return self._cursors.fetch_one(statement)

    def _fetch(self, statement: Statement, size: int | None) -> list[Row]:
        if (own := self._own()) is not None:
            return own.fetch(statement, size)
        return self._cursors.fetch(statement, size)

    async def _afetch(self, statement: Statement, size: int | None) -> list[Row]:
        if (own := self._own()) is not None:
            return await run_sync_in_worker_thread(own.fetch, statement, size)
        return await self._cursors.afetch(statement, size)

    async def afetch_many(
        self,
        operation: str,
        parameters: dict[str, Any] | None = None,
        size: int | None = None,
        **execution_options: Any,
    ) -> list[Row]:
        """Async form of `fetch_many`."""
        wanted = positive_size(size, self.fetch_size)
        return await self._afetch(Statement(operation, parameters, execution_options), wanted)

    @async_dispatch(afetch_many)
    def fetch_many(
        self,
        operation: str,
        parameters: dict[str, Any] | None = None,
        size: int | None = None,
        **execution_options: Any,
    ) -> list[Row]:
        """Fetch the next rows.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            size: How many rows; `fetch_size` of the block when `None` or 0.
            execution_options: As for `fetch_one`.

        Returns:
            The rows; fewer than asked for, or none, at the end of the result.

        Raises:
            ValueError: If `size` is negative.
            GcpError: If it fails, as for `fetch_one`. No row is lost: the next call goes on where this one began.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                while rows := warehouse.fetch_many("SELECT * FROM shop.parcels", size=1000):
                    print(len(rows))
            ```
        """
        wanted = positive_size(size, self.fetch_size)
        return self._fetch(Statement(operation, parameters, execution_options), wanted)

    async def afetch_all(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> list[Row]:
        """Async form of `fetch_all`."""
        return await self._afetch(Statement(operation, parameters, execution_options), None)

    @async_dispatch(afetch_all)
    def fetch_all(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> list[Row]:
        """Fetch all rows that are left.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            execution_options: As for `fetch_one`.

        Returns:
            The rows; none at the end of the result.

        Raises:
            GcpError: If it fails, as for `fetch_one`. No row is lost: the next call goes on where this one began.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                rows = warehouse.fetch_all(
                    "SELECT * FROM shop.parcels WHERE country = %(country)s", parameters={"country": "NO"}
                )
            ```
        """
        return self._fetch(Statement(operation, parameters, execution_options), None)

    async def aexecute(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> None:
        """Async form of `execute`. Only the requests take a thread, not the time between them."""
        from ._bigquery.jobs import arun_job, result_of_stand_in

        statement = Statement(operation, parameters, execution_options)
        if (own := self._own()) is not None:
            await run_sync_in_worker_thread(own.execute, statement)
            return

        def begin() -> Any:
            return statement_job(self._client(), statement)

        with database_errors():
            result_of_stand_in(await arun_job(await run_sync_in_worker_thread(begin)))

    @async_dispatch(aexecute)
    def execute(self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any) -> None:
        """Execute an operation that gives no rows, such as INSERT, UPDATE or CREATE TABLE. Each call executes it.

        A request that is repeated because its answer was lost does not execute it twice. When the run is cancelled, the
        job is cancelled.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            execution_options: As for `fetch_one`.

        Raises:
            GcpError: If it fails, as for `fetch_one`.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                warehouse.execute(
                    "DELETE FROM shop.parcels WHERE country = %(country)s", parameters={"country": "NO"}
                )
            ```
        """
        self._execute(Statement(operation, parameters, execution_options))

    def _execute(self, statement: Statement) -> None:
        from ._bigquery.jobs import result_of_stand_in, run_job

        if (own := self._own()) is not None:
            own.execute(statement)
            return
        with database_errors():
            result_of_stand_in(run_job(statement_job(self._client(), statement)))

    async def aexecute_many(self, operation: str, seq_of_parameters: list[dict[str, Any]]) -> None:
        """Async form of `execute_many`."""
        with database_errors():
            statements = seq_statements(operation, seq_of_parameters)
        for index, statement in enumerate(statements):
            with _named(index, len(statements)):
                await self.aexecute(statement.operation, statement.parameters)  # pyright: ignore[reportArgumentType]

    @async_dispatch(aexecute_many)
    def execute_many(self, operation: str, seq_of_parameters: list[dict[str, Any]]) -> None:
        """Execute an operation once for each set of parameters, one after the other.

        Each is a job of its own. For many rows `bigquery_insert_stream` or a load is faster.

        Args:
            operation: The statement.
            seq_of_parameters: Values for its placeholders: a dictionary, or a sequence, for each execution.

        Raises:
            GcpError: If one fails; the message says which, and that those before it took effect.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                warehouse.execute_many(
                    "INSERT INTO shop.parcels (id, country) VALUES (%s, %s)",
                    seq_of_parameters=[(1, "NO"), (2, "PT")],
                )
            ```
        """
        with database_errors():
            statements = seq_statements(operation, seq_of_parameters)
        for index, statement in enumerate(statements):
            with _named(index, len(statements)):
                self._execute(statement)

    def _stream(self, form: Any, operation: str, parameters: Any, options: dict[str, Any]) -> Stream:
        return Stream(self.gcp_credentials, self._client, Statement(operation, parameters, options), form)

    def fetch_arrow(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> Generator[Any, None, None]:
        """Execute an operation and yield its rows as Arrow batches, without holding all of them.

        They come through the Storage Read API where `google-cloud-bigquery-storage` is installed. Cursors are not
        touched: each call executes the operation.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            execution_options: As for `fetch_one`.

        Yields:
            A `pyarrow.RecordBatch` of one row or more. Batches are in the query's order if it has ORDER BY.

        Raises:
            GcpError: If it fails, as for `fetch_one`.
            ImportError: If pyarrow is not installed.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                rows = sum(batch.num_rows for batch in warehouse.fetch_arrow("SELECT * FROM shop.parcels"))
            ```
        """
        return self._stream("arrow", operation, parameters, execution_options).read()

    def afetch_arrow(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> AsyncGenerator[Any, None]:
        """Async form of `fetch_arrow`, for `async for`."""
        return self._stream("arrow", operation, parameters, execution_options).aread()

    def fetch_dataframe(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> Generator[pd.DataFrame, None, None]:
        """Execute an operation and yield its rows as pandas data frames, without holding all of them.

        They come through the Storage Read API where `google-cloud-bigquery-storage` is installed. Cursors are not
        touched: each call executes the operation.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            execution_options: As for `fetch_one`.

        Yields:
            A `pandas.DataFrame` of one row or more.

        Raises:
            GcpError: If it fails, as for `fetch_one`.
            ImportError: If pandas, pyarrow or db-dtypes is not installed.

        Example:
            ```python
            from prefect_gcp.bigquery import BigQueryWarehouse

            with BigQueryWarehouse.load("BLOCK_NAME") as warehouse:
                for frame in warehouse.fetch_dataframe("SELECT * FROM shop.parcels"):
                    print(frame["country"].value_counts())
            ```
        """
        return self._stream("dataframe", operation, parameters, execution_options).read()

    def afetch_dataframe(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> AsyncGenerator[pd.DataFrame, None]:
        """Async form of `fetch_dataframe`, for `async for`."""
        return self._stream("dataframe", operation, parameters, execution_options).aread()

    def close(self) -> None:
        """Close the connection and all cursors. The next statement opens them anew."""
        self.reset_cursors()
        with self._lock:
            connection, self._connection = self._connection, None
            own, self._own_connection = self._own_connection, None
        if own is not None and connection is None:
            own.close()
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        """Use the block, and close it at the end."""
        return self

    def __exit__(self, *args: object) -> None:
        """Close the connection and all cursors."""
        self.close()

    async def __aenter__(self) -> Self:
        """Use the block, and close it at the end."""
        return self

    async def __aexit__(self, *args: object) -> None:
        """Close the connection and all cursors."""
        await run_sync_in_worker_thread(self.close)


@contextmanager
def _named(index: int, count: int) -> Generator[None, None, None]:
    """Name the set of parameters that failed."""
    try:
        yield
    except GcpError as exc:
        before = "; those before it took effect" if index else ""
        exc.args = (f"{exc} (parameters {index + 1} of {count}{before})", *exc.args[1:])
        raise
