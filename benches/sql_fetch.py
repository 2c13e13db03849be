"""How fast rows come from databases and go into them, beside the published packages and the bare drivers."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benches import harness
from benches.harness import BASELINE, BenchError, Case, Environment, Metric, Sample
from prefect_integration_tests.backends.fakesnow import SnowflakeServer
from prefect_integration_tests.backends.postgres import Postgres
from scripts import workspace

ROWS = int(os.environ.get("BENCH_SQL_ROWS", "1_000_000"))
INSERTED = max(ROWS // 10, 1)
SNOWFLAKE_ROWS = INSERTED  # the emulator sends a result in one piece
PAGE = 10_000
ABOUT = (
    f"{ROWS:,} rows of a number and a text, read by `fetch_all` and by `fetch_many` of {PAGE:,} inside of `with`, from"
    f" PostgreSQL (psycopg2, asyncpg), SQLite (also aiosqlite) and DuckDB, and {SNOWFLAKE_ROWS:,} from a local"
    f" fakesnow; {INSERTED:,} rows inserted by `execute_many`, and by our `insert_many`, committed. The bare driver is"
    " `fetchall`, `fetchmany` and `executemany` of its own cursor. Imports and the first connection are not part of the"
    " times."
)
METRICS = (Metric("wall_s", "seconds"), Metric("cpu_s", "CPU s"), Metric("peak_mib", "peak MiB", 0))

RAW = "bare driver"
_OWN = ("prefect-integration-kit", "prefect-sqlalchemy", "prefect-snowflake")
_PUBLISHED = ("prefect-sqlalchemy>=0.6.1", "prefect-snowflake>=0.28.9")
_DRIVERS = ("psycopg2-binary", "asyncpg", "aiosqlite", "duckdb-engine", "snowflake-connector-python[pandas]", "pandas")
_SHOWN = ("sqlalchemy", "psycopg2-binary", "asyncpg", "duckdb", "snowflake-connector-python")
# What ours brings and the published package has not.
_NEW = "insert_many"


@dataclass(frozen=True)
class Database:
    """A database to measure on.

    Attributes:
        name: How the table calls it.
        url: For the synchronous connector and the bare driver; `snowflake://` and the server's port for Snowflake.
        async_url: For asynchronous code; none if there is no such driver.
        rows: How many rows its table has.
    """

    name: str
    url: str
    async_url: str | None
    rows: int = ROWS


def environments() -> dict[str, Environment]:
    """Build the two environments, with the same versions of everything but the packages themselves."""
    resolution = [line for line in harness.workspace_resolution() if not line.startswith(_OWN)]
    members = workspace.packages()
    folders = [str(workspace.find(name, members).path) for name in _OWN]
    reinstall = [f"--reinstall-package={name}" for name in _OWN]
    return {
        BASELINE: harness.install("sql-published", resolution, *_PUBLISHED, *_DRIVERS),
        "ours": harness.install("sql-ours", resolution, *reinstall, *folders, *_DRIVERS),
    }


# --- what is read and written ----------------------------------------------------------------------------------------


def _fill_sqlite(path: Path) -> None:
    count = f"WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {ROWS})"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE numbers AS {count} SELECT n, 'row ' || n AS s FROM c")
        connection.commit()


def _in_duckdb(python: Path, path: Path, *statements: str) -> None:
    """Run statements with the DuckDB of the environment under test, whose files no other version need to read."""
    code = "import duckdb, sys\nc = duckdb.connect(sys.argv[1])\n[c.execute(s) for s in sys.argv[2:]]\nc.close()"
    subprocess.run([str(python), "-c", code, str(path), *statements], check=True)


class _Databases:
    """The databases, with their table of numbers."""

    def __init__(self, folder: Path, postgres: Postgres, snowflake: SnowflakeServer, python: Path) -> None:
        self._folder, self._postgres, self._python = folder, postgres, python
        _fill_sqlite(folder / "bench.sqlite")
        _in_duckdb(
            python,
            folder / "bench.duckdb",
            f"CREATE TABLE numbers AS SELECT range AS n, 'row ' || range AS s FROM range(1, {ROWS + 1})",
        )
        postgres.run(
            f"CREATE TABLE numbers AS SELECT n, 'row ' || n AS s FROM generate_series(1, {ROWS}) AS n; ANALYZE numbers"
        )
        pg, lite = postgres.url.partition("://")[2], folder / "bench.sqlite"
        _fill_snowflake(snowflake)
        at_snowflake = f"snowflake://{snowflake.port}"
        self.all = [
            Database("PostgreSQL", f"postgresql+psycopg2://{pg}", f"postgresql+asyncpg://{pg}"),
            Database("SQLite", f"sqlite:///{lite}", f"sqlite+aiosqlite:///{lite}"),
            Database("DuckDB", f"duckdb:///{folder / 'bench.duckdb'}", None),
            Database("Snowflake", at_snowflake, at_snowflake, SNOWFLAKE_ROWS),
        ]

    def empty_target(self, database: Database) -> None:
        """Make the table that rows are inserted into, empty."""
        statements = ("DROP TABLE IF EXISTS target", "CREATE TABLE target (n BIGINT, s VARCHAR(50))")
        if database.name == "PostgreSQL":
            self._postgres.run("; ".join(statements))
        elif database.name == "SQLite":
            with closing(sqlite3.connect(self._folder / "bench.sqlite")) as connection:
                for statement in statements:
                    connection.execute(statement)
        elif database.name == "DuckDB":
            _in_duckdb(self._python, self._folder / "bench.duckdb", *statements)


# --- cases -----------------------------------------------------------------------------------------------------------


def _cases(databases: Sequence[Database]) -> list[Case]:
    """All of them, each with the way of the probe, the job, the address and the number of rows."""
    found: list[Case] = []
    for job in ("all", "pages", "insert"):
        for database in databases:
            if job == "insert" and database.name == "Snowflake":
                continue  # into DuckDB, in the emulator: it says nothing of a warehouse
            count = INSERTED if job == "insert" else database.rows
            how = {"all": "", "pages": " in pages", "insert": " inserted"}[job]
            title = f"{count:,} rows{how}, {database.name}"
            ways = [(BASELINE, BASELINE, "sync"), ("ours", "ours", "sync"), (RAW, "ours", "raw")]
            if database.async_url is not None:
                ways[1:1] = [("published, async", BASELINE, "async")]
                ways[3:3] = [("ours, async", "ours", "async")]
            if job == "insert":
                ways.insert(-1, (f"ours, {_NEW}", "ours", _NEW))
            for variant, environment, way in ways:
                url = database.async_url if way == "async" else database.url
                found.append(Case(title, variant, environment, (way, job, str(url), str(count), str(PAGE))))
    return found


def _fill_snowflake(server: SnowflakeServer) -> None:
    """Make the database and the table of numbers in the emulator."""
    connector: Any = import_module("snowflake.connector")
    with closing(connector.connect(**server.connect_arguments(database="BENCH", schema="PUBLIC"))) as connection:
        numbers = f"SELECT range AS N, 'row ' || range AS S FROM range(1, {SNOWFLAKE_ROWS + 1})"
        for statement in (
            "CREATE DATABASE IF NOT EXISTS BENCH",
            "CREATE SCHEMA IF NOT EXISTS BENCH.PUBLIC",
            f"CREATE OR REPLACE TABLE BENCH.PUBLIC.NUMBERS AS {numbers}",
        ):
            connection.cursor().execute(statement)


def _beside_raw(samples: Mapping[Case, Sequence[Sample]]) -> str:
    return harness.beside(RAW, samples, {"wall_s": "time", "cpu_s": "CPU", "peak_mib": "memory"})


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    built = environments()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(Postgres.start())
        snowflake = stack.enter_context(SnowflakeServer.start())
        databases = _Databases(folder, postgres, snowflake, built["ours"].python)
        by_name = {database.name: database for database in databases.all}
        cases = [case for case in _cases(databases.all) if only is None or only in f"{case.what}, {case.variant}"]
        if not cases:
            raise BenchError(f"no case of sql_fetch holds {only!r}")

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            if case.arguments[1] == "insert":
                databases.empty_target(by_name[case.what.rpartition(", ")[2]])
            yield ()

        samples = harness.alternate(
            cases, "sql_fetch", rounds or 3, timeout_seconds=600, warm_up=False, around=around, built=built
        )
    versions = {name: environment.versions() for name, environment in built.items()}
    shown = ", ".join(f"{name} {versions['ours'].get(name)}" for name in _SHOWN)
    packages = {
        name: ", ".join(f"{package} {found.get(package)}" for package in _OWN[1:]) for name, found in versions.items()
    }
    return harness.save(
        "sql_fetch",
        ABOUT,
        samples,
        METRICS,
        note=_beside_raw(samples),
        keep=only is None and "BENCH_SQL_ROWS" not in os.environ,
        measured_on=f"{shown}. Ours: {packages['ours']}. Published: {packages[BASELINE]}.",
    )
