"""The executor: a job for each call, which is deleted whatever happens."""

from __future__ import annotations

import json
import shlex
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudExecutor
from prefect_dbt.cloud.exceptions import (
    DbtCloudGetRunArtifactFailed,
    DbtCloudJobRunFailed,
    DbtCloudJobRunTimedOut,
    DbtCloudJobRunTriggerFailed,
)
from prefect_dbt.core._executor import DbtExecutor
from prefect_dbt.core._manifest import DbtNode
from prefect_integration_tests.backends.dbt_cloud import Play

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock


def node(unique_id: str) -> DbtNode:
    kind, package, name = unique_id.split(".")
    return DbtNode(unique_id, name, kind, fqn=(package, name), package_name=package)


ORDERS, CUSTOMERS = node("model.shop.orders"), node("model.shop.customers")


@pytest.fixture
def shop(dbt_cloud: DbtCloud, cloud_clock: FakeClock) -> DbtCloud:
    """A dbt Cloud with two models and a test."""
    for name in (ORDERS.unique_id, CUSTOMERS.unique_id):
        dbt_cloud.project.add(name)
    dbt_cloud.project.add("test.shop.unique_orders_id.0123456789", ORDERS.unique_id)
    return dbt_cloud


@pytest.fixture
def executor(shop: DbtCloud, cloud_credentials: DbtCloudCredentials) -> DbtCloudExecutor:
    return DbtCloudExecutor(cloud_credentials, project_id=100, environment_id=10)


def test_it_is_an_executor(executor: DbtCloudExecutor) -> None:
    assert isinstance(executor, DbtExecutor)


def test_a_node_is_executed_by_a_job_that_is_gone_afterwards(executor: DbtCloudExecutor, shop: DbtCloud) -> None:
    result = executor.execute_node(ORDERS, "run")
    assert (result.success, result.node_ids, result.error) == (True, [ORDERS.unique_id], None)
    assert result.status_of(ORDERS.unique_id) == "success"
    assert result.log_messages is not None
    assert any("Completed" in line["message"] for line in result.log_messages[""])
    assert shop.executed() == [ORDERS.unique_id]
    assert shop.jobs == []
    created = shop.calls_of("CreateJob")[0].body
    assert created["name"].startswith("prefect-orchestrator-orders-")
    assert (created["project_id"], created["environment_id"]) == (100, 10)


def test_each_parameter_reaches_dbt_cloud(shop: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    executor = DbtCloudExecutor(cloud_credentials, 100, 10, job_name_prefix="nightly", threads=16, defer_to_job_id=77)
    executor.execute_node(ORDERS, "run", full_refresh=True, target="prod", extra_cli_args=["--vars", "{day: 1}"])
    job = shop.calls_of("CreateJob")[0].body
    assert job["name"].startswith("nightly-")
    assert job["settings"] == {"threads": 16, "target_name": "prod"}
    assert job["deferring_job_definition_id"] == 77
    assert shlex.split(job["execute_steps"][0]) == [
        *("dbt", "run", "--select", ORDERS.dbt_selector, "--full-refresh"),
        *("--target", "prod", "--vars", "{day: 1}"),
    ]
    assert shop.calls_of("TriggerJobRun")[0].body["threads_override"] == 16


@pytest.mark.parametrize(
    ("command", "refreshes"), [("run", True), ("seed", True), ("test", False), ("snapshot", False)]
)
def test_a_full_refresh_is_asked_for_only_where_dbt_knows_it(
    command: str, refreshes: bool, executor: DbtCloudExecutor, shop: DbtCloud
) -> None:
    executor.execute_node(ORDERS, command, full_refresh=True)
    step = shop.calls_of("CreateJob")[0].body["execute_steps"][0]
    assert ("--full-refresh" in step) is refreshes


def test_a_wave_is_one_build(executor: DbtCloudExecutor, shop: DbtCloud) -> None:
    result = executor.execute_wave([ORDERS, CUSTOMERS], indirect_selection="empty", full_refresh=True, target="prod")
    assert result.success
    assert set(result.artifacts or ()) == {ORDERS.unique_id, CUSTOMERS.unique_id}
    words = shlex.split(shop.calls_of("CreateJob")[0].body["execute_steps"][0])
    assert words[:2] == ["dbt", "build"]
    assert words[words.index("--indirect-selection") + 1] == "empty"
    assert len(shop.runs) == 1
    with pytest.raises(ValueError, match="at least one node"):
        executor.execute_wave([])


def test_a_node_that_fails_is_a_result(executor: DbtCloudExecutor, shop: DbtCloud) -> None:
    shop.project.break_node(ORDERS.unique_id)
    result = executor.execute_wave([ORDERS, CUSTOMERS])
    assert not result.success
    assert isinstance(result.error, DbtCloudJobRunFailed)
    assert (result.status_of(ORDERS.unique_id), result.status_of(CUSTOMERS.unique_id)) == ("error", "success")
    assert shop.jobs == []


def _refuse(shop: DbtCloud) -> None:
    shop.fail("TriggerJobRun", 403, times=None)


def _never_end(shop: DbtCloud) -> None:
    shop.play = Play(running_seconds=None)


def _lose_results(shop: DbtCloud) -> None:
    shop.fail("GetArtifact", 503, times=None)


@pytest.mark.parametrize(
    ("break_it", "error"),
    [
        (_refuse, DbtCloudJobRunTriggerFailed),
        (_never_end, DbtCloudJobRunTimedOut),
        (_lose_results, DbtCloudGetRunArtifactFailed),
    ],
)
def test_whatever_goes_wrong_is_a_result_and_the_job_is_gone(
    break_it: Callable[[DbtCloud], None], error: type[Exception], executor: DbtCloudExecutor, shop: DbtCloud
) -> None:
    break_it(shop)
    result = executor.execute_node(ORDERS, "run")
    assert not result.success
    assert isinstance(result.error, error)
    assert shop.jobs == []
    assert all(run["is_complete"] for run in shop.runs)


def test_a_job_that_cannot_be_deleted_is_told(
    executor: DbtCloudExecutor, shop: DbtCloud, caplog: pytest.LogCaptureFixture
) -> None:
    shop.fail("DeleteJob", 403, times=None)
    assert executor.execute_node(ORDERS, "run").success
    assert f"{shop.jobs[0]['id']} could not be deleted and is left behind" in caplog.text


def test_a_job_is_created_and_deleted_once_though_answers_are_lost(executor: DbtCloudExecutor, shop: DbtCloud) -> None:
    for operation in ("CreateJob", "TriggerJobRun", "DeleteJob"):
        shop.fail(operation, when="lost")
    assert executor.execute_node(ORDERS, "run").success
    assert (shop.jobs, len(shop.runs)) == ([], 1)


def test_calls_from_several_threads_have_their_own_jobs(executor: DbtCloudExecutor, shop: DbtCloud) -> None:
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda each=each: results.append(executor.execute_node(each, "run")))
        for each in (ORDERS, CUSTOMERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(result.node_ids[0] for result in results if result.success) == [
        CUSTOMERS.unique_id,
        ORDERS.unique_id,
    ]
    assert shop.jobs == []


def test_a_manifest_is_generated_by_a_job_that_is_gone_afterwards(executor: DbtCloudExecutor, shop: DbtCloud) -> None:
    manifest = executor.generate_manifest()
    assert set(manifest["nodes"]) >= {ORDERS.unique_id, CUSTOMERS.unique_id}
    assert shop.calls_of("CreateJob")[0].body["execute_steps"] == ["dbt compile"]
    assert shop.jobs == []
    shop.play = Play(outcome=20)
    with pytest.raises(DbtCloudJobRunFailed):
        executor.generate_manifest()
    assert shop.jobs == []


def test_a_manifest_is_fetched_from_the_last_good_run_of_a_job(executor: DbtCloudExecutor, shop: DbtCloud) -> None:
    job_id = shop.add_job()
    with pytest.raises(DbtCloudGetRunArtifactFailed, match=f"manifest of dbt Cloud job {job_id}.*No successful run"):
        executor.fetch_manifest_from_job(job_id)
    shop.start_run(job_id)
    shop.clock.advance(60)
    assert ORDERS.unique_id in executor.fetch_manifest_from_job(job_id)["nodes"]


@pytest.mark.parametrize("defers", [True, False])
def test_the_manifest_is_kept_in_a_private_file(
    defers: bool, shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    job_id = shop.add_job()
    shop.start_run(job_id)
    shop.clock.advance(60)
    with DbtCloudExecutor(cloud_credentials, 100, 10, defer_to_job_id=job_id if defers else None) as executor:
        path = executor.resolve_manifest_path()
        assert ORDERS.unique_id in json.loads(path.read_text("utf-8"))["nodes"]
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert executor.resolve_manifest_path() == path
        assert len(shop.calls_of("CreateJob")) == (0 if defers else 1)
    assert not path.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("threads", 0), ("timeout_seconds", -1), ("poll_frequency_seconds", -1), ("job_name_prefix", " ")],
)
def test_bad_arguments_are_refused_by_name(field: str, value: Any, cloud_credentials: DbtCloudCredentials) -> None:
    with pytest.raises(ValueError, match=field):
        DbtCloudExecutor(cloud_credentials, 100, 10, **{field: value})
