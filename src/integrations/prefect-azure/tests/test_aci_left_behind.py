"""What the Container Instances worker does about what others left behind, and which runs it counts as its own."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect import get_client
from prefect.states import Completed, Pending, Running

from prefect_integration_kit._job_reconciliation import JobReconciliation
from prefect_integration_kit._job_sweep import JobSweep
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION, AzureApi
from prefect_integration_tests.pool_runs import Started, state_of, until

from ._aci import GROUP, SETTINGS, Pool, quicken

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


async def _started(pool: Pool, run: Any, **variables: Any) -> str:
    """Start a run's container group, and die."""
    configuration = pool.configure(run, **variables)
    started = Started()
    worker = pool.worker()
    async with worker:
        task = asyncio.create_task(worker.run(run, configuration, started))  # type: ignore[arg-type]
        await until(lambda: started.identifier, "a group that has been started")
        task.cancel()
        await asyncio.wait([task])
    return started.identifier


def _adopting(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_run_whose_worker_died_is_looked_after_by_the_next(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    _adopting(pool, monkeypatch)
    api.play(seconds=None)
    run = await pool.new_run(**VARIABLES)
    identifier = await _started(pool, run)
    async with get_client() as client:
        await client.update_flow_run(run.id, infrastructure_pid=identifier)
        await client.set_flow_run_state(run.id, Running(), force=True)
    async with pool.worker(limit=1) as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert worker.job_runs.is_busy_with(run.id)
        api.play.end(exit_code=5)
        await until(lambda: not worker.job_runs.is_busy_with(run.id), "the end")
        await until(lambda: not api.left_over, "the deletion")
    assert (await state_of(run)).is_crashed()
    assert api.groups_started == 1


async def test_a_run_without_an_identifier_finds_its_group_by_its_name(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    _adopting(pool, monkeypatch)
    api.play(seconds=None)
    run = await pool.new_run(**VARIABLES)
    identifier = await _started(pool, run)
    async with get_client() as client, pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert (await client.read_flow_run(run.id)).infrastructure_pid == identifier
        api.play.end()
        await until(lambda: not api.left_over, "the deletion")
    assert api.groups_started == 1


async def test_a_run_that_never_got_a_group_is_submitted_again(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    _adopting(pool, monkeypatch)
    await pool.new_run(**VARIABLES)
    async with pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        await until(lambda: api.groups_started, "a group")
        await until(lambda: not api.left_over, "the deletion")


async def test_a_run_whose_worker_died_while_the_image_was_pulled_gets_no_second_group(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    _adopting(pool, monkeypatch)
    run = await pool.new_run(**VARIABLES)
    configuration = pool.configure(run)
    async with pool.worker() as worker:
        service: Any = worker.job_service(configuration)
        name = configuration.container_group_name
        await service._api.deploy(configuration.deployment_request(name))
        await JobReconciliation(worker, worker.job_runs).reconcile()
        await until(lambda: not api.left_over, "the deletion")
    assert api.groups_started == 1
    assert len(api.calls_of("Deployments_CreateOrUpdate")) == 1


async def test_a_group_that_a_worker_of_the_published_package_made_is_looked_after(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no tags of ours."""
    _adopting(pool, monkeypatch)
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


# Sweeping


def _later(hours: float) -> Any:
    return lambda: datetime.now(timezone.utc) + timedelta(hours=hours)


@pytest.mark.parametrize("shows", [False, True], ids=["list without states", "list with states"])
async def test_groups_of_runs_that_are_over_are_deleted_when_they_are_old_and_no_others(
    pool: Pool, api: AzureApi, shows: bool
) -> None:
    api.settings.list_shows_instance_view = shows
    api.play(seconds=None)
    over, alive, kept = [await pool.new_run() for _ in range(3)]
    of_another_pool = Pool(api)
    foreign = await of_another_pool.new_run()
    names = {
        "over": await _started(pool, over),
        "alive": await _started(pool, alive),
        "kept": await _started(pool, kept, keep_container_group=True),
        "foreign": await _started(of_another_pool, foreign),
    }
    async with get_client() as client:
        for run in (over, kept, foreign):
            await client.set_flow_run_state(run.id, Completed(), force=True)
        await client.set_flow_run_state(alive.id, Running(), force=True)
    async with pool.worker() as worker:
        worker.job_runs.service_of(pool.configure(over))
        await JobSweep(worker, worker.job_runs).sweep()
        assert len(api.container_groups) == 4
        await JobSweep(worker, worker.job_runs, now=_later(2)).sweep()
    left = {group["name"] for group in api.container_groups}
    assert left == {names[which].partition(":")[2] for which in ("alive", "kept", "foreign")}
    assert api.play.running == 3


async def test_a_group_that_could_not_be_deleted_is_swept_later(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{SETTINGS}_CALL_DEADLINE_SECONDS", "0.05")
    api.fail("ContainerGroups_Delete", status=503, times=None)
    run = await pool.new_run()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Completed(), force=True)
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
        assert result.status_code == 0
        assert len(api.container_groups) == 1
        api.heal()
        await JobSweep(worker, worker.job_runs, now=_later(2)).sweep()
    assert api.left_over == []


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
        await JobSweep(worker, worker.job_runs, now=_later(2)).sweep()
        await until(lambda: len(api.deployments) == 1, "the deletion")
    assert api.deployments[0]["name"] == "somebodys"


async def test_the_worker_s_limit_counts_runs_until_their_container_has_ended(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None)
    runs = [await pool.new_run(state=Pending()) for _ in range(2)]
    async with pool.worker(limit=2) as worker:
        for run in runs:
            await worker._initiate_run(run, pool.configure(run))
        limiter: Any = worker._limiter
        assert limiter.borrowed_tokens == 2
        await until(lambda: api.play.running == 2, "both containers")
        api.play.end()
        await until(lambda: limiter.borrowed_tokens == 0, "both ends")
