"""Statements of SQL: bound, read in chunks, outlasting what passes, ended when nobody waits."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow
from pydantic import SecretStr

from prefect_databricks import DatabricksBadRequest, DatabricksError, DatabricksUnavailable
from prefect_databricks._sql.parameters import to_parameters
from prefect_databricks._sql.values import read_row, readers_of
from prefect_databricks.sql import (
    DatabricksSqlWarehouse,
    DatabricksStatementCancelled,
    DatabricksStatementError,
    DatabricksStatementTimedOut,
    asql_statement,
    sql_statement,
)
from prefect_integration_kit.waiting import SYSTEM_CLOCK, apoll
from prefect_integration_tests.backends.databricks import WAREHOUSE, StatementPlay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect_databricks import DatabricksCredentials
    from prefect_integration_tests.backends.databricks import Databricks
    from prefect_integration_tests.clock import FakeClock
    from prefect_integration_tests.faces import Call

pytest.importorskip("duckdb", reason="the local warehouse executes statements by it")

# Without Prefect's engine, which has no part in what is tested.
execute = asql_statement.fn


@pytest.fixture
def warehouse(credentials: DatabricksCredentials) -> Iterator[DatabricksSqlWarehouse]:
    """The block, for the local warehouse."""
    with DatabricksSqlWarehouse(databricks_credentials=credentials, warehouse_id=WAREHOUSE) as block:
        yield block


@pytest.fixture
def orders(databricks: Databricks) -> str:
    """A table of ten rows, which come in chunks of four."""
    databricks.sql.execute("CREATE TABLE orders AS SELECT i AS id, 'order ' || i AS name FROM range(10) t(i)")
    databricks.sql.rows_per_chunk = 4
    return "orders"


ROWS = [(number, f"order {number}") for number in range(10)]


# Parameters

MOMENT = dt.datetime(2026, 5, 4, 3, 2, 1, 123456)  # noqa: DTZ001 - a time without a zone
VALUES: dict[str, tuple[Any, str, str]] = {
    "text": ('it\'s "x" :y', 'it\'s "x" :y', "STRING"),
    "truth": (True, "true", "BOOLEAN"),
    "small": (-7, "-7", "INT"),
    "large": (2**40, str(2**40), "BIGINT"),
    "huge": (10**20, str(10**20), "DECIMAL(21,0)"),
    "float": (0.1, "0.1", "DOUBLE"),
    "infinite": (-math.inf, "-Infinity", "DOUBLE"),
    "decimal": (Decimal("-12.340"), "-12.340", "DECIMAL(5,3)"),
    "exponent": (Decimal("1E+3"), "1000", "DECIMAL(4,0)"),
    "fraction": (Decimal("0.001"), "0.001", "DECIMAL(3,3)"),
    "date": (dt.date(2026, 5, 4), "2026-05-04", "DATE"),
    "naive": (MOMENT, "2026-05-04 03:02:01.123456", "TIMESTAMP_NTZ"),
    "aware": (MOMENT.replace(tzinfo=dt.timezone.utc), "2026-05-04 03:02:01.123456+00:00", "TIMESTAMP"),
    "uuid": (uuid.UUID(int=7), str(uuid.UUID(int=7)), "STRING"),
    "secret": (SecretStr("hush"), "hush", "STRING"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_have_the_types_of_the_warehouse(name: str) -> None:
    value, written, kind = VALUES[name]
    assert to_parameters({"v": value}) == [{"name": "v", "value": written, "type": kind}]


def test_numbers_of_numpy_are_bound_too() -> None:
    np: Any = pytest.importorskip("numpy", reason="The numbers are those of numpy.")
    numbers = {"int": np.int64(5), "double": np.float64(1.5), "float": np.float32(0.5), "nan": np.float64("nan")}
    assert to_parameters(numbers) == [
        {"name": "int", "value": "5", "type": "INT"},
        {"name": "double", "value": "1.5", "type": "DOUBLE"},
        {"name": "float", "value": "0.5", "type": "DOUBLE"},
        {"name": "nan", "value": "NaN", "type": "DOUBLE"},
    ]


def test_types_may_be_chosen() -> None:
    given = [{"name": "a", "value": 7, "type": "STRING"}, {"name": "b", "value": None, "type": "DATE"}, {"name": "c"}]
    assert to_parameters(given) == [
        {"name": "a", "value": "7", "type": "STRING"},
        {"name": "b", "value": None, "type": "DATE"},
        {"name": "c", "value": None},
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"v": b"x"}, "unhex"),
        ({"v": [1]}, "from_json"),
        ({"v": Decimal("NaN")}, "float"),
        ({"v": Decimal(10) ** 40}, "38"),
        (("a", "b"), "by name"),
        ("a", "dictionary"),
        ([{"name": "a", "kind": "INT"}], "kind"),
    ],
)
def test_what_cannot_be_bound_is_refused_by_name(given: Any, said: str) -> None:
    with pytest.raises(DatabricksBadRequest, match=said):
        to_parameters(given)


@pytest.mark.parametrize("name", [name for name in VALUES if name not in ("uuid", "secret")])
async def test_what_is_bound_comes_back(name: str, databricks: Databricks, credentials: DatabricksCredentials) -> None:
    value = VALUES[name][0]
    result = await execute("SELECT :v AS v, :nothing AS n", credentials, WAREHOUSE, {"v": value, "nothing": None})
    assert result.rows == [(value, None)]
    assert databricks.sql.executed[-1].count("$v") == 1


async def test_values_are_never_part_of_the_statement(
    databricks: Databricks, credentials: DatabricksCredentials, orders: str
) -> None:
    hostile = "x'; DROP TABLE orders; --"
    result = await execute("SELECT :v AS v", credentials, WAREHOUSE, {"v": hostile})
    assert result.rows == [(hostile,)]
    assert hostile not in databricks.calls_of("ExecuteStatement")[0].body["statement"]
    table = await execute("SELECT count(*) FROM IDENTIFIER(:t)", credentials, WAREHOUSE, {"t": "orders"})
    assert table.rows == [(10,)]


# Results


def test_cells_are_read_by_the_type_of_their_column() -> None:
    cells: list[tuple[str, str, str, Any]] = [
        ("BOOLEAN", "BOOLEAN", "true", True),
        ("LONG", "BIGINT", "9007199254740993", 9007199254740993),
        ("DECIMAL", "DECIMAL(5,2)", "1.10", Decimal("1.10")),
        ("DOUBLE", "DOUBLE", "-Infinity", -math.inf),
        ("DATE", "DATE", "2026-05-04", dt.date(2026, 5, 4)),
        ("TIMESTAMP", "TIMESTAMP", "2026-05-04T03:02:01.5Z", dt.datetime(2026, 5, 4, 3, 2, 1, 500000, dt.timezone.utc)),
        ("TIMESTAMP", "TIMESTAMP_NTZ", "2026-05-04T03:02:01.123456", MOMENT),
        ("TIMESTAMP", "TIMESTAMP", "+12026-05-04T03:02:01Z", "+12026-05-04T03:02:01Z"),
        ("ARRAY", "ARRAY<INT>", "[1,2]", [1, 2]),
        ("STRUCT", "STRUCT<a: INT>", '{"a":1}', {"a": 1}),
        ("BINARY", "BINARY", "AP8=", b"\x00\xff"),
        ("STRING", "STRING", "7", "7"),
        ("INTERVAL", "INTERVAL DAY", "1", "1"),
    ]
    readers = readers_of([{"type_name": name, "type_text": text} for name, text, _, _ in cells])
    assert read_row(readers, [cell for _, _, cell, _ in cells]) == tuple(value for _, _, _, value in cells)
    assert read_row(readers, [None] * len(cells)) == (None,) * len(cells)


@pytest.mark.parametrize("disposition", ["INLINE", "EXTERNAL_LINKS", None])
async def test_results_in_chunks_are_whole(
    disposition: Any, databricks: Databricks, credentials: DatabricksCredentials, orders: str
) -> None:
    result = await execute("SELECT id, name FROM orders ORDER BY id", credentials, WAREHOUSE, disposition=disposition)
    assert (result.columns, result.rows, result.is_truncated) == (["id", "name"], ROWS, False)
    assert result.as_dicts()[3] == {"id": 3, "name": "order 3"}
    assert len(databricks.calls_of("GetStatementChunk")) == 2
    links = databricks.calls_of("FetchExternalLink")
    assert [call.has_authorization for call in links] == [False] * (3 if disposition == "EXTERNAL_LINKS" else 0)


async def test_a_query_too_large_for_an_answer_is_read_by_links(
    databricks: Databricks, credentials: DatabricksCredentials, orders: str
) -> None:
    databricks.sql.inline_limit_bytes = 50
    result = await execute("SELECT id, name FROM orders ORDER BY id", credentials, WAREHOUSE)
    assert result.rows == ROWS
    with pytest.raises(DatabricksBadRequest, match="Set disposition to EXTERNAL_LINKS"):
        await execute("INSERT INTO orders SELECT * FROM orders RETURNING id, name", credentials, WAREHOUSE)


async def test_a_result_without_rows_has_columns(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    result = await execute("SELECT 1 AS one WHERE false", credentials, WAREHOUSE)
    assert (result.columns, result.rows) == (["one"], [])


async def test_rows_that_a_limit_left_out_are_told(
    databricks: Databricks, credentials: DatabricksCredentials, orders: str
) -> None:
    result = await execute("SELECT id, name FROM orders ORDER BY id", credentials, WAREHOUSE, row_limit=2)
    assert (result.rows, result.is_truncated) == (ROWS[:2], True)


async def test_chunks_are_read_when_they_are_wanted(
    databricks: Databricks, warehouse: DatabricksSqlWarehouse, orders: str
) -> None:
    rows = warehouse.astream_rows("SELECT id, name FROM orders ORDER BY id", disposition="EXTERNAL_LINKS")
    assert await anext(rows) == ROWS[0]
    assert len(databricks.calls_of("FetchExternalLink")) == 1
    assert [row async for row in rows] == ROWS[1:]
    assert len(databricks.calls_of("FetchExternalLink")) == 3


def test_the_sync_face_streams(databricks: Databricks, warehouse: DatabricksSqlWarehouse, orders: str) -> None:
    assert list(warehouse.stream_rows("SELECT id, name FROM orders ORDER BY id")) == ROWS


async def test_a_link_that_has_expired_is_asked_for_again(
    databricks: Databricks, warehouse: DatabricksSqlWarehouse, orders: str
) -> None:
    databricks.sql.link_seconds = 60
    rows = warehouse.astream_rows("SELECT id, name FROM orders ORDER BY id", disposition="EXTERNAL_LINKS")
    assert await anext(rows) == ROWS[0]
    databricks.fail("FetchExternalLink", 403, message="Request has expired")
    assert [row async for row in rows] == ROWS[1:]


async def test_links_are_not_logged(
    databricks: Databricks, credentials: DatabricksCredentials, orders: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        await execute("SELECT * FROM orders", credentials, WAREHOUSE, disposition="EXTERNAL_LINKS")
    assert "/external/" in caplog.text
    assert "expires=" not in caplog.text


async def test_a_look_that_hangs_does_not_move_the_deadline(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.sql.play = StatementPlay(seconds=None)
    databricks.fail("GetStatement", times=None, when="slow", delay_seconds=5)
    start = SYSTEM_CLOCK.monotonic()
    with pytest.raises(DatabricksStatementTimedOut):
        await execute("SELECT 7", credentials, WAREHOUSE, timeout_seconds=1)
    assert SYSTEM_CLOCK.monotonic() - start < 4


async def test_storage_that_cannot_be_read_is_named_without_its_address(
    databricks: Databricks, credentials: DatabricksCredentials, orders: str
) -> None:
    databricks.fail("FetchExternalLink", 403, times=None)
    with pytest.raises(DatabricksStatementError, match=r"storage \(403\).*INLINE") as caught:
        await execute("SELECT * FROM orders", credentials, WAREHOUSE, disposition="EXTERNAL_LINKS")
    assert "/external/" not in str(caught.value)


@pytest.mark.parametrize("operation", ["GetStatementChunk", "FetchExternalLink"])
async def test_parts_of_a_result_outlast_what_passes(
    operation: str, databricks: Databricks, credentials: DatabricksCredentials, orders: str, clock: FakeClock
) -> None:
    databricks.fail(operation, 503, times=2)
    result = await execute(
        "SELECT id, name FROM orders ORDER BY id", credentials, WAREHOUSE, disposition="EXTERNAL_LINKS"
    )
    assert result.rows == ROWS


async def test_arrow_comes_as_it_is(
    call: Call, databricks: Databricks, warehouse: DatabricksSqlWarehouse, orders: str
) -> None:
    pytest.importorskip("pyarrow")
    table = await call(warehouse, "fetch_arrow", "SELECT id, name FROM orders ORDER BY id")
    assert table.to_pydict() == {"id": list(range(10)), "name": [name for _, name in ROWS]}
    empty = await call(warehouse, "fetch_arrow", "SELECT id, name FROM orders WHERE id > 99")
    assert (empty.num_rows, empty.column_names) == (0, ["id", "name"])


# Time and failures


async def test_a_statement_that_takes_long_is_waited_for(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.sql.play = StatementPlay(pending_seconds=300, seconds=600)
    databricks.fail("GetStatement", 503, times=20, skip=3)
    result = await execute("SELECT 7 AS v", credentials, WAREHOUSE)
    assert result.rows == [(7,)]
    assert max(clock.sleeps) <= 15


async def test_without_contact_the_wait_fails_and_the_statement_is_cancelled(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.sql.play = StatementPlay(seconds=None)
    databricks.fail("GetStatement", 503, times=None)
    with pytest.raises(DatabricksUnavailable, match="It was cancelled"):
        await execute("SELECT 7", credentials, WAREHOUSE)
    assert 600 <= sum(clock.sleeps) < 720


async def test_a_statement_out_of_time_is_cancelled(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.sql.play = StatementPlay(seconds=None)
    with pytest.raises(DatabricksStatementTimedOut, match=r"within 30 seconds. It was cancelled") as caught:
        await execute("SELECT 7", credentials, WAREHOUSE, timeout_seconds=30)
    assert isinstance(caught.value, TimeoutError)
    assert sum(clock.sleeps) == pytest.approx(30)
    assert [each.state for each in databricks.sql.statements.values()] == ["CANCELED"]


async def test_a_cancelled_wait_cancels_the_statement(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.sql.play = StatementPlay(seconds=None)
    work = asyncio.create_task(execute("SELECT 7", credentials, WAREHOUSE))
    await until(lambda: databricks.calls_of("GetStatement"))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert [each.state for each in databricks.sql.statements.values()] == ["CANCELED"]


async def test_a_cancelled_fetch_cancels_the_statement(
    databricks: Databricks, warehouse: DatabricksSqlWarehouse
) -> None:
    databricks.sql.play = StatementPlay(seconds=None)
    work = asyncio.create_task(warehouse.afetch_all("SELECT 7"))
    await until(lambda: databricks.calls_of("GetStatement"))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert [each.state for each in databricks.sql.statements.values()] == ["CANCELED"]


async def test_a_start_that_is_cancelled_before_its_answer_came_leaves_no_statement(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.sql.play = StatementPlay(seconds=None)
    databricks.fail("ExecuteStatement", when="slow", delay_seconds=0.5)
    work = asyncio.create_task(execute("SELECT 7", credentials, WAREHOUSE))
    await until(lambda: databricks.calls_of("ExecuteStatement"))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert [each.state for each in databricks.sql.statements.values()] == ["CANCELED"]


async def test_one_that_somebody_else_cancels_is_told(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.sql.play = StatementPlay(seconds=None)
    work = asyncio.create_task(execute("SELECT 7", credentials, WAREHOUSE))
    await until(lambda: databricks.calls_of("GetStatement"))
    for statement in databricks.sql.statements.values():
        statement.state = "CANCELED"
    with pytest.raises(DatabricksStatementCancelled, match="was cancelled"):
        await work


async def test_a_failure_says_what_the_warehouse_says(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    with pytest.raises(DatabricksStatementError, match=r"failed \(BAD_REQUEST\).*nowhere") as caught:
        await execute("SELECT * FROM nowhere", credentials, WAREHOUSE)
    assert caught.value.statement_id in databricks.sql.statements


async def test_values_are_not_said(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    with pytest.raises(DatabricksStatementError) as caught:
        await execute("SELECT CAST(:v AS INT)", credentials, WAREHOUSE, {"v": "my-secret-value"})
    assert "my-secret-value" not in str(caught.value)


async def test_a_write_is_sent_once_and_a_read_again(
    databricks: Databricks, credentials: DatabricksCredentials, orders: str, clock: FakeClock
) -> None:
    databricks.fail("ExecuteStatement", when="lost")
    with pytest.raises(DatabricksError, match="It may have been done: look before you repeat it"):
        await execute("INSERT INTO orders VALUES (10, 'x')", credentials, WAREHOUSE)
    assert len(databricks.calls_of("ExecuteStatement")) == 1
    databricks.fail("ExecuteStatement", when="lost")
    assert (await execute("SELECT count(*) AS n FROM orders", credentials, WAREHOUSE)).rows == [(11,)]


async def test_a_write_that_was_refused_for_a_moment_is_sent_again(
    databricks: Databricks, credentials: DatabricksCredentials, orders: str, clock: FakeClock
) -> None:
    databricks.fail("ExecuteStatement", 429, times=2, retry_after="1")
    await execute("INSERT INTO orders VALUES (10, 'x')", credentials, WAREHOUSE)
    assert databricks.sql.execute("SELECT count(*) FROM orders") == [(11,)]


@pytest.mark.parametrize(
    ("statement", "options", "said"),
    [(" ", {}, "empty"), ("SELECT 1", {"timeout_seconds": 0}, "timeout_seconds"), ("SELECT :x", {}, "(?i)unbound")],
)
async def test_bad_input_is_refused(
    statement: str, options: dict[str, Any], said: str, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    with pytest.raises(DatabricksError, match=said):
        await execute(statement, credentials, WAREHOUSE, **options)


# The task and the block


@pytest.mark.usefixtures("prefect_harness")
async def test_the_task_has_both_faces(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    @flow
    def sync_flow() -> Any:
        return sql_statement("SELECT :v AS v", credentials, WAREHOUSE, {"v": 7}).rows

    @flow
    async def async_flow() -> Any:
        first = await sql_statement("SELECT 7 AS v", credentials, WAREHOUSE)
        second = await asql_statement("SELECT 7 AS v", credentials, WAREHOUSE, query_tags={"team": "data"})
        return [*first.rows, *second.rows]

    assert await asyncio.to_thread(sync_flow) == [(7,)]
    assert await async_flow() == [(7,), (7,)]
    assert databricks.calls_of("ExecuteStatement")[-1].body["query_tags"] == [{"key": "team", "value": "data"}]


async def test_options_of_the_block_and_of_a_call(
    call: Call, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.sql.execute("CREATE SCHEMA sales")
    databricks.sql.execute("CREATE TABLE sales.orders AS SELECT 1 AS id")
    block = DatabricksSqlWarehouse(databricks_credentials=credentials, warehouse_id=WAREHOUSE, schema_name="sales")
    assert await call(block, "fetch_all", "SELECT id FROM orders", row_limit=5) == [(1,)]
    body = databricks.calls_of("ExecuteStatement")[0].body
    assert (body["schema"], body["row_limit"]) == ("sales", 5)
    with pytest.raises(DatabricksBadRequest, match=r"Unknown execution options: rows\."):
        await call(block, "fetch_all", "SELECT 1", rows=5)


async def until(condition: Any) -> None:
    """Wait until something is so."""

    async def look() -> bool | None:
        return bool(condition()) or None

    await apoll(look, subject="It", interval_seconds=0.02, timeout_seconds=20)
