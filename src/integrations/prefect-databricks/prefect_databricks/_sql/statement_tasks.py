"""The task that executes a statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prefect import task

from prefect_integration_kit.coroutines import run_to_end
from prefect_integration_kit.dispatch import sync_task

from ..credentials import DatabricksCredentials
from .execution import Request, execute
from .formats import Disposition
from .rows import Result, until_end


@dataclass(frozen=True)
class SqlResult:
    """The result of a statement.

    Attributes:
        statement_id: ID of the statement, by which the history of queries has it.
        columns: Names of the columns, in order.
        rows: One tuple for each row, columns in order: whole numbers, `Decimal`, dates and moments (those with a time
            zone in UTC) as Python has them; arrays, maps and structs as JSON has them.
        is_truncated: Whether a limit has left rows out.
    """

    statement_id: str
    columns: list[str]
    rows: list[tuple[Any, ...]] = field(repr=False)
    is_truncated: bool = False

    def as_dicts(self) -> list[dict[str, Any]]:
        """Give the rows as dictionaries by the names of the columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


async def _sql_statement(credentials: DatabricksCredentials, request: Request) -> SqlResult:
    result = Result(credentials, await execute(credentials, request))
    rows = await until_end(result)
    return SqlResult(result.statement_id, result.columns, rows, result.is_truncated)


@task
async def asql_statement(
    statement: str,
    databricks_credentials: DatabricksCredentials,
    warehouse_id: str,
    parameters: dict[str, Any] | list[dict[str, Any]] | None = None,
    *,
    catalog: str | None = None,
    schema: str | None = None,
    row_limit: int | None = None,
    query_tags: dict[str, str | None] | None = None,
    timeout_seconds: float | None = None,
    disposition: Disposition | None = None,
) -> SqlResult:
    """Async form of `sql_statement`."""
    request = Request(
        statement,
        warehouse_id,
        parameters,
        catalog,
        schema,
        row_limit=row_limit,
        query_tags=query_tags,
        timeout_seconds=timeout_seconds,
        disposition=disposition,
    )
    return await _sql_statement(databricks_credentials, request)


@sync_task(asql_statement)
def sql_statement(
    statement: str,
    databricks_credentials: DatabricksCredentials,
    warehouse_id: str,
    parameters: dict[str, Any] | list[dict[str, Any]] | None = None,
    *,
    catalog: str | None = None,
    schema: str | None = None,
    row_limit: int | None = None,
    query_tags: dict[str, str | None] | None = None,
    timeout_seconds: float | None = None,
    disposition: Disposition | None = None,
) -> SqlResult:
    """Execute a statement on a SQL warehouse, and give its result.

    Values are bound by the warehouse: they are never written into the SQL. When the run is cancelled, interrupted or
    out of time, the statement is cancelled. It is executed once: a statement that writes is not sent again when its
    answer is lost. A retry of the task executes it again, so give retries to statements only that may run twice.

    Args:
        statement: One statement. `:name` stands for a value of `parameters`, `IDENTIFIER(:name)` for a name.
        databricks_credentials: Credentials to authenticate with.
        warehouse_id: ID of the warehouse, as its page shows it. A warehouse that is stopped is started.
        parameters: Values by name; or a list of `{"name": …, "value": …, "type": …}` to choose the types.
        catalog: Catalog that names without one are in.
        schema: Schema that names without one are in.
        row_limit: How many rows the result has at most.
        query_tags: Tags that the history of queries shows.
        timeout_seconds: Seconds until which the statement must have ended; for ever by default.
        disposition: `INLINE`: the result comes in answers of the API, up to 25 MiB. `EXTERNAL_LINKS`: it is read from
            the workspace's storage, in chunks. By default the first one, and for a query whose result is too large the
            second.

    Returns:
        The result, whole in memory. `DatabricksSqlWarehouse` reads one in parts.

    Raises:
        DatabricksStatementError: If the statement failed.
        DatabricksStatementTimedOut: If it did not end in time.
        DatabricksBadRequest: If a value cannot be bound, or the warehouse does not exist.
        DatabricksError: If Databricks does not answer.

    Example:
        ```python
        from prefect import flow
        from prefect_databricks import DatabricksCredentials
        from prefect_databricks.sql import sql_statement

        @flow
        def report(country: str) -> list[dict]:
            result = sql_statement(
                "SELECT id, amount FROM orders WHERE country = :country AND amount > :least",
                databricks_credentials=DatabricksCredentials.load("BLOCK_NAME"),
                warehouse_id="abcdef0123456789",
                parameters={"country": country, "least": 100},
            )
            return result.as_dicts()
        ```
    """
    request = Request(
        statement,
        warehouse_id,
        parameters,
        catalog,
        schema,
        row_limit=row_limit,
        query_tags=query_tags,
        timeout_seconds=timeout_seconds,
        disposition=disposition,
    )
    return run_to_end(_sql_statement(databricks_credentials, request))
