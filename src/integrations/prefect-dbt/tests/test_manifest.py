"""Manifests of several versions of dbt are read in small, whatever shape their nodes have."""

from __future__ import annotations

import copy
import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from prefect_dbt.core._json_entries import iter_json_entries
from prefect_dbt.core._manifest import DbtNode, Manifest, node_from_manifest
from prefect_dbt.errors import DbtManifestError

RECORDED = sorted((Path(__file__).parent / "manifests").glob("*.json"))
"""Written by those versions of dbt for one project; what no test looks at is left out."""

ODD_VALUES: list[Any] = [None, "", "ü " * 300, 0, -1, 1.5, True, [], [None], ["x", 1], {}, {"a": None}, {"nodes": 1}]


@pytest.fixture(params=RECORDED, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> Path:
    """A manifest of each version of the schema."""
    return request.param


def test_the_versions_of_dbt_and_of_the_schema_are_read() -> None:
    read = {path.stem: Manifest.read(path) for path in RECORDED}
    assert {name: manifest.schema_version for name, manifest in read.items()} == {"dbt_1_11": 12, "dbt_1_7": 11}
    assert {name: manifest.dbt_version.rsplit(".", 1)[0] for name, manifest in read.items()} == {
        "dbt_1_11": "1.11",
        "dbt_1_7": "1.7",
    }
    assert {(manifest.adapter_type, manifest.project_name) for manifest in read.values()} == {("duckdb", "shop")}


def test_a_model_is_read_with_what_its_asset_and_its_cache_need(recorded: Path) -> None:
    node = Manifest.read(recorded).nodes["model.shop.customers"]
    assert (node.name, node.resource_type, node.materialization) == ("customers", "model", "table")
    assert node.relation_name == '"shop"."main"."customers"'
    assert (node.database, node.schema_name, node.alias) == ("shop", "main", "customers")
    assert (node.path, node.original_file_path) == ("customers.sql", "models/customers.sql")
    assert node.fqn == ("shop", "customers")
    assert node.depends_on == ("model.shop.eph",)
    assert node.description == "All customers"
    assert node.meta["owner"] == "kevin-g"
    assert node.config["materialized"] == "table"
    assert "alias" not in node.config  # not set
    assert node.checksum == "c331f29595b47f0073209899ca4ebd4026022a3eda9801cb72538f7e1826c745"


def test_what_dbt_build_runs_is_executable(recorded: Path) -> None:
    manifest = Manifest.read(recorded)
    assert {"model.shop.customers", "seed.shop.raw_customers", "snapshot.shop.snap", "test.shop.pos"} <= set(
        manifest.executable_nodes
    )
    not_run = {"model.shop.eph", "source.shop.src.raw_customers", "exposure.shop.dash", "model.shop.off"}
    assert not not_run & set(manifest.executable_nodes)
    assert ("unit_test.shop.customers.ut" in manifest.executable_nodes) == (recorded.stem == "dbt_1_11")


def test_ephemeral_models_are_transparent_and_sources_are_not(recorded: Path) -> None:
    manifest = Manifest.read(recorded)
    assert manifest.upstream("model.shop.customers") == ("seed.shop.raw_customers",)
    assert set(manifest.upstream("model.shop.report")) == {"model.shop.customers", "source.shop.src.raw_customers"}
    assert manifest.upstream("model.shop.unknown") == ()


def test_ephemeral_models_that_read_each_other_end() -> None:
    def ephemeral(name: str, *reads: str) -> dict[str, Any]:
        return {"resource_type": "model", "config": {"materialized": "ephemeral"}, "depends_on": {"nodes": list(reads)}}

    nodes = {"model.p.a": ephemeral("a", "model.p.b"), "model.p.b": ephemeral("b", "model.p.a", "seed.p.s")}
    manifest = Manifest.from_data({"nodes": {**nodes, "seed.p.s": {"resource_type": "seed"}}})
    assert manifest.upstream("model.p.a") == ("seed.p.s",)


def test_a_test_knows_what_it_tests(recorded: Path) -> None:
    manifest = Manifest.read(recorded)
    generic = manifest.nodes["test.shop.not_null_customers_id.422908bfae"]
    assert (generic.tested_nodes, generic.column_name, generic.test_name) == (
        ("model.shop.customers",),
        "id",
        "not_null",
    )
    assert manifest.nodes["test.shop.pos"].tested_nodes == ("model.shop.customers",)
    assert manifest.nodes["model.shop.customers"].tested_nodes == ()
    assert "test.shop.pos" in manifest.tests_by_node["model.shop.customers"]


def test_macros_are_hashed_only_when_asked(recorded: Path) -> None:
    assert Manifest.read(recorded).macros == {}
    digest, calls = Manifest.read(recorded, with_macros=True).macros["macro.dbt.test_not_null"]
    assert len(digest) == 64
    assert calls == ("macro.dbt.default__test_not_null",)


def test_a_manifest_in_memory_is_read_as_one_in_a_file(recorded: Path) -> None:
    assert Manifest.from_data(json.loads(recorded.read_text())) == Manifest.read(recorded)


def test_nodes_survive_pickling_and_hashing(recorded: Path) -> None:
    nodes = set(Manifest.read(recorded).nodes.values())
    assert pickle.loads(pickle.dumps(nodes)) == nodes


def test_a_seed_that_dbt_did_not_hash_has_no_checksum() -> None:
    seed = {"resource_type": "seed", "checksum": {"name": "path", "checksum": "seeds/big.csv"}, "raw_code": ""}
    node = node_from_manifest("seed.p.big", seed)
    assert node is not None
    assert node.checksum is None


def test_selectors_name_the_type_and_file_and_match_odd_characters(recorded: Path) -> None:
    nodes = Manifest.read(recorded).nodes
    assert nodes["model.shop.dim.v1"].dbt_selector == "fqn:shop.dim.v1,resource_type:model,file:dim_v1.sql"
    assert nodes["test.shop.pos"].dbt_selector == "fqn:shop.pos,resource_type:test"
    assert nodes["source.shop.src.raw_customers"].dbt_selector == "source:shop.src.raw_customers"
    odd = DbtNode(
        "model.p.a b", "a+b", "model", fqn=("p", "my folder", "a+b,c"), original_file_path="models/my folder/a+b,c.sql"
    )
    assert odd.dbt_selector == "fqn:p.my?folder.a?b?c,resource_type:model,file:a?b?c.sql"


_PATHS = [
    (section, unique_id, field)
    for path in RECORDED
    for section, nodes in json.loads(path.read_text()).items()
    if section not in ("metadata", "macros", "disabled", "groups") and isinstance(nodes, dict)
    for unique_id, node in nodes.items()
    for field in node
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=st.sampled_from(RECORDED),
    changes=st.lists(st.tuples(st.sampled_from(_PATHS), st.sampled_from(ODD_VALUES)), max_size=25),
)
@example(path=RECORDED[0], changes=[(path, None) for path in _PATHS])
def test_any_field_may_have_any_shape(path: Path, changes: list[tuple[tuple[str, str, str], Any]]) -> None:
    data = copy.deepcopy(json.loads(path.read_text()))
    for (section, unique_id, field), value in changes:
        if unique_id in data.get(section, {}):
            data[section][unique_id][field] = value
    manifest = Manifest.from_data(data)
    expected = {unique_id for section, entries in data.items() if section != "macros" for unique_id in entries}
    assert set(manifest.nodes) <= expected
    for node in manifest.nodes.values():
        assert isinstance(node.dbt_selector, str)
        assert isinstance(node.is_executable, bool)
        assert isinstance(node.tested_nodes, tuple)
        assert isinstance(hash(node), int)
        assert all(isinstance(other, str) for other in manifest.upstream(node.unique_id))


@pytest.mark.parametrize("entry", [None, "text", 5, [], [{}]], ids=repr)
def test_an_entry_that_is_no_object_is_no_node(entry: Any) -> None:
    assert Manifest.from_data({"nodes": {"model.p.a": entry}}).nodes == {}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "Expecting '{'"),
        ("[]", "Expecting '{'"),
        ('{"nodes": {"model.p.a": {', "cannot be read"),
        ('{"nodes": {1: 2}}', "double quotes"),
        ("<html>", "cannot be read"),
        ('{"results": []}', "neither 'metadata' nor 'nodes'"),
    ],
    ids=["empty", "list", "cut", "bad-key", "html", "run-results"],
)
def test_what_is_no_manifest_is_refused_by_name(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(DbtManifestError, match=says) as caught:
        Manifest.read(path)
    assert str(path) in str(caught.value)


def test_a_missing_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DbtManifestError, match="dbt parse"):
        Manifest.read(tmp_path / "manifest.json")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@example(data={"a": 1e300, "b": {"c": -1.5e-7}}, indent=None, window=1)
@given(
    data=st.dictionaries(st.text(), _JSON, max_size=5),
    indent=st.sampled_from([None, 1]),
    window=st.sampled_from([1, 2, 7, 4096]),
)
def test_entries_are_those_that_json_has_whatever_the_window(
    data: dict[str, Any], indent: int | None, window: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "entries.json"
    path.write_text(json.dumps(data, indent=indent), encoding="utf-8")
    expected = [
        (section, key, value)
        for section, entries in data.items()
        for key, value in (entries.items() if isinstance(entries, dict) else [("", entries)])
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("prefect_dbt.core._json_entries._WINDOW_CHARACTERS", window)
        assert list(iter_json_entries(path)) == expected


def test_a_manifest_of_2000_nodes_costs_little_memory(tmp_path: Path) -> None:
    data = json.loads(RECORDED[0].read_text())
    model = data["nodes"]["model.shop.customers"]
    columns = {f"column_{number}": {**model["columns"]["id"], "name": f"column_{number}"} for number in range(10)}
    for number in range(2000):
        unique_id = f"model.shop.model_{number}"
        data["nodes"][unique_id] = {**model, "unique_id": unique_id, "columns": columns, "raw_code": "select 1 " * 200}
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(data))
    tracemalloc.start()
    try:
        manifest = Manifest.read(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(manifest.nodes) > 2000
    assert path.stat().st_size > 8_000_000
    assert peak_bytes < 12_000_000
