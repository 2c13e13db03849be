"""What a user can get wrong is said by name, with what to do, and is an exception of SQLAlchemy still."""

from __future__ import annotations

import pickle
import socket
import threading

import pytest
import sqlalchemy.exc

from prefect_integration_kit.waiting import poll
from prefect_sqlalchemy import (
    AsyncDriver,
    AsyncSqlAlchemyConnector,
    ConnectionComponents,
    SqlAlchemyConnector,
    SyncDriver,
)
from prefect_sqlalchemy._sync_database import SyncDatabase
from prefect_sqlalchemy.database import check_make_url
from prefect_sqlalchemy.errors import (
    DatabaseAccessDenied,
    DatabaseArgumentInvalid,
    DatabaseConstraintViolated,
    DatabaseDriverMismatch,
    DatabaseDriverMissing,
    DatabaseError,
    DatabaseNotFound,
    DatabaseTableNotFound,
    DatabaseUnreachable,
    DatabaseUrlUnsupported,
)

PG = ("psycopg2", "psycopg", "pg8000")
MY = ("pymysql",)


@pytest.fixture
def no_patience(monkeypatch):
    monkeypatch.setenv("PREFECT_INTEGRATIONS_SQLALCHEMY_CONNECT_RETRY_SECONDS", "0")


def components(request, driver, **changes):
    if driver.endswith("mysql"):
        server = request.getfixturevalue("mariadb")
        given = {"driver": f"mysql+{driver}", "username": server.user, "password": server.password}
        given |= {"host": server.host, "port": server.port, "database": server.database}
    else:
        server = request.getfixturevalue("postgres_with_passwords")
        server.run("ALTER ROLE shop PASSWORD 'right'")
        given = {"driver": f"postgresql+{driver}", "username": "shop", "password": "right"}
        given |= {"host": "127.0.0.1", "port": server.port, "database": "postgres"}
    return ConnectionComponents(**{**given, **changes})


async def failure(info):
    """What a fetch raises, by the connector that the driver is for."""
    kind = AsyncSqlAlchemyConnector if info.driver.endswith(("asyncpg", "aiomysql")) else SqlAlchemyConnector
    connector = kind(connection_info=info)
    with pytest.raises(DatabaseError) as caught:
        await connector.afetch_one("SELECT 1")
    await connector.aclose()
    error = caught.value
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert type(pickle.loads(pickle.dumps(error))) is type(error)
    return error


@pytest.mark.parametrize("driver", [*PG, "asyncpg", *MY, "aiomysql"])
async def test_a_wrong_password_is_told(request, driver, canary, no_canary_leaks):
    error = await failure(components(request, driver, password=canary))
    assert isinstance(error, DatabaseAccessDenied)
    assert isinstance(error, PermissionError)
    assert "Check username and password" in str(error)
    assert "127.0.0.1" in str(error)
    no_canary_leaks.add_error(error)
    no_canary_leaks.check()


@pytest.mark.parametrize("driver", [*PG, "asyncpg", *MY, "aiomysql"])
async def test_a_missing_database_is_told(request, driver):
    error = await failure(components(request, driver, database="nowhere"))
    assert isinstance(error, DatabaseNotFound)
    assert "nowhere" in str(error)


@pytest.mark.parametrize("driver", [*PG, "asyncpg", *MY, "aiomysql"])
async def test_a_host_that_does_not_answer_is_told(request, driver, no_patience):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        error = await failure(components(request, driver, port=taken.getsockname()[1]))
    assert isinstance(error, DatabaseUnreachable)
    assert isinstance(error, ConnectionError)
    assert "Check host and port" in str(error)


@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg", "pymysql"])
async def test_a_name_that_is_no_host_is_told(request, driver, no_patience):
    error = await failure(components(request, driver, host="nowhere.invalid"))
    assert isinstance(error, DatabaseUnreachable)
    assert "nowhere.invalid" in str(error)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DatabaseNotFound, match="unable to open database file"):
        SqlAlchemyConnector(connection_info=f"sqlite:///{tmp_path}/no/folder.db").fetch_one("SELECT 1")


def test_connecting_is_repeated_until_the_deadline(monkeypatch, fake_clock):
    monkeypatch.setattr(SyncDatabase, "clock", fake_clock)
    connector = SqlAlchemyConnector(connection_info="postgresql+psycopg2://u@127.0.0.1:9/d")
    with pytest.raises(DatabaseUnreachable):
        connector.fetch_one("SELECT 1")
    assert len(fake_clock.sleeps) > 2
    assert sum(fake_clock.sleeps) <= 5


def test_a_server_that_comes_back_is_reached(postgres, url_of):
    with SqlAlchemyConnector(connection_info=url_of("psycopg2")) as connector:
        assert connector.fetch_one("SELECT 1") == (1,)
        # A server that restarts ends all connections; those of the pool are found dead before they are used.
        others = "pid <> pg_backend_pid() AND usename IS NOT NULL"
        postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        assert connector.fetch_one("SELECT 2") == (2,)


def test_a_table_that_is_not_there_is_told(connector):
    for method in (connector.execute, connector.fetch_all, connector.read_dataframe):
        with pytest.raises(DatabaseTableNotFound, match="no_such_table"):
            method("SELECT * FROM no_such_table")
    with pytest.raises(sqlalchemy.exc.DBAPIError):
        connector.fetch_one("SELECT * FROM no_such_table")


async def test_a_table_that_is_not_there_is_told_in_the_async_connector(aconnector):
    with pytest.raises(DatabaseTableNotFound, match="no_such_table"):
        await aconnector.fetch_all("SELECT * FROM no_such_table")


def test_a_violated_constraint_names_the_row_and_rolls_back(connector, table):
    connector.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name VARCHAR(9) NOT NULL)")
    with pytest.raises(DatabaseConstraintViolated, match="Row 2") as caught:
        connector.execute_many(
            f"INSERT INTO {table} (id, name) VALUES (:id, :name)",
            [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": None}],
        )
    assert caught.value.row == 2
    assert isinstance(caught.value, sqlalchemy.exc.IntegrityError)
    assert connector.fetch_one(f"SELECT COUNT(*) FROM {table}") == (0,)
    connector.execute(f"INSERT INTO {table} (id, name) VALUES (1, 'a')")
    with pytest.raises(DatabaseConstraintViolated, match="rolled back"):
        connector.execute(f"INSERT INTO {table} (id, name) VALUES (1, 'a')")


@pytest.mark.parametrize("kind", [SqlAlchemyConnector, AsyncSqlAlchemyConnector])
@pytest.mark.parametrize("url", ["no url", "", "://x", "postgresql//u:pw@h/d"])
def test_text_that_is_no_url_is_told_without_repeating_it(kind, url):
    with pytest.raises(ValueError, match="not a database URL") as caught:
        kind(connection_info=url)
    assert "pw" not in str(caught.value)
    with pytest.raises(DatabaseUrlUnsupported, match="not a database URL") as caught:
        check_make_url(url)
    assert isinstance(caught.value, sqlalchemy.exc.ArgumentError)


@pytest.mark.parametrize("kind", [SqlAlchemyConnector, AsyncSqlAlchemyConnector])
def test_a_dialect_that_is_not_known_is_told(kind):
    with pytest.raises(DatabaseUrlUnsupported, match="no dialect 'nosuch\\+driver'") as caught:
        kind(connection_info="nosuch+driver://h/d")
    assert isinstance(caught.value, sqlalchemy.exc.NoSuchModuleError)
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)


@pytest.mark.parametrize("driver", list(AsyncDriver), ids=lambda driver: driver.name)
def test_the_synchronous_connector_names_the_other_one(driver):
    with pytest.raises(DatabaseDriverMismatch, match="Use AsyncSqlAlchemyConnector, or a synchronous driver, such as"):
        SqlAlchemyConnector(connection_info=ConnectionComponents(driver=driver, database="d"))


@pytest.mark.parametrize("driver", list(SyncDriver), ids=lambda driver: driver.name)
def test_the_asynchronous_connector_names_the_other_one(driver):
    with pytest.raises(DatabaseDriverMismatch, match=r"Use SqlAlchemyConnector, or an asynchronous driver"):
        AsyncSqlAlchemyConnector(connection_info=ConnectionComponents(driver=driver, database="d"))


def test_the_asynchronous_connector_refuses_a_plain_with():
    connector = AsyncSqlAlchemyConnector(connection_info="sqlite+aiosqlite://")
    with pytest.raises(NotImplementedError, match=r"`async with`, or use SqlAlchemyConnector"), connector:
        pass


@pytest.mark.parametrize(
    ("driver", "module"),
    [("oracle+oracledb", "oracledb"), ("mysql+mysqldb", "mysqlclient"), ("mssql+pymssql", "pymssql")],
)
def test_a_driver_that_is_not_installed_is_named(driver, module):
    connector = SqlAlchemyConnector(connection_info=ConnectionComponents(driver=driver, host="h"))
    with pytest.raises(DatabaseDriverMissing, match=f"pip install {module}"):
        connector.fetch_one("SELECT 1")
    with pytest.raises(ImportError):
        connector.get_engine()


def test_an_unknown_argument_of_the_engine_is_told(sqlite):
    with pytest.raises(DatabaseArgumentInvalid, match="nosuch"):
        sqlite.get_engine(nosuch=1)


def test_an_unknown_client_is_told(sqlite):
    with pytest.raises(ValueError, match="'engine' or 'connection'"):
        sqlite.get_client("cursor")


@pytest.mark.parametrize("rows", [[], {}, "rows", None, [1]], ids=str)
def test_sets_of_parameters_that_are_none_are_told(sqlite, rows):
    with pytest.raises(DatabaseArgumentInvalid, match="seq_of_parameters"):
        sqlite.execute_many("INSERT INTO t VALUES (:a)", rows)


def test_a_lock_that_is_held_is_told(url_of, sqlite, table):
    sqlite.execute(f"CREATE TABLE {table} (id INTEGER)")
    impatient = SqlAlchemyConnector(connection_info=url_of("sqlite"), connect_args={"timeout": 0.05})
    with sqlite.transaction() as transaction:
        transaction.execute(f"INSERT INTO {table} VALUES (1)")
        with pytest.raises(DatabaseError, match="database is locked"):
            impatient.execute(f"INSERT INTO {table} VALUES (2)")
    impatient.close()


def test_a_server_that_starts_meanwhile_is_waited_for(tmp_path):
    """Whoever connects while the server starts does not fail."""
    from prefect_integration_tests.backends.postgres import Postgres

    with Postgres.start() as server:
        connector = SqlAlchemyConnector(connection_info=server.url.replace("postgresql:", "postgresql+psycopg2:"))
        server.process.stop()
        restart = threading.Thread(target=lambda: server.process.start())
        restart.start()
        try:
            assert poll(
                lambda: connector.fetch_one("SELECT 1"), subject="row", interval_seconds=0.05, timeout_seconds=20
            )
        finally:
            restart.join()
            connector.close()
