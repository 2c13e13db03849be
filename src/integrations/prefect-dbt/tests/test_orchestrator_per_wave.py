"""Nodes that do not depend on each other with one `dbt build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ._orchestrator import InFlow, orchestrator_of

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = pytest.mark.usefixtures("prefect_harness")


def test_waves_build_every_kind_of_node_and_stop_below_a_failure(dbt_shop: DbtProject) -> None:
    dbt_shop.write("tests/assert_positive_amounts.sql", "select * from {{ ref('orders') }}\n")
    orchestrator = orchestrator_of(dbt_shop, execution_mode="per_wave", raise_on_failure=False, retries=1)
    run = InFlow(lambda: orchestrator.run_build())
    statuses = {node.name: node.status for node in run.result.values()}
    assert statuses["raw_orders"] == statuses["orders"] == "success"
    assert statuses["assert_positive_amounts"] == "fail"
    assert statuses["customers"] == statuses["daily_totals"] == statuses["orders_snapshot"] == "skipped"
    assert statuses["test_customers_sum"] == "skipped", "a unit test runs only with its model"
    assert statuses["accepted_values_orders_status__placed__shipped"] == "warn"
    assert "stg_orders" not in statuses, "an ephemeral model is no node of a build"
    assert not run.result.success

    runs = run.task_runs(len(statuses) + 2)
    states = {name: run.state_name for name, run in runs.items()}
    waves = {name: state for name, state in states.items() if name.startswith("dbt wave")}
    assert list(waves.values()).count("Failed") == 1
    assert states["model orders"] == "Completed"
    assert states["test assert_positive_amounts"] == "Failed"
    assert states["model customers"] == "Skipped"
    (failed,) = (run for name, run in runs.items() if name.startswith("dbt wave") and run.state_name == "Failed")
    assert failed.run_count == 2
    assert dbt_shop.query("select count(*) from orders") == [(3,)]


def test_deferred_tests_fail_without_skipping_what_is_built(dbt_project: DbtProject) -> None:
    dbt_project.break_test("not_null_model_0_id")
    orchestrator = orchestrator_of(
        dbt_project, execution_mode="per_wave", test_strategy="deferred", raise_on_failure=False
    )
    run = InFlow(lambda: orchestrator.run_build(select="seed_0+", exclude="model_4"))
    assert [node.name for node in run.result.failed] == ["not_null_model_0_id"]
    assert not run.result.skipped
    assert "model_3" in dbt_project.tables()
