"""An execution is started once, followed to its end, and stopped when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from prefect import flow, task

from prefect_aws import AwsCredentials, errors, step_functions
from prefect_aws._executions import failed_state
from prefect_aws.step_functions import (
    astart_execution,
    astart_execution_and_wait,
    start_execution,
    start_execution_and_wait,
)
from prefect_integration_tests.backends.aws_stub import Fault, HangUp

START = (start_execution.fn, astart_execution.fn)
RUN = (start_execution_and_wait.fn, astart_execution_and_wait.fn)
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:pack-order"
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:pack-order:one"
NOW = datetime(2026, 5, 4, tzinfo=timezone.utc)
PASS = {"StartAt": "Pack", "States": {"Pack": {"Type": "Pass", "Result": {"parcel": "P-1"}, "End": True}}}
FAIL = {"StartAt": "Pack", "States": {"Pack": {"Type": "Fail", "Error": "Empty", "Cause": "no goods"}}}
WAIT = {"StartAt": "Rest", "States": {"Rest": {"Type": "Wait", "Seconds": 600, "End": True}}}


def execution(status: str, **more: Any) -> dict[str, Any]:
    required = {"executionArn": EXECUTION, "stateMachineArn": MACHINE, "name": "one", "startDate": NOW, "input": "{}"}
    return {**required, "status": status, **more}


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    stub = aws_stub("stepfunctions")
    stub.respond("DescribeStateMachine", machine("STANDARD"))
    stub.respond("StartExecution", {"executionArn": EXECUTION, "startDate": NOW})
    stub.respond("StopExecution", {"stopDate": NOW})
    return stub


def machine(kind: str) -> dict[str, Any]:
    required = {"stateMachineArn": MACHINE, "name": "pack-order", "definition": "{}", "creationDate": NOW}
    return {**required, "roleArn": "arn:aws:iam::000000000000:role/r", "type": kind}


@pytest.fixture
def credentials(stub: Any, make_credentials: Any) -> AwsCredentials:
    return make_credentials(stub.endpoint_url)


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(step_functions, "_clock", fake_clock)
    return fake_clock


@pytest.fixture
def new_machine(aws_emulator: Any) -> Callable[..., str]:
    def make(definition: dict[str, Any], **options: Any) -> str:
        made = aws_emulator.client("stepfunctions").create_state_machine(
            name=f"m-{uuid.uuid4().hex[:8]}",
            definition=json.dumps(definition),
            roleArn=aws_emulator.new_role(),
            **options,
        )
        return made["stateMachineArn"]

    return make


# On an emulator that executes state machines


async def test_an_execution_returns_its_output(
    new_machine: Callable[..., str], aws_credentials: AwsCredentials, call: Any
) -> None:
    result = await call(RUN, new_machine(PASS), aws_credentials, {"order": 1}, interval_seconds=0.05)
    assert (result.status, result.output) == ("SUCCEEDED", {"parcel": "P-1"})
    assert result.stopped_at >= result.started_at
    assert pickle.loads(pickle.dumps(result)) == result


async def test_a_failure_names_execution_error_cause_and_state(
    new_machine: Callable[..., str], aws_credentials: AwsCredentials, call: Any
) -> None:
    with pytest.raises(errors.AwsJobFailed, match=r"execution one ended as FAILED in state 'Pack': Empty: no goods"):
        await call(RUN, new_machine(FAIL), aws_credentials, name="one", interval_seconds=0.05)


async def test_an_execution_out_of_time_is_stopped(
    aws_emulator: Any, new_machine: Callable[..., str], aws_credentials: AwsCredentials, call: Any
) -> None:
    arn = new_machine(WAIT)
    with pytest.raises(errors.AwsWaitTimeout, match=r"execution one.*It was stopped"):
        await call(RUN, arn, aws_credentials, name="one", interval_seconds=0.05, timeout_seconds=0.2)
    client = aws_emulator.client("stepfunctions")
    assert [found["status"] for found in client.list_executions(stateMachineArn=arn)["executions"]] == ["ABORTED"]


async def test_one_name_is_one_execution(
    aws_emulator: Any, new_machine: Callable[..., str], aws_credentials: AwsCredentials, call: Any
) -> None:
    arn = new_machine(WAIT)
    first = await call(START, arn, aws_credentials, {"a": 1, "b": 2}, name="one")
    assert await call(START, arn, aws_credentials, {"b": 2, "a": 1}, name="one") == first
    with pytest.raises(errors.AwsAlreadyExists, match="'one' with another input"):
        await call(START, arn, aws_credentials, {"a": 2}, name="one")
    assert len(aws_emulator.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]) == 1


async def test_express_machines_are_refused_before_anything_is_started(
    aws_emulator: Any, new_machine: Callable[..., str], aws_credentials: AwsCredentials, call: Any
) -> None:
    with pytest.raises(errors.AwsInvalidRequest, match=r"is EXPRESS.*start_execution"):
        await call(RUN, new_machine(PASS, type="EXPRESS"), aws_credentials)


async def test_a_missing_machine_is_named(aws_emulator: Any, aws_credentials: AwsCredentials, call: Any) -> None:
    for faces in (START, RUN):
        with pytest.raises(errors.AwsNotFound, match="state machine 'pack-order'"):
            await call(faces, MACHINE, aws_credentials)


def test_a_retried_task_attaches_to_what_runs_and_starts_anew_after_a_failure(
    prefect_harness: None, aws_emulator: Any, new_machine: Callable[..., str], aws_credentials: AwsCredentials
) -> None:
    arn = new_machine(PASS)
    failing = new_machine(FAIL)
    client = aws_emulator.client("stepfunctions")
    seen: list[str] = []

    @task(retries=2, retry_delay_seconds=0)
    def start_twice() -> None:
        seen.append(start_execution.fn(arn, aws_credentials))
        if len(seen) < 2:
            raise RuntimeError("again")

    @flow
    def retried() -> None:
        start_twice()
        start_execution_and_wait.with_options(retries=2, retry_delay_seconds=0)(
            failing, aws_credentials, interval_seconds=0.05
        )

    with pytest.raises(errors.AwsJobFailed):
        retried()
    assert len(seen) == 2
    assert seen[0] == seen[1]
    names = [found["name"] for found in client.list_executions(stateMachineArn=failing)["executions"]]
    first = min(names, key=len)
    assert sorted(names) == [first, f"{first}-2", f"{first}-3"]
    assert first.startswith("prefect-")


def test_each_task_run_has_an_execution_of_its_own(
    prefect_harness: None, aws_emulator: Any, new_machine: Callable[..., str], aws_credentials: AwsCredentials
) -> None:
    arn = new_machine(PASS)

    @flow
    def twice() -> set[str]:
        return {start_execution(arn, aws_credentials), start_execution(arn, aws_credentials)}

    assert len(twice()) == 2


# On a scripted endpoint


async def test_input_name_and_options_reach_the_service(stub: Any, credentials: AwsCredentials, call: Any) -> None:
    assert await call(START, MACHINE, credentials, {"ü": [1, None]}, name="one", traceHeader="Root=1") == EXECUTION
    assert stub.calls[0].parameters == {
        "stateMachineArn": MACHINE,
        "input": '{"ü": [1, null]}',
        "name": "one",
        "traceHeader": "Root=1",
    }
    await call(START, f"{MACHINE}:prod", credentials)
    assert stub.calls[1].parameters["input"] == "{}"


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
async def test_every_other_end_is_a_failure(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any, status: str
) -> None:
    stub.respond("DescribeExecution", execution("RUNNING"), execution(status))
    stub.fail("GetExecutionHistory", Fault.ACCESS_DENIED)
    with pytest.raises(RuntimeError, match=rf"'pack-order', execution one ended as {status}: .*no reason") as caught:
        await call(RUN, MACHINE, credentials)
    assert isinstance(caught.value, errors.AwsJobFailed)
    assert clock.sleeps == [5.0]
    assert stub.calls_of("StopExecution") == []


async def test_a_redriven_execution_is_still_under_way(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    done = execution("SUCCEEDED", output="[1]")
    stub.respond("DescribeExecution", execution("PENDING_REDRIVE"), execution("RUNNING"), done)
    assert (await call(RUN, MACHINE, credentials)).output == [1]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], None),
        ([{"id": 1, "type": "ExecutionFailed", "previousEventId": 0}], None),
        (
            [
                {"id": 9, "type": "ExecutionFailed", "previousEventId": 6},
                {"id": 8, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Other"}},
                {"id": 6, "type": "LambdaFunctionFailed", "previousEventId": 4},
                {"id": 4, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Pay"}},
            ],
            "Pay",
        ),
        ([{"id": 9, "type": "ExecutionFailed", "previousEventId": 2}], None),
    ],
)
def test_the_failed_state_is_found_by_the_chain_of_events(events: list[Any], state: str | None) -> None:
    assert failed_state(events) == state


async def test_passing_faults_are_outlasted_and_start_nothing_twice(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.respond("DescribeExecution", execution("SUCCEEDED", output="{}"))
    for operation in ("DescribeStateMachine", "StartExecution", "DescribeExecution"):
        for fault in (Fault.THROTTLED, Fault.INTERNAL, HangUp()):
            stub.fail(operation, fault, times=1)
    stub.fail("StartExecution", "ExecutionLimitExceeded", times=1)
    assert (await call(RUN, MACHINE, credentials)).status == "SUCCEEDED"
    assert len({call.parameters["name"] for call in stub.calls_of("StartExecution")}) == 1


async def test_permanent_faults_are_raised_at_once(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.fail("StartExecution", Fault.ACCESS_DENIED)
    with pytest.raises(errors.AwsAccessDenied, match=r"'pack-order'.*Allow StartExecution"):
        await call(RUN, MACHINE, credentials)
    assert clock.sleeps == []


async def test_without_the_right_to_ask_for_the_type_executions_run_all_the_same(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    stub.fail("DescribeStateMachine", Fault.ACCESS_DENIED)
    stub.respond("DescribeExecution", execution("SUCCEEDED", output='"ok"'))
    assert (await call(RUN, MACHINE, credentials)).output == "ok"
    stub.respond("StartExecution", {"executionArn": EXECUTION.replace("execution:", "express:"), "startDate": NOW})
    with pytest.raises(errors.AwsInvalidRequest, match=r"is EXPRESS.*was started"):
        await call(RUN, MACHINE, credentials)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"state_machine_arn": "pack-order"}, "is no ARN"),
        ({"execution_input": {"when": NOW}}, "execution_input cannot be written as JSON"),
        ({"execution_input": float("nan")}, "execution_input cannot be written as JSON"),
        ({"execution_input": "x" * 262_145}, "262147 bytes"),
        ({"name": "n" * 81}, "81 characters"),
        ({"name": ""}, "0 characters"),
    ],
)
async def test_bad_arguments_are_refused_before_any_request(
    stub: Any, credentials: AwsCredentials, call: Any, arguments: dict[str, Any], said: str
) -> None:
    for faces in (START, RUN):
        with pytest.raises(errors.AwsInvalidRequest, match=said):
            await call(faces, **{"state_machine_arn": MACHINE, "aws_credentials": credentials, **arguments})
    assert stub.calls == []


async def test_a_cancelled_wait_stops_the_execution(stub: Any, credentials: AwsCredentials) -> None:
    looked = threading.Event()

    def look(_: Any) -> Any:
        looked.set()
        return execution("RUNNING")

    stub.respond("DescribeExecution", look)
    waiting = asyncio.create_task(astart_execution_and_wait.fn(MACHINE, credentials))
    await asyncio.to_thread(looked.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (stopped,) = stub.calls_of("StopExecution")
    assert stopped.parameters["executionArn"] == EXECUTION
    assert "cancelled" in stopped.parameters["cause"]


def test_a_task_out_of_time_stops_the_execution(prefect_harness: None, stub: Any, credentials: AwsCredentials) -> None:
    stub.respond("DescribeExecution", execution("RUNNING"))

    @flow
    def impatient() -> None:
        start_execution_and_wait.with_options(timeout_seconds=1)(MACHINE, credentials, interval_seconds=0.1)

    with pytest.raises(TimeoutError):
        impatient()
    assert len(stub.calls_of("StopExecution")) == 1


async def test_flows_of_both_kinds_run_executions(
    prefect_harness: None, stub: Any, credentials: AwsCredentials
) -> None:
    stub.respond("DescribeExecution", execution("SUCCEEDED", output="1"))

    @flow
    def sync_flow() -> Any:
        return start_execution_and_wait(MACHINE, credentials).output, start_execution(MACHINE, credentials)

    @flow
    async def async_flow() -> Any:
        result = await start_execution_and_wait(MACHINE, credentials)
        return result.output, await astart_execution(MACHINE, credentials)

    assert sync_flow() == (1, EXECUTION)
    assert await async_flow() == (1, EXECUTION)
