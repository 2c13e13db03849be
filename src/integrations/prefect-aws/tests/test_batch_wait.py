"""A Batch job is submitted, followed to its end, and terminated when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import time
from typing import Any

import pytest
from prefect import flow

from prefect_aws import AwsCredentials, _log_tail, batch, errors
from prefect_aws.batch import abatch_submit_and_wait, abatch_wait, batch_submit_and_wait, batch_wait
from prefect_integration_tests.backends.aws_stub import Fault, HangUp

SUBMIT = (batch_submit_and_wait.fn, abatch_submit_and_wait.fn)
WAIT = (batch_wait.fn, abatch_wait.fn)


def detail(status: str, job_id: str = "j-1", **more: Any) -> dict[str, Any]:
    required = {"jobName": "nightly", "jobQueue": "q", "jobDefinition": "d:1", "startedAt": 1}
    return {"jobId": job_id, "status": status, **required, **more}


def jobs(*details: dict[str, Any]) -> dict[str, Any]:
    return {"jobs": list(details)}


def event(message: str) -> dict[str, Any]:
    return {"timestamp": 1, "message": message, "ingestionTime": 1}


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    stub = aws_stub("batch", "logs")
    stub.respond("SubmitJob", {"jobName": "nightly", "jobId": "j-1"})
    stub.respond("TerminateJob", {})
    stub.respond("GetLogEvents", {"events": [], "nextForwardToken": "f/1"})
    return stub


@pytest.fixture
def credentials(stub: Any, make_credentials: Any) -> AwsCredentials:
    return make_credentials(stub.endpoint_url)


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(batch, "_clock", fake_clock)
    return fake_clock


async def test_a_job_of_the_emulator_ends_with_its_exit_code(
    aws_emulator: Any, aws_credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    target = aws_emulator.new_batch_target()
    result = await call(SUBMIT, "nightly", target.queue, target.definition, aws_credentials)
    assert (result.status, result.exit_code, result.job_name) == ("SUCCEEDED", 0, "nightly")


async def test_a_job_is_followed_to_its_end(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    first = {"container": {"exitCode": 9, "reason": "Host EC2 gone", "logStreamName": "s/1"}, "startedAt": 1000}
    last = {"container": {"exitCode": 0, "logStreamName": "s/2"}, "startedAt": 2000, "stoppedAt": 3000}
    done = detail("SUCCEEDED", container={"exitCode": 0, "logStreamName": "s/2"}, attempts=[first, last])
    stub.respond("DescribeJobs", jobs(), jobs(detail("RUNNABLE")), jobs(detail("RUNNING")), jobs(done))
    result = await call(SUBMIT, "nightly", "q", "d:1", credentials, interval_seconds=7.0, tags={"team": "data"})
    assert stub.calls_of("SubmitJob")[0].parameters["tags"] == {"team": "data"}
    assert clock.sleeps[:3] == [7.0, 7.0, 7.0]
    assert (result.job_id, result.status, result.exit_code) == ("j-1", "SUCCEEDED", 0)
    assert [(attempt.exit_code, attempt.reason) for attempt in result.attempts] == [(9, "Host EC2 gone"), (0, None)]
    assert result.attempts[1].stopped_at.isoformat() == "1970-01-01T00:00:03+00:00"
    assert (result.log_group_name, result.log_stream_name) == ("/aws/batch/job", "s/2")
    assert pickle.loads(pickle.dumps(result)) == result


async def test_what_the_job_writes_goes_to_the_run_logger(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/mine"}}}
    container = {"logStreamName": "s/1", **options}
    now = int(time.time() * 1000)
    stub.respond(
        "DescribeJobs",
        jobs(detail("STARTING", container=options)),
        jobs(detail("RUNNING", container=container)),
        jobs(detail("SUCCEEDED", container={**container, "exitCode": 0}, stoppedAt=now)),
    )
    stub.fail("GetLogEvents", "ResourceNotFoundException", "no such stream yet")
    pages = iter(
        [
            {"events": [event("one\n"), event("two %s")], "nextForwardToken": "f/1"},
            {"events": [event("three")], "nextForwardToken": "f/2"},
            {"events": [], "nextForwardToken": "f/2"},
            {"events": [event("late")], "nextForwardToken": "f/3"},
        ]
    )
    last = {"events": [], "nextForwardToken": "f/3"}
    stub.respond("GetLogEvents", lambda _: next(pages, last))
    stub.fail("GetLogEvents", "ResourceNotFoundException", times=1)
    with caplog.at_level(logging.INFO):
        await call(SUBMIT, "nightly", "q", "d:1", credentials)
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("_log_tail")]
    assert lines == ["one", "two %s", "three", "late"]
    asked = stub.calls_of("GetLogEvents")
    assert {call.parameters["logGroupName"] for call in asked} == {"/mine"}
    assert [call.parameters.get("nextToken") for call in asked][:4] == [None, None, "f/1", "f/2"]


async def test_a_log_that_may_not_be_read_is_one_warning(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    container = {"logStreamName": "s/1", "exitCode": 0}
    running = jobs(detail("RUNNING", container=container))
    stub.respond("DescribeJobs", running, running, jobs(detail("SUCCEEDED", container=container)))
    stub.fail("GetLogEvents", Fault.ACCESS_DENIED)
    result = await call(SUBMIT, "nightly", "q", "d:1", credentials)
    assert result.status == "SUCCEEDED"
    assert len([record for record in caplog.records if "log lines are not shown" in record.getMessage()]) == 1


async def test_a_job_that_prints_without_end_is_cut(
    stub: Any,
    credentials: AwsCredentials,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(_log_tail, "MAX_LINES", 3)
    done = detail("SUCCEEDED", container={"logStreamName": "s/1", "exitCode": 0})
    stub.respond("DescribeJobs", jobs(done))
    stub.respond("GetLogEvents", {"events": [event(f"line {n}") for n in range(5)], "nextForwardToken": "f/1"})
    with caplog.at_level(logging.INFO):
        await abatch_submit_and_wait.fn("nightly", "q", "d:1", credentials)
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("_log_tail")]
    assert lines[:3] == ["line 0", "line 1", "line 2"]
    assert len(lines) == 4
    assert "s/1 of /aws/batch/job" in lines[3]


async def test_log_streams_are_left_alone_when_not_wanted(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.respond("DescribeJobs", jobs(detail("SUCCEEDED", container={"logStreamName": "s/1", "exitCode": 0})))
    await call(SUBMIT, "nightly", "q", "d:1", credentials, stream_logs=False)
    assert stub.calls_of("GetLogEvents") == []


@pytest.mark.parametrize(
    ("status_reason", "container", "said"),
    [
        ("Essential container in task exited", {"exitCode": 3}, "exited with code 3"),
        ("Essential container in task exited", {"exitCode": 137, "reason": "OutOfMemoryError: killed"}, "more memory"),
        ("Task failed to start", {"reason": "CannotPullContainerError: not found"}, "did not run: CannotPull"),
        ("Host EC2 (instance i-1) terminated.", {}, "retryStrategy"),
        ("Job attempt duration exceeded timeout", {}, "attemptDurationSeconds"),
        ("", {}, "gives no reason"),
    ],
)
async def test_a_failure_says_why_with_exit_code_and_remedy(
    stub: Any,
    credentials: AwsCredentials,
    clock: Any,
    call: Any,
    status_reason: str,
    container: dict[str, Any],
    said: str,
) -> None:
    attempts = [{"container": container}, {"container": container}]
    failed = detail("FAILED", statusReason=status_reason, container=container, attempts=attempts)
    stub.respond("DescribeJobs", jobs(detail("RUNNING")), jobs(failed))
    with pytest.raises(errors.AwsJobFailed, match="Batch job 'nightly', j-1 ended as FAILED") as caught:
        await call(SUBMIT, "nightly", "q", "d:1", credentials)
    assert said in str(caught.value)
    assert status_reason.rstrip(".") in str(caught.value)
    assert "tried 2 times" in str(caught.value)
    assert caught.value.code == "FAILED"
    assert stub.calls_of("TerminateJob") == []


async def test_an_array_job_tells_how_its_children_ended(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def array(status: str, **summary: int) -> dict[str, Any]:
        properties = {"size": 3, "statusSummary": {**summary, "PENDING": 0}}
        return detail(status, arrayProperties=properties, statusReason="Array Child Job failed")

    stub.respond("DescribeJobs", jobs(array("PENDING", RUNNING=3)), jobs(array("FAILED", SUCCEEDED=2, FAILED=1)))
    child = {"jobId": "j-1:1", "jobName": "nightly", "container": {"exitCode": 4, "reason": "bad day"}}
    stub.respond("ListJobs", {"jobSummaryList": [{**child, "arrayProperties": {"index": 1}}]})
    with caplog.at_level(logging.INFO), pytest.raises(errors.AwsJobFailed) as caught:
        await call(SUBMIT, "nightly", "q", "d:1", credentials, arrayProperties={"size": 3})
    assert "1 FAILED, 2 SUCCEEDED" in str(caught.value)
    assert "Child 1: exit code 4, bad day." in str(caught.value)
    assert "(children: {'RUNNING': 3})" in caplog.text
    assert stub.calls_of("ListJobs")[0].parameters["arrayJobId"] == "j-1"


async def test_an_array_job_fails_truthfully_without_the_right_to_list(
    stub: Any, credentials: AwsCredentials, clock: Any
) -> None:
    stub.respond("DescribeJobs", jobs(detail("FAILED", arrayProperties={"size": 2, "statusSummary": {"FAILED": 2}})))
    stub.fail("ListJobs", Fault.ACCESS_DENIED)
    with pytest.raises(errors.AwsJobFailed, match="2 FAILED"):
        await abatch_submit_and_wait.fn("nightly", "q", "d:1", credentials)


async def test_a_multi_node_job_has_the_exit_code_and_log_of_its_main_node(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    nodes = {"numNodes": 3, "mainNode": 1, "nodeRangeProperties": []}
    node = {"exitCode": 5, "logStreamName": "main/1"}
    states = iter(["RUNNING", "FAILED"])

    def describe(asked: Any) -> dict[str, Any]:
        found = [detail("RUNNING", name, container=node) for name in asked.parameters["jobs"] if "#" in name]
        if "j-1" in asked.parameters["jobs"]:
            found.append(detail(next(states), nodeProperties=nodes))
        return jobs(*found)

    stub.respond("DescribeJobs", describe)
    with pytest.raises(errors.AwsJobFailed, match=r"exited with code 5.*main/1"):
        await call(SUBMIT, "nightly", "q", "d:1", credentials)
    asked = [call.parameters["jobs"] for call in stub.calls_of("DescribeJobs")]
    assert asked == [["j-1"], ["j-1#1"], ["j-1", "j-1#1"]]


@pytest.mark.parametrize(
    "more",
    [
        {"ecsProperties": {"taskProperties": [{"containers": [{"exitCode": 0}, {"exitCode": 8}]}]}},
        {"eksProperties": {"podProperties": {"containers": [{"exitCode": 8, "name": "c"}]}}},
    ],
)
async def test_jobs_of_several_containers_fail_with_the_code_of_the_one_that_failed(
    stub: Any, credentials: AwsCredentials, clock: Any, more: dict[str, Any]
) -> None:
    stub.respond("DescribeJobs", jobs(detail("FAILED", **more)))
    with pytest.raises(errors.AwsJobFailed, match="exited with code 8"):
        await abatch_submit_and_wait.fn("nightly", "q", "d:1", credentials)


async def test_looks_that_fail_in_passing_are_repeated(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    answers = iter([Fault.THROTTLED, Fault.INTERNAL, HangUp(), jobs(detail("SUCCEEDED"))])
    stub.respond("DescribeJobs", lambda _: next(answers))
    result = await call(SUBMIT, "nightly", "q", "d:1", credentials)
    assert result.status == "SUCCEEDED"


async def test_looks_that_fail_for_too_long_or_for_good_end_the_wait(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.fail("DescribeJobs", Fault.THROTTLED)
    with pytest.raises(errors.AwsThrottled, match="j-1"):
        await call(SUBMIT, "nightly", "q", "d:1", credentials, interval_seconds=100.0)
    assert sum(clock.sleeps) == pytest.approx(600)
    stub.fail("DescribeJobs", Fault.ACCESS_DENIED)
    with pytest.raises(errors.AwsAccessDenied, match="Batch job 'nightly', j-1"):
        await call(SUBMIT, "nightly", "q", "d:1", credentials)
    assert stub.calls_of("TerminateJob") == []


async def test_a_throttled_submission_is_repeated_and_a_lost_one_is_not(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.respond("DescribeJobs", jobs(detail("SUCCEEDED")))
    stub.fail("SubmitJob", Fault.THROTTLED, times=2)
    await call(SUBMIT, "nightly", "q", "d:1", credentials)
    assert len(stub.calls_of("SubmitJob")) == 3
    stub.fail("SubmitJob", HangUp())
    with pytest.raises(errors.AwsConnectionFailed):
        await call(SUBMIT, "nightly", "q", "d:1", credentials)
    assert len(stub.calls_of("SubmitJob")) == 4


async def test_a_refusal_is_raised_at_once(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.fail("SubmitJob", "ClientException", "JobQueue q does not exist")
    with pytest.raises(errors.AwsInvalidRequest, match=r"queue 'q', definition 'd:1'.*does not exist"):
        await call(SUBMIT, "nightly", "q", "d:1", credentials)
    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("options", "name"),
    [({"interval_seconds": 0}, "interval_seconds"), ({"timeout_seconds": -1}, "timeout_seconds")],
)
async def test_bad_waits_are_refused_before_anything_is_submitted(
    stub: Any, credentials: AwsCredentials, call: Any, options: dict[str, Any], name: str
) -> None:
    with pytest.raises(errors.AwsInvalidRequest, match=name):
        await call(SUBMIT, "nightly", "q", "d:1", credentials, **options)
    with pytest.raises(errors.AwsInvalidRequest, match="job_queue is empty"):
        await call(SUBMIT, "nightly", "", "d:1", credentials)
    assert stub.calls == []


async def test_a_job_out_of_time_is_terminated(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.respond("DescribeJobs", jobs(detail("RUNNABLE")))
    stub.fail("TerminateJob", Fault.THROTTLED, times=1)
    with pytest.raises(errors.AwsWaitTimeout, match=r"j-1 was not there after 25 seconds.*It was stopped\."):
        await call(SUBMIT, "nightly", "q", "d:1", credentials, timeout_seconds=25)
    assert stub.calls_of("TerminateJob")[-1].parameters["jobId"] == "j-1"
    assert "ran out of time" in stub.calls_of("TerminateJob")[-1].parameters["reason"]


async def test_a_job_that_cannot_be_terminated_is_told(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.respond("DescribeJobs", jobs(detail("RUNNABLE")))
    stub.fail("TerminateJob", Fault.ACCESS_DENIED)
    with pytest.raises(errors.AwsWaitTimeout, match="could not be stopped and goes on"):
        await call(SUBMIT, "nightly", "q", "d:1", credentials, timeout_seconds=25)


async def test_a_cancelled_wait_terminates_the_job(stub: Any, credentials: AwsCredentials) -> None:
    looked = threading.Event()

    def look(_: Any) -> Any:
        looked.set()
        return jobs(detail("RUNNING"))

    stub.respond("DescribeJobs", look)
    waiting = asyncio.create_task(abatch_submit_and_wait.fn("nightly", "q", "d:1", credentials))
    await asyncio.to_thread(looked.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [call.parameters["jobId"] for call in stub.calls_of("TerminateJob")] == ["j-1"]


async def test_a_cancellation_during_the_submission_terminates_the_job_too(
    stub: Any, credentials: AwsCredentials
) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def submit(_: Any) -> Any:
        arrived.set()
        go_on.wait(10)
        return {"jobName": "nightly", "jobId": "j-1"}

    stub.respond("SubmitJob", submit)
    waiting = asyncio.create_task(abatch_submit_and_wait.fn("nightly", "q", "d:1", credentials))
    await asyncio.to_thread(arrived.wait, 10)
    waiting.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [call.parameters["jobId"] for call in stub.calls_of("TerminateJob")] == ["j-1"]


def test_an_interrupted_wait_terminates_the_job(
    stub: Any, credentials: AwsCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupts:
        def monotonic(self) -> float:
            return 0.0

        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    stub.respond("DescribeJobs", jobs(detail("RUNNING")))
    monkeypatch.setattr(batch, "_clock", Interrupts())
    with pytest.raises(KeyboardInterrupt):
        batch_submit_and_wait.fn("nightly", "q", "d:1", credentials)
    assert len(stub.calls_of("TerminateJob")) == 1


async def test_many_jobs_are_described_a_hundred_at_a_time(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    looks: list[int] = []

    def describe(asked: Any) -> dict[str, Any]:
        names = asked.parameters["jobs"]
        looks.append(len(names))
        return jobs(*(detail("RUNNING" if len(looks) <= 3 else "SUCCEEDED", name) for name in names))

    stub.respond("DescribeJobs", describe)
    ids = [f"j-{number}" for number in range(250)]
    results = await call(WAIT, [*ids, "j-0"], credentials)
    assert [result.job_id for result in results] == ids
    assert looks == [100, 100, 50] * 2


async def test_jobs_that_have_ended_are_not_described_again(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.respond("DescribeJobs", jobs(detail("SUCCEEDED", "a"), detail("RUNNING", "b")), jobs(detail("FAILED", "b")))
    with pytest.raises(errors.AwsJobFailed, match="Batch job 'nightly', b ended as FAILED"):
        await call(WAIT, ["a", "b"], credentials)
    assert [call.parameters["jobs"] for call in stub.calls_of("DescribeJobs")] == [["a", "b"], ["b"]]


async def test_all_failed_jobs_are_counted_and_the_first_named(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    ids = [f"j-{number}" for number in range(8)]
    stub.respond("DescribeJobs", jobs(*(detail("FAILED", name) for name in ids)))
    with pytest.raises(errors.AwsJobFailed, match=r"8 of 8 Batch jobs failed(?s:.*)j-4(?s:.*)and 3 more"):
        await call(WAIT, ids, credentials)


async def test_an_unknown_job_is_named_and_no_jobs_are_no_wait(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.respond("DescribeJobs", jobs(detail("RUNNING", "a")))
    with pytest.raises(errors.AwsNotFound, match="Batch job b: Batch does not know it"):
        await call(WAIT, ["a", "b"], credentials)
    assert await call(WAIT, [], credentials) == []


@pytest.mark.parametrize("stops", [True, False])
async def test_jobs_out_of_time_are_terminated_unless_told_otherwise(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any, stops: bool
) -> None:
    stub.respond("DescribeJobs", jobs(detail("SUCCEEDED", "a"), detail("RUNNING", "b"), detail("RUNNING", "c")))
    stub.fail("TerminateJob", Fault.ACCESS_DENIED, times=1)  # one that may not be stopped does not protect the others
    with pytest.raises(errors.AwsWaitTimeout, match="3 Batch jobs"):
        await call(WAIT, ["a", "b", "c"], credentials, timeout_seconds=20, stop_on_cancel=stops)
    assert [call.parameters["jobId"] for call in stub.calls_of("TerminateJob")] == (["b", "c"] if stops else [])


async def test_flows_of_both_kinds_wait(
    prefect_harness: None, stub: Any, credentials: AwsCredentials, clock: Any
) -> None:
    stub.respond("DescribeJobs", jobs(detail("SUCCEEDED", container={"exitCode": 0})))

    @flow
    def sync_flow() -> Any:
        return batch_submit_and_wait("n", "q", "d", credentials).exit_code, len(batch_wait(["j-1"], credentials))

    @flow
    async def async_flow() -> Any:
        result = await abatch_submit_and_wait("n", "q", "d", credentials)
        return result.exit_code, len(await batch_wait(["j-1"], credentials))

    assert sync_flow() == (0, 1)
    assert await async_flow() == (0, 1)
