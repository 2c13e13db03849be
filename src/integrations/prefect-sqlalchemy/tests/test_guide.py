"""The guide runs as it stands, and the messages that it shows are those that are raised."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from prefect_integration_tests.backends.postgres import Postgres
from prefect_integration_tests.suites import GuideSuite
from prefect_sqlalchemy import AsyncSqlAlchemyConnector, ConnectionComponents, SqlAlchemyConnector

PASSWORD = "pw-of-the-guide"


class TestGuide(GuideSuite):
    distribution = "prefect-sqlalchemy"

    @pytest.fixture
    def parts(self, postgres_with_passwords: Postgres) -> dict[str, Any]:
        """What leads to the database of the guide."""
        postgres_with_passwords.run(f"ALTER ROLE shop PASSWORD '{PASSWORD}'")
        if not postgres_with_passwords.run("SELECT 1 FROM pg_database WHERE datname = 'orders'"):
            postgres_with_passwords.run("CREATE DATABASE orders")
        port = postgres_with_passwords.port
        return {"username": "shop", "password": PASSWORD, "host": "127.0.0.1", "port": port, "database": "orders"}

    @pytest.fixture
    def surroundings(self, parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        """The reader's blocks, on a server of this machine, and a reader who answers what he is asked."""
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": PASSWORD)

        def save() -> None:
            for kind, driver in ((SqlAlchemyConnector, "psycopg2"), (AsyncSqlAlchemyConnector, "asyncpg")):
                info = ConnectionComponents(driver=f"postgresql+{driver}", **parts)
                kind(connection_info=info).save("shop-db", overwrite=True)

        return save

    @pytest.fixture
    def provocations(
        self, parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> Mapping[str, Callable[[], object]]:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_SQLALCHEMY_CONNECT_RETRY_SECONDS", "0")

        def connector(driver: str = "postgresql+psycopg2", **changes: Any) -> SqlAlchemyConnector:
            return SqlAlchemyConnector(connection_info=ConnectionComponents(driver=driver, **{**parts, **changes}))

        def refuse_a_row() -> None:
            with SqlAlchemyConnector(connection_info="sqlite://") as database:
                database.execute("CREATE TABLE parcels (id INTEGER PRIMARY KEY, country VARCHAR(2))")
                rows = [{"id": 1, "country": "NO"}, {"id": 2, "country": "PT"}, {"id": 1, "country": "DE"}]
                database.insert_many("parcels", rows)

        def disturb() -> None:
            with SqlAlchemyConnector(connection_info="sqlite://") as database, database.transaction():
                database.execute("CREATE TABLE parcels (id INTEGER)")

        return {
            "The driver is not installed": lambda: connector("oracle+oracledb").fetch_one("SELECT 1"),
            "The driver is of the other kind": lambda: connector("postgresql+asyncpg"),
            "The address has no dialect": lambda: SqlAlchemyConnector(connection_info="postgres://127.0.0.1/orders"),
            "The password is refused": lambda: connector(password="wrong").fetch_one("SELECT 1"),
            "The server does not answer": lambda: connector(port=9).fetch_one("SELECT 1"),
            "The database does not exist": lambda: connector(database="gone").fetch_one("SELECT 1"),
            "The table does not exist": lambda: connector().fetch_one("SELECT * FROM gone"),
            "The statement gives no rows": lambda: connector().fetch_one("CREATE TABLE news (id INTEGER)"),
            "A row is refused": refuse_a_row,
            "The only connection is taken": disturb,
        }
