"""What a stopped task means: for every way that ECS has to say that a container did not end well."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from prefect_aws._ecs import tags as names
from prefect_aws._ecs.containers import orchestration_container
from prefect_aws._ecs.outcomes import outcome_of
from prefect_aws._ecs.times import time_of
from prefect_integration_tests.backends._aws_model import load_model

ARN = "arn:aws:ecs:us-east-1:123456789012:task/flows/0123456789abcdef0123456789abcdef"
STOP_CODES: list[str] = list(load_model("ecs").shape_for("TaskStopCode").enum)


def stopped(*containers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"taskArn": ARN, "lastStatus": "STOPPED", "containers": list(containers), **fields}


def container(name: str = "prefect", **fields: Any) -> dict[str, Any]:
    return {"name": name, "lastStatus": "STOPPED", **fields}


def test_a_container_that_exited_with_0_has_succeeded() -> None:
    task = stopped(container(exitCode=0), stopCode="EssentialContainerExited", startedAt="2026-01-01T00:00:00Z")
    outcome = outcome_of(task, {})
    assert (outcome.succeeded, outcome.exit_code, outcome.never_started) == (True, 0, False)


@pytest.mark.parametrize("stop_code", [*STOP_CODES, "SomethingNew", None])
@pytest.mark.parametrize("exit_code", [None, 1, 137])
def test_every_other_end_is_told_with_stop_code_reason_and_exit_code(stop_code: str | None, exit_code: Any) -> None:
    fields: dict[str, Any] = {} if exit_code is None else {"exitCode": exit_code}
    task = stopped(container(**fields), stoppedReason="what ECS says.")
    if stop_code:
        task["stopCode"] = stop_code
    outcome = outcome_of(task, {})
    assert not outcome.succeeded
    assert outcome.exit_code == exit_code
    assert (stop_code or "unknown") in outcome.message
    assert "what ECS says" in outcome.message
    assert ARN.rpartition("/")[2] in outcome.message
    assert (f"exit code {exit_code}" if exit_code else "no exit code") in outcome.message


@pytest.mark.parametrize("stop_code", STOP_CODES)
def test_a_task_without_containers_never_started(stop_code: str) -> None:
    task = stopped(stopCode=stop_code, stoppedReason="Capacity is unavailable at this time.")
    outcome = outcome_of(task, {})
    assert (outcome.succeeded, outcome.exit_code, outcome.never_started) == (False, None, True)
    assert "capacity" in outcome.message.lower()


@pytest.mark.parametrize(
    ("task", "never_started"),
    [
        (stopped(container(reason="CannotPullContainerError: x"), stopCode="TaskFailedToStart"), True),
        (stopped(container(exitCode=1), stopCode="EssentialContainerExited"), False),
        (stopped(container(), startedAt=datetime.now(timezone.utc), stopCode="TerminationNotice"), False),
        (stopped(container("sidecar", exitCode=1), container(), stopCode="TaskFailedToStart"), True),
    ],
)
def test_a_container_has_started_if_it_has_an_exit_code_or_its_task_ran(
    task: dict[str, Any], never_started: bool
) -> None:
    assert outcome_of(task, {}).never_started is never_started


FLOW, SIDECAR = container("flow", exitCode=3), container("log-router", exitCode=0)


@pytest.mark.parametrize(
    ("containers", "tags", "expected"),
    [
        ([SIDECAR, FLOW], {names.CONTAINER_NAME: "flow"}, "flow"),
        ([SIDECAR, FLOW], {names.CONTAINER_NAME: "log-router"}, "log-router"),
        ([SIDECAR, FLOW], {names.CONTAINER_NAME: "nowhere"}, None),
        ([FLOW, container("prefect", exitCode=0)], {}, "prefect"),
        ([FLOW], {}, "flow"),
        ([SIDECAR, FLOW], {}, "flow"),  # none is known to decide, so the one that failed does
        ([container("a"), SIDECAR], {}, "log-router"),
        ([container("a"), container("b")], {}, "a"),
        ([], {}, None),
    ],
)
def test_one_container_decides(containers: list[dict[str, Any]], tags: dict[str, str], expected: str | None) -> None:
    found = orchestration_container(stopped(*containers), tags)
    assert (found or {}).get("name") == expected


def test_a_sidecar_that_failed_does_not_make_a_flow_fail() -> None:
    task = stopped(container("sidecar", exitCode=1), container("flow", exitCode=0))
    assert outcome_of(task, {names.CONTAINER_NAME: "flow"}).succeeded


def test_a_container_that_its_tag_names_and_that_is_not_there_never_started() -> None:
    outcome = outcome_of(stopped(SIDECAR), {names.CONTAINER_NAME: "flow"})
    assert (outcome.succeeded, outcome.never_started) == (False, True)


@pytest.mark.parametrize(
    "text", ["2026-03-01T10:00:00.5Z", "2026-03-01T10:00:00.500000123Z", "2026-03-01T11:00:00.5+01:00"]
)
def test_times_of_events_and_of_boto3_are_read_alike(text: str) -> None:
    time = datetime(2026, 3, 1, 10, 0, 0, 500000, tzinfo=timezone.utc)
    assert time_of({"stoppedAt": text}, "stoppedAt") == time_of({"stoppedAt": time}, "stoppedAt") == time


@pytest.mark.parametrize("value", [None, "", "yesterday", 5, [], "2026-13-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_none(value: Any) -> None:
    assert time_of({"stoppedAt": value}, "stoppedAt") is None
