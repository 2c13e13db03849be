"""A line that breaks, a server that says no, a process that dies: what becomes of rows and transactions."""

# ruff: noqa: PT012 - what raises is the end of a `with` block
from __future__ import annotations

import contextlib
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from sqlalchemy.engine.url import URL, make_url

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.postgres import Postgres, postgres_program
from prefect_integration_tests.children import assert_dies_of
from prefect_integration_tests.clock import FakeClock
from prefect_sqlalchemy import AsyncSqlAlchemyConnector, SqlAlchemyConnector, _connecting
from prefect_sqlalchemy._async_database import AsyncDatabase
from prefect_sqlalchemy._sync_database import SyncDatabase
from prefect_sqlalchemy.errors import (
    DatabaseAccessDenied,
    DatabaseCertificateRefused,
    DatabaseFull,
    DatabaseUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prefect_integration_tests.backends.faults import FaultProxy

ASYNC = ("asyncpg", "psycopg_async", "aiomysql")
LINES = ("psycopg2", "psycopg", "pg8000", "pymysql", *ASYNC)

CONNECT_SECONDS: dict[str, dict[str, Any]] = {
    "psycopg2": {"connect_timeout": 1},
    "psycopg": {"connect_timeout": 1},
    "psycopg_async": {"connect_timeout": 1},
    "pg8000": {"timeout": 1},
    "pymysql": {"connect_timeout": 1},
    "asyncpg": {"timeout": 1},
    "aiomysql": {"connect_timeout": 1},
}
# A COMMIT and the first byte of what is answered, by each driver.
COMMIT_BYTES = {"psycopg2": 13, "psycopg": 13, "psycopg_async": 13, "asyncpg": 14, "pymysql": 12, "aiomysql": 12}
TEXTS = {
    "postgresql": "SELECT repeat('x', 1000) FROM generate_series(1, 1000)",
    "mysql": "SELECT repeat('x', 1000) FROM seq_1_to_1000",
}


@dataclass
class Line:
    """A connector behind a proxy, and its database by another way."""

    driver: str
    url: URL
    proxy: FaultProxy
    connector: Any
    direct: SqlAlchemyConnector

    @property
    def texts(self) -> str:
        return TEXTS[self.url.get_backend_name()]

    def ids(self, table: str) -> list[int]:
        self.direct.reset_connections()
        return [row[0] for row in self.direct.fetch_all(f"SELECT id FROM {table} ORDER BY id")]

    def make(self, **options: Any) -> Any:
        kind = AsyncSqlAlchemyConnector if self.driver in ASYNC else SqlAlchemyConnector
        return kind(connection_info=self.url.render_as_string(hide_password=False), **options)


@pytest_asyncio.fixture(params=LINES)
async def line(
    request: pytest.FixtureRequest, url_of: Callable[[str], str], fault_proxy: Callable[..., FaultProxy], table: str
) -> AsyncIterator[Line]:
    """A line to a server by each driver; the table is there, with one row."""
    url = make_url(url_of(request.param))
    proxy = fault_proxy("127.0.0.1", url.port)
    direct = SqlAlchemyConnector(connection_info=url_of("pymysql" if request.param.endswith("mysql") else "psycopg2"))
    direct.execute(f"CREATE TABLE {table} (id INTEGER)")
    direct.execute(f"INSERT INTO {table} VALUES (1)")
    made = Line(request.param, url.set(host="127.0.0.1", port=proxy.port), proxy, None, direct)
    made.connector = made.make()
    yield made
    proxy.heal()
    await made.connector.aclose()
    direct.execute(f"DROP TABLE {table}")
    direct.close()


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_SQLALCHEMY_CONNECT_RETRY_SECONDS", "0")


@contextlib.asynccontextmanager
async def transaction(connector: Any) -> Any:
    """A transaction of either connector."""
    if isinstance(connector, AsyncSqlAlchemyConnector):
        async with connector.transaction() as body:
            yield body.execute
        return
    with connector.transaction() as body:

        async def execute(operation: str) -> Any:
            return body.execute(operation)

        yield execute


async def test_a_connection_that_broke_while_nobody_used_it_is_replaced(line: Line, table: str) -> None:
    await line.connector.afetch_one("SELECT 1")
    line.proxy.reset_connections()
    await line.connector.aexecute(f"INSERT INTO {table} VALUES (2)")
    assert line.ids(table) == [1, 2]


async def test_a_connection_that_breaks_within_a_transaction_leaves_nothing(line: Line, table: str) -> None:
    with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1.*Check host and port"):
        async with transaction(line.connector) as execute:
            await execute(f"INSERT INTO {table} VALUES (2)")
            line.proxy.set(reset_after_bytes=1, reset_times=1)
            await execute(f"INSERT INTO {table} VALUES (3)")
    assert line.ids(table) == [1]
    await line.connector.aexecute(f"INSERT INTO {table} VALUES (4)")
    assert line.ids(table) == [1, 4]


@pytest.mark.parametrize("line", list(COMMIT_BYTES), indirect=True)
async def test_a_commit_whose_answer_is_lost_is_said_to_be_unknown_and_not_repeated(line: Line, table: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="not known whether the transaction was committed"):
        async with transaction(line.connector) as execute:
            await execute(f"INSERT INTO {table} VALUES (2)")
            line.proxy.set(reset_after_bytes=COMMIT_BYTES[line.driver], reset_times=1)
    poll(
        lambda: True if line.ids(table) == [1, 2] else None,
        subject="The commit",
        interval_seconds=0.02,
        timeout_seconds=5,
    )
    assert not line.connector._database.in_use()


@pytest.mark.parametrize("line", ["psycopg2", "asyncpg"], indirect=True)
async def test_a_statement_that_commits_by_itself_is_said_to_be_unknown(line: Line, table: str) -> None:
    await line.connector.afetch_one("SELECT 1")
    with pytest.raises(DatabaseUnreachable, match="not known whether the transaction was committed"):
        # The server ends the connection within the statement.
        suicide = "DO $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$"
        await line.connector.aexecute(suicide, isolation_level="AUTOCOMMIT")
    assert line.ids(table) == [1]


async def test_a_result_that_breaks_off_is_an_error_and_no_short_list(line: Line) -> None:
    await line.connector.afetch_one("SELECT 1")
    line.proxy.set(reset_after_bytes=300_000, reset_times=1)
    with pytest.raises(DatabaseUnreachable):
        await line.connector.afetch_all(line.texts)
    rows = await line.connector.afetch_all(line.texts)
    assert len(rows) == 1000
    assert not line.connector._database.in_use()


async def test_a_result_that_comes_slowly_comes_whole(line: Line) -> None:
    line.proxy.set(bytes_per_second=4_000_000, latency_seconds=0.01)
    assert len(await line.connector.afetch_all(line.texts)) == 1000


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("line", list(CONNECT_SECONDS), indirect=True)
async def test_a_server_that_says_nothing_is_given_up(line: Line) -> None:
    line.proxy.blackhole = True
    connector = line.make(connect_args=CONNECT_SECONDS[line.driver])
    started = time.monotonic()
    with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1.*Check host and port"):
        await connector.aexecute("SELECT 1")
    assert time.monotonic() - started < 8
    await connector.aclose()


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("line", ["psycopg2", "psycopg", "psycopg_async", "pymysql", "aiomysql"], indirect=True)
async def test_a_server_that_says_nothing_is_given_up_although_nobody_set_a_limit(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connecting, "CONNECT_SECONDS", 2)
    line.proxy.blackhole = True
    connector = line.make()
    with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1.*Check host and port"):
        await connector.aexecute("SELECT 1")
    await connector.aclose()


@pytest.mark.parametrize("line", ["pymysql", "aiomysql"], indirect=True)
async def test_a_statement_may_take_longer_than_connecting(line: Line) -> None:
    given = {"read_timeout": None} if line.driver == "pymysql" else {}
    connector = line.make(connect_args={"connect_timeout": 1, **given})
    assert await connector.afetch_one("SELECT SLEEP(1.5)") == (0,)
    await connector.aclose()


class Healing(FakeClock):
    """Calls a function at the first pause."""

    heal: Callable[[], Any] = staticmethod(lambda: None)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.heal()


@pytest.fixture
def healing(monkeypatch: pytest.MonkeyPatch) -> Healing:
    """The clock of both connectors."""
    clock = Healing()
    for database in (SyncDatabase, AsyncDatabase):
        monkeypatch.setattr(database, "clock", clock)
    return clock


async def test_a_server_that_refuses_for_a_moment_is_reached(line: Line, table: str, healing: Healing) -> None:
    line.proxy.refuse = True
    healing.heal = line.proxy.heal
    await line.connector.aexecute(f"INSERT INTO {table} VALUES (2)")
    assert healing.sleeps
    assert line.ids(table) == [1, 2]


@pytest.mark.parametrize("line", ["psycopg2", "psycopg", "pg8000", "asyncpg", "psycopg_async"], indirect=True)
async def test_a_server_without_a_free_connection_is_asked_again(line: Line, table: str, healing: Healing) -> None:
    line.direct.execute(f"CREATE ROLE {table} LOGIN CONNECTION LIMIT 1")
    line.url = line.url.set(username=table)
    first, second = line.make(), line.make()
    await first.afetch_one("SELECT 1")
    healing.heal = lambda: line.direct.fetch_all(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{table}'"
    )
    assert tuple(await second.afetch_one("SELECT 2")) == (2,)
    assert len(healing.sleeps) >= 1
    for connector in (first, second):
        await connector.aclose()
    line.direct.execute(f"DROP ROLE {table}")


@pytest.mark.parametrize("line", ["psycopg2", "psycopg", "asyncpg", "pymysql"], indirect=True)
async def test_a_clock_that_jumps_changes_nothing(line: Line, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await line.connector.afetch_one("SELECT 1")
    connections, now = line.proxy.connections, time.time
    for days in (400, -400):
        monkeypatch.setattr(time, "time", lambda days=days: now() + days * 86_400)
        await line.connector.aexecute(f"INSERT INTO {table} VALUES ({days})")
    assert line.ids(table) == [-400, 1, 400]
    assert line.proxy.connections == connections


# Who we are


@pytest.fixture(params=["psycopg2", "asyncpg"])
def shop(request: pytest.FixtureRequest, postgres_with_passwords: Postgres) -> Callable[[], Any]:
    """A maker of connectors of the role `clerk`, by a driver of each kind."""
    postgres_with_passwords.run(
        "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD 'right'; DROP TABLE IF EXISTS goods; "
        "CREATE TABLE goods (id INTEGER); GRANT SELECT, INSERT ON goods TO clerk"
    )
    url = f"postgresql+{request.param}://clerk:right@127.0.0.1:{postgres_with_passwords.port}/postgres"
    kind = AsyncSqlAlchemyConnector if request.param in ASYNC else SqlAlchemyConnector
    yield lambda: kind(connection_info=url)
    postgres_with_passwords.run("DROP TABLE goods; DROP ROLE clerk")


async def test_a_password_that_expired_is_told(shop: Any, postgres_with_passwords: Postgres) -> None:
    connector = shop()
    assert await connector.afetch_all("SELECT id FROM goods") == []
    postgres_with_passwords.run("ALTER ROLE clerk VALID UNTIL '2000-01-01'")
    await connector.aexecute("INSERT INTO goods VALUES (1)")  # a session that is open stays open
    await connector.aclose()
    other = shop()
    with pytest.raises(DatabaseAccessDenied, match=r"clerk.*Check username and password") as caught:
        await other.afetch_all("SELECT id FROM goods")
    assert "right" not in str(caught.value)
    await other.aclose()


async def test_a_right_that_was_taken_away_is_told_at_once(shop: Any, postgres_with_passwords: Postgres) -> None:
    connector = shop()
    await connector.aexecute("INSERT INTO goods VALUES (1)")
    postgres_with_passwords.run("REVOKE INSERT ON goods FROM clerk")
    with pytest.raises(DatabaseAccessDenied, match=r"goods.*what the user was granted"):
        await connector.aexecute_many("INSERT INTO goods VALUES (:id)", [{"id": 2}, {"id": 3}])
    assert [row[0] for row in await connector.afetch_all("SELECT id FROM goods")] == [1]
    await connector.aclose()


@pytest.fixture(scope="module")
def secure_postgres(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A PostgreSQL that speaks TLS only, with a certificate that nobody trusts, and that of another authority."""
    if postgres_program("postgres") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    ours, other = PrivateCA(tmp_path_factory.mktemp("ours")), PrivateCA(tmp_path_factory.mktemp("other"))
    with Postgres.start(("hostssl all all 127.0.0.1/32 trust",), ours.issue("server", "127.0.0.1")) as server:
        yield server, other.ca_file


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg", "pg8000", "asyncpg", "psycopg_async"])
async def test_a_certificate_that_nobody_trusts_is_told_at_once(secure_postgres: Any, driver: str) -> None:
    server, authority = secure_postgres
    arguments: dict[str, Any] = {"sslmode": "verify-full", "sslrootcert": str(authority)}
    if driver in ("asyncpg", "pg8000"):
        trust = ssl.create_default_context(cafile=str(authority))
        arguments = {"ssl" if driver == "asyncpg" else "ssl_context": trust}
    kind = AsyncSqlAlchemyConnector if driver in ASYNC else SqlAlchemyConnector
    connector = kind(connection_info=server.url.replace("postgresql:", f"postgresql+{driver}:"), connect_args=arguments)
    started = time.monotonic()
    with pytest.raises(DatabaseCertificateRefused, match=r"127\.0\.0\.1.*certificate verify failed.*Check which CA"):
        await connector.aexecute("SELECT 1")
    assert time.monotonic() - started < 4, "it was tried again"
    await connector.aclose()


# Disks and processes


@pytest.mark.parametrize("driver", ["sqlite", "aiosqlite", "psycopg2", "asyncpg"])
async def test_a_full_disk_is_told_and_nothing_stays(url_of: Callable[[str], str], driver: str, table: str) -> None:
    kind = AsyncSqlAlchemyConnector if driver in ("aiosqlite", "asyncpg") else SqlAlchemyConnector
    connector = kind(connection_info=url_of(driver))
    await connector.aexecute(f"CREATE TABLE {table} (id INTEGER, content TEXT)")
    with pytest.raises(DatabaseFull, match="Make room on the disk"):
        async with transaction(connector) as execute:
            await execute(f"INSERT INTO {table} VALUES (1, 'x')")
            if "sqlite" in driver:
                await execute("PRAGMA max_page_count = 3")
                await execute(f"INSERT INTO {table} VALUES (2, hex(zeroblob(100000)))")
            await execute("DO $$ BEGIN RAISE 'could not extend file: No space' USING ERRCODE = '53100'; END $$")
    assert list(await connector.afetch_all(f"SELECT * FROM {table}")) == []
    await connector.aexecute(f"DROP TABLE {table}")
    await connector.aclose()


WRITER = """
import asyncio, sys
from prefect_sqlalchemy import AsyncSqlAlchemyConnector, SqlAlchemyConnector

url, aurl, table = sys.argv[1:]

async def awrite():
    async with AsyncSqlAlchemyConnector(connection_info=aurl).transaction() as transaction:
        await transaction.execute(f"INSERT INTO {table} VALUES (2)")
        print("ready", flush=True)
        await asyncio.sleep(600)

with SqlAlchemyConnector(connection_info=url).transaction() as transaction:
    transaction.execute(f"INSERT INTO {table} VALUES (1)")
    asyncio.run(awrite())
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_process_that_dies_leaves_no_transaction(
    psycopg2: SqlAlchemyConnector, url_of: Callable[[str], str], name: Any, table: str
) -> None:
    """Of either connector."""
    psycopg2.execute(f"CREATE TABLE {table} (id INTEGER)")

    def holders() -> int:
        psycopg2.reset_connections()
        held = f"SELECT COUNT(DISTINCT pid) FROM pg_locks WHERE relation = '{table}'::regclass AND mode LIKE 'Row%'"
        return int(psycopg2.fetch_one(held)[0])

    assert_dies_of(name, WRITER, url_of("psycopg2"), url_of("asyncpg"), table, until=lambda: holders() == 2)
    poll(
        lambda: None if holders() else True,
        subject="The end of the transactions",
        interval_seconds=0.02,
        timeout_seconds=10,
    )
    assert psycopg2.fetch_all(f"SELECT id FROM {table}") == []
