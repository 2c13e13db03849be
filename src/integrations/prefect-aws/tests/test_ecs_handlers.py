"""What is done about an ECS event: Prefect is told, runs get their states, definitions are tidied up."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import LogFilter
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker
from prefect.states import Cancelling, Completed, Pending, Running, Scheduled, State, Submitting, Suspended

from prefect_aws._ecs import tags as names
from prefect_aws.errors import AwsError, AwsNotFound
from prefect_aws.observers import _crash_logs
from prefect_aws.observers import ecs as observed
from prefect_aws.observers._crash_logs import place_of
from prefect_aws.observers._prefect import TaskNotReady
from prefect_aws.observers.ecs import (
    deregister_task_definition,
    ecs_observer,
    fetch_cloudwatch_logs,
    mark_runs_as_crashed,
    replicate_ecs_event,
    report_infrastructure_pending,
)
from prefect_integration_tests.backends.aws_stub import Fault

from ._ecs_events import new_task_arn, tagged, task_event, until

INACTIVE = "The specified task definition is inactive. You can only deregister active task definitions."


@flow(name="test-ecs-handlers")
def observed_flow() -> None: ...


@pytest.fixture
async def client(prefect_harness: None) -> AsyncIterator[PrefectClient]:
    async with get_client() as client:
        yield client


@pytest.fixture
def stub(aws_stub: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    stub = aws_stub("ecs", "logs")
    for name, value in {
        "AWS_ENDPOINT_URL": stub.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    stub.respond("DescribeTasks", {"tasks": []})
    options = {"awslogs-group": "prefect", "awslogs-stream-prefix": "runs", "awslogs-region": "eu-west-1"}
    container = {"name": "prefect", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    stub.respond("DescribeTaskDefinition", {"taskDefinition": {"containerDefinitions": [container]}})
    stub.respond("GetLogEvents", {"events": [{"message": "last words\n"}]})
    return stub


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(observed, "_clock", fake_clock)
    monkeypatch.setattr(_crash_logs, "_clock", fake_clock)
    return fake_clock


async def run_in(client: PrefectClient, state: State[Any], task_arn: str | None = None) -> Any:
    flow_run = await client.create_flow_run(observed_flow)
    await client.set_flow_run_state(flow_run.id, state, force=True)
    if task_arn:
        await client.update_flow_run(flow_run.id, infrastructure_pid=f"flows::{task_arn}")
    return flow_run.id


async def state_of(client: PrefectClient, run: Any) -> State[Any]:
    state = (await client.read_flow_run(run)).state
    assert state is not None
    return state


async def logs_of(client: PrefectClient, run: Any) -> list[Any]:
    return await client.read_logs(LogFilter.model_validate({"flow_run_id": {"any_": [str(run)]}}))


def crashed(**detail: Any) -> dict[str, Any]:
    """An event of a task whose container exited with 1 just now."""
    fields: dict[str, Any] = {
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "stoppedAt": datetime.now(timezone.utc).isoformat(),
        "containers": [{"name": "prefect", "exitCode": 1}],
    }
    return task_event(**{**fields, **detail})


def tags(run: Any, **more: str) -> dict[str, str]:
    return {names.FLOW_RUN_ID: str(run), **more}


# Final states


async def test_a_run_whose_task_stopped_is_crashed_with_cause_and_last_lines(client: PrefectClient, stub: Any) -> None:
    run, event = await run_in(client, Running()), crashed()
    await mark_runs_as_crashed(event, tags(run))
    state = await state_of(client, run)
    assert state.is_crashed()
    assert "exit code 1" in str(state.message)
    messages = {log.message: log.level for log in await logs_of(client, run)}
    assert messages["last words"] == logging.INFO
    assert any("exit code 1" in message and level == logging.ERROR for message, level in messages.items())
    call = stub.calls_of("GetLogEvents")[0]
    task_id = event["detail"]["taskArn"].rpartition("/")[2]
    assert (call.region, call.parameters["logGroupName"]) == ("eu-west-1", "prefect")
    assert (call.parameters["logStreamName"], call.parameters["limit"]) == (f"runs/prefect/{task_id}", 500)


async def test_what_ecs_says_now_counts_more_than_the_event(client: PrefectClient, stub: Any) -> None:
    run, event = await run_in(client, Running()), crashed(stoppedReason="old")
    now = {**event["detail"], "stoppedReason": "OutOfMemoryError: new", "stoppedAt": datetime.now(timezone.utc)}
    stub.respond("DescribeTasks", {"tasks": [now]})
    await mark_runs_as_crashed(event, tags(run))
    assert "OutOfMemoryError" in str((await state_of(client, run)).message)


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "DEPROVISIONING"])
async def test_a_run_whose_task_is_there_according_to_ecs_is_not_crashed(
    client: PrefectClient, stub: Any, status: str
) -> None:
    run, event = await run_in(client, Running()), crashed()
    stub.respond("DescribeTasks", {"tasks": [tagged(event["detail"]["taskArn"], run) | {"lastStatus": status}]})
    with pytest.raises(TaskNotReady):
        await mark_runs_as_crashed(event, tags(run))
    assert (await state_of(client, run)).is_running()


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.ACCESS_DENIED])
async def test_a_task_that_cannot_be_looked_at_decides_nothing(client: PrefectClient, stub: Any, fault: Fault) -> None:
    run = await run_in(client, Running())
    stub.fail("DescribeTasks", fault)
    with pytest.raises(AwsError):
        await mark_runs_as_crashed(crashed(), tags(run))
    assert (await state_of(client, run)).is_running()


async def test_without_credentials_the_event_decides(
    client: PrefectClient, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    run = await run_in(client, Running())
    await mark_runs_as_crashed(crashed(), tags(run))
    assert "exit code 1" in str((await state_of(client, run)).message)


@pytest.mark.parametrize(
    "state", [Completed(), Scheduled(), Suspended(timeout_seconds=60)], ids=lambda state: state.name
)
async def test_a_run_that_needs_no_task_keeps_its_state_and_gets_no_logs(
    client: PrefectClient, stub: Any, state: State[Any]
) -> None:
    run = await run_in(client, state)
    await mark_runs_as_crashed(crashed(), tags(run))
    assert (await state_of(client, run)).name == state.name
    assert stub.calls_of("GetLogEvents") == []


async def test_a_run_that_was_being_cancelled_is_cancelled(client: PrefectClient, stub: Any) -> None:
    run = await run_in(client, Cancelling())
    await mark_runs_as_crashed(crashed(), tags(run))
    assert (await state_of(client, run)).is_cancelled()


async def test_a_run_that_says_nothing_after_its_container_exited_with_0_is_crashed_in_the_end(
    client: PrefectClient, stub: Any, clock: Any
) -> None:
    run = await run_in(client, Running())
    await mark_runs_as_crashed(crashed(containers=[{"name": "prefect", "exitCode": 0}]), tags(run))
    assert "without reporting" in str((await state_of(client, run)).message)
    assert 50 <= sum(clock.sleeps) <= 70


async def test_an_event_that_comes_twice_is_settled_once(client: PrefectClient, stub: Any) -> None:
    run, event = await run_in(client, Running()), crashed()
    await mark_runs_as_crashed(event, tags(run))
    before = await state_of(client, run)
    await mark_runs_as_crashed(event, tags(run))
    assert (await state_of(client, run)).id == before.id
    assert len(stub.calls_of("GetLogEvents")) == 1


async def test_an_event_without_a_run_is_nothing_to_do(stub: Any, prefect_harness: None) -> None:
    await mark_runs_as_crashed(crashed(), {})
    await mark_runs_as_crashed(crashed(), tags(uuid.uuid4()))


# Logs


@pytest.mark.parametrize(
    ("operation", "failure"),
    [
        ("DescribeTaskDefinition", Fault.ACCESS_DENIED),
        ("GetLogEvents", "ResourceNotFoundException"),
        ("GetLogEvents", Fault.ACCESS_DENIED),
    ],
)
async def test_a_run_is_crashed_whether_or_not_its_lines_can_be_had(
    client: PrefectClient, stub: Any, operation: str, failure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run = await run_in(client, Running())
    stub.fail(operation, failure)
    await mark_runs_as_crashed(crashed(), tags(run))
    assert (await state_of(client, run)).is_crashed()
    assert "could not be sent to Prefect" in caplog.text


async def test_lines_are_forwarded_only_if_the_settings_say_so(
    client: PrefectClient, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_FORWARD_CRASHED_RUN_LOGS", "false")
    run = await run_in(client, Running())
    await mark_runs_as_crashed(crashed(), tags(run))
    assert (await state_of(client, run)).is_crashed()
    assert stub.calls_of("GetLogEvents") == []


async def test_the_settings_say_how_many_lines(
    client: PrefectClient, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_FORWARD_CRASHED_RUN_LOGS_MAX_EVENTS", "7")
    run = await run_in(client, Running())
    await mark_runs_as_crashed(crashed(), tags(run))
    assert stub.calls_of("GetLogEvents")[0].parameters["limit"] == 7


async def test_many_lines_become_few_entries(client: PrefectClient, stub: Any) -> None:
    stub.respond("GetLogEvents", {"events": [{"message": f"line {n} {'x' * 90}"} for n in range(500)]})
    run = await run_in(client, Running())
    await mark_runs_as_crashed(crashed(), tags(run))
    logs = await logs_of(client, run)
    text = "\n".join(log.message for log in logs)
    assert all(f"line {n} " in text for n in range(500))
    assert len(logs) < 12


def pages(count: int, size: int) -> Any:
    """GetLogEvents of a stream, whose last page is page 0; some pages are empty."""

    def answer(call: Any) -> dict[str, Any]:
        number = int(str(call.parameters.get("nextToken", "b/0")).rpartition("/")[2])
        if number >= count:
            return {"events": [], "nextBackwardToken": f"b/{number}"}
        first = (count - 1 - number) * size
        lines = [] if number == 1 else [{"message": str(first + n)} for n in range(size)]
        return {"events": lines[-call.parameters["limit"] :], "nextBackwardToken": f"b/{number + 1}"}

    return answer


@pytest.mark.parametrize(
    ("count", "max_events", "expected"),
    [
        (1, 10, [0, 1, 2]),
        (1, 2, [1, 2]),
        (4, 100, [0, 1, 2, 3, 4, 5, 9, 10, 11]),  # page 1 is empty
        (4, 5, [4, 5, 9, 10, 11]),
    ],
)
async def test_lines_are_read_from_the_end_and_given_in_order(
    stub: Any, count: int, max_events: int, expected: list[int]
) -> None:
    stub.respond("GetLogEvents", pages(count, 3))
    lines = await fetch_cloudwatch_logs(
        logs_client=stub.client("logs"), log_group="g", log_stream="s", max_events=max_events
    )
    assert lines == [str(number) for number in expected]
    assert all(call.parameters["startFromHead"] is False for call in stub.calls_of("GetLogEvents"))


async def test_a_throttled_read_is_repeated_and_a_missing_stream_named(stub: Any, clock: Any) -> None:
    options: dict[str, Any] = {"logs_client": stub.client("logs"), "log_group": "g", "log_stream": "s"}
    stub.fail("GetLogEvents", Fault.THROTTLED, times=2)
    assert await fetch_cloudwatch_logs(**options, max_events=5) == ["last words"]
    stub.fail("GetLogEvents", "ResourceNotFoundException", "The specified log stream does not exist.")
    with pytest.raises(AwsNotFound, match="Log stream s of g"):
        await fetch_cloudwatch_logs(**options, max_events=5)


AWSLOGS = {"awslogs-group": "g", "awslogs-region": "eu-west-1"}


@pytest.mark.parametrize(
    ("configuration", "stream"),
    [
        ({"logDriver": "awslogs", "options": {**AWSLOGS, "awslogs-stream-prefix": "p"}}, "p/flow/0123"),
        ({"logDriver": "awslogs", "options": AWSLOGS}, "runtime-id"),
        ({"logDriver": "awsfirelens", "options": AWSLOGS}, None),
        ({"logDriver": "awslogs"}, None),
        (None, None),
    ],
)
def test_a_container_s_lines_are_found_where_its_definition_sends_them(configuration: Any, stream: str | None) -> None:
    task = {
        "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/flows/0123",
        "containers": [{"name": "flow", "runtimeId": "runtime-id"}],
    }
    place = place_of({"name": "flow", "logConfiguration": configuration}, task)
    assert (place and place.stream) == stream
    assert place is None or (place.group, place.region) == ("g", "eu-west-1")


# InfrastructurePending


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "ACTIVATING"])
@pytest.mark.parametrize("state", [Pending(), Submitting()], ids=lambda state: state.name)
async def test_a_run_that_waits_for_its_task_says_so(client: PrefectClient, status: str, state: State[Any]) -> None:
    run, event = await run_in(client, state), task_event(last_status=status, createdAt=_in(1))
    await report_infrastructure_pending(event, tags(run))
    after = await state_of(client, run)
    assert (after.name, after.type.value) == ("InfrastructurePending", "PENDING")
    assert event["detail"]["taskArn"].rpartition("/")[2] in str(after.message)


@pytest.mark.parametrize("state", [Running(), Completed(), Scheduled(), Cancelling()], ids=lambda state: state.name)
async def test_a_run_that_waits_for_no_task_does_not_change(client: PrefectClient, state: State[Any]) -> None:
    run = await run_in(client, state)
    await report_infrastructure_pending(task_event(last_status="PENDING", createdAt=_in(1)), tags(run))
    assert (await state_of(client, run)).name == state.name


@pytest.mark.parametrize("detail", [{"createdAt": "2026-01-01T00:00:00Z"}, {}])
async def test_an_event_of_an_earlier_attempt_changes_nothing(client: PrefectClient, detail: dict[str, Any]) -> None:
    run = await run_in(client, Pending())
    await report_infrastructure_pending(task_event(last_status="PENDING", **detail), tags(run))
    assert (await state_of(client, run)).name == "Pending"


async def test_a_run_that_was_deleted_waits_for_nothing(client: PrefectClient) -> None:
    await report_infrastructure_pending(task_event(last_status="PENDING", createdAt=_in(1)), tags(uuid.uuid4()))


async def test_a_start_that_is_told_of_late_does_not_keep_a_run_from_crashing(client: PrefectClient, stub: Any) -> None:
    run = await run_in(client, Pending())
    arn = new_task_arn()
    await report_infrastructure_pending(task_event(arn, "PENDING", createdAt=_in(0)), tags(run))
    await mark_runs_as_crashed(crashed(taskArn=arn, stoppedAt=_in(-60)), tags(run))
    assert (await state_of(client, run)).is_crashed()


def _in(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


# Task definitions


async def test_the_definition_of_a_stopped_task_is_deregistered(stub: Any) -> None:
    stub.respond("DeregisterTaskDefinition", {})
    event = task_event()
    await deregister_task_definition(event, {names.DEREGISTER: "true"})
    await deregister_task_definition(event, {})  # a direct call asks for it by itself
    await deregister_task_definition({"detail": {}}, {})
    calls = [call.parameters for call in stub.calls_of("DeregisterTaskDefinition")]
    assert calls == [{"taskDefinition": event["detail"]["taskDefinitionArn"]}] * 2


def test_tags_say_what_is_deregistered_as_workers_before_have_them() -> None:
    handlers = {getattr(item.handler, "__name__", ""): item for item in ecs_observer.event_handlers["task"]}
    wanted = handlers["deregister_task_definition"].filters["tags"].is_match
    of_a_run = {names.FLOW_RUN_ID: "0aa"}
    assert wanted({**of_a_run, "prefect.io/degregister-task-definition": "true"})
    assert not wanted({**of_a_run, "prefect.io/degregister-task-definition": "false"})
    assert not wanted(of_a_run)


async def test_a_definition_that_is_deregistered_already_is_fine(stub: Any) -> None:
    stub.fail("DeregisterTaskDefinition", "ClientException", INACTIVE)
    await deregister_task_definition(task_event(), {names.DEREGISTER: "true"})


@pytest.mark.parametrize("failure", [Fault.THROTTLED, Fault.ACCESS_DENIED])
async def test_a_definition_that_cannot_be_deregistered_is_tried_again(stub: Any, failure: Fault) -> None:
    stub.fail("DeregisterTaskDefinition", failure)
    with pytest.raises(AwsError):
        await deregister_task_definition(task_event(), {names.DEREGISTER: "true"})


# Events of Prefect


@pytest.fixture
def emitted(prefect_harness: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    worker = EventsWorker.instance(AssertingEventsClient)
    monkeypatch.setattr(EventsWorker, "instance", lambda *_: worker)
    yield lambda: list(getattr(getattr(worker, "_client", None), "events", ()))  # it is opened with the first event
    worker.drain()


async def test_an_ecs_event_becomes_an_event_of_prefect(emitted: Any) -> None:
    run = uuid.uuid4()
    event = crashed()
    known = {
        names.FLOW_RUN_NAME: "brave-bee",
        names.FLOW_ID: "f",
        names.FLOW_NAME: "etl",
        names.DEPLOYMENT_ID: "d",
        names.WORK_POOL_ID: "p",
        names.WORK_POOL_NAME: "pool",
    }
    await replicate_ecs_event(event, tags(run, **known))
    await until(emitted)
    [found] = emitted()
    task_id = event["detail"]["taskArn"].rpartition("/")[2]
    assert (found.event, str(found.id)) == ("prefect.ecs.task.stopped", event["id"])
    assert found.resource.id == f"prefect.ecs.task.{task_id}"
    assert found.resource["ecs.taskArn"] == event["detail"]["taskArn"]
    assert found.occurred.isoformat() == "2026-03-01T10:00:00+00:00"
    related = {resource.role: (resource.id, resource.get("prefect.resource.name")) for resource in found.related}
    assert related == {
        "flow-run": (f"prefect.flow-run.{run}", "brave-bee"),
        "flow": ("prefect.flow.f", "etl"),
        "deployment": ("prefect.deployment.d", None),
        "work-pool": ("prefect.work-pool.p", "pool"),
    }
    assert found.payload["containers"] == [{"name": "prefect", "exitCode": 1}]
    assert found.payload["stopCode"] == "EssentialContainerExited"


async def test_an_event_that_comes_again_is_the_same_event(emitted: Any) -> None:
    event = task_event()
    await replicate_ecs_event(event, {})
    await replicate_ecs_event(task_event(), {})
    await replicate_ecs_event(event, {})
    await until(lambda: len(emitted()) >= 2)
    assert len({found.id for found in emitted()}) == 2


async def test_events_without_an_id_have_one_of_their_own(emitted: Any) -> None:
    arn = new_task_arn()
    for status in ("PENDING", "RUNNING", "RUNNING"):
        await replicate_ecs_event({**task_event(arn, status), "id": None}, {})
    await until(lambda: len(emitted()) >= 2)
    assert len({found.id for found in emitted()}) == 2


async def test_events_of_one_task_follow_each_other_also_when_they_come_in_another_order(emitted: Any) -> None:
    arn = new_task_arn()
    for status, minute in (("PENDING", 0), ("STOPPED", 2), ("RUNNING", 1)):
        await replicate_ecs_event({**task_event(arn, status), "time": f"2026-03-01T10:0{minute}:00Z"}, {})
    await until(lambda: len(emitted()) == 3)
    pending, stopped, running = emitted()
    assert (pending.follows, stopped.follows, running.follows) == (None, pending.id, None)


async def test_no_environment_of_a_task_goes_to_prefect(emitted: Any, canary: str, no_canary_leaks: Any) -> None:
    overrides = {"containerOverrides": [{"environment": [{"name": "TOKEN", "value": canary}]}]}
    await replicate_ecs_event(crashed(overrides=overrides), {})
    await until(emitted)
    no_canary_leaks.add("the event", json.dumps(emitted()[0].model_dump(mode="json")))


# Who is registered


def test_the_handlers_are_registered_for_tasks_of_runs_in_their_order() -> None:
    found = {
        getattr(item.handler, "__name__", ""): (item.filters["tags"].tags, item.filters["last_status"].statuses)
        for item in ecs_observer.event_handlers["task"]
    }
    ours = {names.FLOW_RUN_ID: observed.FilterCase.PRESENT}
    assert found == {
        "replicate_ecs_event": (ours, ()),
        "report_infrastructure_pending": (ours, ("PROVISIONING", "PENDING", "ACTIVATING")),
        "mark_runs_as_crashed": (ours, ("STOPPED",)),
        "deregister_task_definition": ({**ours, names.DEREGISTER: "true"}, ("STOPPED",)),
    }
