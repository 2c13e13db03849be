"""Tasks are looked at together and seldom; one that ended settles its run, and one of a cancelled run is stopped."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.states import Cancelled, Cancelling, Completed, Pending, Running

from prefect_aws import errors
from prefect_aws._ecs import tags
from prefect_aws._ecs.settlement import settle
from prefect_aws._ecs.watch import TaskWatch, WatchedTask, describe_tasks
from prefect_aws.settings import EcsWorkerSettings
from prefect_integration_kit.settlement import Settled
from prefect_integration_tests.backends.aws_stub import Fault

pytestmark = pytest.mark.usefixtures("prefect_harness")
ARN = "arn:aws:ecs:us-east-1:000000000000"
CLUSTER = f"{ARN}:cluster/c"
logger = logging.getLogger("prefect.test_ecs_watch")


@flow
def watched_flow() -> None:
    """What the runs are of; it never runs here."""


def task(name: str, status: str = "RUNNING", **more: Any) -> dict[str, Any]:
    return {"taskArn": f"{ARN}:task/c/{name}", "clusterArn": CLUSTER, "lastStatus": status, **more}


def stopped(name: str, exit_code: int | None = 1, **more: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "prefect"} if exit_code is None else {"name": "prefect", "exitCode": exit_code}
    now = datetime.now(timezone.utc)
    return task(
        name,
        "STOPPED",
        **{
            "stopCode": "EssentialContainerExited",
            "containers": [container],
            "stoppedAt": now,
            "startedAt": now,
            **more,
        },
    )


class Watched:
    """A watch whose time is set by hand."""

    def __init__(self, client: Any, credentials: Any, clock: Any, **settings: Any) -> None:
        self.credentials, self.clock, self.client = credentials, clock, client
        self.events, self.ended = False, []
        self.watch = TaskWatch(
            EcsWorkerSettings(**settings),
            settle=self.settle,
            prefect=lambda: client,
            on_end=self.ended.append,
            events_are_coming=lambda: self.events,
            logger=logger,
            clock=clock,
        )

    async def settle(self, task: WatchedTask, seen: Any) -> Settled:
        known = {**task.tags, tags.FLOW_RUN_ID: str(task.flow_run_id)}
        return await settle(seen, known, client=self.client, logger=logger)

    def add(self, name: str, flow_run_id: uuid.UUID, **more: str) -> WatchedTask:
        arn = task(name)["taskArn"]
        return self.watch.add(flow_run_id, CLUSTER, arn, self.credentials, more)


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    return aws_stub("ecs")


@pytest.fixture
def watching(stub: Any, make_credentials: Any, fake_clock: Any) -> Callable[..., Watched]:
    def watching(client: Any, **settings: Any) -> Watched:
        return Watched(client, make_credentials(stub.endpoint_url), fake_clock, **settings)

    return watching


async def new_run(client: Any, *states: Any) -> Any:
    run = await client.create_flow_run(watched_flow)
    for state in states:
        await client.set_flow_run_state(run.id, state, force=True)
    return run


async def state_of(client: Any, run: Any) -> Any:
    return (await client.read_flow_run(run.id)).state


async def test_a_thousand_tasks_are_looked_at_by_ten_calls(stub: Any, watching: Any) -> None:
    stub.respond(
        "DescribeTasks",
        lambda call: {"tasks": [task(arn.rpartition("/")[2]) for arn in call.parameters["tasks"]], "failures": []},
    )
    async with get_client() as client:
        watched = watching(client)
        for number in range(1000):
            watched.add(f"{number:04}", uuid.uuid4())
        await watched.watch.look()
    assert len(stub.calls) == 10
    assert {len(call.parameters["tasks"]) for call in stub.calls} == {100}
    assert len(watched.watch) == 1000


async def test_a_task_that_failed_crashes_its_run_and_is_watched_no_longer(stub: Any, watching: Any) -> None:
    stub.respond("DescribeTasks", {"tasks": [task("2"), stopped("1", 137)], "failures": []})
    async with get_client() as client:
        failed, going_on = await new_run(client, Pending(), Running()), await new_run(client, Pending(), Running())
        watched = watching(client)
        watched.add("1", failed.id)
        watched.add("2", going_on.id)
        await watched.watch.look()
        state = await state_of(client, failed)
        assert state.is_crashed()
        assert "137" in state.message
        assert (await state_of(client, going_on)).is_running()
    assert watched.ended == [failed.id]
    assert going_on.id in watched.watch


async def test_a_task_that_never_started_crashes_its_run(stub: Any, watching: Any) -> None:
    never = stopped(
        "1", None, stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: no such image", startedAt=None
    )
    del never["startedAt"]
    stub.respond("DescribeTasks", {"tasks": [never], "failures": []})
    async with get_client() as client:
        run = await new_run(client, Pending())
        watched = watching(client)
        watched.add("1", run.id)
        await watched.watch.look()
        state = await state_of(client, run)
    assert state.is_crashed()
    assert "CannotPullContainerError: no such image" in state.message


@pytest.mark.parametrize("final", [Completed(), Cancelled()])
async def test_a_final_run_keeps_its_state(stub: Any, watching: Any, final: Any) -> None:
    stub.respond("DescribeTasks", {"tasks": [stopped("1", 1)], "failures": []})
    async with get_client() as client:
        run = await new_run(client, Pending(), Running(), final)
        watched = watching(client)
        watched.add("1", run.id)
        await watched.watch.look()
        assert (await state_of(client, run)).type == final.type
    assert len(watched.watch) == 0


async def test_a_task_that_ecs_forgot_crashes_its_run_once_it_is_old_enough(
    stub: Any, watching: Any, fake_clock: Any
) -> None:
    missing = {"arn": task("1")["taskArn"], "reason": "MISSING"}
    stub.respond("DescribeTasks", {"tasks": [], "failures": [missing]})
    async with get_client() as client:
        run = await new_run(client, Pending())
        watched = watching(client)
        watched.add("1", run.id)
        await watched.watch.look()
        assert (await state_of(client, run)).is_pending(), "it may only just have been started"
        fake_clock.sleep(61)
        await watched.watch.look()
        assert "no longer knows the task" in (await state_of(client, run)).message
    assert len(watched.watch) == 0


async def test_a_cluster_that_is_gone_is_no_error(stub: Any, watching: Any, fake_clock: Any) -> None:
    stub.fail("DescribeTasks", "ClusterNotFoundException", "Cluster not found.")
    async with get_client() as client:
        run = await new_run(client, Pending(), Running())
        watched = watching(client)
        watched.add("1", run.id)
        fake_clock.sleep(61)
        await watched.watch.look()
        assert (await state_of(client, run)).is_crashed()


async def test_a_look_that_failed_is_taken_again_and_loses_nothing(
    stub: Any, watching: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stub.respond("DescribeTasks", {"tasks": [stopped("1")], "failures": []})
    stub.fail("DescribeTasks", Fault.THROTTLED, times=2)
    async with get_client() as client:
        run = await new_run(client, Pending(), Running())
        watched = watching(client)
        watched.add("1", run.id)
        with caplog.at_level(logging.INFO, "prefect"):
            for _ in range(3):
                await watched.watch._guarded("running tasks", watched.watch.look)
        assert (await state_of(client, run)).is_crashed()
    assert caplog.text.count("Cannot look after running tasks") == 1
    assert "Looking after running tasks again" in caplog.text


async def test_a_definition_made_for_the_task_is_deregistered_with_it(stub: Any, watching: Any) -> None:
    arn = f"{ARN}:task-definition/f:1"
    stub.respond("DescribeTasks", {"tasks": [stopped("1", 1, taskDefinitionArn=arn)], "failures": []})
    stub.fail("DeregisterTaskDefinition", "ClientException", "The specified task definition is inactive.", times=1)
    async with get_client() as client:
        run = await new_run(client, Pending(), Running())
        watched = watching(client)
        watched.add("1", run.id, **{tags.DEREGISTER: "true"})
        await watched.watch.look()
    assert stub.calls[-1].parameters == {"taskDefinition": arn}
    assert len(watched.watch) == 0


# Cancelled runs


@pytest.mark.parametrize("state", [Cancelling(), Cancelled()])
async def test_a_task_of_a_cancelled_run_is_stopped_after_its_grace(
    stub: Any, watching: Any, fake_clock: Any, state: Any
) -> None:
    stub.respond("StopTask", {"task": task("1", "STOPPING")})
    async with get_client() as client:
        run = await new_run(client, Pending(), Running(), state)
        other = await new_run(client, Pending(), Running())
        watched = watching(client, cancellation_grace_seconds=30)
        watched.add("1", run.id)
        watched.add("2", other.id)
        await watched.watch.stop_cancelled()
        fake_clock.sleep(29)
        await watched.watch.stop_cancelled()
        assert stub.calls == [], "the flow ends by itself, as a rule"
        fake_clock.sleep(1)
        await watched.watch.stop_cancelled()
        await watched.watch.stop_cancelled()
        (call,) = stub.calls
        assert call.parameters["task"] == task("1")["taskArn"]
        stub.respond("DescribeTasks", {"tasks": [stopped("1", 143, stopCode="UserInitiated"), task("2")]})
        await watched.watch.look()
        assert (await state_of(client, run)).is_cancelled()
        assert (await state_of(client, other)).is_running()


async def test_a_run_being_cancelled_whose_task_is_gone_becomes_cancelled(stub: Any, watching: Any) -> None:
    stub.respond("DescribeTasks", {"tasks": [stopped("1", 0)], "failures": []})
    async with get_client() as client:
        run = await new_run(client, Pending(), Running(), Cancelling())
        watched = watching(client)
        watched.add("1", run.id)
        await watched.watch.look()
        assert (await state_of(client, run)).is_cancelled()


async def test_a_stop_that_was_refused_is_tried_again_and_the_others_are_stopped(stub: Any, watching: Any) -> None:
    stub.respond("StopTask", {"task": task("2", "STOPPING")})
    stub.fail("StopTask", Fault.ACCESS_DENIED, times=1)
    async with get_client() as client:
        watched = watching(client, cancellation_grace_seconds=0)
        for name in ("1", "2"):
            watched.add(name, (await new_run(client, Pending(), Cancelling())).id)
        with pytest.raises(errors.AwsAccessDenied, match="StopTask"):
            await watched.watch.stop_cancelled()
        await watched.watch.stop_cancelled()
    assert [call.parameters["task"][-1] for call in stub.calls] == ["1", "2", "1"]


# How often


@pytest.mark.parametrize(("events", "looks"), [(False, 16), (True, 1)])
async def test_tasks_are_looked_at_seldom_while_events_come_in(
    stub: Any, watching: Any, fake_clock: Any, events: bool, looks: int
) -> None:
    stub.respond("DescribeTasks", {"tasks": [task("1")], "failures": []})

    class Enough(BaseException):
        pass

    async with get_client() as client:
        watched = watching(client)
        watched.events = events
        watched.add("1", uuid.uuid4())
        sleep = fake_clock.asleep

        async def asleep(seconds: float) -> None:
            if fake_clock.monotonic() - start >= 240:
                raise Enough
            await sleep(seconds)

        start, fake_clock.asleep = fake_clock.monotonic(), asleep
        with pytest.raises(Enough):
            await watched.watch.watch()
    assert len(stub.calls_of("DescribeTasks")) == looks


def test_tags_are_asked_for(stub: Any, make_credentials: Any) -> None:
    stub.respond("DescribeTasks", {"tasks": [], "failures": []})
    describe_tasks(make_credentials(stub.endpoint_url).get_client("ecs"), "c", ["arn"])
    assert stub.calls[0].parameters["include"] == ["TAGS"]
