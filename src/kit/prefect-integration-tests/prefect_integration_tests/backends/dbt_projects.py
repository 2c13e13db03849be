"""dbt projects on this machine: generated in several shapes and sizes, on DuckDB or a real PostgreSQL.

```python
project = generate(tmp_path, shape="shop")
project.break_model("orders")
```
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import pprint
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import pytest

from . import _dbt_shapes as shapes
from ._sharing import file_lock

if TYPE_CHECKING:
    from .postgres import Postgres

__all__ = ["DbtProject", "generate", "installed_release"]

installed_release = shapes.installed_release

Adapter = Literal["duckdb", "postgres"]
Shape = Literal["small", "shop", "odd", "empty"]

_OPEN_SECONDS = 10.0
_DUCKDB_PAIRS_PER_SECOND = 40_000_000
"""Pairs of a cross join that DuckDB hashes in a second on one slow core: a slow model takes at least its seconds."""


@dataclass
class DbtProject:
    """A project and the database that it builds in.

    Attributes:
        path: Folder of `dbt_project.yml`.
        profiles_dir: Folder of `profiles.yml`: the same.
        name: The project's name, which is also its profile's.
        adapter: `duckdb` or `postgres`.
        schema: Where its tables go.
        database: The DuckDB file, or the name of the PostgreSQL database.
        postgres: The server.
    """

    path: Path
    name: str
    adapter: Adapter
    schema: str
    database: str
    postgres: Postgres | None = None
    _originals: dict[Path, str | None] = field(default_factory=dict[Path, "str | None"], repr=False)

    @property
    def profiles_dir(self) -> Path:
        """Folder of `profiles.yml`."""
        return self.path

    @property
    def target_path(self) -> Path:
        """Where dbt puts its artifacts by default."""
        return self.path / "target"

    def model_file(self, name: str) -> Path:
        """The file of a model, seed, snapshot or singular test.

        Raises:
            LookupError: If there is none.
        """
        for folder in ("models", "snapshots", "tests", "seeds"):
            for file in (self.path / folder).rglob("*.*"):
                if file.stem == name and file.suffix in (".sql", ".py", ".csv"):
                    return file
        raise LookupError(f"No model or test {name!r} in {self.path}.")

    def write(self, relative: str | Path, text: str) -> Path:
        """Write a file of the project; `fix` takes it back."""
        file = self.path / relative
        self._originals.setdefault(file, file.read_text(encoding="utf-8") if file.exists() else None)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def break_model(self, name: str, *, compiles: bool = True) -> None:
        """Let a model fail in the database.

        Args:
            name: The model.
            compiles: Whether it fails only there; else its Jinja does not compile, and the whole project not parse.
        """
        sql = "select no_such_column from (select 1 as id) as t" if compiles else "select {{ no_such_macro("
        self.write(self.model_file(name), f"{_config('table')}{sql}\n")

    def break_test(self, name: str) -> None:
        """Let a test fail: a singular one by its file, `not_null_…_id` and `unique_…_id` by the rows of their model."""
        if (self.path / "tests" / f"{name}.sql").exists():
            self.write(f"tests/{name}.sql", "select 1 as id\n")
            return
        for prefix, row in (("not_null_", "null"), ("unique_", "id")):
            if name.startswith(prefix) and name.endswith("_id"):
                file = self.model_file(name[len(prefix) : -len("_id")])
                sql = shapes.body(file.read_text(encoding="utf-8"))
                more = "select cast(null as integer)" if row == "null" else "select id from t"
                self.write(file, f"{_config('table')}with t as ({sql}) select id from t union all {more}\n")
                return
        raise LookupError(f"How to break the test {name!r} is not known.")

    def slow_model(self, name: str, seconds: float) -> None:
        """Let a model's query take at least this long in the database."""
        if self.adapter == "postgres":
            sql = f"select 1 as id from (select pg_sleep({seconds})) as slept"
        else:
            pairs = int(seconds * _DUCKDB_PAIRS_PER_SECOND)
            sql = (
                f"select sum(hash(a.range, b.range) % 7) as id from range({max(pairs // 10_000, 1)}) as a, "
                "range(10000) as b"
            )
        self.write(self.model_file(name), f"{_config('table')}{sql}\n")

    def fix(self) -> None:
        """Take back what was broken, slowed or written."""
        for file, text in self._originals.items():
            if text is None:
                file.unlink(missing_ok=True)
            else:
                file.write_text(text, encoding="utf-8")
        self._originals.clear()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query; columns of PostgreSQL as text.

        Raises:
            Exception: Of the driver, if the DuckDB file is still held by another process after some seconds.
        """
        if self.postgres is not None:
            return [tuple(line.split("|")) for line in self.postgres.run(sql).splitlines()]
        import duckdb

        deadline = time.monotonic() + _OPEN_SECONDS
        while True:
            try:
                with duckdb.connect(self.database) as connection:
                    return connection.execute(sql).fetchall()
            except duckdb.IOException:  # noqa: PERF203 - seldom more than one round
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def tables(self) -> set[str]:
        """Names of the tables and views that exist."""
        where = f"select table_name from information_schema.tables where table_schema = '{self.schema}'"
        return {row[0] for row in self.query(where)}

    def copy(self, folder: Path) -> DbtProject:
        """Copy the project to a new folder, with a database of its own.

        If it was parsed before, dbt need not parse the copy.
        """
        shutil.copytree(self.path, folder, dirs_exist_ok=True)
        made = _project(folder, self.name, self.adapter, self.postgres)
        made.write_profile(_threads_of(self.path))
        _adopt_parsed(folder, self.database, made.database, self.schema, made.schema)
        return made

    def write_profile(self, threads: int) -> None:
        """Write `profiles.yml`."""
        if self.postgres is None:
            output: dict[str, Any] = {"type": "duckdb", "path": self.database, "schema": self.schema}
        else:
            output = {"type": "postgres", "host": "127.0.0.1", "port": self.postgres.port, "user": "postgres"}
            output |= {"password": "unused", "dbname": self.database, "schema": self.schema}
        output["threads"] = threads
        profile = {self.name: {"target": "dev", "outputs": {"dev": output}}}
        text = json.dumps(profile, indent=1)  # which is YAML too
        (self.path / "profiles.yml").write_text(text + "\n", encoding="utf-8")

    def take_parsed(self, template: DbtProject) -> None:
        """Take what dbt parsed of a project of the same name and target: it parses only files that differ, then."""
        self.target_path.mkdir(parents=True, exist_ok=True)
        for name in (_PARSED, _CONNECTION):
            shutil.copyfile(template.target_path / name, self.target_path / name)
        _adopt_parsed(self.path, template.database, self.database, template.schema, self.schema)

    def parse(self) -> None:
        """Let dbt parse the project, so that the next invocations and copies need not.

        Raises:
            RuntimeError: With dbt's words, if it cannot.
        """
        done = subprocess.run(
            [sys.executable, "-c", _PARSE, str(self.path)], cwd=self.path, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            raise RuntimeError(f"dbt cannot parse {self.path}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


_PARSED, _CONNECTION, _DATABASE = "partial_parse.msgpack", "connection.txt", "database.txt"
_PARSE = """
import sys
from dbt.adapters.factory import FACTORY
from dbt.cli.main import dbtRunner

folder = sys.argv[1]

def look(message):
    if message.info.name == "CommandCompleted":
        for adapter in FACTORY.adapters.values():
            keys = sorted(adapter.config.credentials.connection_info())
            with open(folder + "/target/connection.txt", "w") as file:
                file.write(repr(keys))

args = ["parse", "--project-dir", folder, "--profiles-dir", folder, "--no-send-anonymous-usage-stats"]
result = dbtRunner(callbacks=[look]).invoke(args)
sys.exit(0 if result.success else 1)
"""


def _adopt_parsed(folder: Path, old_database: str, database: str, old_schema: str, schema: str) -> None:
    """Make a copied `partial_parse.msgpack` good for its new database.

    dbt parses anew when its hash of the connection differs (`build_manifest_state_check` in `dbt.parser.manifest`).
    Where schemas differ, relation names would be wrong, so it must.
    """
    parsed, said = folder / "target" / _PARSED, folder / "target" / _CONNECTION
    if not (parsed.exists() and said.exists()) or old_schema != schema:
        return
    msgpack: Any = import_module("msgpack")

    connection = said.read_text(encoding="utf-8").replace(repr(old_database), repr(database))
    said.write_text(connection, encoding="utf-8")
    hashed = pprint.pformat(ast.literal_eval(connection))
    manifest = msgpack.unpackb(parsed.read_bytes(), strict_map_key=False)
    manifest["state_check"]["profile_hash"]["checksum"] = hashlib.sha256(hashed.encode()).hexdigest()
    for node in manifest["nodes"].values():
        if node.get("root_path"):  # of a seed: where its file is
            node["root_path"] = str(folder)
    parsed.write_bytes(msgpack.packb(manifest))


def _threads_of(folder: Path) -> int:
    profile = json.loads((folder / "profiles.yml").read_text(encoding="utf-8"))
    return next(iter(profile.values()))["outputs"]["dev"]["threads"]


def _config(materialized: str) -> str:
    return f"{{{{ config(materialized='{materialized}') }}}}\n"


def _project(folder: Path, name: str, adapter: Adapter, postgres: Postgres | None) -> DbtProject:
    if adapter == "duckdb":
        return DbtProject(folder, name, adapter, "main", str(folder / "warehouse.duckdb"))
    if postgres is None:
        raise ValueError("A project on PostgreSQL needs the `postgres` fixture's server.")
    return DbtProject(folder, name, adapter, f"dbt_{uuid4().hex[:8]}", "postgres", postgres)


def generate(
    folder: Path,
    *,
    shape: Shape = "small",
    models: int = 5,
    seeds: int = 1,
    tests: int = 2,
    adapter: Adapter = "duckdb",
    threads: int = 4,
    name: str = "demo",
    materialized: str = "view",
    postgres: Postgres | None = None,
) -> DbtProject:
    """Write a dbt project.

    Args:
        folder: Where; it is made.
        shape: `small`: seeds `seed_0` …, models `model_0` … with edges between them, tests. `shop`: every kind
            of node that dbt builds, with readable names. `odd`: names and texts that break careless code. `empty`: no
            nodes.
        models: How many models a small project has.
        seeds: How many seeds.
        tests: How many tests: `not_null_model_0_id`, `unique_model_0_id`, ...
        adapter: What it builds in.
        threads: dbt's threads.
        name: The project's name.
        materialized: How its models are materialized, where they do not say.
        postgres: The server, for `adapter="postgres"`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    project = _project(folder, name, adapter, postgres)
    for relative, text in shapes.files(shape, name, models, seeds, tests, materialized, project.schema).items():
        file = folder / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    project.write_profile(threads)
    return project


def _template(factory: pytest.TempPathFactory, shape: Shape) -> DbtProject:
    """A parsed project that all processes of this test run share."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = shared / f"dbt-template-{shape}"
    with file_lock(shared / f"dbt-template-{shape}.lock"):
        project = generate(folder, shape=shape)
        if not (folder / "target" / _PARSED).exists():
            from ..harness import cache_folder

            parse_once(project, cache_folder())
    return project


def parse_once(project: DbtProject, cache: Path | None) -> None:
    """Take what dbt parsed in an earlier test run, if that had the same files and versions; else parse and keep it.

    Args:
        project: A project on DuckDB.
        cache: The folder that outlives a test run, see `harness.cache_folder`; `None` keeps nothing.
    """
    if cache is None:
        project.parse()
        return
    kept, target = cache / "dbt" / _key(project), project.target_path
    if kept.exists():
        target.mkdir(exist_ok=True)
        for name in (_PARSED, _CONNECTION):
            shutil.copyfile(kept / name, target / name)
        _adopt_parsed(project.path, (kept / _DATABASE).read_text("utf-8"), project.database, "", "")
        return
    project.parse()
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=kept.parent))
    for name in (_PARSED, _CONNECTION):
        shutil.copyfile(target / name, draft / name)
    (draft / _DATABASE).write_text(project.database, "utf-8")
    try:
        draft.rename(kept)
    except OSError:  # another test run was quicker
        shutil.rmtree(draft, ignore_errors=True)


def _key(project: DbtProject) -> str:
    """What the parsed project depends on: its files, and the versions of dbt, its adapter and Python."""
    parts = [sys.version, *(f"{name}={version(name)}" for name in ("dbt-core", "dbt-duckdb", "dbt-adapters"))]
    for file in sorted(project.path.rglob("*")):
        relative = file.relative_to(project.path)
        if file.is_file() and relative.name != "profiles.yml" and relative.parts[0] != "target":
            parts += [str(relative), file.read_text("utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


@pytest.fixture(scope="session")
def dbt_small_template(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """A small project on DuckDB, parsed already; for copies, of wider scope than `dbt_project`."""
    return _template(tmp_path_factory, "small")


@pytest.fixture(scope="session")
def dbt_shop_template(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """A project with every kind of node, on DuckDB, parsed already; for copies."""
    return _template(tmp_path_factory, "shop")


@pytest.fixture
def dbt_project(dbt_small_template: DbtProject, tmp_path: Path) -> DbtProject:
    """A small project on DuckDB, parsed already; of the test's own, so it may be broken."""
    return dbt_small_template.copy(tmp_path / "project")


@pytest.fixture
def dbt_shop(dbt_shop_template: DbtProject, tmp_path: Path) -> DbtProject:
    """A project with every kind of node, on DuckDB, parsed already; of the test's own."""
    return dbt_shop_template.copy(tmp_path / "shop")


@pytest.fixture
def dbt_postgres_project(postgres: Postgres, tmp_path: Path) -> Iterator[DbtProject]:
    """A small project on a real PostgreSQL, in a schema of its own that goes with the test."""
    project = generate(tmp_path / "project", adapter="postgres", postgres=postgres, materialized="table")
    yield project
    postgres.run(f"set client_min_messages = error; drop schema if exists {project.schema} cascade")
