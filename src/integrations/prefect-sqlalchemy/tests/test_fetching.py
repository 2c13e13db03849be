"""Pages of a result: a strict partition of it, whatever the driver, and no connection is kept longer than needed."""

from __future__ import annotations

import pytest
import sqlalchemy.exc

from prefect_sqlalchemy import SqlAlchemyConnector
from prefect_sqlalchemy.errors import DatabaseArgumentInvalid, DatabaseStatementFailed

COUNT = 25


def fill(connector, table):
    connector.execute(f"CREATE TABLE {table} (id INTEGER NOT NULL, name VARCHAR(50))")
    connector.execute_many(
        f"INSERT INTO {table} (id, name) VALUES (:id, :name)", [{"id": n, "name": f"n{n}"} for n in range(COUNT)]
    )
    return f"SELECT id FROM {table} ORDER BY id"


async def afill(connector, table):
    await connector.execute(f"CREATE TABLE {table} (id INTEGER NOT NULL, name VARCHAR(50))")
    await connector.execute_many(
        f"INSERT INTO {table} (id, name) VALUES (:id, :name)", [{"id": n, "name": f"n{n}"} for n in range(COUNT)]
    )
    return f"SELECT id FROM {table} ORDER BY id"


def in_use(connector):
    return connector._database.in_use()


@pytest.mark.parametrize("options", [{}, {"yield_per": 4}], ids=["plain", "yield_per"])
def test_pages_are_a_strict_partition(connector, table, options):
    query = fill(connector, table)
    with connector:
        pages = []
        while page := connector.fetch_many(query, size=4, **options):
            pages.append([row.id for row in page])
        assert [number for page in pages for number in page] == list(range(COUNT))
        assert [len(page) for page in pages] == [4] * 6 + [1]
        assert in_use(connector) == 0  # the last page has given its connection back


@pytest.mark.parametrize("options", [{}, {"yield_per": 4}], ids=["plain", "yield_per"])
async def test_pages_are_a_strict_partition_in_the_async_connector(aconnector, table, options):
    query = await afill(aconnector, table)
    pages = []
    while page := await aconnector.fetch_many(query, size=4, **options):
        pages.append([row.id for row in page])
    assert [number for page in pages for number in page] == list(range(COUNT))
    assert in_use(aconnector) == 0


def test_without_a_context_each_call_gives_its_connection_back(connector, table):
    query = fill(connector, table)
    assert in_use(connector) == 0
    assert connector.fetch_one(query).id == 0
    assert in_use(connector) == 0
    assert [row.id for row in connector.fetch_many(query, size=2)] == [1, 2]
    assert in_use(connector) == 0
    with pytest.raises(Exception, match="nope"):
        connector.fetch_one("SELECT * FROM nope")
    assert in_use(connector) == 0


def test_results_under_way_do_not_keep_others_from_writing(connector, table):
    query = fill(connector, table)
    with connector:
        found = [row.id for row in connector.fetch_many(query, size=2)]
        connector.execute(f"INSERT INTO {table} (id, name) VALUES (100, 'late')")
        with connector.transaction() as transaction:
            transaction.execute(f"UPDATE {table} SET name = 'x'")
        found += [row.id for row in connector.fetch_all(query)]
    assert found == list(range(COUNT))


def test_many_results_under_way_do_not_use_up_the_pool(connector, table):
    query = fill(connector, table)
    with connector:
        for number in range(30):
            assert connector.fetch_one(f"{query} -- {number}").id == 0
        assert in_use(connector) <= 4
        for number in range(30):
            rest = connector.fetch_all(f"{query} -- {number}")
            assert [row.id for row in rest] == list(range(1, COUNT))
        assert in_use(connector) == 0


def test_a_result_in_a_context_is_read_piece_by_piece(sqlite, table):
    query = fill(sqlite, table)
    with sqlite:
        sqlite.fetch_one(query)
        assert in_use(sqlite) == 1
        sqlite.reset_connections()
        assert in_use(sqlite) == 0
        assert sqlite.fetch_one(query).id == 0


def test_the_end_stays_the_end_until_a_reset(sqlite, table):
    query = fill(sqlite, table)
    assert len(sqlite.fetch_all(query)) == COUNT
    assert sqlite.fetch_all(query) == []
    assert sqlite.fetch_one(query) is None
    sqlite.reset_connections()
    assert len(sqlite.fetch_all(query)) == COUNT


def test_a_database_in_memory_is_one_for_both_faces(table):
    import asyncio

    with SqlAlchemyConnector(connection_info="sqlite://") as connector:
        query = fill(connector, table)
        assert [row.id for row in asyncio.run(connector.afetch_many(query, size=3))] == [0, 1, 2]
        assert connector.fetch_one(query).id == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("",), "operation is empty"),
        ((None,), "operation is None"),
        (("SELECT 1", [1]), "parameters is a list"),
    ],
    ids=["empty", "none", "parameters"],
)
def test_bad_arguments_are_named(sqlite, arguments, words):
    for method in (sqlite.fetch_one, sqlite.fetch_many, sqlite.fetch_all, sqlite.execute):
        with pytest.raises(DatabaseArgumentInvalid, match=words):
            method(*arguments)


def test_a_statement_without_rows_says_to_use_execute(sqlite, table):
    fill(sqlite, table)
    with pytest.raises(sqlalchemy.exc.ResourceClosedError, match="use execute") as caught:
        sqlite.fetch_all(f"DELETE FROM {table}")
    assert isinstance(caught.value, DatabaseStatementFailed)
    assert sqlite.fetch_one(f"SELECT COUNT(*) FROM {table}")[0] == COUNT


def test_rows_of_execute_outlive_the_connection(connector, table):
    query = fill(connector, table)
    result = connector.execute(query)
    assert in_use(connector) == 0
    assert [row.id for row in result.fetchmany(3)] == [0, 1, 2]
    assert len(result.fetchall()) == COUNT - 3


def test_a_database_that_holds_other_rows_than_text_gives_them(psycopg2):
    row = psycopg2.fetch_one("SELECT 1.5::numeric AS price, ARRAY[1, 2] AS numbers, now() AS at, NULL AS nothing")
    assert (float(row.price), row.numbers, row.nothing) == (1.5, [1, 2], None)
    assert row.at.tzinfo is not None
