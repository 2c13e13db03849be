"""What the connector does beyond the shared suite: sessions, scripts, transactions, an end that is an end."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest
from prefect import flow

from prefect_snowflake import (
    SnowflakeConnector,
    SnowflakeConstraintViolation,
    SnowflakeError,
    SnowflakeInvalidRequest,
    SnowflakeObjectNotFound,
    SnowflakeQueryTimeout,
    SnowflakeSyntaxError,
    SnowflakeUnavailable,
    SnowflakeWarehouseUnavailable,
)

from ._account import make_connector


@pytest.fixture
def parcels(connector: SnowflakeConnector) -> SnowflakeConnector:
    """A connector to a database with three parcels."""
    connector.execute("CREATE TABLE parcels (id INT NOT NULL, country VARCHAR)")
    rows = [{"id": 1, "country": "NO"}, {"id": 2, "country": "PT"}, {"id": 3, "country": "NO"}]
    connector.execute_many("INSERT INTO parcels (id, country) VALUES (%(id)s, %(country)s)", rows)
    return connector


QUERY = "SELECT id, country FROM parcels ORDER BY id"


# Fetching


async def test_the_published_async_names_fetch(parcels: SnowflakeConnector) -> None:
    """Fetches of all kinds, after the migration that broke them (#16110)."""
    assert await parcels.fetch_one_async(QUERY) == (1, "NO")
    assert await parcels.fetch_many_async(QUERY, size=1) == [(2, "PT")]
    assert await parcels.fetch_all_async(QUERY) == [(3, "NO")]
    await parcels.execute_async("DELETE FROM parcels WHERE id = %(id)s", {"id": 1})
    await parcels.execute_many_async("INSERT INTO parcels VALUES (%(id)s, 'SE')", [{"id": 4}, {"id": 5}])
    assert len(await parcels.fetch_all_async(QUERY)) == 0
    assert len(await parcels.fetch_all_async(QUERY)) == 4


async def test_sync_names_block_in_an_async_flow_as_they_always_did(
    parcels: SnowflakeConnector, prefect_harness: None
) -> None:
    @flow
    async def read() -> list[Any]:
        return [parcels.fetch_one(QUERY), *parcels.fetch_many(QUERY, size=1), *parcels.fetch_all(QUERY)]

    assert await read() == [(1, "NO"), (2, "PT"), (3, "NO")]


def test_a_cursor_type_makes_dictionaries(parcels: SnowflakeConnector) -> None:
    from snowflake.connector import DictCursor

    assert parcels.fetch_one(QUERY, cursor_type=DictCursor) == {"ID": 1, "COUNTRY": "NO"}
    assert parcels.fetch_one(QUERY) == (1, "NO")


def test_the_default_cursor_type_may_be_named(parcels: SnowflakeConnector) -> None:
    from snowflake.connector.cursor import SnowflakeCursor

    assert parcels.fetch_one(QUERY) == (1, "NO")
    assert parcels.fetch_one(QUERY, cursor_type=SnowflakeCursor) == (2, "PT")


def test_the_end_releases_the_cursor_and_the_same_call_executes_again(
    snowflake_server: Any, parcels: SnowflakeConnector
) -> None:
    """Results are not pinned to a hidden dictionary (archive sqlalchemy#48, #14645)."""
    assert len(parcels.fetch_all(QUERY)) == 3
    assert parcels.fetch_all(QUERY) == []
    assert len(parcels._cursors) == 0
    parcels.execute("DELETE FROM parcels WHERE id = 1")
    assert len(parcels.fetch_all(QUERY)) == 2
    assert len(snowflake_server.queries_like(QUERY)) == 2


def test_values_are_bound_by_position_too(parcels: SnowflakeConnector) -> None:
    assert parcels.fetch_all("SELECT id FROM parcels WHERE country = %s ORDER BY id", ("NO",)) == [(1,), (3,)]  # pyright: ignore[reportArgumentType]


# One session


def test_a_script_runs_in_one_session(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    """Temporary tables survive from statement to statement (archive snowflake#65)."""
    script = """
        -- a comment; with a semicolon
        CREATE TEMPORARY TABLE t (a VARCHAR);
        INSERT INTO t VALUES ('x;y'), ('z');
        /* another; */
        SELECT a FROM t ORDER BY a;
    """
    assert connector.execute_script(script)[-1] == [("x;y",), ("z",)]
    assert len({query.session for query in snowflake_server.queries}) == 1
    assert connector.fetch_one("SELECT COUNT(*) FROM t") == (2,)


async def test_a_script_runs_in_both_faces(connector: SnowflakeConnector, call: Any) -> None:
    assert await call(connector, "execute_script", "SELECT 1; SELECT 2;") == [[(1,)], [(2,)]]


def test_a_script_stops_at_the_first_error(connector: SnowflakeConnector) -> None:
    with pytest.raises(SnowflakeObjectNotFound):
        connector.execute_script("CREATE TABLE a (n INT); SELECT * FROM missing; CREATE TABLE b (n INT);")
    assert connector.fetch_all("SELECT * FROM a") == []
    with pytest.raises(SnowflakeObjectNotFound):
        connector.fetch_all("SELECT * FROM b")


def test_several_statements_go_as_one_request(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    connector.execute("CREATE TEMPORARY TABLE t (n INT); INSERT INTO t VALUES (1), (2);", num_statements=0)
    assert connector.fetch_one("SELECT COUNT(*) FROM t") == (2,)
    with pytest.raises(SnowflakeError, match="Actual statement count 2 did not match"):
        connector.execute("SELECT 1; SELECT 2;", num_statements=3)


def test_a_transaction_takes_effect_as_a_whole_or_not_at_all(parcels: SnowflakeConnector) -> None:
    with parcels.transaction():
        parcels.execute("DELETE FROM parcels WHERE id = 1")
        parcels.execute("DELETE FROM parcels WHERE id = 2")
    assert parcels.fetch_all("SELECT COUNT(*) FROM parcels") == [(1,)]

    def fail() -> None:
        with parcels.transaction():
            parcels.execute("DELETE FROM parcels")
            parcels.execute("SELEC 1")

    with pytest.raises(SnowflakeSyntaxError):
        fail()
    parcels.reset_cursors()
    assert parcels.fetch_all("SELECT COUNT(*) FROM parcels") == [(1,)]


async def test_a_transaction_has_an_async_form(parcels: SnowflakeConnector) -> None:
    async def fail() -> None:
        async with parcels.transaction_async():
            await parcels.execute_async("DELETE FROM parcels")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await parcels.fetch_all_async("SELECT COUNT(*) FROM parcels") == [(3,)]


def test_a_transaction_in_a_transaction_is_refused(connector: SnowflakeConnector) -> None:
    with (
        connector.transaction(),
        pytest.raises(SnowflakeInvalidRequest, match="a transaction already"),
        connector.transaction(),
    ):
        pass


def test_a_renewed_session_goes_on(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    connector.execute("CREATE TEMPORARY TABLE t (n INT)")
    snowflake_server.expire_sessions()
    assert connector.fetch_all("SELECT * FROM t") == []
    assert len(snowflake_server.logins) == 1


def test_a_session_that_has_ended_is_replaced_once(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    connector.fetch_one("SELECT 1")
    snowflake_server.expire_sessions(for_good=True)
    assert connector.fetch_one("SELECT 2") == (2,)
    assert len(snowflake_server.logins) == 2


def test_a_session_that_ends_in_a_transaction_is_an_error(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    def fail() -> None:
        with connector.transaction():
            snowflake_server.expire_sessions(for_good=True)
            connector.execute("CREATE TABLE t (n INT)")

    with pytest.raises(SnowflakeError, match="Session no longer exists"):
        fail()


def test_requests_that_fail_for_a_moment_are_repeated(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    connector.fetch_one("SELECT 1")
    snowflake_server.fail("/queries/v1/query-request", status=503, times=1)
    assert connector.fetch_one("SELECT 2") == (2,)


# The end


def test_close_can_be_called_again_and_closes_the_session(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    connector.close()
    connection = connector.get_connection()
    assert connector.get_connection() is connection
    connector.fetch_many("SELECT * FROM range(10)", size=2)
    connector.close()
    connector.close()
    assert connection.is_closed()
    assert snowflake_server.closed_sessions == 1


def test_a_connection_that_somebody_closed_is_opened_again(connector: SnowflakeConnector) -> None:
    with connector.get_connection() as connection:
        assert connection.cursor().execute("SELECT 1").fetchone() == (1,)  # pyright: ignore[reportOptionalMemberAccess]
    assert connector.fetch_one("SELECT 2") == (2,)


def test_an_error_of_a_cursor_does_not_keep_the_session_open(
    connector: SnowflakeConnector, snowflake_server: Any
) -> None:
    """All that can be closed is closed, and then the first error is raised (#22800)."""
    connector.fetch_many("SELECT * FROM range(10)", size=2)

    class Broken:
        def close(self) -> None:
            raise SnowflakeError("The cursor does not close.")

    for cursor in connector._cursors._cursors.values():
        cursor._rows = Broken()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(SnowflakeError, match="does not close"):
        connector.close()
    assert snowflake_server.closed_sessions == 1
    connector.close()


def test_a_process_with_an_open_result_ends(snowflake_server: Any) -> None:
    """Threads of the connector do not keep the interpreter (snowflake-connector#2213)."""
    program = f"""
        from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials
        credentials = SnowflakeCredentials(user="fake", password="snow", **{snowflake_server.address()!r})
        connector = SnowflakeConnector(credentials=credentials, database="D", schema="S", warehouse="W")
        print(connector.fetch_many("SELECT * FROM range(100000)", size=2))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=50, check=True
    )
    assert "[(0,), (1,)]" in done.stdout


# Bad input


@pytest.mark.parametrize("name", ["execute", "fetch_one", "fetch_many", "fetch_all"])
@pytest.mark.parametrize("operation", ["", "  ", "-- nothing", "/* nothing */;", None], ids=repr)
def test_an_empty_statement_is_refused(connector: SnowflakeConnector, name: str, operation: Any) -> None:
    with pytest.raises(SnowflakeInvalidRequest, match="give a statement"):
        getattr(connector, name)(operation)


@pytest.mark.parametrize("given", [{"a": 1}, "text", 3, None], ids=repr)
def test_parameters_that_are_no_list_are_refused(connector: SnowflakeConnector, given: Any) -> None:
    with pytest.raises(SnowflakeInvalidRequest, match="seq_of_parameters is"):
        connector.execute_many("SELECT 1", given)


@pytest.mark.parametrize("timeout", [-1, "soon", True], ids=repr)
def test_a_timeout_that_is_none_is_refused(connector: SnowflakeConnector, timeout: Any) -> None:
    with pytest.raises(SnowflakeInvalidRequest, match="timeout is"):
        connector.fetch_one("SELECT 1", timeout=timeout)


def test_a_timeout_may_be_a_number_of_numpy(connector: SnowflakeConnector) -> None:
    np: Any = pytest.importorskip("numpy", reason="The number is one of numpy.")
    assert connector.fetch_one("SELECT 1", timeout=np.int64(20)) == (1,)


@pytest.mark.parametrize("field", ["fetch_size", "poll_frequency_s"])
def test_sizes_and_frequencies_are_positive(connector: SnowflakeConnector, field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is 0"):
        make_connector(connector.credentials, "D", **{field: 0})


@pytest.mark.parametrize("alias", ["schema", "schema_"])
def test_the_schema_has_two_names(connector: SnowflakeConnector, alias: str) -> None:
    fields: dict[str, Any] = {"credentials": connector.credentials, "database": "D", "warehouse": "W", alias: "S"}
    assert SnowflakeConnector(**fields).schema_ == "S"


async def test_no_such_table(connector: SnowflakeConnector, call: Any) -> None:
    from snowflake.connector.errors import ProgrammingError

    with pytest.raises(
        SnowflakeObjectNotFound, match=r"Query [0-9a-f-]{36}: 002003.*MISSING.*Check its name"
    ) as caught:
        await call(connector, "fetch_all", "SELECT * FROM missing")
    assert isinstance(caught.value, ProgrammingError)
    assert isinstance(caught.value, LookupError)
    assert (caught.value.errno, caught.value.sfqid) == (2003, str(caught.value).split()[1].rstrip(":"))


async def test_a_row_that_breaks_a_constraint(parcels: SnowflakeConnector, call: Any) -> None:
    with pytest.raises(SnowflakeConstraintViolation, match="100072"):
        await call(parcels, "execute", "INSERT INTO parcels VALUES (NULL, 'NO')")
    with pytest.raises(SnowflakeConstraintViolation, match="100072"):
        await call(parcels, "execute_many", "INSERT INTO parcels VALUES (%(id)s, 'NO')", [{"id": None}])


async def test_a_warehouse_that_is_suspended(connector: SnowflakeConnector, snowflake_server: Any, call: Any) -> None:
    snowflake_server.suspend_warehouse()
    with pytest.raises(SnowflakeWarehouseUnavailable, match=r"000606.*ALTER WAREHOUSE ... RESUME"):
        await call(connector, "fetch_all", "SELECT 1")


@pytest.mark.parametrize(
    ("code", "state", "message", "error"),
    [
        ("000630", "57014", "Statement reached its statement or warehouse timeout", SnowflakeQueryTimeout),
        ("090073", "57014", "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.",
         SnowflakeWarehouseUnavailable),
        ("003001", "42501", "SQL access control error: Insufficient privileges", PermissionError),
        ("001003", "42000", "SQL compilation error: syntax error line 1 at position 0", SnowflakeSyntaxError),
        ("100038", "22018", "Numeric value 'abc' is not recognized", SnowflakeError),
    ],
    ids=["timeout", "quota", "access", "syntax", "other"],
)  # fmt: skip
def test_what_snowflake_says_is_told(
    connector: SnowflakeConnector, snowflake_server: Any, code: str, state: str, message: str, error: type[Exception]
) -> None:
    snowflake_server.refuse("refused", code, state, message)
    with pytest.raises(error, match=message[:20]):
        connector.fetch_all("SELECT 'refused'")
    assert not any(query.was_cancelled for query in snowflake_server.queries)


def test_a_host_that_cannot_be_reached(connector: SnowflakeConnector) -> None:
    far = make_connector(connector.credentials.model_copy(update={"port": 9, "login_timeout": 1}), "D")
    with pytest.raises(SnowflakeUnavailable, match="Check `account`"):
        far.fetch_one("SELECT 1")
