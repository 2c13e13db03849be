"""Nodes of dbt as assets: their keys, properties, lineage and checks, whatever the nodes look like."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prefect import flow
from prefect.assets import Asset
from prefect.client.schemas.objects import TaskRun

from prefect_dbt.core._assets import (
    AssetRecorder,
    NodeOutcome,
    asset_metadata,
    assets_enabled_in_project,
    outcome_of,
    owners_of,
    record_run_results,
    upstream_nodes,
)
from prefect_dbt.core._manifest import DbtNode, Manifest

from ._asset_events import caught_asset_events, summary

if TYPE_CHECKING:
    from prefect.events.schemas.events import Event

RECORDED = sorted((Path(__file__).parent / "manifests").glob("*.json"))
MANIFEST = Manifest.read(RECORDED[0])
CUSTOMERS = MANIFEST.nodes["model.shop.customers"]
DONE = NodeOutcome("success")


@pytest.fixture
def emitted(prefect_harness: None) -> Iterator[Callable[[], list[Event]]]:
    """The events on assets that were emitted in the test, as a function, since they are sent in the background."""
    with caught_asset_events() as events:
        yield events


def test_an_asset_has_the_relation_as_its_key_and_the_documented_properties() -> None:
    asset = AssetRecorder("duckdb").asset_of(CUSTOMERS)
    assert asset is not None
    assert asset.key == "duckdb://shop/main/customers"
    assert asset.properties is not None
    assert asset.properties.model_dump(exclude_none=True) == {
        "name": "customers",
        "description": "All customers",
        "owners": ["kevin-g"],
    }


@pytest.mark.parametrize(
    ("owner", "owners"),
    [
        ("kevin-g", ["kevin-g"]),
        (["a", "b"], ["a", "b"]),
        ({"name": "Ada", "email": "ada@example.com"}, ["ada@example.com"]),
        ([{"name": "Ada"}, None, "", 7], ["Ada", "7"]),
        (None, []),
        ("  ", []),
        (True, []),
        ([[1]], []),
    ],
    ids=["name", "list", "object", "mixed", "none", "blank", "bool", "nested"],
)
def test_owners_are_a_name_or_a_list(owner: Any, owners: list[str]) -> None:
    assert owners_of({"owner": owner}) == owners


def test_metadata_is_what_the_documentation_shows() -> None:
    node = DbtNode(
        unique_id="model.demo.product_metrics",
        name="product_metrics",
        resource_type="model",
        materialization="table",
        relation_name='"dev"."main_marts"."product_metrics"',
        database="dev",
        schema_name="main_marts",
        alias="product_metrics",
        path="marts/product/product_metrics.sql",
        meta={"owner": "kevin-g"},
    )
    outcome = NodeOutcome(
        "error", "2025-06-26T20:55:05.661126Z", datetime(2025, 6, 26, 20, 55, 5, 733257, timezone.utc)
    )
    assert asset_metadata(node, outcome) == {
        "node_path": "marts/product/product_metrics.sql",
        "node_name": "product_metrics",
        "unique_id": "model.demo.product_metrics",
        "resource_type": "model",
        "materialized": "table",
        "node_status": "error",
        "node_started_at": "2025-06-26T20:55:05.661126",
        "node_finished_at": "2025-06-26T20:55:05.733257",
        "meta": {"owner": "kevin-g"},
        "node_relation": {
            "database": "dev",
            "schema": "main_marts",
            "alias": "product_metrics",
            "relation_name": '"dev"."main_marts"."product_metrics"',
        },
    }


def test_times_with_an_offset_are_given_in_utc() -> None:
    began = datetime(2025, 6, 26, 22, 0, tzinfo=timezone(timedelta(hours=2)))
    assert asset_metadata(CUSTOMERS, NodeOutcome("success", began))["node_started_at"] == "2025-06-26T20:00:00.000000"


@pytest.mark.parametrize("characters", [0, 40, 2_400, 2_490, 2_500, 9_000])
def test_compiled_code_follows_the_description_as_far_as_there_is_room(characters: int) -> None:
    node = DbtNode("model.p.a", "a", "model", relation_name="a.b", description="d" * characters)
    with_code = AssetRecorder("duckdb", include_compiled_code=True).asset_of(node, "select 1 as id")
    without = AssetRecorder("duckdb").asset_of(node, "select 1 as id")
    assert with_code is not None
    assert without is not None
    assert with_code.properties is not None
    assert without.properties is not None
    text, plain = with_code.properties.description or "", without.properties.description or ""
    assert len(text) <= 2_500
    assert "select" not in plain
    assert text.startswith(plain)
    assert ("select 1 as id" in text) == (characters <= 2_400)


def test_long_compiled_code_is_shortened_and_says_so() -> None:
    node = DbtNode("model.p.a", "a", "model", relation_name="a.b", description="Short.")
    asset = AssetRecorder("duckdb", include_compiled_code=True).asset_of(node, "select '```' as x, " * 1_000)
    assert asset is not None
    assert asset.properties is not None
    assert asset.properties.description is not None
    assert len(asset.properties.description) == 2_500
    assert asset.properties.description.startswith("Short.\n")
    assert asset.properties.description.endswith("-- shortened\n```")
    assert asset.properties.description.count("```") == 2


OFF = {"enable_assets": False}


@pytest.mark.parametrize(
    ("config", "meta", "by_default", "has_asset"),
    [
        ({}, {}, True, True),
        ({}, {}, False, False),
        ({"prefect": OFF}, {}, True, False),
        ({}, {"prefect": OFF}, True, False),
        ({}, {"prefect": {"enable_assets": True}}, False, True),
        ({"prefect": {"enable_assets": True}}, {"prefect": OFF}, True, True),
        ({}, {"prefect": {"enable_assets": "False"}}, True, False),
        ({}, {"prefect": {"enable_assets": None}}, True, True),
        ({"prefect": "odd"}, {"prefect": ["odd"]}, True, True),
    ],
)
def test_enable_assets_of_a_node_goes_before_that_of_the_project(
    config: dict[str, Any], meta: dict[str, Any], by_default: bool, has_asset: bool
) -> None:
    node = DbtNode("model.p.a", "a", "model", relation_name="a.b", config=config, meta=meta)
    asset = AssetRecorder("duckdb", enabled_by_default=by_default).asset_of(node)
    assert (asset is not None) == has_asset


@pytest.mark.parametrize(
    ("project", "enabled"),
    [
        ("name: shop", True),
        ("prefect: {enable_assets: False}", False),
        ("vars: {prefect: {enable_assets: false}}", False),
        ("prefect: {enable_assets: true}", True),
        ("prefect: [", True),
        ("[]", True),
        (None, True),
    ],
)
def test_a_project_may_turn_assets_off(project: str | None, enabled: bool, tmp_path: Path) -> None:
    if project is not None:
        (tmp_path / "dbt_project.yml").write_text(project)
    assert assets_enabled_in_project(tmp_path) is enabled


@pytest.mark.parametrize(
    "node",
    [
        DbtNode("model.p.a", "a", "model"),
        DbtNode("model.p.a", "a", "model", relation_name='""'),
        DbtNode("model.p.a", "a", "model", relation_name="a.b", materialization="ephemeral"),
        DbtNode("test.p.a", "a", "test", relation_name="a.b"),
        DbtNode("unit_test.p.a", "a", "unit_test", relation_name="a.b"),
        DbtNode("exposure.p.a", "a", "exposure", relation_name="a.b"),
        DbtNode("semantic_model.p.a", "a", "semantic_model", relation_name="a.b"),
        DbtNode("news.p.a", "a", "a type that dbt will have one day", relation_name="a.b"),
    ],
    ids=["no-relation", "empty-relation", "ephemeral", "test", "unit-test", "exposure", "semantic-model", "unknown"],
)
def test_what_is_no_table_has_no_asset(node: DbtNode) -> None:
    assert AssetRecorder("duckdb").asset_of(node) is None


@pytest.mark.parametrize("name", ["ü" * 600, 'a "b" \\ c', "a\nb", "a?b#c&d%", "[x]{y}|z^`", " ", "a/b"], ids=ascii)
@pytest.mark.parametrize("adapter", ["duckdb", "my-Adapter_2", "", None], ids=repr)
def test_odd_names_make_valid_keys(name: str, adapter: str | None) -> None:
    quoted = '"db"."schema"."{}"'.format(name.replace('"', '""'))
    asset = AssetRecorder(adapter).asset_of(DbtNode("model.p.a", name, "model", relation_name=quoted))
    assert asset is not None
    assert Asset(key=asset.key).key == asset.key


def test_a_materialization_references_what_the_model_reads(emitted: Callable[[], list[Event]]) -> None:
    task_run = TaskRun(name="model report", task_key="k", dynamic_key="d", tags=["daily"])
    report = MANIFEST.nodes["model.shop.report"]
    report = DbtNode(**{**vars(report), "config": {}, "meta": {}})  # without its `enable_assets: false`

    @flow(name="assets-materialization")
    def run_dbt() -> None:
        recorder = AssetRecorder("duckdb")
        recorder.node_finished(report, DONE, upstream=upstream_nodes(report, MANIFEST.nodes), task_run=task_run)

    run_dbt()
    events = emitted()
    assert summary(events) == [
        ("prefect.asset.materialization.succeeded", "duckdb://shop/main/report"),
        ("prefect.asset.referenced", "duckdb://shop/main/customers"),
        ("prefect.asset.referenced", "duckdb://shop/main/raw_customers"),
    ]
    made = next(event for event in events if "materialization" in event.event)
    assert made.payload["unique_id"] == "model.shop.report"
    related = {(resource.role, resource.id) for resource in made.related}
    assert {
        ("asset", "duckdb://shop/main/customers"),
        ("asset", "duckdb://shop/main/raw_customers"),
        ("asset-materialized-by", "dbt"),
        ("task-run", f"prefect.task-run.{task_run.id}"),
        ("tag", "prefect.tag.daily"),
    } <= related
    assert {role for role, _ in related} >= {"flow-run", "flow"}
    names = {event.resource.id: event.resource.get("prefect.resource.name") for event in events}
    assert names["duckdb://shop/main/raw_customers"] == "raw_customers"  # a source is described where it is read
    assert names["duckdb://shop/main/customers"] is None


def test_ephemeral_models_are_not_in_the_lineage(emitted: Callable[[], list[Event]]) -> None:
    AssetRecorder("duckdb").node_finished(CUSTOMERS, DONE, upstream=upstream_nodes(CUSTOMERS, MANIFEST.nodes))
    assert summary(emitted()) == [
        ("prefect.asset.materialization.succeeded", "duckdb://shop/main/customers"),
        ("prefect.asset.referenced", "duckdb://shop/main/raw_customers"),
    ]


def test_a_table_is_not_upstream_of_itself(emitted: Callable[[], list[Event]]) -> None:
    source = DbtNode("source.p.s.a", "a", "source", relation_name='"p"."a"')
    model = DbtNode("model.p.a", "a", "model", relation_name="p.a")
    AssetRecorder("duckdb").node_finished(model, DONE, upstream=[source])
    assert summary(emitted()) == [("prefect.asset.materialization.succeeded", "duckdb://p/a")]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("success", "succeeded"),
        ("warn", "succeeded"),
        ("error", "failed"),
        ("partial success", "failed"),
        ("runtime error", "failed"),
        ("skipped", None),
        ("no-op", None),
        ("a status that dbt will have one day", None),
    ],
)
def test_a_status_says_whether_the_asset_was_made(
    status: str, says: str | None, emitted: Callable[[], list[Event]]
) -> None:
    AssetRecorder("duckdb").node_finished(CUSTOMERS, NodeOutcome(status))
    assert [event.event for event in emitted()] == ([f"prefect.asset.materialization.{says}"] if says else [])


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("pass", "succeeded"), ("warn", "warned"), ("fail", "failed"), ("error", "failed"), ("skipped", None)],
)
def test_a_test_is_a_check_of_the_asset_that_it_tests(
    status: str, verdict: str | None, emitted: Callable[[], list[Event]]
) -> None:
    test = MANIFEST.nodes["test.shop.not_null_customers_id.422908bfae"]
    outcome = NodeOutcome(status, failures=2, message="Got 2 results, configured to fail if != 0")
    upstream = [CUSTOMERS, MANIFEST.nodes["seed.shop.raw_customers"]]
    AssetRecorder("duckdb", checks=True).node_finished(test, outcome, upstream=upstream)
    AssetRecorder("duckdb").node_finished(test, outcome, upstream=upstream)  # no checks unless they are asked for
    events = emitted()
    assert summary(events) == ([(f"dbt.asset.check.{verdict}", "duckdb://shop/main/customers")] if verdict else [])
    for event in events:
        assert event.payload == {
            "test_name": "not_null_customers_id",
            "test_type": "not_null",
            "unique_id": "test.shop.not_null_customers_id.422908bfae",
            "column_name": "id",
            "severity": "error",
            "node_status": status,
            "failures": 2,
            "message": "Got 2 results, configured to fail if != 0",
            "node_started_at": None,
            "node_finished_at": None,
        }


def test_freshness_is_a_check_of_the_source(emitted: Callable[[], list[Event]]) -> None:
    source = MANIFEST.nodes["source.shop.src.raw_customers"]
    AssetRecorder("duckdb", checks=True).node_finished(source, NodeOutcome("warn"))
    key = "duckdb://shop/main/raw_customers"
    assert summary(emitted()) == [("dbt.asset.check.warned", key), ("prefect.asset.referenced", key)]


def test_more_upstream_assets_than_an_event_can_name_do_not_lose_it(emitted: Callable[[], list[Event]]) -> None:
    upstream = [DbtNode(f"model.p.m{n}", f"m{n}", "model", relation_name=f"a.m{n}") for n in range(150)]
    AssetRecorder("duckdb").node_finished(CUSTOMERS, DONE, upstream=upstream)
    assert "prefect.asset.materialization.succeeded" in {event.event for event in emitted()}


def test_metadata_that_are_too_large_are_left_out_and_the_asset_is_not(emitted: Callable[[], list[Event]]) -> None:
    node = DbtNode("model.p.a", "a", "model", relation_name="p.a", meta={"notes": "long " * 400_000})
    AssetRecorder("duckdb").node_finished(node, DONE)
    (event,) = emitted()
    assert event.payload["meta"] == {}


def test_the_results_of_a_whole_run_can_be_recorded_after_it(emitted: Callable[[], list[Event]]) -> None:
    results = [
        {"unique_id": "model.shop.customers", "status": "success", "timing": []},
        {"unique_id": "snapshot.shop.snap", "status": "error"},
        {"unique_id": "test.shop.pos", "status": "pass"},
        {"unique_id": "model.other.unknown", "status": "success"},
        {},
    ]
    record_run_results(AssetRecorder("duckdb", checks=True), MANIFEST, results)
    assert {pair for pair in summary(emitted()) if "referenced" not in pair[0]} == {
        ("prefect.asset.materialization.succeeded", "duckdb://shop/main/customers"),
        ("prefect.asset.materialization.failed", "duckdb://shop/main/snap"),
        ("dbt.asset.check.succeeded", "duckdb://shop/main/customers"),
    }


def test_the_outcome_spans_all_steps_of_a_node() -> None:
    timing = [
        {"name": "compile", "started_at": "2026-01-01T00:00:01Z", "completed_at": "2026-01-01T00:00:02Z"},
        {"name": "execute", "started_at": "2026-01-01T00:00:03Z", "completed_at": "2026-01-01T00:00:09Z"},
    ]
    outcome = outcome_of({"status": "success", "timing": timing, "failures": None, "message": "OK"})
    assert (outcome.started_at, outcome.finished_at) == ("2026-01-01T00:00:01Z", "2026-01-01T00:00:09Z")


ODD_VALUES: list[Any] = [None, "", "ü ` | < \x00" * 300, 0, True, [], [None, {}], {}, {"owner": [[]]}, {"nodes": 1}]
_DATA = {path: json.loads(path.read_text()) for path in RECORDED}
_PATHS = sorted(
    {
        (section, unique_id, field)
        for data in _DATA.values()
        for section in ("nodes", "sources", "unit_tests", "exposures")
        for unique_id, node in data.get(section, {}).items()
        for field in node
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(RECORDED),
    changes=st.lists(st.tuples(st.sampled_from(_PATHS), st.sampled_from(ODD_VALUES)), min_size=1, max_size=40),
    status=st.sampled_from(["success", "error", "pass", "fail", "odd", ""]),
)
@example(path=RECORDED[0], changes=[(path, None) for path in _PATHS], status="success")
@example(path=RECORDED[0], changes=[(path, ODD_VALUES[2]) for path in _PATHS], status="success")
def test_odd_nodes_have_an_asset_or_none_and_never_an_error(
    path: Path, changes: list[tuple[tuple[str, str, str], Any]], status: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = copy.deepcopy(_DATA[path])
    for (section, unique_id, field), value in changes:
        if unique_id in data.get(section, {}):
            data[section][unique_id][field] = value
    manifest = Manifest.from_data(data)
    logger = logging.getLogger("odd-assets")
    with caught_asset_events(), caplog.at_level(logging.DEBUG, "odd-assets"):
        recorder = AssetRecorder("duckdb", checks=True, include_compiled_code=True, logger=logger)
        for node in manifest.nodes.values():
            asset = recorder.asset_of(node, "select 1")
            assert asset is None or asset.key.startswith("duckdb://")
        results = [{"unique_id": unique_id, "status": status, "timing": None} for unique_id in manifest.nodes]
        record_run_results(recorder, manifest, results)
    assert [record.getMessage() for record in caplog.records if record.name == "odd-assets"] == []
