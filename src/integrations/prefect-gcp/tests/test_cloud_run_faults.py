"""Any single failure of any call to Cloud Run leaves a healthy run healthy, and never makes a second execution."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.errors import GcpConflict, GcpUnavailable
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.backends.google_identity import GoogleIdentity
from prefect_integration_tests.pool_runs import state_of

from ._cloud_run import JOBS, PROJECT, REGION, Pool, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")

FAULTS: dict[str, dict[str, Any]] = {
    "unavailable": {"status": 503},
    "throttled": {"status": 429},
    "answered with an error though done": {"status": 500, "when": "after"},
    "answer lost": {"when": "lost"},
    "connection cut": {"when": "cut"},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def api(empty_google_api: GoogleApi) -> GoogleApi:
    """Cloud Run, whose jobs succeed."""
    return empty_google_api


@pytest.fixture(params=["v1", "v2"])
def pool(request: pytest.FixtureRequest, prefect_harness: None, api: GoogleApi) -> Pool:
    return Pool(api, request.param)


@pytest.mark.parametrize("verb", ["create", "get", "run", "list"])
async def test_one_failing_call_neither_crashes_a_run_nor_runs_it_twice(pool: Pool, api: GoogleApi, verb: str) -> None:
    results: dict[str, Any] = {}
    executions: dict[str, int] = {}
    async with pool.worker() as worker:
        for name, fault in FAULTS.items():
            run = await pool.new_run()
            configuration = pool.configure(run, keep_job=True)
            api.fail(f"{JOBS[pool.version]}.{verb}", times=1, **fault)
            results[name] = (await worker.run(run, configuration)).status_code
            executions[name] = sum(configuration.job_name in item["name"] for item in api.run.executions)
    assert results == dict.fromkeys(FAULTS, 0)
    assert executions == dict.fromkeys(FAULTS, 1)


async def test_a_failing_deletion_is_repeated_until_the_job_is_gone(pool: Pool, api: GoogleApi) -> None:
    async with pool.worker() as worker:
        for fault in FAULTS.values():
            run = await pool.new_run()
            api.fail(f"{JOBS[pool.version]}.delete", times=1, **fault)
            await worker.run(run, pool.configure(run))
            assert api.run.jobs == []


@pytest.mark.parametrize("verb", ["create", "run"])
async def test_a_lasting_failure_is_given_up_after_the_attempts_that_are_set(
    pool: Pool, api: GoogleApi, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = {"create": "CREATE_JOB", "run": "SUBMIT_JOB"}[verb]
    prefix = {"v1": "CLOUD_RUN_WORKER", "v2": "CLOUD_RUN_V2_WORKER"}[pool.version]
    monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{prefix}_{name}_MAX_ATTEMPTS", "4")
    api.fail(f"{JOBS[pool.version]}.{verb}", status=503, times=None)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(GcpUnavailable):
            await worker.run(run, pool.configure(run))
    assert len(pool.calls(verb)) == 4
    assert api.run.jobs == []


async def test_a_job_of_the_same_submission_is_adopted_and_one_of_another_run_is_not(
    pool: Pool, api: GoogleApi
) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        first = await worker.run(run, pool.configure(run, keep_job=True))
        again = await worker.run(run, pool.configure(run, keep_job=True))
        assert again.identifier == first.identifier
        assert len(api.run.executions) == 1


async def test_a_job_of_the_same_name_that_is_for_another_run_is_left_alone(pool: Pool, api: GoogleApi) -> None:
    run = await pool.new_run()
    configuration = pool.configure(run)
    client = api.client("run", "v2").projects().locations().jobs()
    container = {"image": "busybox:dev"}
    client.create(
        parent=f"projects/{PROJECT}/locations/{REGION}",
        jobId=configuration.job_name,
        body={"template": {"template": {"containers": [container]}}, "labels": {"whose": "another"}},
    ).execute()
    async with pool.worker() as worker:
        with pytest.raises(GcpConflict):
            await worker.run(run, configuration)
    assert [job["labels"] for job in api.run.jobs] == [{"whose": "another"}]


async def test_an_account_that_may_not_list_jobs_has_them_looked_at_one_by_one(pool: Pool, api: GoogleApi) -> None:
    api.play(exit_code=2)
    api.fail(f"{JOBS[pool.version]}.list", status=403, times=None)
    run = await pool.new_run()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
    assert result.status_code == 2
    assert (await state_of(run)).is_crashed()


async def test_a_token_that_cannot_be_renewed_for_a_moment_is_no_failure(
    pool: Pool, api: GoogleApi, identity: GoogleIdentity, service_account: dict[str, Any]
) -> None:
    api.check_tokens(identity.check)
    credentials = GcpCredentials(
        project=PROJECT, service_account_info=service_account, api_endpoints=pool.credentials.api_endpoints
    )
    run = await pool.new_run()
    identity.fail(1, 503)
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run, credentials=credentials))
    assert result.status_code == 0
    assert api.run.jobs == []
