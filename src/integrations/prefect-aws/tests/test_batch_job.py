"""The Batch block keeps the promises of Prefect's job blocks, and hands its options on."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from prefect_aws import AwsCredentials, _batch_block, errors
from prefect_aws.batch import BatchJob, BatchJobRun
from prefect_integration_tests.backends.aws_stub import Fault
from prefect_integration_tests.suites import JobSuite


def described(status: str, **more: Any) -> dict[str, Any]:
    required = {"jobName": "nightly", "jobQueue": "q", "jobDefinition": "d:1", "startedAt": 1}
    return {"jobs": [{"jobId": "j-1", "status": status, **required, **more}]}


@pytest.fixture
def stub(aws_stub: Callable[..., Any]) -> Any:
    return scripted(aws_stub)


def scripted(aws_stub: Callable[..., Any], *answers: dict[str, Any]) -> Any:
    stub = aws_stub("batch", "logs")
    stub.respond("SubmitJob", {"jobName": "nightly", "jobId": "j-1"})
    stub.respond("TerminateJob", {})
    if answers:
        stub.respond("DescribeJobs", *answers)
    return stub


@pytest.fixture
def make_block(make_credentials: Callable[..., AwsCredentials], canary: str) -> Callable[..., BatchJob]:
    def make(stub: Any, **fields: Any) -> BatchJob:
        credentials = make_credentials(stub.endpoint_url, aws_secret_access_key=canary)
        names = {"job_name": "nightly", "job_queue": "q", "job_definition": "d:1", "interval_seconds": 0.01}
        return BatchJob(aws_credentials=credentials, **{**names, **fields})

    return make


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(_batch_block, "_clock", fake_clock)
    return fake_clock


class TestBatchJob(JobSuite):
    failure_names = ("nightly", "j-1", "code 3", "no rows")

    @pytest.fixture
    def job(self, aws_stub: Callable[..., Any], make_block: Callable[..., BatchJob]) -> BatchJob:
        succeeded = described("SUCCEEDED", container={"exitCode": 0})
        return make_block(scripted(aws_stub, described("RUNNING"), succeeded))

    @pytest.fixture
    def failing_job(self, aws_stub: Callable[..., Any], make_block: Callable[..., BatchJob]) -> BatchJob:
        failed = described("FAILED", statusReason="Essential container exited: no rows", container={"exitCode": 3})
        return make_block(scripted(aws_stub, described("RUNNING"), failed))

    def check_result(self, result: Any) -> None:
        assert (result.status, result.exit_code) == ("SUCCEEDED", 0)


async def test_all_fields_reach_the_submission_and_the_run(stub: Any, make_block: Any, call: Any) -> None:
    options = {"retryStrategy": {"attempts": 2}}
    block = make_block(stub, parameters={"day": "1"}, submit_options=options, stop_on_cancel=False, stream_logs=False)
    run = await call(block, "trigger")
    names = {"jobName": "nightly", "jobQueue": "q", "jobDefinition": "d:1"}
    assert stub.calls[0].parameters == {**names, **options, "parameters": {"day": "1"}}
    assert (run.job_id, run.interval_seconds, run.stop_on_cancel, run.stream_logs) == ("j-1", 0.01, False, False)
    assert pickle.loads(pickle.dumps(run)) == run


async def test_the_result_of_a_job_under_way_says_so(stub: Any, make_block: Any, call: Any) -> None:
    stub.respond("DescribeJobs", described("RUNNABLE"), described("FAILED"))
    run = await call(make_block(stub), "trigger")
    assert (await call(run, "fetch_result")).status == "RUNNABLE"
    assert (await call(run, "fetch_result")).status == "FAILED"


@pytest.mark.parametrize("stops", [True, False])
async def test_a_wait_out_of_time_terminates_the_job_unless_told_otherwise(
    stub: Any, make_block: Any, call: Any, clock: Any, stops: bool
) -> None:
    stub.respond("DescribeJobs", described("RUNNING"))
    run = await call(make_block(stub, stop_on_cancel=stops), "trigger")
    with pytest.raises(errors.AwsWaitTimeout, match="was stopped" if stops else "goes on"):
        await call(run, "wait_for_completion", timeout_seconds=1)
    assert len(stub.calls_of("TerminateJob")) == int(stops)


async def test_a_throttled_submission_is_repeated(stub: Any, make_block: Any, call: Any, clock: Any) -> None:
    stub.fail("SubmitJob", Fault.THROTTLED, times=1)
    assert (await call(make_block(stub), "trigger")).job_id == "j-1"


async def test_an_unknown_job_is_named(stub: Any, make_block: Any, call: Any) -> None:
    stub.respond("DescribeJobs", {"jobs": []})
    run = BatchJobRun(job_id="j-9", aws_credentials=make_block(stub).aws_credentials)
    with pytest.raises(errors.AwsNotFound, match="j-9"):
        await call(run, "fetch_result")
