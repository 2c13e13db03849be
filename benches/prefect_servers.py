"""A Prefect server that many flow runs can ask at once."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from prefect_integration_tests.backends.postgres import Postgres
from prefect_integration_tests.backends.prefect_server import PrefectServer


@contextmanager
def on_postgres() -> Generator[PrefectServer]:
    """Start one on a PostgreSQL: on SQLite it answers 503 to some hundred requests at once."""
    with (
        Postgres.start() as postgres,
        PrefectServer.start(database_url=postgres.url.replace("postgresql:", "postgresql+asyncpg:", 1)) as server,
    ):
        yield server
