"""The Cloud Run workers: a run's job from its creation to its deletion, and what Prefect is told of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from prefect import get_client
from prefect.exceptions import InfrastructureNotFound
from prefect.states import Cancelled, Cancelling, Completed, Paused, Running

from prefect_gcp.errors import GcpError, GcpInvalidRequest, GcpJobFailed
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.pool_runs import Started, logs_of, state_of, until

from ._cloud_run import PROJECT, REGION, Pool, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def api(empty_google_api: GoogleApi) -> GoogleApi:
    """Cloud Run without jobs. Those of a test that says no more succeed at once."""
    return empty_google_api


@pytest.fixture
def pool(request: pytest.FixtureRequest, prefect_harness: None, api: GoogleApi) -> Pool:
    """A pool of the worker of version 2, or of the one that the test names: they share their body."""
    return Pool(api, getattr(request, "param", "v2"))


both = pytest.mark.parametrize("pool", ["v1", "v2"], indirect=True)


@both
async def test_a_job_that_succeeds_is_a_result_of_zero_and_deleted(pool: Pool, api: GoogleApi) -> None:
    run = await pool.new_run()
    started = Started()
    configuration = pool.configure(run)
    async with pool.worker() as worker:
        result = await worker.run(run, configuration, started)
    assert (result.status_code, result.identifier) == (0, configuration.job_name)
    assert started.identifier == result.identifier
    assert len(pool.calls("create")) == len(pool.calls("run")) == 1
    assert api.run.jobs == []


async def test_a_job_that_is_to_be_kept_stays(pool: Pool, api: GoogleApi) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run, keep_job=True))
    assert [job["name"].rpartition("/")[2] for job in api.run.jobs] == [result.identifier]


@both
async def test_a_job_that_fails_crashes_its_run_with_code_cause_logs_and_last_lines(pool: Pool, api: GoogleApi) -> None:
    api.play(exit_code=3, lines=["about to fail", "Traceback: boom"])
    run = await pool.new_run()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
        assert result.status_code == 3
        state = await state_of(run)
        assert state.is_crashed()
        assert "Its container exited with code 3" in str(state.message)
        assert "Logs: https://console.cloud.google.com/logs/" in str(state.message)
        logs = await logs_of(run, "Traceback: boom")
    assert logs.index("about to fail") < logs.index("Traceback: boom")
    assert api.run.jobs == []


async def test_a_job_without_memory_says_so_and_what_to_do(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    run = await pool.new_run()
    async with pool.worker() as worker:
        running = asyncio.create_task(worker.run(run, pool.configure(run)))
        await until(lambda: api.run.running, "a container")
        api.run.run_out_of_memory()
        result = await asyncio.wait_for(running, 30)
    message = str((await state_of(run)).message)
    assert result.status_code == 137
    assert "Memory limit of 512 MiB exceeded" in message
    assert "Raise `memory`" in message


@both
async def test_an_image_that_does_not_exist_fails_the_submission_and_leaves_nothing(pool: Pool, api: GoogleApi) -> None:
    api.play(image_problem="CONTAINER_MISSING")
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(GcpJobFailed, match=r"cannot be made ready: .*mage"):
            await worker.run(run, pool.configure(run))
    assert api.run.jobs == []


async def test_an_execution_that_cannot_start_crashes_its_run(pool: Pool, api: GoogleApi) -> None:
    api.play(start_problem="The secret api-key was not found.")
    run = await pool.new_run()
    async with pool.worker() as worker:
        await worker.run(run, pool.configure(run))
    assert "The secret api-key was not found." in str((await state_of(run)).message)


@pytest.mark.parametrize("state", [Completed(), Paused(), Cancelled()], ids=["completed", "paused", "cancelled"])
async def test_a_run_that_has_reported_its_end_keeps_its_state(pool: Pool, api: GoogleApi, state: Any) -> None:
    api.play(exit_code=143)
    run = await pool.new_run()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, state, force=True)
    async with pool.worker() as worker:
        await worker.run(run, pool.configure(run))
    assert (await state_of(run)).type == state.type


async def test_a_run_that_never_reports_crashes_after_a_grace(
    pool: Pool, api: GoogleApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for prefix in ("CLOUD_RUN_WORKER", "CLOUD_RUN_V2_WORKER"):
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{prefix}_REPORT_GRACE_SECONDS", "0.5")
    run = await pool.new_run()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Running(), force=True)
    async with pool.worker() as worker:
        await worker.run(run, pool.configure(run))

        async def crashed() -> bool | None:
            return (await state_of(run)).is_crashed() or None

        await apoll(crashed, subject="the crash", interval_seconds=0.1, timeout_seconds=20)
    assert "ended without reporting" in str((await state_of(run)).message)


# Cancelling


@both
async def test_a_cancelled_run_has_its_job_stopped_and_deleted(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    run = await pool.new_run()
    async with pool.worker() as worker, get_client() as client:
        running = asyncio.create_task(worker.run(run, pool.configure(run)))
        await until(lambda: api.run.running, "a container")
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.set_flow_run_state(run.id, Cancelling(), force=True)
        await asyncio.wait_for(running, 30)
    assert (await state_of(run)).is_cancelled()
    assert (api.run.running, api.run.jobs) == (0, [])


async def test_a_run_that_is_cancelled_while_it_is_submitted_starts_nothing(pool: Pool, api: GoogleApi) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        api.on_call.append(
            lambda call: worker.job_runs.cancel_requested(run.id) if call.method.endswith("jobs.create") else None
        )
        result = await worker.run(run, pool.configure(run))
    assert (result.identifier, result.status_code) == ("", 0)
    assert (pool.calls("run"), api.run.jobs) == ([], [])


async def test_a_run_that_is_cancelled_while_its_execution_is_started_is_stopped(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    run = await pool.new_run()
    async with pool.worker() as worker, get_client() as client:
        await client.set_flow_run_state(run.id, Cancelling(), force=True)
        api.on_call.append(
            lambda call: worker.job_runs.cancel_requested(run.id) if call.method.endswith("jobs.run") else None
        )
        await asyncio.wait_for(worker.run(run, pool.configure(run)), 30)
    assert (await state_of(run)).is_cancelled()
    assert (api.run.running, api.run.jobs) == (0, [])


@pytest.mark.parametrize(
    "form", ["{name}", "{full}", "{full}/executions/{name}-abcde"], ids=["name", "full", "execution"]
)
@both
async def test_killing_stops_the_container_before_the_job_is_deleted(pool: Pool, api: GoogleApi, form: str) -> None:
    api.play(seconds=None)
    run = await pool.new_run()
    configuration = pool.configure(run)
    async with pool.worker() as worker:
        running = asyncio.create_task(worker.run(run, configuration))
        await until(lambda: api.run.running, "a container")
        name = configuration.job_name
        full = f"projects/{PROJECT}/locations/{REGION}/jobs/{name}"
        await worker.kill_infrastructure(form.format(name=name, full=full), pool.configure(run, region=REGION))
        await asyncio.wait_for(running, 30)
    order = [call.method.rpartition(".")[2] for call in api.calls]
    assert order.index("cancel") < order.index("delete")
    assert (api.run.running, api.run.jobs) == (0, [])


async def test_killing_what_is_gone_says_so(pool: Pool) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(InfrastructureNotFound, match="no-such-job"):
            await worker.kill_infrastructure("no-such-job", pool.configure(run))
        with pytest.raises(ValueError, match="does not name a Cloud Run job"):
            await worker.kill_infrastructure("arn:aws:ecs", pool.configure(run))


async def test_a_job_that_is_deleted_by_hand_crashes_its_run(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    run = await pool.new_run()
    configuration = pool.configure(run)
    async with pool.worker() as worker:
        running = asyncio.create_task(worker.run(run, configuration))
        await until(lambda: api.run.running, "a container")
        api.run.forget(configuration.job_name)
        result = await asyncio.wait_for(running, 30)
    assert result.status_code == -1
    assert "was deleted before its end was seen" in str((await state_of(run)).message)


# Secrets, bad input


async def test_a_plain_api_key_is_warned_of_once_and_never_printed(
    pool: Pool, api: GoogleApi, caplog: pytest.LogCaptureFixture
) -> None:
    key = "pnu_c4n4ry"
    with caplog.at_level(logging.DEBUG):
        async with pool.worker() as worker:
            for _ in range(2):
                run = await pool.new_run()
                await worker.run(run, pool.configure(run, env={"PREFECT_API_KEY": key}))
    warned = [record for record in caplog.records if "PREFECT_API_KEY is passed to Cloud Run jobs" in record.message]
    assert len(warned) == 1
    assert "Store it in Secret Manager and set `prefect_api_key_secret`." in warned[0].message
    assert key not in caplog.text


@both
async def test_a_refused_request_names_the_field_and_no_secret(pool: Pool, api: GoogleApi) -> None:
    run = await pool.new_run()
    env = {"MY_TOKEN": "c4n4ry" * 10_000}
    async with pool.worker() as worker:
        with pytest.raises(GcpInvalidRequest, match="env") as caught:
            await worker.run(run, pool.configure(run, env=env))
    assert "c4n4ryc4n4ry" not in str(caught.value)
    assert api.run.jobs == []


@both
async def test_an_account_without_rights_is_told_which_permission_it_lacks(pool: Pool, api: GoogleApi) -> None:
    method = {"v1": "run.namespaces.jobs.create", "v2": "run.projects.locations.jobs.create"}[pool.version]
    api.fail(method, status=403, times=None)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(PermissionError, match=r"run\.jobs\.create") as caught:
            await worker.run(run, pool.configure(run))
    assert isinstance(caught.value, GcpError)
