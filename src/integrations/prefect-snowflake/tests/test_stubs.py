"""What users' own tests put in the place of the connector, the session or the block."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import MagicMock, patch

import pytest
from prefect import flow

from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials
from prefect_snowflake.database import (
    snowflake_multiquery,
    snowflake_query,
    snowflake_query_async,
    snowflake_query_sync,
)


class StubbedCursor:
    """The connector's documented calls, and no others."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def execute_async(self, command: str, params: Any = None) -> dict[str, str]:
        self.waiting = [(command, params)]
        return {"queryId": "1"}

    def get_results_from_sfqid(self, query_id: str) -> None:
        self.rows = self.waiting

    def execute(self, command: str, params: Any = None) -> None:
        self.rows = [(command, params)]

    def executemany(self, command: str, seqparams: Any) -> None:
        self.rows = [(command, each) for each in seqparams]

    def fetchall(self) -> list[Any]:
        return self.rows


class StubbedConnection:
    """One look, and the query has ended."""

    def __init__(self, **arguments: Any) -> None:
        self.left = 1

    def cursor(self, *_: Any) -> StubbedCursor:
        return StubbedCursor()

    def get_query_status(self, query_id: str) -> bool:
        self.left -= 1
        return self.left >= 0

    def is_still_running(self, status: bool) -> bool:
        return status

    def is_closed(self) -> bool:
        return False

    def close(self) -> None: ...


class OwnConnector(SnowflakeConnector):
    """A session from elsewhere."""

    _block_type_name = "Own Snowflake Connector"

    def get_connection(self, **connect_kwargs: Any) -> Any:
        return StubbedConnection()


def connector(cls: type[SnowflakeConnector] = SnowflakeConnector) -> SnowflakeConnector:
    credentials = SnowflakeCredentials(account="a", user="u", password="p")  # pyright: ignore[reportArgumentType]
    return cls(credentials=credentials, database="d", warehouse="w", schema="s")  # pyright: ignore[reportCallIssue]


def mocked_block() -> Any:
    block = MagicMock()
    block.get_connection.side_effect = StubbedConnection
    return block


@pytest.mark.parametrize("made", [connector, lambda: connector(OwnConnector), mocked_block], ids=["sdk", "own", "mock"])
def test_tasks_run_through_a_stub(made: Any) -> None:
    with patch("snowflake.connector.connect", StubbedConnection):
        assert snowflake_query.fn("q", made(), params=(1,)) == [("q", (1,))]
        assert snowflake_query_sync.fn("q", made()) == [("q", None)]
        assert asyncio.run(snowflake_query_async.fn("q", made())) == [("q", None)]
        assert snowflake_multiquery.fn(["q"], made(), as_transaction=True) == [[("q", None)]]


@pytest.mark.parametrize("cls", [SnowflakeConnector, OwnConnector])
def test_methods_run_through_a_stub(cls: type[SnowflakeConnector], prefect_harness: None) -> None:
    with patch("snowflake.connector.connect", StubbedConnection):
        assert connector(cls).fetch_all("q", {"a": 1}) == [("q", {"a": 1})]
        connector(cls).execute("q")
        flow(lambda: connector(cls).execute_many("q", [(1,)]), name="many")()  # in a run, the connector gets a tag


def test_fakesnow_can_take_the_place_of_the_connector() -> None:
    fakesnow = pytest.importorskip("fakesnow")
    with fakesnow.patch(), connector() as block:
        block.execute("CREATE TABLE t (n INT)")
        block.execute_many("INSERT INTO t VALUES (%(n)s)", [{"n": 1}, {"n": 2}])
        assert block.fetch_many("SELECT n FROM t ORDER BY n", size=1) == [(1,)]
        assert block.fetch_all("SELECT n FROM t ORDER BY n") == [(2,)]


@pytest.mark.parametrize(
    "place", ["snowflake.connector.connect", "prefect_snowflake.credentials.snowflake.connector.connect"]
)
def test_a_mock_of_the_connector_serves_all_statements_of_a_block(place: str) -> None:
    with patch(place) as connect:
        cursor = connect.return_value.cursor.return_value
        cursor.fetchone.return_value = (1,)
        cursor.fetchmany.return_value = [(1,), (2,)]
        cursor.fetchall.return_value = [(3,)]
        block = connector()
        block.execute("q")
        block.execute_many("several", [{"a": 1}, {"a": 2}])
        assert cursor.executemany.call_args.args == ("several", [{"a": 1}, {"a": 2}])
        assert block.fetch_many("several", size=2) == [(1,), (2,)]
        assert block.fetch_all("all") == [(3,)]
        assert connect.call_count == 1
        assert connect.call_args.kwargs["account"] == "a"
        block.close()
        assert connect.return_value.close.call_count == 1


@pytest.mark.parametrize("spec", [None, ["cursor", "fetchone", "execute_async", "get_results_from_sfqid", "close"]])
def test_a_mock_may_say_what_fetchone_gives(spec: list[str] | None) -> None:
    with patch("snowflake.connector.connect") as connect:
        cursor = connect.return_value.cursor.return_value = MagicMock(spec=spec)
        cursor.fetchone.side_effect = [(1,), None]
        block = connector()
        assert block.fetch_one("q") == (1,)
        assert block.fetch_one("q") is None


def test_a_package_that_a_test_replaces_beside_the_block_connects() -> None:
    for _ in range(2):
        with patch("prefect_snowflake.credentials.snowflake") as package:
            credentials = SnowflakeCredentials(account="a", user="u", password="p")
            assert credentials.get_client(role="r") is package.connector.connect.return_value
        assert package.connector.connect.call_args.kwargs["role"] == "r"
