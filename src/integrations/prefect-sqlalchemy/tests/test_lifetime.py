"""Engines, connections and loops: nothing is left behind, and nothing alive travels."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import sqlite3
import threading
import warnings

import cloudpickle
import pytest
from prefect import flow, task
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from prefect_integration_kit.waiting import apoll, poll
from prefect_integration_tests.imports import modules_loaded_by
from prefect_sqlalchemy import AsyncSqlAlchemyConnector, SqlAlchemyConnector


def test_import_loads_no_sqlalchemy():
    _, new = modules_loaded_by("import prefect_sqlalchemy")
    heavy = {"sqlalchemy", "pandas", "psycopg2", "psycopg", "asyncpg", "aiosqlite", "pymysql", "duckdb"}
    assert not {name.partition(".")[0] for name in new} & heavy


def connections(postgres, name):
    return int(postgres.run(f"SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = '{name}'"))


def gone(postgres, name):
    poll(
        lambda: None if connections(postgres, name) else True,
        subject="The end of all connections",
        interval_seconds=0.02,
        timeout_seconds=10,
    )


def test_no_connection_is_left_after_a_flow(postgres, url_of, prefect_harness, table):
    url = f"{url_of('psycopg2')}?application_name={table}"
    counted = []

    @task
    def fetch(connector: SqlAlchemyConnector) -> int:
        return connector.fetch_one("SELECT 1")[0]

    @flow
    def reads() -> None:
        with SqlAlchemyConnector(connection_info=url) as connector:
            engine = connector.get_engine()
            connector.fetch_one("SELECT generate_series(1, 10)")
            assert connector.fetch_many("SELECT generate_series(1, 10)", size=2)
            assert fetch(connector) == 1
            with pytest.raises(Exception, match="nope"):
                connector.execute("SELECT * FROM nope")
            counted.append(engine.pool)
        counted.append(engine.pool)

    reads()
    assert [pool.checkedout() for pool in counted] == [0, 0]
    gone(postgres, table)


async def test_no_connection_is_left_after_an_async_flow(postgres, url_of, prefect_harness, table):
    url = f"{url_of('psycopg')}?application_name={table}"
    counted = []

    @flow
    async def reads() -> None:
        async with AsyncSqlAlchemyConnector(connection_info=url) as connector:
            engine = connector.get_engine()
            await connector.fetch_one("SELECT generate_series(1, 10)")
            await connector.fetch_many("SELECT generate_series(1, 10)", size=2, yield_per=2)
            counted.append(engine.sync_engine.pool.checkedout())
        counted.append(engine.sync_engine.pool.checkedout())

    await reads()
    assert counted == [1, 0]
    await asyncio.to_thread(gone, postgres, table)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "aiosqlite", "aiomysql"])
def test_each_loop_has_an_engine_which_is_disposed_at_its_end(url_of, driver):
    connector = AsyncSqlAlchemyConnector(connection_info=url_of(driver))
    engines = []

    async def use() -> None:
        assert (await connector.fetch_one("SELECT 1"))[0] == 1
        engines.append(connector.get_engine())
        assert connector.get_engine() is engines[-1]
        assert kept() in (1, None)

    def kept() -> int | None:
        pool = engines[-1].sync_engine.pool
        return None if isinstance(pool, NullPool) else pool.checkedin()  # of SQLite until SQLAlchemy 2.0.38

    for _ in range(2):
        asyncio.run(use())
        assert kept() in (0, None)
    thread = threading.Thread(target=lambda: asyncio.run(use()))
    thread.start()
    thread.join()
    assert len({id(engine) for engine in engines}) == 3


def test_the_end_of_a_loop_closes_what_is_open_at_the_server(postgres, url_of, table):
    connector = AsyncSqlAlchemyConnector(
        connection_info=url_of("asyncpg"), connect_args={"server_settings": {"application_name": table}}
    )

    async def use() -> None:
        await connector.fetch_many("SELECT generate_series(1, 100)", size=2, yield_per=2)
        assert connections(postgres, table) == 1

    asyncio.run(use())
    gone(postgres, table)


def test_an_engine_made_outside_of_a_loop_is_used_in_the_first():
    connector = AsyncSqlAlchemyConnector(connection_info="sqlite+aiosqlite://")
    engine = connector.get_engine(echo=False)
    assert connector.get_engine() is engine

    async def use() -> None:
        assert connector.get_engine() is engine
        await connector.execute("SELECT 1")

    asyncio.run(use())
    assert connector.get_engine() is not engine


@pytest.mark.parametrize("kind", [SqlAlchemyConnector, AsyncSqlAlchemyConnector])
async def test_a_connector_in_use_travels_without_what_is_alive(url_of, kind):
    url = url_of("aiosqlite" if kind is AsyncSqlAlchemyConnector else "sqlite")
    connector = kind(connection_info=url)
    await connector.aexecute("CREATE TABLE t (id INTEGER)")
    await connector.aexecute_many("INSERT INTO t VALUES (:id)", [{"id": n} for n in range(5)])
    await connector.afetch_many("SELECT id FROM t", size=2, yield_per=1)
    copies = [
        pickle.loads(pickle.dumps(connector)),
        pickle.loads(cloudpickle.dumps(connector)),
        copy.copy(connector),
        copy.deepcopy(connector),
    ]
    for other in copies:
        assert other == connector
        assert other._database is not connector._database
        assert other._database.in_use() == 0
        assert [row.id for row in await other.afetch_all("SELECT id FROM t", yield_per=1)] == [0, 1, 2, 3, 4]
        await other.aclose()
    assert [row.id for row in await connector.afetch_all("SELECT id FROM t", yield_per=1)] == [2, 3, 4]
    await connector.aclose()


def test_a_connector_that_is_dropped_in_use_warns(url_of):
    connector = SqlAlchemyConnector(connection_info=url_of("sqlite"))
    connector.__enter__()
    connector.execute("CREATE TABLE t (id INTEGER)")
    connector.execute_many("INSERT INTO t VALUES (:id)", [{"id": n} for n in range(5)])
    connector.fetch_one("SELECT id FROM t")
    pool = connector.get_engine().pool
    assert pool.checkedout() == 1
    with pytest.warns(ResourceWarning, match="dropped with 1 connection"):  # noqa: PT031 - either may drop it
        del connector
        gc.collect()
    assert pool.checkedout() == 0


def test_a_connector_that_is_dropped_idle_says_nothing(url_of):
    connector = SqlAlchemyConnector(connection_info=url_of("sqlite"))
    connector.fetch_one("SELECT 1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del connector
        gc.collect()


def test_a_child_process_has_connections_of_its_own(psycopg2):
    psycopg2.fetch_one("SELECT 1")
    mine = psycopg2.fetch_one("SELECT pg_backend_pid()")[0]
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            found = psycopg2.fetch_one("SELECT pg_backend_pid() -- child")[0]
            os.write(write, str(found).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    theirs = int(os.read(read, 100))
    os.close(read)
    assert theirs != mine
    assert psycopg2.fetch_one("SELECT pg_backend_pid() -- again")[0] == mine


SLOW = {
    "psycopg2": "SELECT pg_sleep(60)",
    "psycopg": "SELECT pg_sleep(60)",
    "pymysql": "SELECT SLEEP(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
}


@pytest.mark.parametrize("driver", list(SLOW))
@pytest.mark.parametrize("method", ["afetch_one", "aexecute"])
async def test_a_statement_that_nobody_waits_for_is_stopped(url_of, driver, method):
    connector = SqlAlchemyConnector(connection_info=url_of(driver))
    work = asyncio.ensure_future(getattr(connector, method)(SLOW[driver]))

    async def look():
        return True if connector._database.in_use() else None

    await apoll(look, subject="The start", interval_seconds=0.02, timeout_seconds=10)
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, 10)
    assert connector._database.in_use() == 0
    await connector.aclose()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg_async", "aiosqlite", "aiomysql"])
async def test_a_statement_of_the_async_connector_is_stopped(url_of, driver):
    connector = AsyncSqlAlchemyConnector(connection_info=url_of(driver))
    query = SLOW["sqlite" if driver == "aiosqlite" else "pymysql" if driver == "aiomysql" else "psycopg2"]
    begun = asyncio.Event()
    event.listen(connector.get_engine().sync_engine, "before_cursor_execute", lambda *_: begun.set())
    work = asyncio.ensure_future(connector.fetch_one(query))
    await asyncio.wait_for(begun.wait(), 10)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, 10)
    assert connector._database.in_use() == 0
    assert (await connector.fetch_one("SELECT 1"))[0] == 1
    await connector.close()


async def test_a_statement_that_has_not_quite_begun_is_stopped_all_the_same(url_of):
    connector = AsyncSqlAlchemyConnector(connection_info=url_of("aiosqlite"))
    begun, gate = asyncio.Event(), threading.Event()

    def hold(connection, *_):
        connection.connection.driver_connection._tx.put_nowait((None, gate.wait))  # its thread does no more for now
        begun.set()

    event.listen(connector.get_engine().sync_engine, "before_cursor_execute", hold, once=True)
    work = asyncio.ensure_future(connector.fetch_one(SLOW["sqlite"]))
    await asyncio.wait_for(begun.wait(), 10)
    work.cancel()
    asyncio.get_running_loop().call_later(0.2, gate.set)  # by then the first interrupt has met nothing
    done, _ = await asyncio.wait([work], timeout=20)
    assert done
    assert work.cancelled()
    await connector.close()


def test_clients_are_those_of_sqlalchemy(connector):
    from sqlalchemy import text
    from sqlalchemy.engine import Connection, Engine

    assert isinstance(connector.get_client(client_type="engine"), Engine)
    for begin in (True, False):
        with connector.get_client(client_type="connection", begin=begin) as connection:
            assert isinstance(connection, Connection)
            assert connection.execute(text("SELECT 1")).scalar() == 1
            assert connection.in_transaction()
    assert connector._database.in_use() == 0


async def test_async_clients_are_those_of_sqlalchemy(aconnector):
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    assert isinstance(aconnector.get_client(client_type="engine"), AsyncEngine)
    for begin in (True, False):
        async with aconnector.get_client(client_type="connection", begin=begin) as connection:
            assert isinstance(connection, AsyncConnection)
            assert (await connection.execute(text("SELECT 1"))).scalar() == 1


# Subclasses that connect in their own way


class OwnEngine(SqlAlchemyConnector):
    _block_type_name = "Own Engine"

    def get_engine(self, **create_engine_kwargs):
        return super().get_engine(creator=lambda: sqlite3.connect(self.connect_args["file"]))


class OwnConnection(SqlAlchemyConnector):
    _block_type_name = "Own Connection"

    def get_connection(self, begin=True, **connect_kwargs):
        engine = create_engine(f"sqlite:///{self.connect_args['file']}", poolclass=NullPool)
        return engine.begin() if begin else engine.connect()


class OwnAsyncEngine(AsyncSqlAlchemyConnector):
    _block_type_name = "Own Async Engine"

    def get_engine(self, **create_engine_kwargs):
        return create_async_engine(f"sqlite+aiosqlite:///{self.connect_args['file']}", poolclass=NullPool)


@pytest.mark.parametrize("cls", [OwnEngine, OwnConnection])
def test_statements_go_where_a_subclass_connects(cls, tmp_path):
    with cls(connection_info="sqlite:////no/folder/is.here", connect_args={"file": tmp_path / "own.db"}) as database:
        database.execute("CREATE TABLE t (n INT)")
        database.execute_many("INSERT INTO t VALUES (:n)", [{"n": 1}, {"n": 2}])
        assert database.fetch_all("SELECT n FROM t ORDER BY n") == [(1,), (2,)]


async def test_statements_go_where_an_async_subclass_connects(tmp_path):
    arguments = {"file": tmp_path / "own.db"}
    async with OwnAsyncEngine(connection_info="sqlite+aiosqlite:////no/is.here", connect_args=arguments) as database:
        await database.execute("CREATE TABLE t (n INT)")
        await database.execute_many("INSERT INTO t VALUES (:n)", [{"n": 1}, {"n": 2}])
        assert await database.fetch_all("SELECT n FROM t ORDER BY n") == [(1,), (2,)]
