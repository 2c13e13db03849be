"""A Container Apps job that exists is run once, whatever is lost, and stopped when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import pickle
import uuid
from typing import Any

import pytest
from prefect import flow, task
from pydantic import ValidationError

from prefect_azure import AzureContainerInstanceCredentials, container_apps, errors
from prefect_azure._apps.executions import MARK
from prefect_azure.container_apps import (
    ContainerAppJob,
    ContainerAppJobRun,
    acontainer_app_job_run,
    acontainer_app_job_run_and_wait,
    container_app_job_run,
    container_app_job_run_and_wait,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.azure_api import ENVIRONMENT, SUBSCRIPTION, AzureApi
from prefect_integration_tests.suites import JobSuite

from ._apps import GROUP, credentials_for, id_of

START = (container_app_job_run.fn, acontainer_app_job_run.fn)
RUN = (container_app_job_run_and_wait.fn, acontainer_app_job_run_and_wait.fn)
FAST = {"interval_seconds": 0.02}


@pytest.fixture
def api(empty_azure_api: AzureApi) -> AzureApi:
    return empty_azure_api


@pytest.fixture
def credentials(api: AzureApi) -> AzureContainerInstanceCredentials:
    return credentials_for(api)


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(container_apps, "_clock", fake_clock)
    return fake_clock


def deploy(api: AzureApi, name: str, *, has_volume: bool = False, **container: Any) -> str:
    """Deploy a job that is ready to run."""
    volumes = [{"name": "data", "storageType": "EmptyDir"}] if has_volume else []
    mounts = [{"volumeName": "data", "mountPath": "/data"}] if has_volume else []
    own = {"name": "main", "image": "python:3.12-slim", "volumeMounts": mounts, **container}
    side = {"name": "side", "image": "busybox", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}
    body = {
        "location": "eastus",
        "properties": {
            "environmentId": ENVIRONMENT,
            "configuration": {
                "triggerType": "Manual",
                "replicaTimeout": 600,
                "replicaRetryLimit": 0,
                "secrets": [{"name": "own-secret", "value": "c4n4ry"}],
            },
            "template": {
                "containers": [{"resources": {"cpu": 0.25, "memory": "0.5Gi"}, **own}, side],
                "volumes": volumes,
            },
        },
    }
    api.container_apps_client().jobs.begin_create_or_update(GROUP, name, body).result()
    api.calls.clear()
    return name


@pytest.fixture
def deployed(api: AzureApi) -> str:
    """A job that somebody has deployed."""
    env = [{"name": "OWN", "value": "1"}, {"name": "HIDDEN", "secretRef": "own-secret"}]
    return deploy(api, "average", args=["own"], env=env)


@pytest.fixture
def where(credentials: AzureContainerInstanceCredentials) -> dict[str, Any]:
    """Where jobs are, and who asks."""
    return {"resource_group_name": GROUP, "subscription_id": SUBSCRIPTION, "credentials": credentials}


class TestContainerAppJob(JobSuite):
    failure_names = ("Container Apps job 'average-badly', execution 'average-badly-", "exited with code 3")

    @pytest.fixture
    def job(self, deployed: str, where: dict[str, Any]) -> ContainerAppJob:
        return ContainerAppJob(job_name=deployed, interval_seconds=0.02, **where)

    @pytest.fixture
    def failing_job(self, job: ContainerAppJob, api: AzureApi) -> ContainerAppJob:
        name = deploy(api, "average-badly")
        api.play(name, exit_code=3)
        return job.model_copy(update={"job_name": name})

    def check_result(self, result: Any) -> None:
        assert (result.state, result.exit_code) == ("Succeeded", 0)


async def test_a_job_is_run_with_overrides_and_followed_to_its_end(
    deployed: str, api: AzureApi, where: dict[str, Any], call: Any
) -> None:
    overrides = {"args": ["--day", "1"], "env": {"DAY": "1"}, "image": "python:3.13-slim", "cpu": 0.75}
    result = await call(RUN, deployed, **where, **overrides, **FAST)
    assert (result.state, result.exit_code) == ("Succeeded", 0)
    assert result.started_at <= result.completed_at
    assert pickle.loads(pickle.dumps(result)) == result
    (execution,) = api.executions
    assert result.id == execution["id"]
    main, side = execution["properties"]["template"]["containers"]
    variables = {each["name"]: each for each in main["env"]}
    assert (main["args"], main["image"]) == (["--day", "1"], "python:3.13-slim")
    assert main["resources"] == {"cpu": 0.75, "memory": "1.5Gi"}
    assert (variables["OWN"]["value"], variables["DAY"]["value"]) == ("1", "1")
    assert variables["HIDDEN"]["secretRef"] == "own-secret"
    assert (side["name"], side["image"]) == ("side", "busybox")


async def test_what_is_not_given_is_that_of_the_job(
    deployed: str, api: AzureApi, where: dict[str, Any], call: Any
) -> None:
    await call(RUN, deployed, **where, container="side", **FAST)
    main, side = api.executions[0]["properties"]["template"]["containers"]
    assert main["args"] == ["own"]
    assert MARK in {each["name"] for each in side["env"]}


async def test_a_job_with_volumes_that_is_run_as_it_is_keeps_them(
    api: AzureApi, where: dict[str, Any], call: Any
) -> None:
    await call(RUN, deploy(api, "mounting", has_volume=True), **where, **FAST)
    (start,) = api.calls_of("Jobs_Start")
    assert start.body == {}


async def test_a_failure_names_execution_exit_code_and_cause(
    deployed: str, api: AzureApi, where: dict[str, Any], call: Any
) -> None:
    api.play(deployed, exit_code=7)
    with pytest.raises(errors.AzureJobFailed, match=r"execution 'average-.*exited with code 7") as info:
        await call(RUN, deployed, **where, **FAST)
    assert isinstance(info.value, RuntimeError)


async def test_a_replica_timeout_is_named(deployed: str, api: AzureApi, where: dict[str, Any]) -> None:
    api.play(deployed, seconds=None)
    waiting = asyncio.create_task(acontainer_app_job_run_and_wait.fn(deployed, **where, **FAST))

    async def running() -> bool | None:
        return bool(api.play.running) or None

    await apoll(running, subject="the container", interval_seconds=0.02, timeout_seconds=20)
    api.clock.advance(601)
    with pytest.raises(errors.AzureJobFailed, match="replica timeout of 600 seconds"):
        await waiting


@pytest.mark.parametrize("has_volume", [False, True], ids=["marked", "unmarked"])
@pytest.mark.parametrize("when", ["before", "after", "lost", "cut", "garbled"])
async def test_a_start_that_is_answered_badly_gives_one_execution(
    api: AzureApi, where: dict[str, Any], clock: Any, call: Any, when: Any, has_volume: bool
) -> None:
    name = deploy(api, "average", has_volume=has_volume)
    api.container_apps_client().jobs.begin_start(GROUP, name).result()  # somebody else's, before
    api.fail("Jobs_Start", 503, when=when)
    execution = await call(START, name, **where)
    assert len(api.executions) == 2
    assert api.executions[0]["id"] == execution


async def test_a_lost_start_that_cannot_be_told_from_another_is_an_error(
    api: AzureApi, where: dict[str, Any], clock: Any, call: Any
) -> None:
    name = deploy(api, "average", has_volume=True)
    api.fail("Jobs_Start", 503, when="lost")
    interfered: list[bool] = []

    def interfere(asked: Any) -> None:
        if asked.operation == "JobsExecutions_List" and api.calls_of("Jobs_Start") and not interfered:
            interfered.append(True)
            with api.server.lock:
                next(iter(api._apps.jobs.values())).start({})

    api.on_call.append(interfere)
    with pytest.raises(errors.AzureConflict, match="several new executions"):
        await call(START, name, **where)


async def test_looks_outlast_passing_faults(deployed: str, api: AzureApi, where: dict[str, Any], call: Any) -> None:
    for status in (429, 500, 503):
        api.fail("JobExecution", status)
    assert (await call(RUN, deployed, **where, **FAST)).state == "Succeeded"


async def test_a_cancelled_wait_stops_the_execution(deployed: str, api: AzureApi, where: dict[str, Any]) -> None:
    api.play(deployed, seconds=None)
    waiting = asyncio.create_task(acontainer_app_job_run_and_wait.fn(deployed, **where, **FAST))

    async def running() -> bool | None:
        return bool(api.play.running) or None

    await apoll(running, subject="the execution", interval_seconds=0.02, timeout_seconds=20)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def stopped() -> bool | None:
        return api.executions[0]["properties"]["status"] == "Stopped" or None

    await apoll(stopped, subject="the end", interval_seconds=0.02, timeout_seconds=20)


async def test_a_run_out_of_time_or_cancelled_ends(
    deployed: str, api: AzureApi, where: dict[str, Any], call: Any
) -> None:
    api.play(deployed, seconds=None)
    block = ContainerAppJob(job_name=deployed, interval_seconds=0.05, **where)
    run = await call(block, "trigger")
    with pytest.raises(errors.AzureWaitTimeout, match="It was stopped"):
        await call(run, "wait_for_completion", timeout_seconds=0.2)
    with pytest.raises(errors.AzureJobFailed, match="was stopped"):
        await call(run, "wait_for_completion", timeout_seconds=20)
    again = await call(block.model_copy(update={"stop_on_cancel": False}), "trigger")
    with pytest.raises(errors.AzureWaitTimeout, match="It goes on"):
        await call(again, "wait_for_completion", timeout_seconds=0.2)
    assert (await call(again, "fetch_result")).state in ("Processing", "Running")
    await call(again, "cancel")
    with pytest.raises(errors.AzureJobFailed, match="was stopped"):
        await call(again, "wait_for_completion", timeout_seconds=20)
    await call(again, "cancel")  # harmless
    assert pickle.loads(pickle.dumps(again)).id == again.id


def test_a_retried_task_takes_over_an_execution_that_succeeded_and_leaves_one_that_failed(
    prefect_harness: None, deployed: str, api: AzureApi, where: dict[str, Any]
) -> None:
    ids: list[str] = []
    api.play(deployed, container="main", exit_code=1, times=1)

    @task(name=f"run-{uuid.uuid4().hex[:8]}", retries=2)
    def run() -> str:
        block = ContainerAppJob(job_name=deployed, interval_seconds=0.02, **where)
        run = block.trigger()
        ids.append(run.id)
        run.wait_for_completion()
        if len(ids) == 2:
            raise OSError("lost")
        return run.id

    @flow(name=f"flow-{uuid.uuid4().hex[:8]}")
    def running() -> str:
        return run()

    last = running()
    assert ids[0] != ids[1] == ids[2] == last
    assert len(api.executions) == 2


async def test_an_unknown_job_or_execution_is_named(api: AzureApi, where: dict[str, Any], call: Any) -> None:
    with pytest.raises(errors.AzureNotFound, match="Container Apps job 'nope'"):
        await call(START, "nope", **where)
    run = ContainerAppJobRun(id=f"{id_of('average')}/executions/average-x", credentials=where["credentials"])
    with pytest.raises(errors.AzureNotFound, match="Container Apps job 'average', execution 'average-x'"):
        await call(run, "fetch_result")


async def test_a_container_that_the_job_has_not_is_named(
    deployed: str, api: AzureApi, where: dict[str, Any], call: Any
) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match="no container 'other'; it has 'main', 'side'"):
        await call(START, deployed, **where, container="other")
    assert api.executions == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"job_name": id_of("x")}, "job_name must be the name"),
        ({"job_name": "Average"}, "job_name must be the name"),
        ({"job_name": "a--b"}, "job_name must be the name"),
        ({"resource_group_name": ""}, "resource_group_name is ''"),
        ({"subscription_id": "/subscriptions/x"}, "give the subscription id alone"),
        ({"args": "--day 1"}, "args is text; give a list"),
        ({"command": "python"}, "command is text; give a list"),
        ({"cpu": 0}, "cpu is 0"),
        ({"env": {MARK: "x"}}, f"env has {MARK}"),
    ],
    ids=["id", "case", "hyphens", "group", "subscription", "args", "command", "cpu", "mark"],
)
async def test_bad_arguments_are_named_before_anything_is_sent(
    api: AzureApi, where: dict[str, Any], call: Any, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match=said):
        await call(START, **{"job_name": "average", **where, **arguments})
    assert api.calls == []


def test_a_run_needs_the_id_of_an_execution(where: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="names a job, and no execution"):
        ContainerAppJobRun(id=id_of("average"))
    with pytest.raises(ValidationError, match="does not name a Container Apps job"):
        ContainerAppJobRun(id="average-x")
