"""The Cloud Run workers: a run's job from its creation to its deletion, and what Prefect is told of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest
from prefect import get_client
from prefect.states import Cancelling

from prefect_gcp.errors import GcpError, GcpInvalidRequest, GcpJobFailed
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.pool_runs import state_of
from prefect_integration_tests.suites import JobWorkerSuite

from ._cloud_run import JOBS, PROJECT, REGION, SETTINGS, PlayedCloudRun, Pool, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")

PREFIXES = tuple(SETTINGS.values())
FULL_NAME = f"projects/{PROJECT}/locations/{REGION}/jobs/{{name}}"


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


class TestV2(PlayedCloudRun, JobWorkerSuite):
    version = "v2"
    report_grace_variables = tuple(
        f"PREFECT_INTEGRATIONS_GCP_{each}_REPORT_GRACE_SECONDS" for each in SETTINGS.values()
    )
    identifier_forms: ClassVar[dict[str, str]] = {
        "name": "{identifier}",
        "full": FULL_NAME,
        "execution": f"{FULL_NAME}/executions/{{name}}-abcde",
    }
    foreign_error = "does not name a Cloud Run job"
    memory_words = ("Memory limit of 512 MiB exceeded", "Raise `memory`")
    permission = r"run\.jobs\.create"
    error = GcpError

    def let_fail(self, pool: Pool, exit_code: int, lines: Sequence[str] = ()) -> None:
        pool.api.play(exit_code=exit_code, lines=list(lines))

    def run_out_of_memory(self, pool: Pool) -> None:
        pool.api.run.run_out_of_memory()

    def forget(self, pool: Pool, name: str) -> None:
        pool.api.run.forget(name)

    def when_making(self, pool: Pool, call: Callable[[], None]) -> None:
        pool.api.on_call.append(lambda each: call() if each.method.endswith("jobs.create") else None)

    def deny(self, pool: Pool) -> None:
        pool.api.fail(f"{JOBS[pool.version]}.create", status=403, times=None)

    def stops_and_deletions(self, pool: Pool) -> list[str]:
        verbs = {"cancel": "stop", "delete": "delete"}
        asked = [call.method.rpartition(".")[2] for call in pool.api.calls]
        return [verbs[verb] for verb in asked if verb in verbs]

    def look_at_crash(self, pool: Pool, message: str) -> None:
        assert "Its container exited with code 3" in message
        assert "Logs: https://console.cloud.google.com/logs/" in message


class TestV1(TestV2):
    version = "v1"


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


# Cancelling


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
