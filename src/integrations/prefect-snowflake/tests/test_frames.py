"""Arrow tables, data frames, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from prefect_snowflake import SnowflakeConnector, SnowflakeObjectNotFound

pd = pytest.importorskip("pandas")
QUERY = "SELECT range AS n, 'row ' || range AS s FROM range(1000)"


async def test_a_result_is_a_data_frame(connector: SnowflakeConnector, call: Any) -> None:
    frame = await call(connector, "fetch_pandas_all", f"{QUERY} LIMIT %(n)s", parameters={"n": 2})
    assert frame.to_dict("list") == {"N": [0, 1], "S": ["row 0", "row 1"]}


async def test_a_result_is_a_table_of_arrow_also_without_rows(connector: SnowflakeConnector, call: Any) -> None:
    table = await call(connector, "fetch_arrow_all", QUERY)
    assert (table.num_rows, table.column_names) == (1000, ["N", "S"])
    empty = await call(connector, "fetch_arrow_all", f"{QUERY} LIMIT 0")
    assert (empty.num_rows, empty.column_names) == (0, ["N", "S"])


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
async def test_batches_are_the_whole_result(connector: SnowflakeConnector, kind: str) -> None:
    parts = list(getattr(connector, f"fetch_{kind}_batches")(QUERY))
    assert sum(len(part) for part in parts) == 1000
    parts = [part async for part in getattr(connector, f"fetch_{kind}_batches_async")(QUERY)]
    assert sum(len(part) for part in parts) == 1000


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_parts_of_a_result_are_fetched_as_they_are_read(
    connector: SnowflakeConnector, snowflake_server: Any, kind: str
) -> None:
    """Memory stays bounded: no more parts are fetched ahead than there are threads to prefetch."""
    snowflake_server.cut_results(10)
    batches = getattr(connector, f"fetch_{kind}_batches")(QUERY)
    first = next(batches)
    assert len(first) == 10
    assert snowflake_server.fetched_parts < 20
    assert 10 + sum(len(batch) for batch in batches) == 1000
    assert snowflake_server.fetched_parts == 99


def test_rows_of_a_result_are_fetched_as_they_are_read(connector: SnowflakeConnector, snowflake_server: Any) -> None:
    snowflake_server.cut_results(10)
    assert len(connector.fetch_many(QUERY, size=5)) == 5
    assert snowflake_server.fetched_parts < 20
    assert len(connector.fetch_all(QUERY)) == 995


def test_batches_that_are_not_read_to_the_end_close_their_cursor(connector: SnowflakeConnector) -> None:
    batches = connector.fetch_arrow_batches(QUERY)
    next(batches)
    batches.close()
    assert connector.fetch_one("SELECT 1") == (1,)


async def test_errors_are_told_before_the_first_batch(connector: SnowflakeConnector, call: Any) -> None:
    with pytest.raises(SnowflakeObjectNotFound, match="MISSING"):
        next(connector.fetch_pandas_batches("SELECT * FROM missing"))
    with pytest.raises(SnowflakeObjectNotFound, match="MISSING"):
        await call(connector, "fetch_pandas_all", "SELECT * FROM missing")


async def test_a_data_frame_is_written(connector: SnowflakeConnector, call: Any) -> None:
    frame = pd.DataFrame([("Marvin", 42), ("Ford", 88)], columns=["NAME", "NUMBER"])
    connector.execute("CREATE TABLE IF NOT EXISTS people (name STRING, number INT)")
    assert await call(connector, "write_pandas", frame, "PEOPLE") == 2
    assert connector.fetch_all("SELECT * FROM people ORDER BY number") == [("Marvin", 42), ("Ford", 88)]
    assert await call(connector, "write_pandas", frame, "MADE", auto_create_table=True) == 2
    assert connector.fetch_all("SELECT number FROM made ORDER BY number") == [(42,), (88,)]


def test_a_data_frame_for_no_table_is_an_error(connector: SnowflakeConnector) -> None:
    with pytest.raises(SnowflakeObjectNotFound, match="Writing 1 rows to table NOBODYS"):
        connector.write_pandas(pd.DataFrame({"A": [1]}), "NOBODYS")


def test_files_are_put_and_listed(connector: SnowflakeConnector, tmp_path: Any) -> None:
    """PUT cannot run by itself; it goes the direct way."""
    (tmp_path / "rows.csv").write_text("1,a\n2,b\n")
    connector.execute("CREATE STAGE files")
    connector.execute(f"PUT 'file://{tmp_path}/rows.csv' @files AUTO_COMPRESS=FALSE")
    assert "rows.csv" in str(connector.fetch_all("LIST @files"))


def test_many_rows_cost_what_the_raw_connector_costs(connector: SnowflakeConnector) -> None:
    """A million may cost 1.05 times as much; here are fewer, and slack for the noise of the machine."""
    many = "SELECT range AS n FROM range(300000)"
    cursor = connector.get_connection().cursor()

    def raw() -> int:
        return len(cursor.execute(many).fetchall())  # pyright: ignore[reportOptionalMemberAccess]

    def ours() -> int:
        rows = connector.fetch_all(many)
        connector.reset_cursors()
        return len(rows)

    def seconds(run: Callable[[], int]) -> float:
        start = time.process_time()
        assert run() == 300_000
        return time.process_time() - start

    turns = [(seconds(raw), seconds(ours)) for _ in range(2)]
    assert min(mine / theirs for theirs, mine in turns) < 1.05 + 0.15
