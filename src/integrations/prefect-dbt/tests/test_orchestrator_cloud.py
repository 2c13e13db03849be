"""The orchestrator on dbt Cloud's executor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudExecutor
from prefect_dbt.core.orchestrator import PrefectDbtOrchestrator

from ._orchestrator import InFlow

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.mark.parametrize("mode", ["per_node", "per_wave"])
def test_nodes_are_built_in_dbt_cloud_in_order(
    dbt_cloud: DbtCloud, cloud_clock: FakeClock, cloud_credentials: DbtCloudCredentials, mode: str
) -> None:
    del cloud_clock
    orders, customers = "model.shop.orders", "model.shop.customers"
    dbt_cloud.project.add(orders)
    dbt_cloud.project.add(customers, orders)
    executor = DbtCloudExecutor(cloud_credentials, project_id=100, environment_id=10)
    options: Any = {"executor": executor, "execution_mode": mode, "create_summary_artifact": False}
    run = InFlow(lambda: PrefectDbtOrchestrator(**options, write_run_results=False).run_build())
    assert run.state.is_completed(), run.state
    assert {name: build.status for name, build in run.result.items()} == {orders: "success", customers: "success"}
    executed = dbt_cloud.executed()
    assert executed.index(orders) < executed.index(customers)
    states = run.states(2 if mode == "per_node" else 4)  # each wave is a task run, too
    assert states["model orders"] == states["model customers"] == "Completed"
    assert dbt_cloud.jobs == []
    json.dumps([dict(build.artifact) for build in run.result.values()])
