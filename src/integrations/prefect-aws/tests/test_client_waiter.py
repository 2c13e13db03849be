"""Waiters of boto3 and of one's own end as the resource does, and pass over what passes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import WaiterError
from prefect import flow

from prefect_aws import AwsCredentials, client_waiter, errors
from prefect_integration_tests.backends.aws_stub import Fault, HangUp

FACES = (client_waiter.client_waiter.fn, client_waiter.aclient_waiter.fn)
EXISTS = ("lambda", "function_active_v2")

JOB_COMPLETE = {
    "version": 2,
    "waiters": {
        "JobComplete": {
            "operation": "DescribeJobs",
            "delay": 7,
            "maxAttempts": 3,
            "acceptors": [
                {"argument": "jobs[].status", "expected": "SUCCEEDED", "matcher": "pathAll", "state": "success"},
                {"argument": "jobs[].status", "expected": "FAILED", "matcher": "pathAny", "state": "failure"},
            ],
        }
    },
}
ARGUMENTS = {"waiter_definition": JOB_COMPLETE, "jobs": ["j-1"]}


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(client_waiter, "_clock", fake_clock)
    return fake_clock


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    return aws_stub("batch", "lambda")


@pytest.fixture
def credentials(stub: Any, make_credentials: Any) -> AwsCredentials:
    return make_credentials(stub.endpoint_url)


def job(status: str) -> dict[str, Any]:
    return {
        "jobs": [
            {"jobName": "n", "jobId": "j-1", "jobQueue": "q", "status": status, "startedAt": 1, "jobDefinition": "d"}
        ]
    }


def function(state: str) -> dict[str, Any]:
    return {"Configuration": {"State": state}}


async def test_boto3_s_own_waiter_waits(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.respond("GetFunction", function("Pending"), function("Pending"), function("Active"))
    assert await call(FACES, *EXISTS, credentials, FunctionName="f") is None
    assert len(clock.sleeps) == 2
    assert stub.calls[0].parameters["FunctionName"] == "f"


async def test_the_waiter_s_pace_can_be_set(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.respond("GetFunction", function("Pending"))
    pace = {"Delay": 3, "MaxAttempts": 4}
    with pytest.raises(TimeoutError, match="'function_active_v2' of lambda") as caught:
        await call(FACES, *EXISTS, credentials, FunctionName="f", WaiterConfig=pace)
    assert isinstance(caught.value, errors.AwsWaitTimeout)
    assert isinstance(caught.value, WaiterError)
    assert clock.sleeps == [3.0, 3.0, 3.0]
    assert caught.value.last_response["Configuration"]["State"] == "Pending"


async def test_a_waiter_of_one_s_own_waits(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.respond("DescribeJobs", job("RUNNING"), job("SUCCEEDED"))
    await call(FACES, "batch", "JobComplete", credentials, **ARGUMENTS)
    assert clock.sleeps == [7.0]


async def test_a_definition_can_be_used_again(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.respond("DescribeJobs", job("SUCCEEDED"))
    for _ in range(2):
        await call(FACES, "batch", "JobComplete", credentials, JOB_COMPLETE, jobs=["j-1"])
    assert JOB_COMPLETE["version"] == 2


async def test_a_failure_state_ends_the_wait(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.respond("DescribeJobs", job("RUNNING"), job("FAILED"))
    with pytest.raises(errors.AwsWaitFailed, match=r"'JobComplete' of batch.*FAILED") as caught:
        await call(FACES, "batch", "JobComplete", credentials, **ARGUMENTS)
    assert isinstance(caught.value, WaiterError)
    assert isinstance(caught.value, RuntimeError)


async def test_what_passes_counts_as_not_yet(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    answers = iter([job("RUNNING"), Fault.THROTTLED, HangUp(), Fault.INTERNAL, job("SUCCEEDED")])
    stub.respond("DescribeJobs", lambda _: next(answers))
    await call(FACES, "batch", "JobComplete", credentials, **ARGUMENTS, WaiterConfig={"MaxAttempts": 9})
    assert len(clock.sleeps) == 4


async def test_a_service_that_is_not_there_is_an_error_at_once(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.fail("DescribeJobs", HangUp())
    with pytest.raises(ConnectionError, match="'JobComplete' of batch"):
        await call(FACES, "batch", "JobComplete", credentials, **ARGUMENTS)
    assert clock.sleeps == []


async def test_a_refused_look_is_that_refusal(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.fail("DescribeJobs", Fault.ACCESS_DENIED)
    with pytest.raises(PermissionError, match="'JobComplete' of batch") as caught:
        await call(FACES, "batch", "JobComplete", credentials, **ARGUMENTS)
    assert isinstance(caught.value, WaiterError)


async def test_an_unknown_waiter_is_refused_with_the_known_ones(credentials: AwsCredentials, call: Any) -> None:
    with pytest.raises(ValueError, match=r"'function_acttive' of lambda does not exist.*function_active_v2"):
        await call(FACES, "lambda", "function_acttive", credentials)
    with pytest.raises(ValueError, match=r"There are: none.*waiter_definition"):
        await call(FACES, "batch", "job_complete", credentials)
    with pytest.raises(ValueError, match="'Other' of batch is not in waiter_definition"):
        await call(FACES, "batch", "Other", credentials, JOB_COMPLETE)


async def test_an_unknown_service_is_refused(credentials: AwsCredentials, call: Any) -> None:
    with pytest.raises(ValueError, match="'lambada'"):
        await call(FACES, "lambada", "x", credentials)


async def test_flows_of_both_kinds_wait(
    prefect_harness: None, stub: Any, credentials: AwsCredentials, clock: Any
) -> None:
    stub.respond("DescribeJobs", job("SUCCEEDED"))

    @flow
    def sync_flow() -> None:
        client_waiter.client_waiter("batch", "JobComplete", credentials, **ARGUMENTS)

    @flow
    async def async_flow() -> None:
        await client_waiter.client_waiter("batch", "JobComplete", credentials, **ARGUMENTS)
        await client_waiter.aclient_waiter("batch", "JobComplete", credentials, **ARGUMENTS)

    sync_flow()
    await async_flow()
    assert len(stub.calls_of("DescribeJobs")) == 3
