"""What the Container Instances worker does about what others left behind, and which runs it counts as its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect import get_client
from prefect.states import Completed, Running

from prefect_integration_kit._job_reconciliation import JobReconciliation
from prefect_integration_kit._job_sweep import JobSweep
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION, AzureApi
from prefect_integration_tests.pool_runs import state_of, until
from prefect_integration_tests.suites import LeftBehindSuite
from prefect_integration_tests.suites.left_behind import later

from ._aci import GROUP, SETTINGS, Pool, quicken

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    monkeypatch.setenv(f"{SETTINGS}_RECONCILE_AFTER_SECONDS", "0")


@pytest.fixture
def api(empty_azure_api: AzureApi) -> AzureApi:
    return empty_azure_api


@pytest.fixture
def pool(prefect_harness: None, api: AzureApi) -> Pool:
    return Pool(api)


@pytest.fixture
def adopting(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let configurations that a worker makes by itself reach the local server: such credentials cannot be saved."""
    kind = type(pool.credentials)
    monkeypatch.setattr(
        kind, "get_container_client", lambda _, subscription: pool.api.container_instance_client(subscription)
    )
    monkeypatch.setattr(kind, "get_resource_client", lambda _, subscription: pool.api.resource_client(subscription))


VARIABLES: dict[str, Any] = {
    "resource_group_name": GROUP,
    "subscription_id": SUBSCRIPTION,
    "image": "busybox:dev",
    "task_watch_poll_interval": 0.1,
}


@pytest.mark.usefixtures("adopting")
class TestLeftBehind(LeftBehindSuite):
    keeping: ClassVar[Mapping[str, Any]] = MappingProxyType({"keep_container_group": True})
    asks_before = True

    @pytest.fixture
    def pool(self, prefect_harness: None, api: AzureApi) -> Pool:
        return Pool(api)

    @pytest.fixture(params=[False, True], ids=["list without states", "list with states"])
    def listing(self, request: pytest.FixtureRequest, api: AzureApi) -> None:
        api.settings.list_shows_instance_view = request.param

    def another(self, pool: Pool) -> Pool:
        return Pool(pool.api)

    def variables(self, pool: Pool) -> dict[str, Any]:
        del pool
        return VARIABLES

    def let_run(self, pool: Pool) -> None:
        pool.api.play(seconds=None)

    def end(self, pool: Pool, exit_code: int = 0) -> None:
        pool.api.play.end(exit_code=exit_code)

    def running(self, pool: Pool) -> int:
        return pool.api.play.running

    def jobs(self, pool: Pool) -> list[str]:
        return [group["name"] for group in pool.api.container_groups]

    def left_over(self, pool: Pool) -> list[str]:
        return pool.api.left_over

    def made(self, pool: Pool) -> dict[str, int]:
        deployments = len(pool.api.calls_of("Deployments_CreateOrUpdate"))
        return {"deployed": deployments, "started": pool.api.groups_started}

    def name_of(self, identifier: str) -> str:
        return identifier.partition(":")[2]

    async def make_unstarted(self, pool: Pool, worker: Any, run: FlowRun) -> None:
        """The worker dies while the image is pulled."""
        configuration = pool.configure(run)
        name = configuration.container_group_name
        await worker.job_service(configuration)._api.deploy(configuration.deployment_request(name))

    def refuse_deletion(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        monkeypatch.setenv(f"{SETTINGS}_CALL_DEADLINE_SECONDS", "0.05")
        pool.api.fail("ContainerGroups_Delete", status=503, times=None)
        return pool.api.heal


@pytest.mark.usefixtures("adopting")
async def test_a_group_that_a_worker_of_the_published_package_made_is_looked_after(pool: Pool, api: AzureApi) -> None:
    """It has no tags of ours."""
    api.play(seconds=None)
    run = await pool.new_run(**VARIABLES)
    resources = {"requests": {"cpu": 1, "memory_in_gb": 1}}
    group = {
        "location": "eastus",
        "os_type": "Linux",
        "restart_policy": "Never",
        "containers": [{"name": "old", "image": "busybox:dev", "resources": resources}],
    }
    api.container_instance_client().container_groups.begin_create_or_update(GROUP, "old", group).result()
    async with get_client() as client:
        await client.update_flow_run(run.id, infrastructure_pid=f"{run.id}:old")
        await client.set_flow_run_state(run.id, Running(), force=True)
    async with pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert worker.job_runs.is_busy_with(run.id)
        api.play.end(exit_code=6)
        await until(lambda: not worker.job_runs.is_busy_with(run.id), "the end")
        await until(lambda: not api.left_over, "the deletion")
    assert "code 6" in str((await state_of(run)).message)


@pytest.mark.parametrize("identifier", ["a-cloud-run-job", "arn:aws:ecs:us-east-1:1:task/x/y"])
async def test_infrastructure_of_other_workers_is_left_alone(pool: Pool, identifier: str) -> None:
    async with pool.worker() as worker:
        assert not worker.is_job_identifier(identifier)


async def test_records_of_deployments_that_nobody_deleted_are_swept_and_no_others(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{SETTINGS}_CALL_DEADLINE_SECONDS", "0.05")
    api.fail("Deployments_Delete", status=503, times=None)
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [],
    }
    deployment = {"properties": {"mode": "Incremental", "template": template}}
    api.resource_client().deployments.begin_create_or_update(GROUP, "somebodys", deployment).result()
    run = await pool.new_run()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Completed(), force=True)
    async with pool.worker() as worker:
        assert (await worker.run(run, pool.configure(run))).status_code == 0
        assert len(api.deployments) == 2
        api.heal()
        await JobSweep(worker, worker.job_runs).sweep()
        assert len(api.deployments) == 2  # they are not old
        await JobSweep(worker, worker.job_runs, now=later(hours=2)).sweep()
        await until(lambda: len(api.deployments) == 1, "the deletion")
    assert api.deployments[0]["name"] == "somebodys"
