"""What holds for every integration, shown for this one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from prefect_integration_tests.suites import BlockSuite, DatabaseSuite, InterfaceSuite, PackageSuite
from prefect_sqlalchemy import (
    AsyncDriver,
    AsyncSqlAlchemyConnector,
    ConnectionComponents,
    SqlAlchemyConnector,
    SyncDriver,
)

if TYPE_CHECKING:
    from prefect.blocks.core import Block

    from prefect_integration_tests.backends.postgres import Postgres


class TestPackage(PackageSuite):
    package = "prefect_sqlalchemy"
    # As published, the names of the synchronous connector are synchronous in async flows, too; each has a twin with an
    # `a` in front. Those of the asynchronous one are coroutine functions.
    one_face = frozenset(
        {
            "prefect_sqlalchemy.SqlAlchemyConnector",
            "prefect_sqlalchemy.AsyncSqlAlchemyConnector",
            "prefect_sqlalchemy.database.SqlAlchemyConnector",
            "prefect_sqlalchemy.database.AsyncSqlAlchemyConnector",
            "prefect_sqlalchemy.transactions.Transaction",
            "prefect_sqlalchemy.transactions.AsyncTransaction",
        }
    )


class TestInterface(InterfaceSuite):
    package = "prefect_sqlalchemy"


class TestBlocks(BlockSuite):
    package = "prefect_sqlalchemy"

    def make(self, cls: type[Block], canary: str) -> Block:
        driver = AsyncDriver.POSTGRESQL_ASYNCPG if cls is AsyncSqlAlchemyConnector else SyncDriver.POSTGRESQL_PSYCOPG2
        parts: dict[str, Any] = {"username": "u", "password": canary, "host": "127.0.0.1", "port": 5432}
        return cls(connection_info=ConnectionComponents(driver=driver, database="d", **parts), fetch_size=7)


class SqlAlchemyDatabase(DatabaseSuite):
    """What the connectors have in common."""

    __test__ = False
    reset_method = "reset_connections"
    starts_again = False
    takes_no_sets = False
    awaitable_on_a_loop = False


class PostgresDatabase(SqlAlchemyDatabase):
    """What they have in common with PostgreSQL."""

    returning = "RETURNING id"
    driver = ""

    @pytest.fixture
    def shop(self, postgres_with_passwords: Postgres, canary: str) -> ConnectionComponents:
        postgres_with_passwords.run(f"ALTER ROLE shop PASSWORD '{canary}'")
        return self.components("shop", postgres_with_passwords, canary)

    def components(self, user: str, server: Postgres, password: str) -> ConnectionComponents:
        driver: Any = f"postgresql+{self.driver}"
        parts: dict[str, Any] = {"username": user, "password": password, "host": "127.0.0.1", "port": server.port}
        return ConnectionComponents(driver=driver, database="postgres", **parts)

    def names_of_refused(self, database: Any) -> tuple[str, ...]:
        return ("nobody", "127.0.0.1")


class TestPsycopg2(PostgresDatabase):
    __test__ = True
    driver = "psycopg2"

    @pytest.fixture
    def database(self, shop: ConnectionComponents) -> Iterator[SqlAlchemyConnector]:
        with SqlAlchemyConnector(connection_info=shop) as block:
            yield block

    @pytest.fixture
    def refused_database(self, postgres_with_passwords: Postgres, canary: str) -> SqlAlchemyConnector:
        return SqlAlchemyConnector(connection_info=self.components("nobody", postgres_with_passwords, canary))


class TestAsyncpg(PostgresDatabase):
    __test__ = True
    driver = "asyncpg"
    faces = ("async",)
    awaitable_on_a_loop = True

    @pytest_asyncio.fixture
    async def database(self, shop: ConnectionComponents) -> AsyncIterator[AsyncSqlAlchemyConnector]:
        async with AsyncSqlAlchemyConnector(connection_info=shop) as block:
            yield block

    @pytest.fixture
    def refused_database(self, postgres_with_passwords: Postgres, canary: str) -> AsyncSqlAlchemyConnector:
        return AsyncSqlAlchemyConnector(connection_info=self.components("nobody", postgres_with_passwords, canary))


class TestSqlite(SqlAlchemyDatabase):
    __test__ = True
    returning = "RETURNING id"
    many_rows = (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 1000000) "
        "SELECT n, hex(zeroblob(200)) FROM numbers"
    )

    @pytest.fixture
    def database(self, url_of: Callable[[str], str]) -> Iterator[SqlAlchemyConnector]:
        with SqlAlchemyConnector(connection_info=url_of("sqlite")) as block:
            yield block


class TestSqliteWithoutContext(SqlAlchemyDatabase):
    __test__ = True
    returning = "RETURNING id"

    @pytest.fixture
    def database(self, url_of: Callable[[str], str]) -> Iterator[SqlAlchemyConnector]:
        block = SqlAlchemyConnector(connection_info=url_of("sqlite"))
        yield block
        block.close()


class TestAiosqlite(SqlAlchemyDatabase):
    __test__ = True
    faces = ("async",)
    awaitable_on_a_loop = True
    returning = "RETURNING id"

    @pytest_asyncio.fixture
    async def database(self, url_of: Callable[[str], str]) -> AsyncIterator[AsyncSqlAlchemyConnector]:
        block = AsyncSqlAlchemyConnector(connection_info=url_of("aiosqlite"))
        yield block
        await block.close()


class TestDuckDb(SqlAlchemyDatabase):
    __test__ = True
    returning = "RETURNING id"

    @pytest.fixture
    def database(self, url_of: Callable[[str], str]) -> Iterator[SqlAlchemyConnector]:
        block = SqlAlchemyConnector(connection_info=url_of("duckdb"))
        yield block
        block.close()


class TestPymysql(SqlAlchemyDatabase):
    __test__ = True

    @pytest.fixture
    def database(self, url_of: Callable[[str], str]) -> Iterator[SqlAlchemyConnector]:
        with SqlAlchemyConnector(connection_info=url_of("pymysql")) as block:
            yield block
