"""Amazon Athena: tasks that run queries on data in S3, and rows as Python values.

Examples:
    Ask, with values bound to the `?` of the query:

    ```python
    from prefect import flow
    from prefect_aws import AwsCredentials
    from prefect_aws.athena import query

    @flow
    def count_parcels(country: str) -> int:
        result = query(
            "SELECT count(*) FROM parcels WHERE country = ?",
            AwsCredentials.load("BLOCK_NAME"),
            database="shop",
            parameters=[country],
        )
        return result.rows[0][0]
    ```

    Read a result that is larger than memory:

    ```python
    from prefect import flow
    from prefect_aws import AwsCredentials
    from prefect_aws.athena import read_rows, start_query_and_wait

    @flow
    def weigh_parcels() -> float:
        credentials = AwsCredentials.load("BLOCK_NAME")
        execution = start_query_and_wait("SELECT weight_kg FROM parcels", credentials, database="shop")
        return sum(weight for (weight,) in read_rows(execution.query_execution_id, credentials))
    ```
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.run_keys import run_key
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._athena_queries import Query, QueryColumn, QueryExecution, QueryRows, subject_of
from ._athena_values import literals
from ._remote_work import Patience, arun, run
from .credentials import AwsCredentials
from .errors import AwsInvalidRequest

__all__ = [
    "QueryColumn",
    "QueryExecution",
    "QueryResult",
    "QueryRows",
    "RowShape",
    "aquery",
    "astart_query_and_wait",
    "query",
    "read_rows",
    "start_query_and_wait",
]

RowShape = Literal["tuples", "dicts"]
"""How a row comes: as a tuple of its values, or as a dictionary by column names."""

_clock: Clock = SYSTEM_CLOCK

# https://docs.aws.amazon.com/athena/latest/APIReference/API_ResultReuseByAgeConfiguration.html
_MAX_REUSE_MINUTES = 10_080


@dataclass(frozen=True)
class QueryResult:
    """A query and its rows.

    Attributes:
        execution: The query: its ID, the bytes that it scanned, where its result lies.
        columns: Names and types of the columns.
        rows: One tuple or dictionary for each row, in the query's order.
        is_complete: Whether these are all rows; `False` when `max_rows` cut them.
    """

    execution: QueryExecution
    columns: tuple[QueryColumn, ...]
    rows: list[Any]
    is_complete: bool = True


class _Places(NamedTuple):
    database: str | None
    catalog: str | None
    workgroup: str | None
    output_location: str | None


def _query(
    statement: str,
    credentials: AwsCredentials,
    parameters: Sequence[Any],
    places: _Places,
    reuse_minutes: int | None,
    options: dict[str, Any],
) -> Query:
    context = {"Database": places.database, "Catalog": places.catalog}
    request: dict[str, Any] = {"QueryString": statement}
    if any(context.values()):
        request["QueryExecutionContext"] = {name: value for name, value in context.items() if value}
    if places.workgroup is not None:
        request["WorkGroup"] = places.workgroup
    subject = subject_of(request)
    if not statement.strip():
        raise AwsInvalidRequest(f"{subject}: the statement is empty.", subject=subject)
    if (location := places.output_location) is not None:
        if not location.startswith("s3://"):
            raise AwsInvalidRequest(
                f"{subject}: output_location is {location!r}; it must look like s3://bucket/folder/.", subject=subject
            )
        request["ResultConfiguration"] = {"OutputLocation": location}
    if reuse_minutes is not None:
        if not 0 < reuse_minutes <= _MAX_REUSE_MINUTES:
            raise AwsInvalidRequest(
                f"{subject}: reuse_minutes is {reuse_minutes}; from 1 to {_MAX_REUSE_MINUTES} are allowed.",
                subject=subject,
            )
        age = {"Enabled": True, "MaxAgeInMinutes": reuse_minutes}
        request["ResultReuseConfiguration"] = {"ResultReuseByAgeConfiguration": age}
    if parameters:
        request["ExecutionParameters"] = literals(parameters, subject)
    request.update(options)
    return Query(credentials, request, run_key(request), _clock)


@task
async def astart_query_and_wait(
    statement: str,
    aws_credentials: AwsCredentials,
    parameters: Sequence[Any] = (),
    database: str | None = None,
    catalog: str | None = None,
    workgroup: str | None = None,
    output_location: str | None = None,
    reuse_minutes: int | None = None,
    interval_seconds: float = 2.0,
    timeout_seconds: float | None = None,
    **start_kwargs: Any,
) -> QueryExecution:
    """Async form of `start_query_and_wait`. Only the requests take a thread, not the time between them."""
    places = _Places(database, catalog, workgroup, output_location)
    work = _query(statement, aws_credentials, parameters, places, reuse_minutes, start_kwargs)
    return await arun(work, Patience(interval_seconds, timeout_seconds, clock=_clock))


@sync_task(astart_query_and_wait)
def start_query_and_wait(
    statement: str,
    aws_credentials: AwsCredentials,
    parameters: Sequence[Any] = (),
    database: str | None = None,
    catalog: str | None = None,
    workgroup: str | None = None,
    output_location: str | None = None,
    reuse_minutes: int | None = None,
    interval_seconds: float = 2.0,
    timeout_seconds: float | None = None,
    **start_kwargs: Any,
) -> QueryExecution:
    """Run a statement and wait until it has succeeded, without reading its rows.

    When the wait is cancelled, interrupted or out of time, the query is stopped. Looks that fail for a passing reason
    (throttling, lost connections, errors on Athena's side) are repeated for ten minutes.

    A retry of the task takes the query that the task run started before, when that one is under way or has succeeded;
    after one that failed, a new one is started.

    Args:
        statement: One SQL statement, of at most 262,144 bytes.
        aws_credentials: Who we are at AWS.
        parameters: Values for the `?` of the statement, in order: text, numbers, booleans, dates, times, bytes, `None`.
            Athena keeps them with the query, so they are no place for secrets.
        database: Database that names without one belong to.
        catalog: Data catalog of the database; `AwsDataCatalog` when not given.
        workgroup: Workgroup that is billed and whose settings hold; `primary` when not given.
        output_location: Where the result goes, as `s3://bucket/folder/`; as the workgroup says when not given.
        reuse_minutes: Age up to which the result of an equal earlier query is taken instead of scanning again, from 1
            to 10,080 minutes; none is taken when not given.
        interval_seconds: Seconds between two looks at the query.
        timeout_seconds: Seconds after which to give up; `None` waits for ever.
        start_kwargs: Further arguments of boto3's
            [`start_query_execution`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/athena/client/start_query_execution.html).

    Returns:
        The query at its end: its ID, the bytes that it scanned, where its result lies.

    Raises:
        AwsJobFailed: If the query failed or was cancelled. It is a `RuntimeError` and names the query and the reason.
        AwsWaitTimeout: If the time was up. It is a `TimeoutError`.
        AwsInvalidRequest: If an argument is refused, by us or by Athena.
        AwsAccessDenied: If this identity may not run queries in the workgroup.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.athena import start_query_and_wait

        @flow
        def archive_parcels(day: str) -> int:
            execution = start_query_and_wait(
                "INSERT INTO parcels_archive SELECT * FROM parcels WHERE day = ?",
                AwsCredentials.load("BLOCK_NAME"),
                parameters=[day],
                database="shop",
            )
            return execution.bytes_scanned
        ```
    """
    places = _Places(database, catalog, workgroup, output_location)
    work = _query(statement, aws_credentials, parameters, places, reuse_minutes, start_kwargs)
    return run(work, Patience(interval_seconds, timeout_seconds, clock=_clock))


def _collect(
    execution: QueryExecution, credentials: AwsCredentials, rows_as: RowShape, max_rows: int | None
) -> QueryResult:
    rows = QueryRows(execution.query_execution_id, credentials, _clock)
    found: Iterator[tuple[Any, ...]] = iter(rows)
    taken = list(found) if max_rows is None else list(islice(found, max_rows))
    is_complete = max_rows is None or next(found, None) is None
    columns = rows.columns
    shaped = taken if rows_as == "tuples" else _as_dicts(taken, columns, execution)
    return QueryResult(execution, columns, list(shaped), is_complete)


def _as_dicts(
    rows: list[tuple[Any, ...]], columns: tuple[QueryColumn, ...], execution: QueryExecution
) -> list[dict[str, Any]]:
    names = [column.name for column in columns]
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        subject = f"Athena query {execution.query_execution_id}"
        raise AwsInvalidRequest(
            f"{subject}: more than one column is called {', '.join(twice)}, so rows cannot be dictionaries. Rename "
            "them with AS, or take rows_as='tuples'.",
            subject=subject,
        )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _check(rows_as: str, max_rows: int | None) -> None:
    if rows_as not in ("tuples", "dicts"):
        raise AwsInvalidRequest(f"Athena query: rows_as is {rows_as!r}; it must be 'tuples' or 'dicts'.")
    if max_rows is not None and max_rows < 0:
        raise AwsInvalidRequest(f"Athena query: max_rows is {max_rows}; it must not be negative.")


@task
async def aquery(
    statement: str,
    aws_credentials: AwsCredentials,
    parameters: Sequence[Any] = (),
    database: str | None = None,
    catalog: str | None = None,
    workgroup: str | None = None,
    output_location: str | None = None,
    reuse_minutes: int | None = None,
    rows_as: RowShape = "tuples",
    max_rows: int | None = None,
    interval_seconds: float = 2.0,
    timeout_seconds: float | None = None,
    **start_kwargs: Any,
) -> QueryResult:
    """Async form of `query`. Only the requests take a thread, not the time between them."""
    _check(rows_as, max_rows)
    places = _Places(database, catalog, workgroup, output_location)
    work = _query(statement, aws_credentials, parameters, places, reuse_minutes, start_kwargs)
    execution = await arun(work, Patience(interval_seconds, timeout_seconds, clock=_clock))
    return await run_sync_in_worker_thread(_collect, execution, aws_credentials, rows_as, max_rows)


@sync_task(aquery)
def query(
    statement: str,
    aws_credentials: AwsCredentials,
    parameters: Sequence[Any] = (),
    database: str | None = None,
    catalog: str | None = None,
    workgroup: str | None = None,
    output_location: str | None = None,
    reuse_minutes: int | None = None,
    rows_as: RowShape = "tuples",
    max_rows: int | None = None,
    interval_seconds: float = 2.0,
    timeout_seconds: float | None = None,
    **start_kwargs: Any,
) -> QueryResult:
    """Run a statement, wait until it has succeeded, and read its rows into memory.

    It waits, stops, and behaves when it is retried as `start_query_and_wait` does. For results that are larger than
    memory, use that one with `read_rows`.

    Values come as Python's: `bigint` and its relatives as `int`, `double` as `float`, `decimal` as `Decimal`,
    `boolean`, `date`, `time` and `timestamp` as what they are called (cut to microseconds), `varbinary` as `bytes`,
    `NULL` as `None`. Arrays, maps and rows come as Athena's text, which is not JSON: `CAST(... AS JSON)` makes it so.
    What Python cannot hold, such as a date in the year 12000, comes as text, too.

    Args:
        statement: One SQL statement, of at most 262,144 bytes.
        aws_credentials: Who we are at AWS.
        parameters: Values for the `?` of the statement, in order: text, numbers, booleans, dates, times, bytes, `None`.
            Athena keeps them with the query, so they are no place for secrets.
        database: Database that names without one belong to.
        catalog: Data catalog of the database; `AwsDataCatalog` when not given.
        workgroup: Workgroup that is billed and whose settings hold; `primary` when not given.
        output_location: Where the result goes, as `s3://bucket/folder/`; as the workgroup says when not given.
        reuse_minutes: Age up to which the result of an equal earlier query is taken instead of scanning again, from 1
            to 10,080 minutes; none is taken when not given.
        rows_as: Whether a row is a tuple, or a dictionary by column names.
        max_rows: How many rows are read at most; all when not given.
        interval_seconds: Seconds between two looks at the query.
        timeout_seconds: Seconds after which to give up, before the rows are read; `None` waits for ever.
        start_kwargs: Further arguments of boto3's
            [`start_query_execution`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/athena/client/start_query_execution.html).

    Returns:
        The query with its columns and rows.

    Raises:
        AwsJobFailed: If the query failed or was cancelled. It is a `RuntimeError` and names the query and the reason.
        AwsWaitTimeout: If the time was up. It is a `TimeoutError`.
        AwsInvalidRequest: If an argument is refused, or two columns of one name should become dictionaries.
        AwsAccessDenied: If this identity may not run queries in the workgroup, or not read their results from S3.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.athena import query

        @flow
        def heaviest_parcels(country: str) -> list[dict]:
            result = query(
                "SELECT id, weight_kg FROM parcels WHERE country = ? ORDER BY weight_kg DESC LIMIT 10",
                AwsCredentials.load("BLOCK_NAME"),
                parameters=[country],
                database="shop",
                rows_as="dicts",
            )
            return result.rows
        ```
    """
    _check(rows_as, max_rows)
    places = _Places(database, catalog, workgroup, output_location)
    work = _query(statement, aws_credentials, parameters, places, reuse_minutes, start_kwargs)
    execution = run(work, Patience(interval_seconds, timeout_seconds, clock=_clock))
    return _collect(execution, aws_credentials, rows_as, max_rows)


def read_rows(query_execution_id: str, aws_credentials: AwsCredentials) -> QueryRows:
    """Read the rows of a query that has ended, a thousand at a time, in bounded memory.

    Args:
        query_execution_id: ID of the query, as `start_query_and_wait` returns it.
        aws_credentials: Who we are at AWS.

    Returns:
        The rows, one tuple each, to loop over: `for row in rows`, or `async for row in rows` where the event loop must
        stay free. Nothing is read before. The loop raises `AwsJobFailed` if the query failed and `AwsInvalidRequest` if
        it has not ended.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.athena import astart_query_and_wait, read_rows

        @flow
        async def weigh_parcels() -> float:
            credentials = await AwsCredentials.aload("BLOCK_NAME")
            execution = await astart_query_and_wait("SELECT weight_kg FROM parcels", credentials, database="shop")
            total = 0.0
            async for (weight,) in read_rows(execution.query_execution_id, credentials):
                total += weight
            return total
        ```
    """
    return QueryRows(query_execution_id, aws_credentials, _clock)
