"""A Batch job is submitted once, followed to its end, and cancelled when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import pickle
import threading
import uuid
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
from prefect import flow, task

from prefect_gcp import GcpCredentials, _remote_run, errors
from prefect_gcp._batch_jobs import failure_of
from prefect_gcp.cloud_batch import (
    CloudBatchJob,
    CloudBatchJobRun,
    acloud_batch_submit,
    acloud_batch_submit_and_wait,
    cloud_batch_submit,
    cloud_batch_submit_and_wait,
    container_job,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends._google.batch_v1 import Batch
from prefect_integration_tests.backends._google.run_play import Script
from prefect_integration_tests.suites import JobSuite

SUBMIT = (cloud_batch_submit.fn, acloud_batch_submit.fn)
RUN = (cloud_batch_submit_and_wait.fn, acloud_batch_submit_and_wait.fn)
REGION = "europe-west3"
JOB = container_job("python:3.12-slim", ["average"])
FAST = {"interval_seconds": 0.02}


@pytest.fixture
def credentials(empty_google_api: Any) -> GcpCredentials:
    return GcpCredentials(project="test-project", api_endpoints={"batch": empty_google_api.endpoint})


@pytest.fixture
def service(empty_google_api: Any) -> Batch:
    return empty_google_api.service(Batch)


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(_remote_run, "_clock", fake_clock)
    return fake_clock


def state_of(service: Batch) -> list[str]:
    return [job["status"]["state"] for job in service.jobs]


class TestCloudBatchJob(JobSuite):
    failure_names = ("Batch job 'prefect-", "FAILED", "task 0: exit code 3", "console.cloud.google.com/logs")

    @pytest.fixture
    def make(self, service: Batch, credentials: GcpCredentials) -> Callable[..., CloudBatchJob]:
        def make(commands: list[str]) -> CloudBatchJob:
            job = container_job("python:3.12-slim", commands)
            return CloudBatchJob(region=REGION, job=job, gcp_credentials=credentials, interval_seconds=0.02)

        return make

    @pytest.fixture
    def job(self, make: Callable[..., CloudBatchJob]) -> CloudBatchJob:
        return make(["well"])

    @pytest.fixture
    def failing_job(self, make: Callable[..., CloudBatchJob], service: Batch, empty_google_api: Any) -> CloudBatchJob:
        def play_failure(asked: Any) -> None:
            if asked.method.endswith("jobs.create") and "badly" in str(asked.body):
                service.play(Script(exit_code=3, times=1))

        empty_google_api.on_call.append(play_failure)
        return make(["badly"])

    def check_result(self, result: Any) -> None:
        assert (result.state, dict(result.task_counts)) == ("SUCCEEDED", {"SUCCEEDED": 1})


async def test_a_job_is_followed_to_its_end(
    service: Batch, credentials: GcpCredentials, empty_google_api: Any, call: Any
) -> None:
    job = container_job(
        "python:3.12-slim",
        ["average"],
        environment={"DAY": "1"},
        cpu_milli=1000,
        memory_mib=512,
        machine_type="e2-standard-4",
        is_spot=True,
        task_count=3,
        max_retries=1,
        max_run_seconds=60,
        service_account="runner@test-project.iam.gserviceaccount.com",
    )
    result = await call(RUN, job, REGION, credentials, "nightly", **FAST)
    assert (result.name, result.state) == (f"projects/test-project/locations/{REGION}/jobs/nightly", "SUCCEEDED")
    assert (result.job_id, dict(result.task_counts)) == ("nightly", {"SUCCEEDED": 3})
    assert result.uid in result.log_url
    assert result.run_seconds is not None
    assert pickle.loads(pickle.dumps(result)) == result
    (made,) = service.jobs
    assert made["labels"]["managed-by"] == "prefect"
    assert made["logsPolicy"] == {"destination": "CLOUD_LOGGING"}


async def test_a_failure_names_the_tasks_with_their_exit_codes(
    service: Batch, credentials: GcpCredentials, call: Any
) -> None:
    service.play(Script(exit_code=7))
    job = container_job("python:3.12-slim", task_count=2)
    with pytest.raises(errors.GcpJobFailed, match="task 0: exit code 7; task 1: exit code 7") as caught:
        await call(RUN, job, REGION, credentials, **FAST)
    assert isinstance(caught.value, RuntimeError)


def test_exit_codes_that_batch_keeps_for_itself_are_explained() -> None:
    event = {"description": "preempted", "taskExecution": {"exitCode": 50001}}
    task = {"name": "projects/p/locations/l/jobs/j/taskGroups/group0/tasks/4", "status": {"statusEvents": [event]}}
    assert str(failure_of(task)) == "task 4: exit code 50001 (VM preemption)"
    assert str(failure_of({"name": "t/4"})) == "task 4: no reason given"


async def test_without_the_right_to_list_tasks_a_failure_is_told_all_the_same(
    service: Batch, credentials: GcpCredentials, empty_google_api: Any, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    service.play(Script(exit_code=7))
    empty_google_api.fail("*.tasks.list", 403, times=None)
    with pytest.raises(errors.GcpJobFailed, match="failed with exit code 7"):
        await call(RUN, JOB, REGION, credentials, **FAST)
    assert "Could not list the failed tasks" in caplog.text


@pytest.mark.parametrize("when", ["before", "after", "lost", "cut", "garbled"])
async def test_a_start_that_is_answered_badly_gives_one_job(
    service: Batch, credentials: GcpCredentials, empty_google_api: Any, clock: Any, call: Any, when: Any
) -> None:
    empty_google_api.fail("batch.projects.locations.jobs.create", 503, when=when)
    name = await call(SUBMIT, JOB, REGION, credentials)
    assert [job["name"] for job in service.jobs] == [name]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_looks_outlast_passing_faults(
    service: Batch, credentials: GcpCredentials, empty_google_api: Any, call: Any, status: int
) -> None:
    empty_google_api.fail("batch.projects.locations.jobs.get", status, times=3)
    empty_google_api.fail("batch.projects.locations.jobs.get", when="cut")
    assert (await call(RUN, JOB, REGION, credentials, **FAST)).state == "SUCCEEDED"


async def test_a_job_out_of_time_is_cancelled(service: Batch, credentials: GcpCredentials, call: Any) -> None:
    service.play(Script(seconds=None))
    with pytest.raises(errors.GcpWaitTimeout, match="It was stopped") as caught:
        await call(RUN, JOB, REGION, credentials, interval_seconds=0.05, timeout_seconds=0.3)
    assert isinstance(caught.value, TimeoutError)

    async def cancelled() -> bool | None:
        return state_of(service) == ["CANCELLED"] or None

    await apoll(cancelled, subject="the end", interval_seconds=0.02, timeout_seconds=10)


async def test_a_cancelled_wait_cancels_the_job(service: Batch, credentials: GcpCredentials) -> None:
    service.play(Script(seconds=None))
    waiting = asyncio.create_task(acloud_batch_submit_and_wait.fn(JOB, REGION, credentials, **FAST))

    async def running() -> bool | None:
        return state_of(service) == ["RUNNING"] or None

    await apoll(running, subject="the job", interval_seconds=0.02, timeout_seconds=10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def cancelled() -> bool | None:
        return state_of(service) == ["CANCELLED"] or None

    await apoll(cancelled, subject="the end", interval_seconds=0.02, timeout_seconds=10)


async def test_a_wait_that_is_cancelled_while_the_start_is_under_way_leaves_no_job_running(
    service: Batch, credentials: GcpCredentials, empty_google_api: Any
) -> None:
    service.play(Script(seconds=None))
    asked = threading.Event()

    def look(request: Any) -> None:
        if request.method.endswith("jobs.create"):
            asked.set()

    empty_google_api.on_call.append(look)
    empty_google_api.fail("batch.projects.locations.jobs.create", when="slow", delay_seconds=0.3)
    waiting = asyncio.create_task(acloud_batch_submit_and_wait.fn(JOB, REGION, credentials, **FAST))
    assert await asyncio.to_thread(asked.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def cancelled() -> bool | None:
        return state_of(service) == ["CANCELLED"] or None

    await apoll(cancelled, subject="the end", interval_seconds=0.02, timeout_seconds=10)


async def test_a_run_can_be_cancelled_and_left_alone(service: Batch, credentials: GcpCredentials, call: Any) -> None:
    service.play(Script(seconds=None))
    block = CloudBatchJob(region=REGION, job=JOB, gcp_credentials=credentials, interval_seconds=0.05)
    run = await call(block.model_copy(update={"stop_on_cancel": False}), "trigger")
    with pytest.raises(errors.GcpWaitTimeout, match="It goes on"):
        await call(run, "wait_for_completion", timeout_seconds=0.1)
    assert (await call(run, "fetch_result")).state == "RUNNING"
    assert pickle.loads(pickle.dumps(run)) == run
    await call(run, "cancel")
    with pytest.raises(errors.GcpJobFailed, match="ended as CANCELLED"):
        await call(run, "wait_for_completion", timeout_seconds=20)
    await call(run, "cancel")  # harmless


async def test_an_unknown_job_is_named(service: Batch, credentials: GcpCredentials, call: Any) -> None:
    run = CloudBatchJobRun(name=f"projects/test-project/locations/{REGION}/jobs/nope", gcp_credentials=credentials)
    with pytest.raises(errors.GcpNotFound, match="Batch job 'nope'"):
        await call(run, "fetch_result")


async def test_an_id_that_is_taken_by_another_request_is_refused(
    service: Batch, credentials: GcpCredentials, call: Any
) -> None:
    await call(SUBMIT, JOB, REGION, credentials, "nightly")
    assert await call(SUBMIT, JOB, REGION, credentials, "nightly")  # the same request again finds its job
    with pytest.raises(errors.GcpAlreadyExists, match=r"there is one of that ID .* started otherwise\. Give another"):
        await call(SUBMIT, container_job("other"), REGION, credentials, "nightly")
    assert len(service.jobs) == 1


def test_a_retried_task_takes_over_a_job_that_runs_and_leaves_one_that_failed(
    prefect_harness: None, service: Batch, credentials: GcpCredentials
) -> None:
    """The first try loses its connection for good after it has submitted; the second finds the job failed."""
    tries: list[str] = []

    @task(name=f"submit-{uuid.uuid4().hex[:8]}", retries=2)
    def submit() -> list[str]:
        block = CloudBatchJob(region=REGION, job=JOB, gcp_credentials=credentials, interval_seconds=0.02)
        first, second = block.trigger(), block.trigger()
        tries.append(first.name)
        if len(tries) == 1:
            raise OSError("lost")
        if len(tries) == 2:
            service._jobs[first.name].state = "FAILED"
            raise OSError("failed")
        return [first.name, second.name]

    @flow(name=f"flow-{uuid.uuid4().hex[:8]}")
    def submitting() -> list[str]:
        return submit()

    first, second = submitting()
    assert tries[0] == tries[1] != tries[2] == first
    assert second not in tries
    assert len(service.jobs) == 3


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({"taskGroup": []}, r"job has a field 'taskGroup', which is unknown; did you mean 'taskGroups'"),
        ({"task_groups": []}, r"did you mean 'taskGroups'"),
        ({"taskGroups": {}}, r"job\.taskGroups is of type dict; it must be a list"),
        (
            {"taskGroups": [{"taskSpec": {"maxRetryCount": "2"}}]},
            r"job\.taskGroups\[0\]\.taskSpec\.maxRetryCount is of",
        ),
        ({"taskGroups": [{"schedulingPolicy": "LATER"}]}, r"schedulingPolicy is none of AS_SOON_AS_POSSIBLE, IN_ORDER"),
        ({"status": {}}, r"job\.status is for Google alone to set"),
        ({}, r"job has no taskGroups"),
        ({"taskGroups": [{"taskSpec": {}}]}, r"taskGroups\[0\]\.taskSpec has no runnables"),
        ("job", r"job is of type str; it must be a mapping"),
    ],
    ids=["near", "snake", "list", "number", "enum", "output", "empty", "runnables", "text"],
)
async def test_a_job_that_is_none_is_refused_before_anything_is_sent(
    credentials: GcpCredentials, empty_google_api: Any, call: Any, job: Any, said: str
) -> None:
    with pytest.raises(errors.GcpInvalidRequest, match=said):
        await call(SUBMIT, job, REGION, credentials)
    assert empty_google_api.calls == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"region": "Frankfurt"}, "region is 'Frankfurt'"),
        ({"job_id": "Nightly"}, "Batch job 'Nightly': the ID must have 1 to 63 lower-case"),
        ({"interval_seconds": 0}, "interval_seconds is 0"),
        ({"timeout_seconds": -1}, "timeout_seconds is -1"),
    ],
    ids=["region", "id", "interval", "timeout"],
)
async def test_bad_arguments_are_named(
    credentials: GcpCredentials, empty_google_api: Any, call: Any, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.GcpInvalidRequest, match=said):
        await call(RUN, **{"job": JOB, "region": REGION, "gcp_credentials": credentials, **arguments})
    assert empty_google_api.calls == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"image": " "}, "image is empty"),
        ({"task_count": 0}, "task_count is 0"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"memory_mib": 0}, "memory_mib is 0"),
    ],
)
def test_a_container_job_that_makes_no_sense_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        container_job(**{"image": "x", **arguments})


async def test_waits_need_none_of_prefect_s_threads(service: Batch, credentials: GcpCredentials) -> None:
    threads = anyio.to_thread.current_default_thread_limiter()
    whole, holder = threads.total_tokens, object()
    threads.total_tokens = 1
    await threads.acquire_on_behalf_of(holder)
    try:
        with anyio.fail_after(20):
            result = await acloud_batch_submit_and_wait.fn(JOB, REGION, credentials, **FAST)
            name = await acloud_batch_submit.fn(JOB, REGION, credentials, "nightly")
            run = CloudBatchJobRun(name=name, gcp_credentials=credentials, **FAST)
            await run.await_for_completion()
            found = await run.afetch_result()
    finally:
        threads.release_on_behalf_of(holder)
        threads.total_tokens = whole
    assert (result.state, found.state) == ("SUCCEEDED", "SUCCEEDED")
