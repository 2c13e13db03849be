"""What the tests of this package share: databases on this machine, empty before each test."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.engine.url import make_url

from prefect_integration_tests.backends.postgres import Postgres, postgres_program
from prefect_sqlalchemy import AsyncSqlAlchemyConnector, SqlAlchemyConnector

if TYPE_CHECKING:
    from pathlib import Path

    from prefect_integration_tests.backends.mariadb import MariaDb

SYNC = ("sqlite", "duckdb", "psycopg2", "psycopg", "pg8000", "pymysql")
ASYNC = ("aiosqlite", "asyncpg", "psycopg_async", "aiomysql")


@pytest.fixture(scope="session")
def postgres_with_passwords() -> Iterator[Postgres]:
    """A PostgreSQL that asks for passwords."""
    if postgres_program("postgres") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with Postgres.start(hba=("host all all 127.0.0.1/32 scram-sha-256",)) as server:
        server.run("CREATE ROLE shop LOGIN SUPERUSER")
        yield server


@pytest.fixture
def table() -> str:
    """The name of a table that does not exist yet."""
    return f"t_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Give the URL of a database by the name of the driver; its server starts when it is first asked for."""

    def url(driver: str) -> str:
        if driver in ("sqlite", "aiosqlite"):
            return f"sqlite+{'pysqlite' if driver == 'sqlite' else driver}:///{tmp_path}/shop.db"
        if driver == "duckdb":
            return f"duckdb:///{tmp_path}/shop.duckdb"
        if driver in ("pymysql", "aiomysql"):
            server: MariaDb = request.getfixturevalue("mariadb")
            found = make_url(server.url).set(drivername=f"mysql+{driver}")
        else:
            postgres: Postgres = request.getfixturevalue("postgres")
            found = make_url(postgres.url).set(drivername=f"postgresql+{driver}")
        return found.render_as_string(hide_password=False)

    return url


@pytest.fixture(params=SYNC)
def connector(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[SqlAlchemyConnector]:
    """A connector by each synchronous driver, closed after the test."""
    made = SqlAlchemyConnector(connection_info=url_of(request.param))
    yield made
    made.close()


@pytest.fixture(params=ASYNC)
async def aconnector(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Any:
    """A connector by each asynchronous driver, closed after the test."""
    made = AsyncSqlAlchemyConnector(connection_info=url_of(request.param))
    yield made
    await made.close()


@pytest.fixture
def sqlite(url_of: Callable[[str], str]) -> Iterator[SqlAlchemyConnector]:
    """A connector to a file of SQLite."""
    made = SqlAlchemyConnector(connection_info=url_of("sqlite"))
    yield made
    made.close()


@pytest.fixture
def psycopg2(url_of: Callable[[str], str]) -> Iterator[SqlAlchemyConnector]:
    """A connector to PostgreSQL by psycopg2."""
    made = SqlAlchemyConnector(connection_info=url_of("psycopg2"))
    yield made
    made.close()
