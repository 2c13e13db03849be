"""Many rows: inserted in chunks, streamed, and as data frames."""

# ruff: noqa: PT012 - what raises is the end of a `with` block
from __future__ import annotations

import pandas as pd
import pytest
from sqlalchemy import event

from prefect_sqlalchemy.errors import DatabaseArgumentInvalid, DatabaseConstraintViolated


def create(connector, table):
    connector.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name VARCHAR(50))")


def count(connector, table):
    connector.reset_connections()
    return connector.fetch_one(f"SELECT COUNT(*) FROM {table}")[0]


def test_rows_are_inserted_in_chunks(sqlite, table):
    create(sqlite, table)
    sizes = []
    event.listen(
        sqlite.get_engine(),
        "before_cursor_execute",
        lambda _1, _2, text, values, _3, many: sizes.append(len(values) if many else 1) if "INSERT" in text else None,
    )
    assert sqlite.insert_many(table, ({"id": n, "name": "x"} for n in range(25)), chunk_size=10) == 25
    assert sizes == [10, 10, 5]
    assert count(sqlite, table) == 25


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([{"id": 1, "name": "a"}, {"name": "b", "id": 2}], None),
        ([(1, "a"), [2, "b"]], ["id", "name"]),
        (pd.DataFrame({"id": [1, 2], "name": ["a", None]}), None),
        ([], None),
    ],
    ids=["dictionaries", "sequences", "frame", "none"],
)
def test_rows_may_come_in_any_form(connector, table, rows, columns):
    create(connector, table)
    assert connector.insert_many(table, rows, columns=columns) == len(rows)
    assert count(connector, table) == len(rows)


async def test_the_async_connector_inserts(aconnector, table):
    await aconnector.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name VARCHAR(50))")
    assert await aconnector.insert_many(table, [{"id": n, "name": "x"} for n in range(25)], chunk_size=10) == 25
    with pytest.raises(DatabaseConstraintViolated, match=r"Row 13 \(from 0\) was refused") as caught:
        await aconnector.insert_many(table, [{"id": 100 + n if n != 13 else 1} for n in range(20)], chunk_size=5)
    assert caught.value.row == 13
    assert (await aconnector.fetch_one(f"SELECT COUNT(*) FROM {table}"))[0] == 25
    assert [len(rows) async for rows in aconnector.stream(f"SELECT * FROM {table}", chunk_size=10)] == [10, 10, 5]
    assert aconnector._database.in_use() == 0


@pytest.mark.parametrize("method", ["insert_many", "execute_many"])
def test_a_row_that_is_refused_is_named_and_nothing_stays(connector, table, method):
    create(connector, table)
    connector.execute(f"INSERT INTO {table} (id, name) VALUES (1, 'there')")
    rows = [{"id": 100 + n if n != 137 else 1, "name": "x"} for n in range(200)]
    with pytest.raises(
        DatabaseConstraintViolated, match=r"Row 137 \(from 0\) was refused. The transaction was"
    ) as caught:
        if method == "insert_many":
            connector.insert_many(table, rows, chunk_size=50)
        else:
            connector.execute_many(f"INSERT INTO {table} (id, name) VALUES (:id, :name)", rows)
    assert caught.value.row == 137
    assert count(connector, table) == 1
    assert connector._database.in_use() == 0


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([{"id": 1}, {"name": "x"}], {}, "Row 1 has the columns name; expected id"),
        ([(1,)], {}, "columns is missing"),
        ([(1, 2, 3)], {"columns": ["id", "name"]}, "Row 0 has 3 values for 2 columns"),
        ([{"id": 1}], {"chunk_size": 0}, "chunk_size is 0"),
        ("rows", {}, "rows is a str"),
        ([{"": 1}], {}, "columns: '' is no name"),
    ],
    ids=["other columns", "no columns", "other length", "chunk size", "text", "no name"],
)
def test_rows_that_do_not_fit_are_named(sqlite, table, rows, options, words):
    create(sqlite, table)
    with pytest.raises(DatabaseArgumentInvalid, match=words):
        sqlite.insert_many(table, rows, **options)
    assert count(sqlite, table) == 0


HOSTILE = 'na"me; DROP TABLE `x`] --'


def test_names_are_quoted(connector):
    quoted = connector.quote_identifier(HOSTILE)
    connector.execute(f"DROP TABLE IF EXISTS {quoted}".replace(":", "\\:"))
    connector.execute(f"CREATE TABLE {quoted} ({connector.quote_identifier('select')} INTEGER)")
    connector.insert_many(HOSTILE, [{"select": 1}, {"select": 2}])
    assert len(connector.fetch_all(f"SELECT * FROM {quoted}")) == 2
    connector.execute(f"DROP TABLE {quoted}")


def test_a_schema_is_named_apart(psycopg2, table):
    psycopg2.execute(f"CREATE SCHEMA {table}")
    psycopg2.execute(f'CREATE TABLE {table}."a.b" (id INTEGER)')
    assert psycopg2.insert_many("a.b", [{"id": 1}], schema=table) == 1
    assert len(psycopg2.fetch_all(f'SELECT * FROM {table}."a.b"')) == 1


def test_a_result_is_streamed(connector, table):
    create(connector, table)
    connector.insert_many(table, ({"id": n, "name": "x"} for n in range(25)))
    query = f"SELECT id FROM {table} ORDER BY id"
    assert [len(rows) for rows in connector.stream(query, chunk_size=10)] == [10, 10, 5]
    stream = connector.stream(query, chunk_size=10)
    assert len(next(stream)) == 10
    stream.close()
    assert connector._database.in_use() == 0


async def test_a_result_is_streamed_in_threads(connector, table):
    create(connector, table)
    connector.insert_many(table, ({"id": n, "name": "x"} for n in range(25)))
    assert [len(rows) async for rows in connector.astream(f"SELECT * FROM {table}", chunk_size=10)] == [10, 10, 5]
    assert connector._database.in_use() == 0


def test_numbers_of_a_data_frame_say_how_many_rows(sqlite, table):
    create(sqlite, table)
    count_of_rows = pd.Series([10])[0]
    assert not isinstance(count_of_rows, int)
    rows = [{"id": n, "name": "x"} for n in range(25)]
    assert sqlite.insert_many(table, rows, chunk_size=count_of_rows) == 25
    query = f"SELECT id FROM {table} ORDER BY id"
    assert len(sqlite.fetch_many(query, size=count_of_rows)) == 10
    assert len(sqlite.fetch_many(query, size=10, yield_per=count_of_rows)) == 10
    assert [len(rows) for rows in sqlite.stream(query, chunk_size=count_of_rows)] == [10, 10, 5]


def test_a_stream_is_a_cursor_of_the_server(psycopg2):
    names = []
    event.listen(psycopg2.get_engine(), "before_cursor_execute", lambda _1, cursor, *_2: names.append(cursor.name))
    for _ in psycopg2.stream("SELECT * FROM generate_series(1, 100)", chunk_size=10):
        pass
    assert names[-1]


def test_a_frame_is_read_and_written(connector, table):
    connector.execute(f"CREATE TABLE {table} (id INTEGER, price DOUBLE PRECISION, moment TIMESTAMP NULL)")
    frame = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "price": [1.5, None, 2.5],
            "moment": [pd.Timestamp("2026-01-02 03:04:05"), pd.NaT, pd.Timestamp("2026-01-02")],
        }
    )
    assert connector.insert_many(table, frame) == 3
    back = connector.read_dataframe(f"SELECT * FROM {table} WHERE id >= :low ORDER BY id", {"low": 1})
    assert list(back.columns) == ["id", "price", "moment"]
    assert back["price"].isna().tolist() == [False, True, False]
    assert pd.to_datetime(back["moment"]).tolist()[0] == pd.Timestamp(2026, 1, 2, 3, 4, 5)
    empty = connector.read_dataframe(f"SELECT * FROM {table} WHERE id > 9")
    assert (len(empty.index), list(empty.columns)) == (0, ["id", "price", "moment"])


async def test_frames_have_an_async_form(connector, aconnector):
    for each in (connector, aconnector):
        frame = await each.aread_dataframe("SELECT 1 AS one")
        assert frame.to_dict("records") == [{"one": 1}]


def test_pandas_that_is_missing_is_named(sqlite, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install .prefect-sqlalchemy\[pandas\]"):
        sqlite.read_dataframe("SELECT 1")
