"""Tasks that run statements in a session of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Dict, List, Tuple, Type, TypeVar, Union  # noqa: UP035 - as published

from prefect import task

from prefect_integration_kit.dispatch import run_stoppable
from prefect_integration_kit.replaced import is_replaced
from prefect_integration_kit.sql import FetchStopped

from ._faces import paired
from ._result_rows import all_rows
from ._running import Surroundings, check_operation, execute, open_cursor
from ._transactions import BEGIN_TRANSACTION_STATEMENT, END_TRANSACTION_STATEMENT, ROLL_BACK_STATEMENT
from .errors import SnowflakeError, SnowflakeInvalidRequest

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

    from .database import SnowflakeConnector

R = TypeVar("R")

Params = Union[Tuple[Any], Dict[str, Any], None]  # noqa: UP006, UP007
Rows = List[Tuple[Any]]  # noqa: UP006


def _run(
    queries: Sequence[str],
    connector: SnowflakeConnector,
    params: Params,
    cursor_type: Type[SnowflakeCursor] | None,  # noqa: UP006
    surroundings: Surroundings,
    stop: threading.Event,
    *,
    as_transaction: bool = False,
) -> list[Rows]:
    """Run statements in one session, which ends with them, and give the rows of each."""
    for query in queries:
        check_operation(query)
    statements = list(queries)
    if as_transaction:
        statements = [BEGIN_TRANSACTION_STATEMENT, *statements, END_TRANSACTION_STATEMENT]
    connection = _session(connector)
    try:
        results: list[Rows] = []
        for place, statement in enumerate(statements):
            is_control = as_transaction and place in (0, len(statements) - 1)
            with open_cursor(connection, cursor_type) as cursor:
                try:
                    execute(cursor, statement, None if is_control else params, {}, surroundings, stop)
                    results.append(all_rows(cursor))
                except BaseException:
                    if as_transaction and place:
                        _roll_back(connection, surroundings)
                    raise
        return results
    finally:
        connection.close()


def _session(connector: SnowflakeConnector) -> SnowflakeConnection:
    """A connection of the task's own; a subclass or a stub of the block may have its own way to get one."""
    is_own = is_replaced(connector, "get_connection", f"{__package__}.database")
    return connector.get_connection() if is_own else connector.open_connection()


def _roll_back(connection: Any, surroundings: Surroundings) -> None:
    with suppress(SnowflakeError, FetchStopped), open_cursor(connection, None) as cursor:
        execute(cursor, ROLL_BACK_STATEMENT, None, {}, surroundings, threading.Event())


def _surroundings(connector: SnowflakeConnector, poll_frequency_seconds: float) -> Surroundings:
    if isinstance(poll_frequency_seconds, bool) or not poll_frequency_seconds > 0:
        raise SnowflakeInvalidRequest(
            f"poll_frequency_seconds is {poll_frequency_seconds!r}; it must be a number of seconds, more than 0."
        )
    return Surroundings.of(connector.credentials, poll_frequency_seconds)


def _blocking(body: Callable[[threading.Event], R]) -> R:
    return body(threading.Event())


@task
def snowflake_query(
    query: str,
    snowflake_connector: SnowflakeConnector,
    params: Params = None,
    cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
    poll_frequency_seconds: int = 1,
) -> Rows:
    """Run a query in a session of its own. When the run is cancelled or times out, so is the query.

    Args:
        query: The query.
        snowflake_connector: Where to run it.
        params: Values for its placeholders: a dictionary for `%(name)s`, a sequence for `%s`.
        cursor_type: Class of the cursor, such as `DictCursor`; `SnowflakeCursor` when not given.
        poll_frequency_seconds: The most seconds between two looks at whether the query has ended; at first they are
            shorter.

    Returns:
        One tuple for each row.

    Raises:
        SnowflakeError: If the query fails.

    Example:
        ```python
        from prefect import flow
        from prefect_snowflake import SnowflakeConnector
        from prefect_snowflake.database import snowflake_query


        @flow
        def orders_of(customer: int):
            connector = SnowflakeConnector.load("BLOCK_NAME")
            query = "SELECT * FROM orders WHERE customer = %(customer)s"
            return snowflake_query(query, connector, {"customer": customer})
        ```
    """
    surroundings = _surroundings(snowflake_connector, poll_frequency_seconds)
    return _blocking(lambda stop: _run([query], snowflake_connector, params, cursor_type, surroundings, stop))[0]


@task
async def snowflake_query_async(
    query: str,
    snowflake_connector: SnowflakeConnector,
    params: Params = None,
    cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
    poll_frequency_seconds: int = 1,
) -> Rows:
    """Async form of `snowflake_query`.

    Args:
        query: The query.
        snowflake_connector: Where to run it.
        params: Values for its placeholders: a dictionary for `%(name)s`, a sequence for `%s`.
        cursor_type: Class of the cursor, such as `DictCursor`; `SnowflakeCursor` when not given.
        poll_frequency_seconds: The most seconds between two looks at whether the query has ended.

    Returns:
        One tuple for each row.

    Raises:
        SnowflakeError: If the query fails.
    """
    surroundings = _surroundings(snowflake_connector, poll_frequency_seconds)
    results = await run_stoppable(
        lambda stop: _run([query], snowflake_connector, params, cursor_type, surroundings, stop)
    )
    return results[0]


@task
def snowflake_multiquery(
    queries: List[str],  # noqa: UP006
    snowflake_connector: SnowflakeConnector,
    params: Params = None,
    cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
    as_transaction: bool = False,
    return_transaction_control_results: bool = False,
    poll_frequency_seconds: int = 1,
) -> List[Rows]:  # noqa: UP006
    """Run queries one after the other in one session, as a transaction if wanted.

    Args:
        queries: The queries.
        snowflake_connector: Where to run them.
        params: Values for the placeholders of each of them.
        cursor_type: Class of the cursor, such as `DictCursor`; `SnowflakeCursor` when not given.
        as_transaction: Whether all take effect or none. When one fails, what went before is rolled back.
        return_transaction_control_results: Whether the results of BEGIN and COMMIT are returned, too.
        poll_frequency_seconds: The most seconds between two looks at whether a query has ended.

    Returns:
        The rows of each query.

    Raises:
        SnowflakeError: If a query fails; those behind it are not run.

    Example:
        ```python
        from prefect import flow
        from prefect_snowflake import SnowflakeConnector
        from prefect_snowflake.database import snowflake_multiquery


        @flow
        def move_orders():
            connector = SnowflakeConnector.load("BLOCK_NAME")
            queries = ["INSERT INTO archive SELECT * FROM orders", "DELETE FROM orders"]
            return snowflake_multiquery(queries, connector, as_transaction=True)
        ```
    """
    surroundings = _surroundings(snowflake_connector, poll_frequency_seconds)
    results = _blocking(
        lambda stop: _run(
            queries, snowflake_connector, params, cursor_type, surroundings, stop, as_transaction=as_transaction
        )
    )
    return results[1:-1] if as_transaction and not return_transaction_control_results else results


@task
async def snowflake_multiquery_async(
    queries: List[str],  # noqa: UP006
    snowflake_connector: SnowflakeConnector,
    params: Params = None,
    cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
    as_transaction: bool = False,
    return_transaction_control_results: bool = False,
    poll_frequency_seconds: int = 1,
) -> List[Rows]:  # noqa: UP006
    """Async form of `snowflake_multiquery`.

    Args:
        queries: The queries.
        snowflake_connector: Where to run them.
        params: Values for the placeholders of each of them.
        cursor_type: Class of the cursor, such as `DictCursor`; `SnowflakeCursor` when not given.
        as_transaction: Whether all take effect or none.
        return_transaction_control_results: Whether the results of BEGIN and COMMIT are returned, too.
        poll_frequency_seconds: The most seconds between two looks at whether a query has ended.

    Returns:
        The rows of each query.

    Raises:
        SnowflakeError: If a query fails; those behind it are not run.
    """
    surroundings = _surroundings(snowflake_connector, poll_frequency_seconds)
    results = await run_stoppable(
        lambda stop: _run(
            queries, snowflake_connector, params, cursor_type, surroundings, stop, as_transaction=as_transaction
        )
    )
    return results[1:-1] if as_transaction and not return_transaction_control_results else results


@task
def snowflake_query_sync(
    query: str,
    snowflake_connector: SnowflakeConnector,
    params: Params = None,
    cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
) -> Rows:
    """Run a query in a session of its own, as `snowflake_query` does; the block says how often to look.

    Args:
        query: The query.
        snowflake_connector: Where to run it.
        params: Values for its placeholders: a dictionary for `%(name)s`, a sequence for `%s`.
        cursor_type: Class of the cursor, such as `DictCursor`; `SnowflakeCursor` when not given.

    Returns:
        One tuple for each row.

    Raises:
        SnowflakeError: If the query fails.

    Example:
        ```python
        from prefect import flow
        from prefect_snowflake import SnowflakeConnector
        from prefect_snowflake.database import snowflake_query_sync


        @flow
        def count_orders():
            return snowflake_query_sync("SELECT COUNT(*) FROM orders", SnowflakeConnector.load("BLOCK_NAME"))
        ```
    """
    surroundings = Surroundings.of(snowflake_connector.credentials, snowflake_connector.poll_frequency_s)
    return _blocking(lambda stop: _run([query], snowflake_connector, params, cursor_type, surroundings, stop))[0]


paired(snowflake_query_async)(snowflake_query)
paired(snowflake_multiquery_async)(snowflake_multiquery)
