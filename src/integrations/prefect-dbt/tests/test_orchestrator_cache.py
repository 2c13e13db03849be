"""When a node is built again, and when it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prefect_dbt.core._cache import CacheOptions, Fingerprints
from prefect_dbt.core._local import DbtCoreExecutor
from prefect_dbt.core._local_target import identify_database
from prefect_dbt.core._manifest import DbtNode, Manifest
from prefect_dbt.core.settings import PrefectDbtSettings

from ._orchestrator import InFlow, orchestrator_of

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what a test opens."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("mode", ["per_node", "per_wave"])
def test_only_what_changed_is_built_again(dbt_project: DbtProject, tmp_path: Path, mode: str, stack: ExitStack) -> None:
    dbt_project.write("models/base.sql", "select * from {{ ref('seed_0') }}\n")
    dbt_project.write("models/top.sql", "select * from {{ ref('base') }}\n")
    cache = CacheOptions(storage=tmp_path / "records", expiration=timedelta(hours=1))

    settings = PrefectDbtSettings(project_dir=dbt_project.path, profiles_dir=dbt_project.profiles_dir)
    executor = stack.enter_context(DbtCoreExecutor(settings))  # one for all builds: it keeps its child

    def build() -> tuple[InFlow, set[str]]:
        orchestrator = orchestrator_of(dbt_project, cache=cache, execution_mode=mode, executor=executor)
        run = InFlow(lambda: orchestrator.run_build(select=["seed_0", "base", "top"], exclude="resource_type:test"))
        return run, {node.name for node in run.result.values() if not node.is_reused}

    assert build()[1] == {"seed_0", "base", "top"}
    run, built = build()
    assert built == set()
    assert run.states(3) == {"seed seed_0": "Cached", "model base": "Cached", "model top": "Cached"}
    original = dbt_project.model_file("base").read_text("utf-8")
    dbt_project.write("models/base.sql", original.replace("*", "*, 1 as one"))
    assert build()[1] == {"base", "top"}
    dbt_project.write("models/base.sql", original)
    assert build()[1] == {"base", "top"}, "the table holds what the change made of it"
    (tmp_path / "other").mkdir()
    profile = (dbt_project.path / "profiles.yml").read_text("utf-8")
    other = str(tmp_path / "other" / Path(dbt_project.database).name)  # relations have the same names there
    dbt_project.write("profiles.yml", profile.replace(dbt_project.database, other))
    assert build()[1] == {"seed_0", "base", "top"}, "another database has none of them"


@pytest.mark.usefixtures("prefect_harness")
def test_a_build_expires_with_its_sources_and_a_failed_one_is_not_reused(
    dbt_project: DbtProject, tmp_path: Path, stack: ExitStack
) -> None:
    """The source is past its `warn_after`, and nothing about it changes."""
    dbt_project.write("models/sources.yml", _SOURCES)
    dbt_project.write("models/late.sql", "select * from {{ source('raw', 'events') }}\n")
    dbt_project.write("models/bad.sql", "{{ config(materialized='table') }} select no_such_column\n")
    dbt_project.query("create table events as select timestamp '2026-01-01 10:00:00' as loaded_at")
    settings = PrefectDbtSettings(project_dir=dbt_project.path, profiles_dir=dbt_project.profiles_dir)
    executor = stack.enter_context(DbtCoreExecutor(settings))

    def reused(*, expires: bool) -> set[str]:
        cache = CacheOptions(storage=tmp_path / "records", expire_with_sources=expires)
        orchestrator = orchestrator_of(dbt_project, cache=cache, executor=executor, raise_on_failure=False)
        run = InFlow(lambda: orchestrator.run_build(select=["late", "bad"]))
        return {node.name for node in run.result.reused}

    assert reused(expires=False) == set()
    assert reused(expires=False) == {"late"}
    dbt_project.query("insert into events values (timestamp '2026-01-02 10:00:00')")
    assert reused(expires=True) == set(), "it has new data"
    assert reused(expires=True) == set(), "what was built is past its time at once"


_SOURCES = """\
sources:
  - name: raw
    schema: main
    tables:
      - name: events
        loaded_at_field: loaded_at
        freshness: {warn_after: {count: 1, period: minute}}
"""


def manifest_of(**changes: str) -> Manifest:
    """A manifest of a macro that calls another one, an ephemeral model, and a model that uses both."""
    macros = {
        "macro.shop.outer": (changes.get("outer", "1"), ("macro.shop.inner",)),
        "macro.shop.inner": (changes.get("inner", "1"), ()),
    }
    ephemeral = DbtNode(
        "model.shop.e", "e", "model", materialization="ephemeral", checksum=changes.get("ephemeral", "1")
    )
    model = DbtNode(
        "model.shop.m",
        "m",
        "model",
        depends_on=("model.shop.e",),
        depends_on_macros=("macro.shop.outer",),
        materialization="table",
        checksum=changes.get("code", "1"),
        relation_name=changes.get("relation", '"db"."main"."m"'),
        config={"materialized": "table", "tags": [changes.get("tag", "a")]},
    )
    nodes = {node.unique_id: node for node in (ephemeral, model)}
    return Manifest(nodes, dbt_version=changes.get("version", "1.11.0"), adapter_type="duckdb", macros=macros)


def fingerprint_of(upstream: dict[str, str | None] | None = None, **changes: str) -> str | None:
    manifest = manifest_of(**changes)
    return Fingerprints(manifest).of(manifest.nodes["model.shop.m"], upstream or {})


@pytest.mark.parametrize("change", ["code", "outer", "inner", "ephemeral", "relation", "tag", "version"])
def test_whatever_a_node_is_made_of_changes_its_fingerprint(change: str) -> None:
    assert fingerprint_of() == fingerprint_of()
    assert fingerprint_of(**{change: "2"}) != fingerprint_of()


def test_what_a_node_reads_changes_its_fingerprint_and_the_unknown_has_none() -> None:
    assert fingerprint_of({"model.shop.a": "1"}) != fingerprint_of({"model.shop.a": "2"})
    assert fingerprint_of({"model.shop.a": None}) is None


def test_variables_and_environment_that_the_project_reads_are_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = manifest_of()

    def fingerprint() -> str | None:
        return Fingerprints(manifest, tmp_path).of(manifest.nodes["model.shop.m"], {})

    (tmp_path / "dbt_project.yml").write_text("vars: {day: 1}\n", encoding="utf-8")
    (tmp_path / "m.sql").write_text("select '{{ env_var('SHOP_DAY', '') }}'", encoding="utf-8")
    before = fingerprint()
    monkeypatch.setenv("SHOP_NIGHT", "2")
    assert fingerprint() == before
    monkeypatch.setenv("SHOP_DAY", "2")
    assert fingerprint() != before
    monkeypatch.delenv("SHOP_DAY")
    (tmp_path / "dbt_project.yml").write_text("vars: {day: 2}\n", encoding="utf-8")
    assert fingerprint() != before


def test_packages_of_the_project_are_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = manifest_of()
    package = tmp_path / "dbt_packages" / "utils"
    package.mkdir(parents=True)
    (package / "dbt_project.yml").write_text("vars: {day: 1}\n", encoding="utf-8")
    (package / "m.sql").write_text("{% macro m() %}{{ env_var('SHOP_DAY', '') }}{% endmacro %}", encoding="utf-8")

    def fingerprint() -> str | None:
        return Fingerprints(manifest, tmp_path).of(manifest.nodes["model.shop.m"], {})

    before = fingerprint()
    monkeypatch.setenv("SHOP_DAY", "2")
    assert fingerprint() != before
    monkeypatch.delenv("SHOP_DAY")
    (package / "dbt_project.yml").write_text("vars: {day: 2}\n", encoding="utf-8")
    assert fingerprint() != before


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({"host": "db2"}, True),
        ({"schema": "{{ env_var('SHOP_SCHEMA') }}"}, True),
        ({"password": "changed"}, False),
        ({"threads": 8}, False),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_database_is_told_from_others_by_where_it_is(change: dict[str, object], is_another: bool) -> None:
    output = {"type": "postgres", "host": "db1", "password": "secret", "schema": "main", "threads": 4}
    known = identify_database(output, {})
    assert (identify_database({**output, **change}, {"SHOP_SCHEMA": "a"}) != known) is is_another


def test_a_variable_of_the_environment_leads_to_another_database() -> None:
    output = {"type": "postgres", "host": '{{ env_var("SHOP_HOST", "x") }}'}
    assert identify_database(output, {"SHOP_HOST": "a"}) != identify_database(output, {"SHOP_HOST": "b"})


def test_a_database_in_memory_is_nobody_elses() -> None:
    assert identify_database({"type": "duckdb", "path": ":memory:"}, {}) is None
    assert identify_database({"type": "duckdb"}, {}) is None
    assert identify_database({"type": "duckdb", "path": "md:shop"}, {}) is not None


def test_a_seed_too_large_for_dbt_to_hash_is_hashed_here(tmp_path: Path) -> None:
    seed = DbtNode("seed.shop.s", "s", "seed", original_file_path="seeds/s.csv")
    manifest = Manifest({seed.unique_id: seed})
    assert Fingerprints(manifest).of(seed, {}) is None
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "s.csv").write_text("id\n1\n", encoding="utf-8")
    before = Fingerprints(manifest, tmp_path).of(seed, {})
    (tmp_path / "seeds" / "s.csv").write_text("id\n2\n", encoding="utf-8")
    assert before is not None
    assert Fingerprints(manifest, tmp_path).of(seed, {}) != before


@pytest.mark.parametrize(
    ("node", "allowed"),
    [
        (DbtNode("model.s.t", "t", "model", materialization="table"), True),
        (DbtNode("seed.s.t", "t", "seed", materialization="seed"), True),
        (DbtNode("model.s.t", "t", "model", materialization="incremental"), False),
        (DbtNode("snapshot.s.t", "t", "snapshot", materialization="snapshot"), False),
        (DbtNode("test.s.t", "t", "test", materialization="test"), False),
        (DbtNode("model.s.t", "t", "model", config={"contract": {"enforced": True}}), False),
    ],
    ids=["table", "seed", "incremental", "snapshot", "test", "contract"],
)
def test_what_looks_at_data_is_always_run(node: DbtNode, allowed: bool) -> None:
    assert CacheOptions().allows(node) is allowed
