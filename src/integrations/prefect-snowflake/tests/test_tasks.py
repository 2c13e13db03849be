"""The tasks, in flows of both kinds."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow

from prefect_snowflake import SnowflakeConnector, SnowflakeInvalidRequest, SnowflakeObjectNotFound
from prefect_snowflake.database import (
    BEGIN_TRANSACTION_STATEMENT,
    END_TRANSACTION_STATEMENT,
    snowflake_multiquery,
    snowflake_multiquery_async,
    snowflake_query,
    snowflake_query_async,
    snowflake_query_sync,
)

pytestmark = pytest.mark.usefixtures("prefect_harness")
NUMBERS = ["CREATE TEMPORARY TABLE n (n INT)", "INSERT INTO n VALUES (1), (2)", "SELECT n FROM n ORDER BY n"]


@pytest.mark.parametrize("query_task", [snowflake_query, snowflake_query_sync], ids=lambda each: each.name)
def test_a_query_runs_in_a_flow(connector: SnowflakeConnector, snowflake_server: Any, query_task: Any) -> None:
    from snowflake.connector import DictCursor

    @flow
    def read() -> list[Any]:
        rows = query_task("SELECT 1 AS n WHERE 2 = %(two)s", connector, params={"two": 2})
        return [rows, query_task("SELECT 2 AS n", connector, cursor_type=DictCursor)]

    assert read() == [[(1,)], [{"N": 2}]]
    assert snowflake_server.closed_sessions == 2


async def test_queries_run_in_an_async_flow(connector: SnowflakeConnector) -> None:
    @flow
    async def read() -> list[Any]:
        return [
            await snowflake_query_async("SELECT %(n)s", connector, params={"n": 1}),
            await snowflake_multiquery_async(NUMBERS, connector),
        ]

    one, several = await read()
    assert one == [(1,)]
    assert several[-1] == [(1,), (2,)]


def test_a_multiquery_shares_a_session(connector: SnowflakeConnector) -> None:
    found = flow(lambda: snowflake_multiquery(NUMBERS, connector), name="multi")()
    assert found[1:] == [[(2,)], [(1,), (2,)]]


@pytest.mark.parametrize("returns", [False, True])
def test_a_transaction_is_controlled(connector: SnowflakeConnector, snowflake_server: Any, returns: bool) -> None:
    queries = ["SELECT 1", "SELECT 2", "SELECT 3"]

    @flow
    def run() -> list[Any]:
        return snowflake_multiquery(queries, connector, as_transaction=True, return_transaction_control_results=returns)

    assert len(run()) == (5 if returns else 3)
    ran = [query.sql for query in snowflake_server.queries]
    assert (ran[0], ran[-1]) == (BEGIN_TRANSACTION_STATEMENT, END_TRANSACTION_STATEMENT)


def test_a_transaction_that_fails_leaves_nothing(connector: SnowflakeConnector) -> None:
    connector.execute("CREATE TABLE kept (n INT)")

    @flow
    def run() -> None:
        snowflake_multiquery(["INSERT INTO kept VALUES (1)", "SELECT * FROM missing"], connector, as_transaction=True)

    with pytest.raises(SnowflakeObjectNotFound):
        run()
    assert connector.fetch_all("SELECT * FROM kept") == []


def test_a_task_leaves_the_connectors_own_session_alone(connector: SnowflakeConnector) -> None:
    query = "SELECT * FROM range(4)"
    assert connector.fetch_many(query, size=2) == [(0,), (1,)]
    flow(lambda: snowflake_query("SELECT 1", connector), name="beside")()
    assert connector.fetch_all(query) == [(2,), (3,)]


@pytest.mark.parametrize("seconds", [0, -1, True])
def test_a_frequency_that_is_none_is_refused(connector: SnowflakeConnector, seconds: Any) -> None:
    with pytest.raises(SnowflakeInvalidRequest, match="poll_frequency_seconds is"):
        snowflake_query.fn("SELECT 1", connector, poll_frequency_seconds=seconds)


def test_an_empty_query_is_refused_before_anything_runs(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    with pytest.raises(SnowflakeInvalidRequest, match="give a statement"):
        snowflake_multiquery.fn(["SELECT 1", " "], connector)
    assert snowflake_server.logins == []
