"""What Cloud Run workers do about what others left behind, and which runs they count as theirs."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect import get_client
from prefect.states import Completed, Pending, Running

from prefect_integration_kit._job_reconciliation import JobReconciliation
from prefect_integration_kit._job_sweep import JobSweep
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.pool_runs import state_of, until

from ._cloud_run import SETTINGS, Pool, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    for prefix in SETTINGS.values():
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{prefix}_RECONCILE_AFTER_SECONDS", "0")


@pytest.fixture
def api(empty_google_api: GoogleApi) -> GoogleApi:
    """Cloud Run without jobs."""
    return empty_google_api


@pytest.fixture
def pool(request: pytest.FixtureRequest, prefect_harness: None, api: GoogleApi) -> Pool:
    return Pool(api, getattr(request, "param", "v2"))


both = pytest.mark.parametrize("pool", ["v1", "v2"], indirect=True)


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


def _variables(pool: Pool) -> dict[str, Any]:
    return {"credentials": pool.credentials.model_dump(mode="json"), "region": "us-central1", "image": "busybox:dev"}


@both
async def test_a_run_whose_worker_died_is_looked_after_by_the_next(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    run = await pool.new_run(**_variables(pool))
    name = await _started(pool, run)
    async with get_client() as client:
        await client.update_flow_run(run.id, infrastructure_pid=name)
        await client.set_flow_run_state(run.id, Running(), force=True)
    async with pool.worker(limit=1) as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert worker.job_runs.is_busy_with(run.id)
        await until(lambda: api.run.running, "a container")
        api.run.end(exit_code=5)
        await until(lambda: not worker.job_runs.is_busy_with(run.id), "the end")
        await until(lambda: not api.run.jobs, "the deletion")
    assert (await state_of(run)).is_crashed()
    assert len(pool.calls("create")) == 1


async def test_a_run_without_an_identifier_finds_its_job_by_its_name(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    run = await pool.new_run(**_variables(pool))
    name = await _started(pool, run)
    async with get_client() as client, pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert (await client.read_flow_run(run.id)).infrastructure_pid == name
        await until(lambda: api.run.running, "a container")
        api.run.end()
        await until(lambda: not api.run.jobs, "the deletion")
    assert len(api.calls_of("*.jobs.run")) == 1


async def test_a_run_that_never_got_a_job_is_submitted_again(pool: Pool, api: GoogleApi) -> None:
    await pool.new_run(**_variables(pool))
    async with pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        await until(lambda: pool.calls("run"), "an execution")
        await until(lambda: not api.run.jobs, "the deletion")


async def test_a_job_whose_worker_died_before_it_was_run_is_run_once(pool: Pool, api: GoogleApi) -> None:
    run = await pool.new_run(**_variables(pool))
    configuration = pool.configure(run)
    async with pool.worker() as worker:
        service = worker.job_service(configuration)
        google = await service._api()
        await google.create(configuration.job_name, configuration.request_of(configuration.job_name, google.project))
        await JobReconciliation(worker, worker.job_runs).reconcile()
        await until(lambda: pool.calls("run"), "an execution")
        await until(lambda: not api.run.jobs, "the deletion")
    assert len(pool.calls("run")) == 1


# Sweeping


def _later(hours: float) -> Any:
    return lambda: datetime.now(timezone.utc) + timedelta(hours=hours)


@both
async def test_jobs_of_runs_that_are_over_are_deleted_when_they_are_old_and_no_others(
    pool: Pool, api: GoogleApi
) -> None:
    api.play(seconds=None)
    over, alive, kept = [await pool.new_run() for _ in range(3)]
    of_another_pool = Pool(api, pool.version)
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
        assert len(api.run.jobs) == 4
        await JobSweep(worker, worker.job_runs, now=_later(2)).sweep()
    left = {job["name"].rpartition("/")[2] for job in api.run.jobs}
    assert left == {names["alive"], names["kept"], names["foreign"]}
    await until(lambda: api.run.running == 3, "the other containers")


async def test_a_job_that_could_not_be_deleted_is_swept_later(pool: Pool, api: GoogleApi) -> None:
    api.fail("run.projects.locations.jobs.delete", status=503, times=3)
    run = await pool.new_run()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Completed(), force=True)
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
        assert result.status_code == 0
        assert len(api.run.jobs) == 1
        await JobSweep(worker, worker.job_runs, now=_later(2)).sweep()
    assert api.run.jobs == []


async def test_the_worker_s_limit_counts_runs_until_their_job_has_ended(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    runs = [await pool.new_run(state=Pending()) for _ in range(2)]
    async with pool.worker(limit=2) as worker:
        for run in runs:
            await worker._initiate_run(run, pool.configure(run))
        limiter = worker._limiter
        assert limiter.borrowed_tokens == 2
        await until(lambda: api.run.running == 2, "both containers")
        api.run.end()
        await until(lambda: limiter.borrowed_tokens == 0, "both ends")
