"""Each state that a stack can be in, and each refusal of AWS, ends in a clear message or in recovery."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.session import Session
from typer.testing import CliRunner, Result

from prefect_aws._cli import progress
from prefect_aws._cli.main import app
from prefect_aws._cli.stacks import ADVICE, Action, CommandFailed, Stack, plan, tags_of
from prefect_aws._ecs import calls
from prefect_integration_tests.backends.aws_stub import AwsCall, AwsError, AwsStub, Fault

START = datetime(2026, 5, 4, 8, 0, tzinfo=timezone.utc)
CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/flows"
ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/orders/1"
EVENTS = [
    *("deploy-events", "--work-pool-name", "orders", "--stack-name", "orders"),
    *("--existing-cluster-arn", CLUSTER),
]
OURS = [{"Key": key, "Value": value} for key, value in tags_of("events-only", "orders").items()]
ABSENT = AwsError("ValidationError", "Stack with id orders does not exist", 400)
Run = Callable[..., Result]
ALL_STATES = Session().get_service_model("cloudformation").shape_for("StackStatus").enum


def stack(status: str, **more: Any) -> dict[str, Any]:
    answer = {"StackName": "orders", "StackId": ID, "StackStatus": status, "CreationTime": START, "Tags": OURS, **more}
    return {"Stacks": [answer]}


def event(number: int, status: str, resource: str = "", reason: str = "") -> dict[str, Any]:
    return {
        "StackId": ID,
        "StackName": "orders",
        "EventId": f"event-{number}",
        "LogicalResourceId": resource or "orders",
        "ResourceType": "AWS::SQS::Queue" if resource else "AWS::CloudFormation::Stack",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": START + timedelta(seconds=number),
    }


def history(*events: dict[str, Any]) -> dict[str, Any]:
    return {"StackEvents": [*reversed(events)]}


def prepare(stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command talk to an account with a cluster and no stacks."""
    for name, value in {
        "AWS_ENDPOINT_URL": stub.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": stub.region,
    }.items():
        monkeypatch.setenv(name, value)
    stub.respond(
        "DescribeClusters", {"clusters": [{"clusterName": "flows", "clusterArn": CLUSTER, "status": "ACTIVE"}]}
    )
    stub.respond("DescribeStacks", ABSENT)
    stub.respond("CreateStack", {"StackId": ID})
    stub.respond("UpdateStack", {"StackId": ID})
    stub.respond("DeleteStack", {})
    stub.respond("ValidateTemplate", {})
    stub.respond("DescribeStackEvents", history())
    stub.respond("ListStackResources", {"StackResourceSummaries": []})


@pytest.fixture(scope="module")
def endpoint() -> Iterator[AwsStub]:
    """One address for all tests, so that the SDK's clients are made once."""
    with AwsStub("cloudformation", "ecs") as stub:
        yield stub


@pytest.fixture
def stub(endpoint: AwsStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStub]:
    """An account with a cluster and no stacks."""
    endpoint.calls.clear()
    prepare(endpoint, monkeypatch)
    yield endpoint
    endpoint.check()


@pytest.fixture
def throttling(aws_stub: Any, monkeypatch: pytest.MonkeyPatch) -> AwsStub:
    """The same with clients of its own: those that were throttled stay slow for a while."""
    stub = aws_stub("cloudformation", "ecs")
    prepare(stub, monkeypatch)
    return stub


@pytest.fixture
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK give up at once."""
    monkeypatch.setattr(calls, "RETRIES", {"retries": {"total_max_attempts": 1}})


@pytest.fixture
def run(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command; waiting takes no time."""
    monkeypatch.setattr(progress, "_clock", fake_clock)

    def invoke(*arguments: str, **options: Any) -> Result:
        result = CliRunner().invoke(app, ["ecs-worker", *arguments], **options)
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return result

    return invoke


@pytest.mark.parametrize("state", ALL_STATES)
def test_every_state_has_a_verdict_and_every_failure_advice(state: str):
    found = Stack("orders", ID, state)
    assert found.has_failed == ("FAILED" in state or "ROLLBACK" in state or state == "REVIEW_IN_PROGRESS")
    if found.has_failed or found.is_under_way:
        assert "orders" in found.advice or state in ("UPDATE_FAILED", *(each for each in ADVICE if "ROLLBACK" in each))
        assert found.advice


@pytest.mark.parametrize("state", ALL_STATES)
def test_every_state_is_updated_renewed_or_refused_with_advice(state: str):
    there = Stack("orders", ID, state, tags=tags_of("service", "orders"))
    updated = {
        *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE"),
        *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
    }
    if state in updated or state == "ROLLBACK_COMPLETE":
        assert plan(there, "service", "orders") is (Action.update if state in updated else Action.renew)
        return
    with pytest.raises(CommandFailed) as caught:
        plan(there, "service", "orders")
    assert state in str(caught.value)
    assert there.advice in str(caught.value)


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("CREATE_COMPLETE", 0, ""),
        ("CREATE_IN_PROGRESS", 0, "CloudFormation is at work on it"),
        ("CREATE_FAILED", 1, "may cost money"),
        ("ROLLBACK_COMPLETE", 1, "nothing of it is left but its name"),
        ("ROLLBACK_FAILED", 1, "prefect-aws ecs-worker delete orders"),
        ("UPDATE_ROLLBACK_COMPLETE", 1, "what was there before runs on"),
        ("UPDATE_ROLLBACK_FAILED", 1, "continue-update-rollback --stack-name orders"),
        ("DELETE_FAILED", 1, "Remove what holds them"),
        ("REVIEW_IN_PROGRESS", 1, "a change set that nobody has executed"),
    ],
)
def test_status_tells_of_each_state_what_to_do(stub: AwsStub, run: Run, state: str, code: int, said: str):
    stub.respond("DescribeStacks", stack(state))
    result = run("status", "orders")
    assert result.exit_code == code
    assert state in result.output
    assert said in result.output


def test_status_names_the_first_failure_of_the_last_operation(stub: AwsStub, run: Run):
    stub.respond("DescribeStacks", stack("UPDATE_ROLLBACK_COMPLETE"))
    stub.respond(
        "DescribeStackEvents",
        history(
            event(1, "CREATE_IN_PROGRESS"),
            event(2, "CREATE_FAILED", "OldQueue", "an old story"),
            event(3, "UPDATE_IN_PROGRESS"),
            event(4, "UPDATE_FAILED", "EventsQueue", "Access to the resource is denied"),
            event(5, "UPDATE_FAILED", "OtherQueue", "Resource update cancelled"),
            event(6, "UPDATE_ROLLBACK_COMPLETE"),
        ),
    )
    said = run("status", "orders").output
    assert "EventsQueue (AWS::SQS::Queue) UPDATE_FAILED: Access to the resource is denied" in said
    assert "OldQueue" not in said
    assert "OtherQueue" not in said


def test_a_failed_creation_names_the_first_resource_that_failed(stub: AwsStub, run: Run):
    stub.respond(
        "DescribeStacks",
        *(ABSENT, stack("CREATE_IN_PROGRESS"), stack("ROLLBACK_IN_PROGRESS"), stack("ROLLBACK_COMPLETE")),
    )
    first = (event(1, "CREATE_IN_PROGRESS"), event(2, "CREATE_IN_PROGRESS", "EventsQueue"))
    failed = (
        event(3, "CREATE_FAILED", "EventsQueue", "A queue already exists with the same name"),
        event(4, "CREATE_FAILED", "EventsDeadLetterQueue", "Resource creation cancelled"),
        event(5, "ROLLBACK_IN_PROGRESS", reason="The following resource(s) failed to create: [EventsQueue]"),
    )
    stub.respond(
        "DescribeStackEvents",
        *(history(*first), history(*first, *failed), history(*first, *failed, event(6, "ROLLBACK_COMPLETE"))),
    )
    result = run(*EVENTS)
    assert result.exit_code == 1
    error = result.output.splitlines()[-1]
    assert "is ROLLBACK_COMPLETE. EventsQueue (AWS::SQS::Queue) was the first to fail" in error
    assert "A queue already exists with the same name." in error
    lines = [line for line in result.output.splitlines() if "EventsQueue (AWS" in line]
    assert len(lines) == 3  # each event is told once, and the failure again at the end


def test_a_rollback_that_fails_says_what_is_left(stub: AwsStub, run: Run):
    stub.respond("DescribeStacks", ABSENT, stack("ROLLBACK_FAILED"))
    stub.respond("DescribeStackEvents", history(event(1, "CREATE_IN_PROGRESS"), event(2, "ROLLBACK_FAILED")))
    resource = {"ResourceType": "AWS::SQS::Queue", "LastUpdatedTimestamp": START}
    stub.respond(
        "ListStackResources",
        {
            "StackResourceSummaries": [
                {**resource, "LogicalResourceId": "A", "PhysicalResourceId": "a", "ResourceStatus": "DELETE_COMPLETE"},
                {**resource, "LogicalResourceId": "B", "PhysicalResourceId": "b", "ResourceStatus": "DELETE_FAILED"},
            ]
        },
    )
    result = run(*EVENTS)
    assert result.exit_code == 1
    assert "Still there: AWS::SQS::Queue b." in result.output


def test_the_state_from_before_an_update_is_not_taken_for_its_end(stub: AwsStub, run: Run):
    before = (event(1, "CREATE_IN_PROGRESS"), event(2, "CREATE_COMPLETE"), event(3, "UPDATE_COMPLETE"))
    stub.respond(
        "DescribeStacks",
        *(stack("UPDATE_COMPLETE"), stack("UPDATE_COMPLETE"), stack("UPDATE_IN_PROGRESS")),
        *(stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), stack("UPDATE_COMPLETE", Outputs=[])),
    )
    now = (event(4, "UPDATE_IN_PROGRESS"), event(5, "UPDATE_COMPLETE"))
    stub.respond("DescribeStackEvents", *(history(*before),) * 2, history(*before, now[0]), history(*before, *now))
    result = run(*EVENTS)
    assert result.exit_code == 0, result.output
    assert len(stub.calls_of("DescribeStacks")) == 5


def test_an_update_that_is_taken_back_fails(stub: AwsStub, run: Run):
    before = (event(1, "CREATE_COMPLETE"),)
    stub.respond("DescribeStacks", stack("CREATE_COMPLETE"), stack("UPDATE_ROLLBACK_COMPLETE"))
    stub.respond(
        "DescribeStackEvents",
        history(*before),
        history(*before, event(2, "UPDATE_FAILED", "EventsQueue", "no"), event(3, "UPDATE_ROLLBACK_COMPLETE")),
    )
    result = run(*EVENTS)
    assert result.exit_code == 1
    assert "EventsQueue (AWS::SQS::Queue) was the first to fail, as UPDATE_FAILED: no." in result.output
    assert "what was there before runs on" in result.output


def test_nothing_to_update_is_success(stub: AwsStub, run: Run):
    stub.respond("DescribeStacks", stack("CREATE_COMPLETE", Outputs=[{"OutputKey": "Queue", "OutputValue": "q"}]))
    stub.fail("UpdateStack", "ValidationError", "No updates are to be performed.")
    result = run(*EVENTS)
    assert result.exit_code == 0
    assert "is up to date" in result.output
    assert "Queue  q" in result.output


def test_a_rolled_back_stack_is_removed_before_it_is_created_again(stub: AwsStub, run: Run):
    other = ID.replace("/1", "/2")
    stub.respond("CreateStack", {"StackId": other})
    ending = iter([stack("ROLLBACK_COMPLETE"), stack("DELETE_IN_PROGRESS"), stack("DELETE_COMPLETE")])

    def describe(call: AwsCall) -> dict[str, Any]:
        named = call.parameters["StackName"]
        if named == ID:
            return next(ending)  # the first look is too early
        return stack("CREATE_COMPLETE", StackId=other) if named == other else stack("ROLLBACK_COMPLETE")

    stub.respond("DescribeStacks", describe)
    old = (event(1, "CREATE_IN_PROGRESS"), event(2, "ROLLBACK_COMPLETE"))
    histories = {ID: history(*old), other: history(event(3, "CREATE_COMPLETE"))}
    stub.respond("DescribeStackEvents", lambda call: histories[call.parameters["StackName"]])
    result = run(*EVENTS)
    assert result.exit_code == 0, result.output
    made = [call.operation for call in stub.calls if call.operation in ("DeleteStack", "CreateStack")]
    assert made == ["DeleteStack", "CreateStack"]


@pytest.mark.parametrize(
    "state",
    [
        *("CREATE_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"),
        *("DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS"),
    ],
)
def test_a_stack_that_cannot_be_deployed_now_is_left_alone(stub: AwsStub, run: Run, state: str):
    stub.respond("DescribeStacks", stack(state))
    for more in ((), ("--dry-run",)):
        result = run(*EVENTS, *more)
        assert result.exit_code == 1
        assert f"Stack 'orders' is {state} and cannot be deployed now." in result.output
    assert not stub.calls_of("UpdateStack")
    assert not stub.calls_of("CreateStack")


def test_what_cannot_be_deleted_is_named_with_its_reason(stub: AwsStub, run: Run):
    stub.respond("DescribeStacks", stack("CREATE_COMPLETE"), stack("DELETE_IN_PROGRESS"), stack("DELETE_FAILED"))
    events = (
        event(1, "DELETE_IN_PROGRESS"),
        event(2, "DELETE_FAILED", "WorkerSecurityGroup", "resource sg-1 has a dependent object"),
        event(3, "DELETE_FAILED"),
    )
    stub.respond("DescribeStackEvents", history(), history(*events))
    result = run("delete", "orders", "--force")
    assert result.exit_code == 1
    error = result.output.splitlines()[-1]
    assert "DELETE_FAILED. WorkerSecurityGroup" in error
    assert "resource sg-1 has a dependent object" in error


def test_a_deleted_stack_is_gone(stub: AwsStub, run: Run):
    stub.respond("DescribeStacks", stack("CREATE_COMPLETE"), stack("DELETE_IN_PROGRESS"), ABSENT)
    assert run("delete", "orders", "--force").exit_code == 0


def test_only_our_stacks_are_listed_from_all_pages(stub: AwsStub, run: Run):
    def page(call: AwsCall) -> dict[str, Any]:
        number = int(call.parameters.get("NextToken", "0"))
        tags = OURS if number % 2 else []
        return {
            **stack("CREATE_COMPLETE", StackName=f"orders-{number}", Tags=tags),
            **({"NextToken": str(number + 1)} if number < 5 else {}),
        }

    stub.respond("DescribeStacks", page)
    rows = json.loads(run("list", "--format", "json").output)
    assert [row["name"] for row in rows] == ["orders-1", "orders-3", "orders-5"]


CALLS = {
    "DescribeClusters": EVENTS,
    "DescribeStacks": EVENTS,
    "ValidateTemplate": [*EVENTS, "--dry-run"],
    "CreateStack": EVENTS,
    "UpdateStack": EVENTS,
    "DescribeStackEvents": EVENTS,
    "DeleteStack": ["delete", "orders", "--force"],
}


def script(stub: AwsStub, operation: str) -> None:
    """Let a stack be there where the operation needs one, and each wait end well."""
    there = operation in ("UpdateStack", "DeleteStack")

    def describe(call: AwsCall) -> Any:
        if call.parameters.get("StackName") == ID:
            return stack("DELETE_COMPLETE" if operation == "DeleteStack" else "CREATE_COMPLETE")
        return stack("CREATE_COMPLETE") if there else ABSENT

    def events(call: AwsCall) -> dict[str, Any]:
        asked = len(stub.calls_of("DescribeStackEvents"))
        return history(*(event(number, "CREATE_COMPLETE") for number in range(asked)))

    stub.respond("DescribeStacks", describe)
    stub.respond("DescribeStackEvents", events)


@pytest.mark.parametrize("operation", CALLS)
def test_a_denial_names_the_action_to_allow(stub: AwsStub, run: Run, operation: str):
    script(stub, operation)
    stub.fail(operation, Fault.ACCESS_DENIED)
    result = run(*CALLS[operation])
    assert result.exit_code == 1
    assert f"Allow {operation} to this identity in IAM" in result.output


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(name, marks=() if name in ("CreateStack", "DescribeStacks") else pytest.mark.slow)  # seconds each
        for name in CALLS
    ],
)
def test_a_throttled_request_is_sent_again(throttling: AwsStub, run: Run, operation: str):
    script(throttling, operation)
    throttling.fail(operation, Fault.THROTTLED, times=1)
    result = run(*CALLS[operation])
    assert result.exit_code == 0, result.output


def test_throttling_without_end_is_said(stub: AwsStub, run: Run, one_try: None):
    stub.fail("DescribeClusters", Fault.THROTTLED)
    result = run(*EVENTS)
    assert result.exit_code == 1
    assert "Rate exceeded" in result.output


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.INTERNAL])
def test_a_look_that_fails_does_not_end_the_wait(stub: AwsStub, run: Run, one_try: None, fault: Fault):
    stub.respond("DescribeStacks", ABSENT, fault, stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE"))
    stub.respond("DescribeStackEvents", history(event(1, "CREATE_IN_PROGRESS")), history(event(2, "CREATE_COMPLETE")))
    result = run(*EVENTS)
    assert result.exit_code == 0, result.output
    assert "Cannot look right now, and tries again" in result.output


def test_a_wait_has_an_end(stub: AwsStub, run: Run, fake_clock: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "_INTERVAL_SECONDS", 600.0)
    stub.respond("DescribeStacks", ABSENT, stack("CREATE_IN_PROGRESS"))
    stub.respond("DescribeStackEvents", history())
    progress_before = fake_clock.now_seconds
    result = run(*EVENTS)
    assert result.exit_code == 1
    assert "still at work after 3600 seconds and goes on" in result.output
    assert fake_clock.now_seconds - progress_before == 3600


def test_who_stops_waiting_is_told_that_the_work_goes_on(
    stub: AwsStub, run: Run, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fake_clock, "sleep", interrupt)
    stub.respond("DescribeStacks", ABSENT, stack("CREATE_IN_PROGRESS"))
    result = run(*EVENTS)
    assert result.exit_code == 130
    assert "CloudFormation goes on. `prefect-aws ecs-worker status orders`" in result.output
