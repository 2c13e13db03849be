"""A Cloud Run job that exists is run once, whatever is lost, followed to its end, and cancelled when nobody waits."""

from __future__ import annotations

import asyncio
import pickle
import uuid
from typing import Any

import pytest
from prefect import flow, task

from prefect_gcp import GcpCredentials, _remote_run, errors
from prefect_gcp._run_requests import MARK
from prefect_gcp.cloud_run import (
    CloudRunJob,
    CloudRunJobRun,
    acloud_run_job_run,
    acloud_run_job_run_and_wait,
    cloud_run_job_run,
    cloud_run_job_run_and_wait,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.suites import JobSuite

START = (cloud_run_job_run.fn, acloud_run_job_run.fn)
RUN = (cloud_run_job_run_and_wait.fn, acloud_run_job_run_and_wait.fn)
REGION = "europe-west3"
PARENT = f"projects/test-project/locations/{REGION}"
FAST = {"interval_seconds": 0.02}
RUN_METHOD = "run.projects.locations.jobs.run"


@pytest.fixture
def credentials(empty_google_api: Any) -> GcpCredentials:
    return GcpCredentials(project="test-project", api_endpoints={"run": empty_google_api.endpoint})


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(_remote_run, "_clock", fake_clock)
    return fake_clock


@pytest.fixture
def client(empty_google_api: Any) -> Any:
    return empty_google_api.client("run", "v2").projects().locations().jobs()


def deploy(client: Any, name: str, **container: Any) -> str:
    """Deploy a job, and wait until it is ready to run."""
    containers = [{"image": "python:3.12-slim", **container}]
    body = {"template": {"template": {"containers": containers, "maxRetries": 0}}}
    client.create(parent=PARENT, jobId=name, body=body).execute()
    for _ in range(1000):
        if not client.get(name=f"{PARENT}/jobs/{name}").execute().get("reconciling"):
            break
    return name


@pytest.fixture
def deployed(client: Any) -> str:
    """A job that somebody has deployed."""
    return deploy(client, "average", args=["own"], env=[{"name": "OWN", "value": "1"}])


def executions(client: Any, job: str = "average") -> list[Any]:
    return client.executions().list(parent=f"{PARENT}/jobs/{job}").execute().get("executions", [])


class TestCloudRunJob(JobSuite):
    failure_names = ("Cloud Run job 'average-badly', execution average-badly-", "exit code 3", "Logs: https")

    @pytest.fixture
    def job(self, deployed: str, credentials: GcpCredentials) -> CloudRunJob:
        return CloudRunJob(job_name=deployed, region=REGION, gcp_credentials=credentials, interval_seconds=0.02)

    @pytest.fixture
    def failing_job(self, job: CloudRunJob, client: Any, empty_google_api: Any) -> CloudRunJob:
        name = deploy(client, "average-badly")
        empty_google_api.play(name, exit_code=3)
        return job.model_copy(update={"job_name": name})

    def check_result(self, result: Any) -> None:
        assert (result.state, result.succeeded_count, result.failed_count) == ("SUCCEEDED", 1, 0)


async def test_a_job_is_run_with_overrides_and_followed_to_its_end(
    deployed: str, client: Any, credentials: GcpCredentials, call: Any
) -> None:
    overrides = {"args": ["--day", "1"], "env": {"DAY": "1"}, "task_count": 3, "task_timeout_seconds": 60}
    result = await call(RUN, deployed, REGION, credentials, **overrides, **FAST)
    assert (result.state, result.task_count, result.succeeded_count) == ("SUCCEEDED", 3, 3)
    assert result.execution_id in result.log_url
    assert result.started_at <= result.completed_at
    assert pickle.loads(pickle.dumps(result)) == result
    (execution,) = executions(client)
    (container,) = execution["template"]["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert (container["args"], variables["OWN"], variables["DAY"]) == (["--day", "1"], "1", "1")
    assert (execution["template"]["timeout"], execution["taskCount"]) == ("60s", 3)


async def test_arguments_that_are_not_given_are_those_of_the_job(
    deployed: str, client: Any, credentials: GcpCredentials, call: Any
) -> None:
    await call(RUN, deployed, REGION, credentials, **FAST)
    await call(RUN, deployed, REGION, credentials, args=[], **FAST)
    newest, oldest = executions(client)
    assert oldest["template"]["containers"][0]["args"] == ["own"]
    assert newest["template"]["containers"][0].get("args", []) == []


async def test_a_failure_names_the_tasks_that_failed(
    deployed: str, credentials: GcpCredentials, empty_google_api: Any, call: Any
) -> None:
    empty_google_api.play(deployed, exit_code=7)
    with pytest.raises(errors.GcpJobFailed, match=r"2 of 2 tasks failed.*: exit code 7\. Task 1: exit code 7") as info:
        await call(RUN, deployed, REGION, credentials, task_count=2, **FAST)
    assert isinstance(info.value, RuntimeError)


@pytest.mark.parametrize("when", ["before", "after", "lost", "cut", "garbled"])
async def test_a_start_that_is_answered_badly_gives_one_execution(
    deployed: str, client: Any, credentials: GcpCredentials, empty_google_api: Any, clock: Any, call: Any, when: Any
) -> None:
    empty_google_api.fail(RUN_METHOD, 503, when=when)
    name = await call(START, deployed, REGION, credentials)
    assert [each["name"] for each in executions(client)] == [name]


def forbid_overrides(api: Any) -> None:
    api.fail(
        RUN_METHOD,
        403,
        times=None,
        message="Permission 'run.jobs.runWithOverrides' denied on resource (or it may not exist).",
        where=lambda call: bool(call.body.get("overrides")),
    )


@pytest.mark.parametrize("when", ["before", "after", "lost", "cut"])
async def test_without_the_right_to_override_a_lost_start_is_found_among_the_new_executions(
    deployed: str, client: Any, credentials: GcpCredentials, empty_google_api: Any, clock: Any, call: Any, when: Any
) -> None:
    client.run(name=f"{PARENT}/jobs/{deployed}", body={}).execute()  # somebody else's, before
    forbid_overrides(empty_google_api)
    empty_google_api.fail(RUN_METHOD, 503, when=when, where=lambda call: not call.body.get("overrides"))
    name = await call(START, deployed, REGION, credentials)
    assert len(executions(client)) == 2
    assert executions(client)[0]["name"] == name


async def test_a_lost_start_that_cannot_be_told_from_another_is_an_error(
    deployed: str, client: Any, credentials: GcpCredentials, empty_google_api: Any, clock: Any, call: Any
) -> None:
    forbid_overrides(empty_google_api)
    empty_google_api.fail(RUN_METHOD, 503, when="lost", where=lambda asked: not asked.body.get("overrides"))
    interfered: list[bool] = []

    def interfere(asked: Any) -> None:
        if asked.method.endswith("executions.list") and empty_google_api.calls_of(RUN_METHOD)[1:] and not interfered:
            interfered.append(True)
            service = next(each for each in empty_google_api.server._services if each.api == "run")
            with empty_google_api.server.changed:
                service.store.run(service.store.job(f"{PARENT}/jobs/{deployed}"), {}, "other@example.com")

    empty_google_api.on_call.append(interfere)
    with pytest.raises(errors.GcpConflict, match=r"several new executions .* Allow run\.jobs\.runWithOverrides"):
        await call(START, deployed, REGION, credentials)


async def test_who_may_only_invoke_can_start_a_job(
    deployed: str, client: Any, credentials: GcpCredentials, empty_google_api: Any, clock: Any, call: Any
) -> None:
    forbid_overrides(empty_google_api)
    empty_google_api.fail("run.projects.locations.jobs.executions.list", 403, times=2)
    assert await call(START, deployed, REGION, credentials)
    # A lost answer is not repeated then: nobody could say whether it runs.
    empty_google_api.fail(RUN_METHOD, 503, when="lost", where=lambda asked: not asked.body.get("overrides"))
    with pytest.raises(errors.GcpUnavailable):
        await call(START, deployed, REGION, credentials)
    assert len(executions(client)) == 2


async def test_looks_outlast_passing_faults(
    deployed: str, credentials: GcpCredentials, empty_google_api: Any, call: Any
) -> None:
    for status in (429, 500, 503):
        empty_google_api.fail("run.projects.locations.jobs.executions.get", status)
    assert (await call(RUN, deployed, REGION, credentials, **FAST)).state == "SUCCEEDED"


async def test_a_cancelled_wait_cancels_the_execution(
    deployed: str, client: Any, credentials: GcpCredentials, empty_google_api: Any
) -> None:
    empty_google_api.play(deployed, seconds=None)
    waiting = asyncio.create_task(acloud_run_job_run_and_wait.fn(deployed, REGION, credentials, **FAST))

    async def running() -> bool | None:
        found = await asyncio.to_thread(executions, client)
        return any(each.get("runningCount") for each in found) or None

    await apoll(running, subject="the execution", interval_seconds=0.02, timeout_seconds=20)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def cancelled() -> bool | None:
        (found,) = await asyncio.to_thread(executions, client)
        return found.get("cancelledCount") == 1 or None

    await apoll(cancelled, subject="the end", interval_seconds=0.02, timeout_seconds=20)


async def test_a_run_out_of_time_or_cancelled_ends(
    deployed: str, credentials: GcpCredentials, empty_google_api: Any, call: Any
) -> None:
    empty_google_api.play(deployed, seconds=None)
    block = CloudRunJob(job_name=deployed, region=REGION, gcp_credentials=credentials, interval_seconds=0.05)
    run = await call(block, "trigger")
    with pytest.raises(errors.GcpWaitTimeout, match="It was stopped"):
        await call(run, "wait_for_completion", timeout_seconds=0.2)
    with pytest.raises(errors.GcpJobFailed, match="ended as CANCELLED"):
        await call(run, "wait_for_completion", timeout_seconds=20)
    again = await call(block.model_copy(update={"stop_on_cancel": False}), "trigger")
    with pytest.raises(errors.GcpWaitTimeout, match="It goes on"):
        await call(again, "wait_for_completion", timeout_seconds=0.2)
    assert (await call(again, "fetch_result")).state in ("PENDING", "RUNNING")
    await call(again, "cancel")
    with pytest.raises(errors.GcpJobFailed, match="ended as CANCELLED"):
        await call(again, "wait_for_completion", timeout_seconds=20)
    await call(again, "cancel")  # harmless
    assert pickle.loads(pickle.dumps(again)) == again


def test_a_retried_task_takes_over_an_execution_that_succeeded_and_leaves_one_that_failed(
    prefect_harness: None, deployed: str, client: Any, credentials: GcpCredentials, empty_google_api: Any
) -> None:
    names: list[str] = []
    empty_google_api.play(deployed, exit_code=1, times=1)

    @task(name=f"run-{uuid.uuid4().hex[:8]}", retries=2)
    def run() -> str:
        block = CloudRunJob(job_name=deployed, region=REGION, gcp_credentials=credentials, interval_seconds=0.02)
        run = block.trigger()
        names.append(run.name)
        run.wait_for_completion()
        if len(names) == 2:
            raise OSError("lost")
        return run.name

    @flow(name=f"flow-{uuid.uuid4().hex[:8]}")
    def running() -> str:
        return run()

    last = running()
    assert names[0] != names[1] == names[2] == last
    assert len(executions(client)) == 2


async def test_an_unknown_job_or_execution_is_named(credentials: GcpCredentials, call: Any) -> None:
    with pytest.raises(errors.GcpNotFound, match="Cloud Run job 'nope'"):
        await call(START, "nope", REGION, credentials)
    run = CloudRunJobRun(name=f"{PARENT}/jobs/average/executions/average-x", gcp_credentials=credentials)
    with pytest.raises(errors.GcpNotFound, match="Cloud Run job 'average', execution average-x"):
        await call(run, "fetch_result")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"job_name": "projects/p/x"}, "job_name must be the short name"),
        ({"region": "eu"}, "region is 'eu'"),
        ({"task_count": 0}, "task_count is 0"),
        ({"task_timeout_seconds": 0}, "task_timeout_seconds is 0"),
        ({"args": "--day 1"}, "args is text; give a list"),
        ({"args": [1]}, r"overrides\.containerOverrides\[0\]\.args\[0\] is of type int"),
        ({"env": {"DAY": 1}}, r"env\[0\]\.value is of type int; it must be text"),
        ({"env": {MARK: "x"}}, f"env has {MARK}"),
    ],
    ids=["job", "region", "count", "timeout", "args", "argument", "env", "mark"],
)
async def test_bad_arguments_are_named_before_anything_is_sent(
    credentials: GcpCredentials, empty_google_api: Any, call: Any, arguments: dict[str, Any], said: str
) -> None:
    given = {"job_name": "average", "region": REGION, "gcp_credentials": credentials, **arguments}
    with pytest.raises(errors.GcpInvalidRequest, match=said):
        await call(START, **given)
    assert empty_google_api.calls == []
