"""Execute SQL on a Databricks SQL warehouse: a task, and a block to query with."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from prefect.blocks.abstract import DatabaseBlock
from pydantic import Field, HttpUrl, PrivateAttr, field_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.coroutines import run_to_end
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.extras import require_extra
from prefect_integration_kit.late_imports import late_names
from prefect_integration_kit.live_blocks import LiveBlock
from prefect_integration_kit.sql import Cursors, Statement, positive_size

from ._sql.errors import DatabricksStatementCancelled, DatabricksStatementError, DatabricksStatementTimedOut
from ._sql.formats import Disposition, Format
from .credentials import DatabricksCredentials
from .errors import DatabricksBadRequest, DatabricksError

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._sql.execution import Request
    from ._sql.rows import Result
    from ._sql.statement_tasks import SqlResult, asql_statement, sql_statement

__all__ = [
    "DatabricksCredentials",
    "DatabricksSqlWarehouse",
    "DatabricksStatementCancelled",
    "DatabricksStatementError",
    "DatabricksStatementTimedOut",
    "SqlResult",
    "asql_statement",
    "sql_statement",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "SqlResult": "._sql.statement_tasks",
        "asql_statement": "._sql.statement_tasks",
        "sql_statement": "._sql.statement_tasks",
    },
)

Parameters = Mapping[str, Any] | Sequence[Any] | None

_OPTIONS = ("catalog", "schema", "row_limit", "query_tags", "timeout_seconds", "disposition")


class _Rows:
    """The rows of a result for a cursor, one chunk at a time."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def read(self, size: int | None) -> list[tuple[Any, ...]]:
        del size  # a chunk at a time
        return run_to_end(self._result.next_rows())

    def close(self) -> None:
        """Nothing is held: the warehouse keeps the result for an hour."""


class DatabricksSqlWarehouse(LiveBlock, QuickKey, DatabaseBlock):
    """Query a Databricks SQL warehouse.

    The fetch methods remember where they are: called again with the same operation, parameters and options, they do not
    execute it again but give the next rows, in either face and from any thread, until `reset_cursors` or `close`.
    Results are read chunk by chunk. When the run is cancelled, a statement that goes on is cancelled.

    In `operation`, `:name` stands for a value of `parameters`, which is bound, and `IDENTIFIER(:name)` for a name.

    Attributes:
        databricks_credentials: Who we are at Databricks.
        warehouse_id: ID of the warehouse.
        catalog: Catalog that names without one are in.
        schema_name: Schema that names without one are in.
        fetch_size: How many rows `fetch_many` gives when it is not told.
        timeout_seconds: Seconds until which a statement must have ended.
        disposition: How results come; see `sql_statement`.

    Example:
        ```python
        from prefect_databricks.sql import DatabricksSqlWarehouse

        with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
            warehouse.execute("CREATE TABLE IF NOT EXISTS parcels (id INT, country STRING)")
            warehouse.execute_many(
                "INSERT INTO parcels VALUES (:id, :country)",
                seq_of_parameters=[{"id": 1, "country": "NO"}, {"id": 2, "country": "PT"}],
            )
            while rows := warehouse.fetch_many("SELECT * FROM parcels", size=1000):
                print(len(rows))
        ```
    """

    _block_type_name = "Databricks SQL Warehouse"
    _logo_url = HttpUrl(
        "https://images.ctfassets.net/gm98wzqotmnx/5GTHI1PH2dTiantfps6Fnc/1c750fab7f4c14ea1b93a62b9fea6a94/"
        "databricks_logo_icon_170295.png?h=250"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-databricks")
    _live: ClassVar[tuple[str, ...]] = ("_cursors",)

    databricks_credentials: DatabricksCredentials = Field(description="The credentials to authenticate with.")
    warehouse_id: str = Field(min_length=1, description="ID of the warehouse, as its page in the workspace shows it.")
    catalog: str | None = Field(default=None, description="Catalog that names without one are in.")
    schema_name: str | None = Field(default=None, title="Schema", description="Schema that names without one are in.")
    fetch_size: int = Field(
        default=1, description="The number of rows to fetch at a time when fetch_many is not told how many."
    )
    timeout_seconds: float | None = Field(
        default=None, gt=0, description="Seconds until which a statement must have ended; without, there is no limit."
    )
    disposition: Disposition | None = Field(
        default=None,
        description="Whether results come in answers of the API (INLINE, up to 25 MiB) or from the workspace's storage "
        "(EXTERNAL_LINKS). Without, the first one, and for a query whose result is too large the second.",
    )

    _cursors: Cursors[tuple[Any, ...]] = PrivateAttr()

    @field_validator("fetch_size")
    @classmethod
    def _check_fetch_size(cls, value: int) -> int:
        if value < 1:
            raise ValueError(f"fetch_size is {value}; it must be at least 1.")
        return value

    def block_initialization(self) -> None:
        """Prepare the cursors. Nothing is sent before the first statement."""
        self._cursors = Cursors(self._open)

    def _request(self, statement: Statement, format: Format = "JSON_ARRAY") -> Request:  # noqa: A002 - the API's name
        from ._sql.execution import Request

        options: dict[str, Any] = dict(statement.options)
        if unknown := sorted(set(options) - set(_OPTIONS)):
            known = ", ".join(_OPTIONS)
            raise DatabricksBadRequest(f"Unknown execution options: {', '.join(unknown)}. There are {known}.")
        own: dict[str, Any] = {
            "catalog": self.catalog,
            "schema": self.schema_name,
            "timeout_seconds": self.timeout_seconds,
            "disposition": self.disposition,
        }
        return Request(
            statement.operation, self.warehouse_id, statement.parameters, format=format, **{**own, **options}
        )

    async def _execute(self, statement: Statement) -> Result:
        from ._sql.execution import execute
        from ._sql.rows import Result

        return Result(self.databricks_credentials, await execute(self.databricks_credentials, self._request(statement)))

    def _open(self, statement: Statement, stop: threading.Event) -> _Rows:
        from ._sql.stopping import run_until_stopped

        return _Rows(run_until_stopped(self._execute(statement), stop))

    def reset_cursors(self) -> None:
        """Close all cursors: the next fetch executes its operation again.

        Example:
            ```python
            from prefect_databricks.sql import DatabricksSqlWarehouse

            with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
                first = warehouse.fetch_one("SELECT current_timestamp()")
                warehouse.reset_cursors()
                second = warehouse.fetch_one("SELECT current_timestamp()")
            ```
        """
        self._cursors.reset()

    async def afetch_one(
        self, operation: str, parameters: Parameters = None, **execution_options: Any
    ) -> tuple[Any, ...] | None:
        """Async form of `fetch_one`."""
        return await self._cursors.afetch_one(Statement(operation, parameters, execution_options))

    @async_dispatch(afetch_one)
    def fetch_one(
        self, operation: str, parameters: Parameters = None, **execution_options: Any
    ) -> tuple[Any, ...] | None:
        """Fetch the next row.

        Args:
            operation: The statement.
            parameters: Values by name; or a list of `{"name": …, "value": …, "type": …}`.
            execution_options: `catalog`, `schema`, `row_limit`, `query_tags`, `timeout_seconds` and `disposition`, as
                for `sql_statement`.

        Returns:
            The row, columns in order; `None` at the end of the result.

        Raises:
            DatabricksStatementError: If the statement failed.
            DatabricksError: If a value cannot be bound, or Databricks refuses or does not answer.

        Example:
            ```python
            from prefect_databricks.sql import DatabricksSqlWarehouse

            with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
                row = warehouse.fetch_one("SELECT count(*) FROM parcels WHERE country = :c", parameters={"c": "NO"})
            ```
        """
        return self._cursors.fetch_one(Statement(operation, parameters, execution_options))

    async def afetch_many(
        self, operation: str, parameters: Parameters = None, size: int | None = None, **execution_options: Any
    ) -> list[tuple[Any, ...]]:
        """Async form of `fetch_many`."""
        wanted = positive_size(size, self.fetch_size)
        return await self._cursors.afetch(Statement(operation, parameters, execution_options), wanted)

    @async_dispatch(afetch_many)
    def fetch_many(
        self, operation: str, parameters: Parameters = None, size: int | None = None, **execution_options: Any
    ) -> list[tuple[Any, ...]]:
        """Fetch the next rows.

        Args:
            operation: The statement.
            parameters: Values by name; or a list of `{"name": …, "value": …, "type": …}`.
            size: How many rows; `fetch_size` of the block when `None` or 0.
            execution_options: As for `fetch_one`.

        Returns:
            The rows; fewer than asked for, or none, at the end of the result.

        Raises:
            ValueError: If `size` is negative.
            DatabricksError: As for `fetch_one`. No row is lost: the next call goes on where this one began.

        Example:
            ```python
            from prefect_databricks.sql import DatabricksSqlWarehouse

            with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
                while rows := warehouse.fetch_many("SELECT * FROM parcels", size=1000):
                    print(len(rows))
            ```
        """
        wanted = positive_size(size, self.fetch_size)
        return self._cursors.fetch(Statement(operation, parameters, execution_options), wanted)

    async def afetch_all(
        self, operation: str, parameters: Parameters = None, **execution_options: Any
    ) -> list[tuple[Any, ...]]:
        """Async form of `fetch_all`."""
        return await self._cursors.afetch(Statement(operation, parameters, execution_options), None)

    @async_dispatch(afetch_all)
    def fetch_all(
        self, operation: str, parameters: Parameters = None, **execution_options: Any
    ) -> list[tuple[Any, ...]]:
        """Fetch all rows that are left.

        Args:
            operation: The statement.
            parameters: Values by name; or a list of `{"name": …, "value": …, "type": …}`.
            execution_options: As for `fetch_one`.

        Returns:
            The rows; none at the end of the result.

        Raises:
            DatabricksError: As for `fetch_one`. No row is lost: the next call goes on where this one began.

        Example:
            ```python
            from prefect_databricks.sql import DatabricksSqlWarehouse

            with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
                rows = warehouse.fetch_all("SELECT * FROM parcels WHERE country = :c", parameters={"c": "NO"})
            ```
        """
        return self._cursors.fetch(Statement(operation, parameters, execution_options), None)

    async def aexecute(self, operation: str, parameters: Parameters = None, **execution_options: Any) -> None:
        """Async form of `execute`. No thread is taken."""
        await self._execute(Statement(operation, parameters, execution_options))

    @async_dispatch(aexecute)
    def execute(self, operation: str, parameters: Parameters = None, **execution_options: Any) -> None:
        """Execute an operation, such as INSERT, MERGE or CREATE TABLE. Each call executes it.

        Args:
            operation: The statement.
            parameters: Values by name; or a list of `{"name": …, "value": …, "type": …}`.
            execution_options: As for `fetch_one`.

        Raises:
            DatabricksError: As for `fetch_one`.

        Example:
            ```python
            from prefect_databricks.sql import DatabricksSqlWarehouse

            with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
                warehouse.execute("DELETE FROM parcels WHERE country = :country", parameters={"country": "NO"})
            ```
        """
        run_to_end(self._execute(Statement(operation, parameters, execution_options)))

    async def aexecute_many(
        self, operation: str, seq_of_parameters: Sequence[Parameters], **execution_options: Any
    ) -> None:
        """Async form of `execute_many`."""
        for index, parameters in enumerate(seq_of_parameters):
            with _named(index, len(seq_of_parameters)):
                await self._execute(Statement(operation, parameters, execution_options))

    @async_dispatch(aexecute_many)
    def execute_many(self, operation: str, seq_of_parameters: Sequence[Parameters], **execution_options: Any) -> None:
        """Execute an operation once for each set of parameters, one after the other.

        Each is a statement of its own, and takes effect by itself.

        Args:
            operation: The statement.
            seq_of_parameters: Values by name, for each execution.
            execution_options: As for `fetch_one`.

        Raises:
            DatabricksError: If one fails; the message says which, and that those before it took effect.

        Example:
            ```python
            from prefect_databricks.sql import DatabricksSqlWarehouse

            with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
                warehouse.execute_many(
                    "INSERT INTO parcels VALUES (:id, :country)",
                    seq_of_parameters=[{"id": 1, "country": "NO"}, {"id": 2, "country": "PT"}],
                )
            ```
        """
        for index, parameters in enumerate(seq_of_parameters):
            with _named(index, len(seq_of_parameters)):
                run_to_end(self._execute(Statement(operation, parameters, execution_options)))

    def stream_rows(
        self, operation: str, parameters: Parameters = None, **execution_options: Any
    ) -> Generator[tuple[Any, ...], None, None]:
        """Execute an operation and yield its rows, with one chunk of them in memory at a time.

        Cursors are not touched: each call executes the operation.

        Args:
            operation: The statement.
            parameters: Values by name; or a list of `{"name": …, "value": …, "type": …}`.
            execution_options: As for `fetch_one`.

        Yields:
            One tuple for each row, columns in order.

        Raises:
            DatabricksError: As for `fetch_one`.

        Example:
            ```python
            from prefect_databricks.sql import DatabricksSqlWarehouse

            with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
                for number, country in warehouse.stream_rows("SELECT id, country FROM parcels"):
                    print(number, country)
            ```
        """
        result = run_to_end(self._execute(Statement(operation, parameters, execution_options)))
        while rows := run_to_end(result.next_rows()):
            yield from rows

    async def astream_rows(
        self, operation: str, parameters: Parameters = None, **execution_options: Any
    ) -> AsyncGenerator[tuple[Any, ...], None]:
        """Async form of `stream_rows`, for `async for`."""
        result = await self._execute(Statement(operation, parameters, execution_options))
        while rows := await result.next_rows():
            for row in rows:
                yield row

    async def afetch_arrow(self, operation: str, parameters: Parameters = None, **execution_options: Any) -> Any:
        """Async form of `fetch_arrow`."""
        from ._sql.execution import execute
        from ._sql.rows import Result

        pyarrow: Any = require_extra("pyarrow", distribution="prefect-databricks", extra="arrow")
        options = {"disposition": "EXTERNAL_LINKS", **execution_options}
        request = self._request(Statement(operation, parameters, options), "ARROW_STREAM")
        result = Result(self.databricks_credentials, await execute(self.databricks_credentials, request))
        tables: list[Any] = []
        while (content := await result.next_content()) is not None:
            tables.append(await run_sync_in_worker_thread(_read_arrow, content))
        if tables:
            return pyarrow.concat_tables(tables)
        return pyarrow.table({name: pyarrow.array([], pyarrow.null()) for name in result.columns})

    @async_dispatch(afetch_arrow)
    def fetch_arrow(self, operation: str, parameters: Parameters = None, **execution_options: Any) -> Any:
        """Execute an operation and give its result as an Arrow table.

        The result is read from the workspace's storage in Arrow's own form, which is many times faster than by rows.
        Cursors are not touched.

        Args:
            operation: The statement.
            parameters: Values by name; or a list of `{"name": …, "value": …, "type": …}`.
            execution_options: As for `fetch_one`.

        Returns:
            A `pyarrow.Table`.

        Raises:
            ImportError: If pyarrow is not installed.
            DatabricksError: As for `fetch_one`.

        Example:
            ```python
            from prefect_databricks.sql import DatabricksSqlWarehouse

            with DatabricksSqlWarehouse.load("BLOCK_NAME") as warehouse:
                frame = warehouse.fetch_arrow("SELECT * FROM parcels").to_pandas()
            ```
        """
        return run_to_end(self.afetch_arrow(operation, parameters, **execution_options))

    def close(self) -> None:
        """Close all cursors. The next statement opens them anew."""
        self.reset_cursors()

    def __enter__(self) -> Self:
        """Use the block, and close it at the end."""
        return self

    def __exit__(self, *args: object) -> None:
        """Close all cursors."""
        self.close()

    async def __aenter__(self) -> Self:
        """Use the block, and close it at the end."""
        return self

    async def __aexit__(self, *args: object) -> None:
        """Close all cursors."""
        await run_sync_in_worker_thread(self.close)


def _read_arrow(content: bytes) -> Any:
    ipc: Any = require_extra("pyarrow.ipc", distribution="prefect-databricks", extra="arrow")
    return ipc.open_stream(content).read_all()


@contextmanager
def _named(index: int, count: int) -> Generator[None, None, None]:
    """Name the set of parameters that failed."""
    try:
        yield
    except DatabricksError as exc:
        before = "; those before it took effect" if index else ""
        exc.args = (f"{exc} (parameters {index + 1} of {count}{before})", *exc.args[1:])
        raise
