"""Several statements take effect together, or not at all; what gives rows is committed, too."""

# ruff: noqa: PT012 - what raises is the end of a `with` block
from __future__ import annotations

import pytest

from prefect_sqlalchemy import SqlAlchemyConnector
from prefect_sqlalchemy.errors import DatabaseBusy, DatabaseConstraintViolated, DatabaseStatementFailed


class Ours(Exception):
    pass


def create(connector, table):
    connector.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name VARCHAR(50))")


def ids(connector, table):
    connector.reset_connections()
    return [row.id for row in connector.fetch_all(f"SELECT id FROM {table} ORDER BY id")]


def insert(number, table):
    return f"INSERT INTO {table} (id, name) VALUES ({number}, 'n')"


def test_a_transaction_is_all_or_nothing(connector, table):
    create(connector, table)
    with connector.transaction() as transaction:
        transaction.execute(insert(1, table))
        transaction.execute_many(f"INSERT INTO {table} (id) VALUES (:id)", [{"id": 2}, {"id": 3}])
        assert transaction.fetch_one(f"SELECT COUNT(*) FROM {table}")[0] == 3
        transaction.execute(insert(4, table))
        assert transaction.fetch_one(f"SELECT COUNT(*) FROM {table}")[0] == 4  # executed anew
    assert ids(connector, table) == [1, 2, 3, 4]
    with pytest.raises(Ours), connector.transaction() as transaction:
        transaction.execute(f"DELETE FROM {table}")
        raise Ours
    with pytest.raises(DatabaseConstraintViolated), connector.transaction() as transaction:
        transaction.execute(insert(5, table))
        transaction.execute(insert(1, table))
    assert ids(connector, table) == [1, 2, 3, 4]
    assert connector._database.in_use() == 0


def test_a_savepoint_can_fail_alone(connector, table):
    create(connector, table)
    if connector._database.target.url.get_backend_name() == "duckdb":
        with connector.transaction() as transaction:
            with pytest.raises(DatabaseStatementFailed, match="has no savepoints"), transaction.savepoint():
                pass
            transaction.execute(insert(1, table))  # it goes on
        assert ids(connector, table) == [1]
        return
    with connector.transaction() as transaction:
        with pytest.raises(Ours), transaction.savepoint():
            transaction.execute(insert(1, table))
            raise Ours
        with pytest.raises(DatabaseConstraintViolated), transaction.savepoint():
            transaction.execute(insert(2, table))
            transaction.execute(insert(2, table))
        with transaction.savepoint():
            transaction.execute(insert(3, table))
            with pytest.raises(Ours), transaction.savepoint():
                transaction.execute(insert(4, table))
                raise Ours
    assert ids(connector, table) == [3]


def test_a_savepoint_that_comes_first_goes_with_its_transaction(connector, table):
    """SQLite's module begins no transaction before a savepoint, so that its release would commit."""
    create(connector, table)
    if connector._database.target.url.get_backend_name() == "duckdb":
        return
    with pytest.raises(Ours), connector.transaction() as transaction:
        with transaction.savepoint():
            transaction.execute(insert(1, table))
        raise Ours
    assert ids(connector, table) == []


def test_a_table_goes_with_its_transaction_in_sqlite(sqlite, table):
    with pytest.raises(Ours), sqlite.transaction() as transaction:
        transaction.execute(f"CREATE TABLE {table} (id INTEGER)")
        raise Ours
    create(sqlite, table)


async def test_a_transaction_of_the_async_connector_is_all_or_nothing(aconnector, table):
    await aconnector.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name VARCHAR(50))")
    async with aconnector.transaction() as transaction:
        await transaction.execute(insert(1, table))
        await transaction.execute_many(f"INSERT INTO {table} (id) VALUES (:id)", [{"id": 2}, {"id": 3}])
        with pytest.raises(Ours):
            async with transaction.savepoint():
                await transaction.execute(insert(4, table))
                raise Ours
        assert [tuple(row) for row in await transaction.fetch_many(f"SELECT id FROM {table} ORDER BY id", size=2)] == [
            (1,),
            (2,),
        ]
        assert len((await transaction.read_dataframe(f"SELECT id FROM {table}")).index) == 3
    with pytest.raises(Ours):
        async with aconnector.transaction() as transaction:
            await transaction.execute(f"DELETE FROM {table}")
            raise Ours
    with pytest.raises(DatabaseConstraintViolated):
        async with aconnector.transaction() as transaction:
            await transaction.insert_many(table, [{"id": 5}, {"id": 1}])
    rows = await aconnector.fetch_all(f"SELECT id FROM {table} ORDER BY id")
    assert [row.id for row in rows] == [1, 2, 3]
    assert aconnector._database.in_use() == 0


async def test_the_async_twin_works_in_threads(connector, table):
    await connector.aexecute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name VARCHAR(50))")
    async with connector.atransaction() as transaction:
        await transaction.aexecute(insert(1, table))
        await transaction.ainsert_many(table, [{"id": 2}, {"id": 3}])
        await transaction.aexecute_many(f"INSERT INTO {table} (id) VALUES (:id)", [{"id": 4}])
        assert (await transaction.afetch_one(f"SELECT COUNT(*) FROM {table}"))[0] == 4
        assert len(await transaction.afetch_many(f"SELECT id FROM {table}", size=2)) == 2
        assert len(await transaction.afetch_all(f"SELECT id FROM {table}")) == 2
        assert len((await transaction.aread_dataframe(f"SELECT id FROM {table}")).index) == 4
    with pytest.raises(Ours):
        async with connector.atransaction() as transaction:
            await transaction.aexecute(f"DELETE FROM {table}")
            raise Ours
    assert (await connector.afetch_one(f"SELECT COUNT(*) FROM {table}"))[0] == 4
    assert connector._database.in_use() == 0


def test_options_reach_the_connection_of_a_transaction(psycopg2):
    with psycopg2.transaction(isolation_level="SERIALIZABLE") as transaction:
        assert transaction.fetch_one("SHOW transaction_isolation")[0] == "serializable"


def test_nobody_disturbs_a_transaction_in_memory(table):
    with SqlAlchemyConnector(connection_info="sqlite://") as connector:
        create(connector, table)
        with connector.transaction() as transaction:
            transaction.execute(insert(1, table))
            with pytest.raises(DatabaseBusy, match="methods of the transaction"):
                connector.execute(insert(2, table))
        connector.execute(insert(2, table))
        assert ids(connector, table) == [1, 2]


# Commit by default, and the flag


@pytest.fixture
def function(psycopg2, table):
    """A function of PostgreSQL that writes, and the query that calls it."""
    psycopg2.execute(f"CREATE TABLE {table} (id SERIAL PRIMARY KEY, name TEXT)")
    body = f"INSERT INTO {table} (name) VALUES ($1) RETURNING id"
    psycopg2.execute(f"CREATE FUNCTION f_{table}(TEXT) RETURNS INTEGER LANGUAGE SQL AS $$ {body} $$")
    return f"SELECT f_{table}('x')"


@pytest.mark.parametrize("entered", [True, False], ids=["with", "without"])
@pytest.mark.parametrize("method", ["fetch_one", "fetch_all", "execute", "read_dataframe"])
@pytest.mark.parametrize(
    ("options", "count"), [({}, 1), ({"autocommit": True}, 1), ({"autocommit": False}, 0)], ids=["default", "on", "off"]
)
def test_what_a_function_writes_is_committed_unless_told(psycopg2, table, function, method, options, count, entered):
    other = SqlAlchemyConnector(connection_info=psycopg2.connection_info)
    if entered:
        psycopg2.__enter__()
    getattr(psycopg2, method)(function, **options)
    seen = other.fetch_one(f"SELECT COUNT(*) FROM {table}")[0]
    other.close()
    assert seen == count
    psycopg2.close()


@pytest.mark.parametrize(("options", "count"), [({}, 1), ({"autocommit": False}, 0)], ids=["default", "off"])
async def test_what_a_function_writes_by_asyncpg(url_of, psycopg2, table, function, options, count):
    from prefect_sqlalchemy import AsyncSqlAlchemyConnector

    async with AsyncSqlAlchemyConnector(connection_info=url_of("asyncpg")) as connector:
        await connector.fetch_one(function, **options)
        assert psycopg2.fetch_one(f"SELECT COUNT(*) FROM {table}")[0] == count


@pytest.mark.parametrize("entered", [True, False], ids=["with", "without"])
def test_rows_of_a_write_are_fetched_and_committed(connector, table, entered):
    create(connector, table)
    statement = f"{insert(1, table)} RETURNING id"
    if entered:
        connector.__enter__()
    assert [tuple(row) for row in connector.fetch_all(statement)] == [(1,)]
    assert ids(connector, table) == [1]
    connector.close()


def test_a_procedure_is_committed(url_of, table):
    with SqlAlchemyConnector(connection_info=url_of("pymysql")) as connector:
        create(connector, table)
        connector.execute(f"CREATE PROCEDURE p_{table}(n INTEGER) INSERT INTO {table} (id) VALUES (n)")
        connector.execute(f"CALL p_{table}(:n)", {"n": 3})
        assert ids(connector, table) == [3]


@pytest.mark.parametrize("statement", ["VACUUM", "PRAGMA foreign_keys = ON"])
async def test_what_cannot_be_in_a_transaction_is_executed_alone(url_of, statement):
    from prefect_sqlalchemy import AsyncSqlAlchemyConnector

    with SqlAlchemyConnector(connection_info=url_of("sqlite")) as connector:
        connector.execute(statement)
    async with AsyncSqlAlchemyConnector(connection_info=url_of("aiosqlite")) as connector:
        await connector.execute(statement)


def test_vacuum_of_a_server_wants_the_isolation_level(psycopg2):
    psycopg2.execute("VACUUM", isolation_level="AUTOCOMMIT")
