"""What becomes of nodes that read a stale source."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prefect_dbt.core._freshness import read_freshness, stale_upstream, time_to_stale
from prefect_dbt.errors import DbtStateError

from ._orchestrator import InFlow, orchestrator_of

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject


@pytest.mark.usefixtures("prefect_harness")
def test_what_reads_a_stale_source_is_skipped_and_says_why(dbt_shop: DbtProject) -> None:
    schema = json.loads((dbt_shop.path / "models" / "schema.yml").read_text("utf-8"))
    table = schema["sources"][0]["tables"][0]
    table.get("config", table)["freshness"] = {"error_after": {"count": 1, "period": "day"}}
    dbt_shop.write("models/schema.yml", json.dumps(schema))
    dbt_shop.query(
        "create table raw_orders as select 1 as order_id, 1 as customer_id, 2 as amount, 'placed' as status, "
        "date '2024-01-01' as day, timestamp '2024-01-01 10:00:00' as loaded_at"
    )
    orchestrator = orchestrator_of(dbt_shop, raise_on_failure=False, execution_mode="per_wave", test_strategy="skip")
    run = InFlow(
        lambda: orchestrator.run_build(
            select=["raw_customers", "stg_customers", "orders", "customers"], only_fresh_sources=True
        )
    )
    statuses = {node.name: node.status for node in run.result.values()}
    assert statuses == {
        "raw_customers": "success",
        "stg_customers": "success",
        "orders": "skipped",
        "customers": "skipped",
    }
    skipped = run.result["model.demo.orders"]
    assert "source.demo.raw.raw_orders is stale: its newest row was loaded at 2024-01-01T10:00:00" in skipped.message
    assert run.result.success, "a skipped node has not failed"


ASKED = datetime(2026, 1, 2, tzinfo=timezone.utc)


def sources(tmp_path: Path, **changes: object) -> Path:
    """A `sources.json` with one source that was loaded 18 hours before it was asked."""
    entry = {
        "unique_id": "source.s.raw.t",
        "max_loaded_at": "2026-01-01T06:00:00Z",
        "snapshotted_at": ASKED.isoformat(),
        "status": "pass",
        "criteria": {"warn_after": {"count": 24, "period": "hour"}, "error_after": {"count": 2, "period": "day"}},
        **changes,
    }
    path = tmp_path / "sources.json"
    path.write_text(json.dumps({"results": [entry]}), encoding="utf-8")
    return path


GRAPH = {"model.s.a": ["source.s.raw.t"], "model.s.b": ["model.s.a"], "model.s.c": []}


@pytest.mark.parametrize(
    ("status", "is_stale"), [("pass", False), ("warn", False), ("error", True), ("runtime error", True)]
)
def test_a_source_is_stale_when_too_old_or_not_known(tmp_path: Path, status: str, is_stale: bool) -> None:
    freshness = read_freshness(
        sources(tmp_path, status=status, error="no table" if status == "runtime error" else None)
    )
    assert (stale_upstream(freshness, GRAPH, "model.s.b") is not None) is is_stale
    assert stale_upstream(freshness, GRAPH, "model.s.c") is None


def test_a_build_is_good_for_as_long_as_its_sources_are(tmp_path: Path) -> None:
    freshness = read_freshness(sources(tmp_path))
    assert time_to_stale(freshness, GRAPH, "model.s.b") == timedelta(hours=6)
    assert time_to_stale(freshness, GRAPH, "model.s.c") is None
    freshness = read_freshness(sources(tmp_path, max_loaded_at="2025-12-01T00:00:00Z"))
    assert time_to_stale(freshness, GRAPH, "model.s.a") == timedelta()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"results": [{}]}', '{"results": 1}'], ids=["empty", "list", "entry", "one"]
)
def test_a_file_that_is_none_of_dbts_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sources.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DbtStateError, match=r"holds no freshness results"):
        read_freshness(path)
