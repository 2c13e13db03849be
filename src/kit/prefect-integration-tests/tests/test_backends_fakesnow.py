"""fakesnow and the front before it: what Snowflake does, and what tests ask for."""

from __future__ import annotations

import threading
from typing import Any

import pytest

pytest.importorskip("fakesnow")

from snowflake.connector import connect
from snowflake.connector.errors import DatabaseError, Error, IntegrityError, ProgrammingError

from prefect_integration_tests.backends.fakesnow import SnowflakeServer


@pytest.fixture
def connection(snowflake_server: SnowflakeServer) -> Any:
    opened: Any = connect(
        **snowflake_server.connect_arguments(database=snowflake_server.new_database(), schema="S", warehouse="W")
    )
    yield opened
    opened.close()


def test_rows_are_kept(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (n INT NOT NULL)")
    cursor.executemany("INSERT INTO t VALUES (%s)", [(1,), (2,)])
    assert cursor.execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (2,)]
    with pytest.raises(IntegrityError, match="NOT NULL"):
        cursor.execute("INSERT INTO t VALUES (NULL)")


def test_logins_are_checked(snowflake_server: SnowflakeServer) -> None:
    with pytest.raises(DatabaseError, match="Incorrect username or password"):
        connect(**snowflake_server.connect_arguments(password="wrong"))
    snowflake_server.accounts.access_tokens.add("pat")
    connect(**snowflake_server.address(), user="u", authenticator="PROGRAMMATIC_ACCESS_TOKEN", token="pat").close()
    assert [sent.get("TOKEN") for sent in snowflake_server.logins] == [None, "pat"]


def test_queries_run_by_themselves(connection: Any, snowflake_server: SnowflakeServer) -> None:
    held = snowflake_server.hold_queries()
    cursor = connection.cursor()
    cursor.execute_async("SELECT 7")
    assert held.wait(10)
    assert connection.is_still_running(connection.get_query_status(cursor.sfqid))
    snowflake_server.release_queries()
    cursor.get_results_from_sfqid(cursor.sfqid)
    assert cursor.fetchall() == [(7,)]


@pytest.mark.parametrize("by", ["id", "sql"])
def test_queries_are_cancelled(connection: Any, snowflake_server: SnowflakeServer, by: str) -> None:
    cursor, other = connection.cursor(), connection.cursor()
    cursor.execute_async("CALL SYSTEM$WAIT(600)")
    if by == "id":
        assert other.abort_query(cursor.sfqid)
    else:
        other.execute(f"SELECT SYSTEM$CANCEL_QUERY('{cursor.sfqid}')")
    with pytest.raises(ProgrammingError, match="SQL execution canceled"):
        connection.get_query_status_throw_if_error(cursor.sfqid)
    assert [query.cancelled_by for query in snowflake_server.queries_like("WAIT")] == [by]


def test_a_statement_that_blocks_is_cancelled_at_its_timeout(
    connection: Any, snowflake_server: SnowflakeServer
) -> None:
    with pytest.raises(ProgrammingError, match="SQL execution canceled"):
        connection.cursor().execute("CALL SYSTEM$WAIT(600)", timeout=1)
    assert snowflake_server.queries[-1].cancelled_by == "request"


def test_several_statements_go_as_one(connection: Any) -> None:
    cursor = connection.cursor().execute("SELECT 1; SELECT 2", num_statements=2)
    assert cursor.fetchall() == [(1,)]
    cursor.nextset()
    assert cursor.fetchall() == [(2,)]
    with pytest.raises(ProgrammingError, match="did not match the desired statement count 3"):
        connection.cursor().execute("SELECT 1; SELECT 2", num_statements=3)


def test_tags_are_seen(connection: Any, snowflake_server: SnowflakeServer) -> None:
    connection.cursor().execute("SELECT 1", _statement_params={"QUERY_TAG": "mine"})
    assert snowflake_server.queries[-1].tag == "mine"


def test_sessions_end_and_warehouses_are_suspended(connection: Any, snowflake_server: SnowflakeServer) -> None:
    snowflake_server.expire_sessions()
    assert connection.cursor().execute("SELECT 1").fetchone() == (1,)  # the connector renews it by itself
    snowflake_server.suspend_warehouse()
    with pytest.raises(ProgrammingError, match="No active warehouse"):
        connection.cursor().execute("SELECT 1")
    snowflake_server.expire_sessions(for_good=True)
    with pytest.raises(Error, match="Session no longer exists"):
        connection.cursor().execute("SELECT 1")


def test_a_refusal_is_what_the_test_says(connection: Any, snowflake_server: SnowflakeServer) -> None:
    snowflake_server.refuse("secret_table", "003001", "42501", "Insufficient privileges")
    with pytest.raises(ProgrammingError, match="Insufficient privileges") as caught:
        connection.cursor().execute("SELECT * FROM secret_table")
    assert (caught.value.errno, caught.value.sqlstate) == (3001, "42501")


def test_a_data_frame_is_written(connection: Any) -> None:
    pd = pytest.importorskip("pandas")
    from snowflake.connector.pandas_tools import write_pandas

    frame = pd.DataFrame({"A": [1, 2], "b": ["x", None]})
    assert write_pandas(connection, frame, "T", auto_create_table=True)[2] == 2
    assert connection.cursor().execute('SELECT a, "b" FROM t ORDER BY a').fetchall() == [(1, "x"), (2, None)]


def test_nothing_is_left_of_the_test_before(snowflake_server: SnowflakeServer) -> None:
    assert (snowflake_server.logins, snowflake_server.queries, snowflake_server.closed_sessions) == ([], [], 0)
    assert not any(thread.name == "snowflake-query" for thread in threading.enumerate())
