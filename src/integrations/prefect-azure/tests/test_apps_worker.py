"""The Container Apps worker: a run's job from its creation to its deletion, and what Prefect is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from prefect_azure.errors import AzureError, AzureInvalidRequest, AzureJobFailed, AzureQuotaExceeded
from prefect_integration_tests.backends.azure_api import WORKSPACE, ArmError, AzureApi
from prefect_integration_tests.pool_runs import Started, logs_of, state_of, until
from prefect_integration_tests.suites import JobWorkerSuite

from ._apps import GROUP, PREFIX, PlayedApps, Pool, id_of, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def api(empty_azure_api: AzureApi) -> AzureApi:
    """Container Apps without jobs. Those of a test that says no more succeed at once."""
    return empty_azure_api


@pytest.fixture
def pool(prefect_harness: None, api: AzureApi) -> Pool:
    return Pool(api)


class TestWorker(PlayedApps, JobWorkerSuite):
    report_grace_variables = (f"{PREFIX}REPORT_GRACE_SECONDS",)
    identifier_forms: ClassVar[dict[str, str]] = {"job": "{identifier}", "execution": "{identifier}/executions/x-abcde"}
    elsewhere: ClassVar[dict[str, str]] = {"resource_group_name": "elsewhere"}
    gone = id_of("no-such-job")
    foreign_error = "does not name a Container Apps job"
    memory_words = ("OOMKilled", "Raise `cpu` and `memory`")
    permission = r"Microsoft\.App/jobs/write"
    error = AzureError

    def let_fail(self, pool: Pool, exit_code: int, lines: Sequence[str] = ()) -> None:
        pool.api.play(exit_code=exit_code, lines=list(lines))

    def run_out_of_memory(self, pool: Pool) -> None:
        pool.api.play.run_out_of_memory()

    def forget(self, pool: Pool, name: str) -> None:
        pool.api.forget(name)

    def when_making(self, pool: Pool, call: Callable[[], None]) -> None:
        pool.api.on_call.append(lambda each: call() if each.operation == "Jobs_CreateOrUpdate" else None)

    def deny(self, pool: Pool) -> None:
        pool.api.fail("Jobs_CreateOrUpdate", status=403, times=None)

    def stops_and_deletions(self, pool: Pool) -> list[str]:
        verbs = {"Jobs_StopExecution": "stop", "Jobs_Delete": "delete"}
        return [verbs[call.operation] for call in pool.api.calls if call.operation in verbs]

    def look_at_crash(self, pool: Pool, message: str) -> None:
        """The workspace that is asked for the last lines is that of the environment."""
        assert "Its container exited with code 3" in message
        assert WORKSPACE in pool.api.calls_of("Query_Execute")[0].path


async def test_a_workspace_that_is_named_is_asked_for_the_last_lines(pool: Pool, api: AzureApi) -> None:
    api.play(exit_code=1, lines=["boom"])
    run = await pool.new_run()
    async with pool.worker() as worker:
        await worker.run(run, pool.configure(run, log_analytics_workspace_id="my-workspace"))
        await logs_of(run, "boom")
    assert "/my-workspace/" in api.calls_of("Query_Execute")[0].path


async def test_an_image_that_does_not_exist_fails_the_submission_and_leaves_nothing(pool: Pool, api: AzureApi) -> None:
    api.play(image_problem=True)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(AzureInvalidRequest, match="MANIFEST_UNKNOWN"):
            await worker.run(run, pool.configure(run))
    assert api.jobs == []


async def test_an_image_that_cannot_be_pulled_later_crashes_the_run_and_says_so(pool: Pool, api: AzureApi) -> None:
    api.play(pull_problem="unauthorized: authentication required")
    run = await pool.new_run()
    async with pool.worker() as worker:
        await worker.run(run, pool.configure(run))
    message = str((await state_of(run)).message)
    assert "its image cannot be pulled" in message
    assert "unauthorized: authentication required" in message
    assert "AcrPull" in message
    assert api.jobs == []


async def test_a_run_that_takes_too_long_is_named_so(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None)
    run = await pool.new_run()
    async with pool.worker() as worker:
        running = asyncio.create_task(worker.run(run, pool.configure(run, replica_timeout=1200)))
        await until(lambda: api.play.running, "a container")
        api.clock.advance(1201)
        await asyncio.wait_for(running, 30)
    message = str((await state_of(run)).message)
    assert "ran out of its replica timeout of 1200 seconds" in message
    assert "Raise `replica_timeout`" in message


async def test_a_quota_that_is_used_up_is_named(pool: Pool, api: AzureApi) -> None:
    said = "The environment has reached its limit of 100 jobs."
    api.fail("Jobs_CreateOrUpdate", 400, code="MaxNumberOfJobsQuotaExceeded", message=said)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(AzureQuotaExceeded, match="limit of 100 jobs"):
            await worker.run(run, pool.configure(run))
    assert api.jobs == []


async def test_a_job_that_cannot_be_provisioned_fails_the_submission_and_is_deleted(pool: Pool, api: AzureApi) -> None:
    def break_jobs(call: Any) -> None:
        if call.operation == "Jobs_Get":
            for job in api._apps.jobs.values():
                job.provisioning = "Failed"

    api.on_call.append(break_jobs)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(AzureJobFailed, match="cannot be made"):
            await worker.run(run, pool.configure(run))
    assert api.jobs == []


# What must not be seen


async def test_a_secret_reaches_the_container_and_nobody_else(pool: Pool, api: AzureApi, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    seen: list[dict[str, str]] = []

    def look(call: Any) -> None:
        if call.operation == "Jobs_Start":
            job = api._apps.jobs
            seen.extend(
                each.environment_of(each.data["properties"]["template"]["containers"][0]) for each in job.values()
            )

    api.on_call.append(look)
    run = await pool.new_run()
    canary, own = "c4n4ry-of-the-api", "c4n4ry-of-the-pool"
    configuration = pool.configure(run, env={"PREFECT_API_KEY": canary}, env_secrets={"DB": own})
    async with pool.worker() as worker:
        await worker.run(run, configuration)
    assert (seen[0]["PREFECT_API_KEY"], seen[0]["DB"]) == (canary, own)
    shown = [repr(configuration), caplog.text, *(str(job) for job in api.executions)]
    for value in (canary, own):
        assert not [text for text in shown if value in text]
        assert value not in str(configuration.job_manifest)


async def test_a_refusal_does_not_repeat_a_secret(pool: Pool, api: AzureApi) -> None:
    api.fail("Jobs_CreateOrUpdate", 400, message="The value 'c4n4ryc4n4ry' of secret 'db' is too short.")
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(AzureInvalidRequest, match="too short") as caught:
            await worker.run(run, pool.configure(run, env_secrets={"DB": "c4n4ryc4n4ry"}))
    assert "c4n4ry" not in str(caught.value)


async def test_a_missing_environment_fails_before_a_job_is_made(pool: Pool, api: AzureApi) -> None:
    api.settings.missing_environments.add("tests")
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(LookupError, match="Container Apps environment 'tests'"):
            await worker.run(run, pool.configure(run))
    assert api.calls_of("Jobs_CreateOrUpdate") == []


async def test_the_identifier_names_subscription_and_group(pool: Pool, api: AzureApi) -> None:
    run = await pool.new_run()
    started = Started()
    async with pool.worker() as worker:
        await worker.run(run, pool.configure(run, resource_group_name="others"), started)
        assert worker.is_job_identifier(started.identifier)
        assert not worker.is_job_identifier("some-group:some-container-group")
    assert "/resourceGroups/others/" in started.identifier
    assert GROUP != "others"


async def test_a_job_of_the_same_name_that_is_somebody_else_s_is_left_alone(pool: Pool, api: AzureApi) -> None:
    run = await pool.new_run()
    configuration = pool.configure(run)

    def answer(call: Any) -> None:
        if call.operation == "Jobs_CreateOrUpdate" and api.jobs:
            raise ArmError(409, "ContainerAppOperationInProgress", "Another operation is in progress.")

    async with pool.worker() as worker:
        submission = f"{run.id}/{run.state.id}" if run.state else str(run.id)
        body = configuration.request_of("eastus")
        body["tags"] = {}
        client = api.container_apps_client()
        client.jobs.begin_create_or_update(GROUP, configuration.name_for(submission), body).result()
        api.on_call.append(answer)
        with pytest.raises(AzureJobFailed, match="not for this run"):
            await worker.run(run, configuration)
    assert len(api.jobs) == 1
    assert api.executions_started == 0
