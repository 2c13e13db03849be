"""What the Container Apps worker does about what others left behind, and which jobs it counts as its own."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect import get_client
from prefect.states import Completed, Pending, Running

from prefect_integration_kit._job_reconciliation import JobReconciliation
from prefect_integration_kit._job_sweep import JobSweep
from prefect_integration_tests.backends.azure_api import AzureApi
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.pool_runs import logs_of, state_of, until

from ._apps import GROUP, PREFIX, Pool, id_of, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, azure_identity: AzureIdentity, clean_azure_environment: None) -> None:
    quicken(monkeypatch)
    azure_identity.reset()
    for name, value in azure_identity.app_service_environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def api(empty_azure_api: AzureApi) -> AzureApi:
    """Container Apps without jobs."""
    return empty_azure_api


@pytest.fixture
def pool(prefect_harness: None, api: AzureApi) -> Pool:
    return Pool(api)


async def _started(pool: Pool, run: Any, **variables: Any) -> str:
    """Start a run's job, and die."""
    configuration = pool.configure(run, **variables)
    worker = pool.worker()
    async with worker:
        task = asyncio.create_task(worker.run(run, configuration))
        await until(lambda: run.id in worker.job_runs.running, "a job that has been started")
        task.cancel()
        await asyncio.wait([task])
    return configuration.job_name


async def test_a_run_whose_worker_died_is_looked_after_by_the_next(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None, lines=["the last words"])
    run = await pool.new_run(**pool.variables())
    name = await _started(pool, run, log_analytics_workspace_id="my-workspace")
    async with get_client() as client:
        await client.update_flow_run(run.id, infrastructure_pid=id_of(name))
        await client.set_flow_run_state(run.id, Running(), force=True)
    async with pool.worker(limit=1) as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert worker.job_runs.is_busy_with(run.id)
        await until(lambda: api.play.running, "a container")
        api.play.end(exit_code=5)
        await until(lambda: not worker.job_runs.is_busy_with(run.id), "the end")
        await until(lambda: not api.jobs, "the deletion")
        await logs_of(run, "the last words")
    assert (await state_of(run)).is_crashed()
    assert len(api.calls_of("Jobs_CreateOrUpdate")) == 1
    assert "/my-workspace/" in api.calls_of("Query_Execute")[0].path


async def test_a_job_whose_identifier_was_never_stored_is_found(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None)
    run = await pool.new_run(**pool.variables())
    name = await _started(pool, run)
    async with get_client() as client, pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert (await client.read_flow_run(run.id)).infrastructure_pid == id_of(name)
        await until(lambda: api.play.running, "a container")
        api.play.end()
        await until(lambda: not api.jobs, "the deletion")
    assert api.executions_started == 1


async def test_a_run_that_never_got_a_job_is_submitted_again(pool: Pool, api: AzureApi) -> None:
    await pool.new_run(**pool.variables())
    async with pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        await until(lambda: api.executions_started, "an execution")
        await until(lambda: not api.jobs, "the deletion")


async def test_a_job_whose_worker_died_before_it_was_started_is_started_once(pool: Pool, api: AzureApi) -> None:
    run = await pool.new_run(**pool.variables())
    configuration = pool.configure(run)
    async with pool.worker() as worker:
        service: Any = worker.job_service(configuration)
        service._api.create(GROUP, configuration.job_name, configuration.request_of("eastus"))
        await JobReconciliation(worker, worker.job_runs).reconcile()
        await until(lambda: api.executions_started, "an execution")
        await until(lambda: not api.jobs, "the deletion")
    assert api.executions_started == 1


# Sweeping


def _later(hours: float) -> Any:
    return lambda: datetime.now(timezone.utc) + timedelta(hours=hours)


async def test_jobs_of_runs_that_are_over_are_deleted_when_they_are_old_and_no_others(
    pool: Pool, api: AzureApi
) -> None:
    api.play(seconds=None)
    over, alive, kept = [await pool.new_run() for _ in range(3)]
    of_another_pool = Pool(api)
    foreign = await of_another_pool.new_run()
    names = {
        "over": await _started(pool, over),
        "alive": await _started(pool, alive),
        "kept": await _started(pool, kept, keep_job=True),
        "foreign": await _started(of_another_pool, foreign),
    }
    async with get_client() as client:
        for run in (over, kept, foreign):
            await client.set_flow_run_state(run.id, Completed(), force=True)
        await client.set_flow_run_state(alive.id, Running(), force=True)
    async with pool.worker() as worker:
        worker.job_runs.service_of(pool.configure(over))
        await JobSweep(worker, worker.job_runs).sweep()
        assert len(api.jobs) == 4
        await JobSweep(worker, worker.job_runs, now=_later(2)).sweep()
    assert {job["name"] for job in api.jobs} == {names["alive"], names["kept"], names["foreign"]}
    await until(lambda: api.play.running == 3, "the other containers")


async def test_a_job_that_could_not_be_deleted_is_swept_later(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}CALL_DEADLINE_SECONDS", "0")
    api.fail("Jobs_Delete", status=503)
    run = await pool.new_run()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Completed(), force=True)
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
        assert result.status_code == 0
        assert len(api.jobs) == 1
        await JobSweep(worker, worker.job_runs, now=_later(2)).sweep()
    assert api.jobs == []


async def test_the_worker_s_limit_counts_runs_until_their_job_has_ended(pool: Pool, api: AzureApi) -> None:
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
