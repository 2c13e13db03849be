"""A run whose task has stopped gets its final state, once, and only if it needs one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.states import (
    Cancelling,
    InfrastructurePending,
    Pending,
    Running,
    State,
)

from prefect_aws._ecs import tags as names
from prefect_aws._ecs.settlement import settle
from prefect_integration_kit.settlement import Settled

ARN = "arn:aws:ecs:us-east-1:123456789012:task/flows/" + "a" * 32
OTHER = "arn:aws:ecs:us-east-1:123456789012:task/flows/" + "b" * 32
PID, OTHER_PID = f"arn:aws:ecs:us-east-1:123456789012:cluster/flows::{ARN}", f"flows::{OTHER}"
logger = logging.getLogger("test")


@flow(name="test-ecs-settlement")
def settled_flow() -> None: ...


@pytest.fixture
async def client(prefect_harness: None) -> AsyncIterator[PrefectClient]:
    async with get_client() as client:
        yield client


def stopped(exit_code: int | None = 1, *, seconds_ago: float = 0.0, **fields: Any) -> dict[str, Any]:
    container = {"name": "prefect", **({} if exit_code is None else {"exitCode": exit_code})}
    return {
        "taskArn": ARN,
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "stoppedAt": datetime.now(timezone.utc) - timedelta(seconds=seconds_ago),
        "startedAt": datetime.now(timezone.utc) - timedelta(hours=1),
        "containers": [container],
        **fields,
    }


async def run_in(client: PrefectClient, state: State[Any], pid: str | None = PID) -> Any:
    flow_run = await client.create_flow_run(settled_flow)
    await client.set_flow_run_state(flow_run.id, state, force=True)
    if pid:
        await client.update_flow_run(flow_run.id, infrastructure_pid=pid)
    return flow_run.id


async def settled(client: PrefectClient, run: Any, task: dict[str, Any], **options: Any) -> tuple[Settled, State[Any]]:
    done = await settle(task, {names.FLOW_RUN_ID: str(run)}, client=client, logger=logger, **options)
    state = (await client.read_flow_run(run)).state
    assert state is not None
    return done, state


@pytest.mark.parametrize("state", [Pending(), Running()])
async def test_a_run_under_way_crashes_with_the_cause(client: PrefectClient, state: State[Any]) -> None:
    run = await run_in(client, state)
    done, after = await settled(client, run, stopped(137, stoppedReason="OutOfMemoryError: killed"))
    assert (done, after.type.value) == (Settled.CRASHED, "CRASHED")
    assert all(part in str(after.message) for part in ("memory", "EssentialContainerExited", "exit code 137"))


@pytest.mark.parametrize("pid", [None, PID])
async def test_a_task_that_never_started_crashes_its_run(client: PrefectClient, pid: str | None) -> None:
    run = await run_in(client, Pending(), pid)
    task = stopped(containers=[], startedAt=None, stopCode="TaskFailedToStart", stoppedReason="RESOURCE:FARGATE")
    done, after = await settled(client, run, task)
    assert done is Settled.CRASHED
    assert "RESOURCE:FARGATE" in str(after.message)


@pytest.mark.parametrize("state", [Running(), Cancelling()], ids=lambda state: state.name)
async def test_a_run_of_another_task_is_left_alone(client: PrefectClient, state: State[Any]) -> None:
    run = await run_in(client, state, OTHER_PID)
    done, after = await settled(client, run, stopped())
    assert (done, after.name) == (Settled.LEFT_ALONE, state.name)


async def test_a_late_word_on_the_start_of_the_same_task_is_no_sign_of_another(client: PrefectClient) -> None:
    run = await run_in(client, InfrastructurePending(message=f"ECS task {'a' * 32} is PENDING."))
    assert (await settled(client, run, stopped(seconds_ago=60)))[0] is Settled.CRASHED
    run = await run_in(client, InfrastructurePending(message=f"ECS task {'b' * 32} is PENDING."))
    assert (await settled(client, run, stopped(seconds_ago=60)))[0] is Settled.LEFT_ALONE


@pytest.mark.parametrize("exit_code", [None, 0, 143])
async def test_a_run_being_cancelled_is_cancelled_when_its_task_is_gone(
    client: PrefectClient, exit_code: int | None
) -> None:
    run = await run_in(client, Cancelling())
    done, after = await settled(client, run, stopped(exit_code, seconds_ago=60, stopCode="UserInitiated"))
    assert (done, after.name) == (Settled.CANCELLED, "Cancelled")
    assert "is gone" in str(after.message)


async def test_a_container_that_exited_with_0_gets_time_for_its_last_report(client: PrefectClient) -> None:
    run, task = await run_in(client, Running()), stopped(0)
    done, after = await settled(client, run, task)
    assert (done, after.name) == (Settled.LATER, "Running")
    done, after = await settled(client, run, task, grace_seconds=10, now=task["stoppedAt"] + timedelta(seconds=9))
    assert (done, after.name) == (Settled.LATER, "Running")
    done, after = await settled(client, run, task, grace_seconds=10, now=task["stoppedAt"] + timedelta(seconds=10))
    assert (done, after.name) == (Settled.CRASHED, "Crashed")
    assert "exited with 0" in str(after.message)
    assert "without reporting" in str(after.message)


@pytest.mark.parametrize("tags", [{}, {names.FLOW_RUN_ID: "not-a-uuid"}, {names.FLOW_RUN_ID: ""}])
async def test_a_task_of_no_run_is_nothing_to_settle(client: PrefectClient, tags: dict[str, str]) -> None:
    assert await settle(stopped(), tags, client=client, logger=logger) is Settled.LEFT_ALONE


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "STOPPING", "DEPROVISIONING", None])
async def test_a_run_is_never_crashed_while_its_task_is_there(client: PrefectClient, status: str | None) -> None:
    run = await run_in(client, Running())
    done, after = await settled(client, run, stopped(1, lastStatus=status))
    assert (done, after.name) == (Settled.LEFT_ALONE, "Running")
