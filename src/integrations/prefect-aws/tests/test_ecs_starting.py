"""A task is asked for again while that can help, never twice by accident, and not at all when it cannot help."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from prefect_aws import errors
from prefect_aws._ecs.registration import SingleFlight
from prefect_aws._ecs.starting import Starter, client_token
from prefect_aws.settings import EcsWorkerSettings
from prefect_integration_tests.backends.aws_stub import Fault, HangUp

CLUSTER = "arn:aws:ecs:us-east-1:000000000000:cluster/c"
TASK = {"taskArn": "arn:aws:ecs:us-east-1:000000000000:task/c/1", "clusterArn": CLUSTER, "lastStatus": "PROVISIONING"}
STARTED = {"tasks": [TASK], "failures": []}
REQUEST = {"taskDefinition": "f:1", "cluster": "c", "count": 1}
CAPACITY = {"tasks": [], "failures": [{"arn": "arn:i", "reason": "RESOURCE:MEMORY", "detail": "too little"}]}


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    return aws_stub("ecs")


@pytest.fixture
def start(stub: Any, fake_clock: Any, make_credentials: Any) -> Any:
    ecs = make_credentials(stub.endpoint_url).get_client("ecs")

    async def start(*, wanted: Any = lambda: True, **settings: Any) -> Any:
        starter = Starter(EcsWorkerSettings(**settings), clock=fake_clock, jitter=lambda low, high: high)
        return await starter.start(
            ecs, REQUEST, token=client_token("run"), is_wanted=wanted, on_retry=lambda error, delay: None
        )

    return start


def tokens(stub: Any) -> list[str]:
    return [call.parameters["clientToken"] for call in stub.calls_of("RunTask")]


async def test_a_task_is_started_once(stub: Any, start: Any, fake_clock: Any) -> None:
    stub.respond("RunTask", STARTED)
    assert (await start())["taskArn"] == TASK["taskArn"]
    assert tokens(stub) == [client_token("run")]
    assert fake_clock.sleeps == []


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.INTERNAL, HangUp()])
async def test_a_request_whose_answer_was_lost_is_repeated_with_its_token(
    stub: Any, start: Any, fake_clock: Any, fault: Any
) -> None:
    stub.respond("RunTask", STARTED)
    stub.fail("RunTask", fault, times=2)
    assert await start() is not None
    assert tokens(stub) == [client_token("run")] * 3
    assert fake_clock.sleeps == [4.0, 4.0]  # at least a second, and jitter of three


async def test_attempts_are_limited_by_the_setting(stub: Any, start: Any) -> None:
    stub.fail("RunTask", Fault.THROTTLED)
    with pytest.raises(errors.AwsThrottled):
        await start(create_task_run_max_attempts=2)
    assert len(stub.calls) == 2


async def test_a_full_cluster_is_asked_again_less_and_less_often_until_the_deadline(
    stub: Any, start: Any, fake_clock: Any
) -> None:
    stub.respond("RunTask", CAPACITY)
    with pytest.raises(errors.EcsTaskNotStarted, match=r"RESOURCE:MEMORY.*too little.*Add instances"):
        await start(create_task_run_capacity_timeout_seconds=100, create_task_run_max_delay_jitter_seconds=0)
    assert fake_clock.sleeps == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert len(set(tokens(stub))) == len(tokens(stub)), "ECS repeats its answer to a token that it knows"


async def test_room_that_turns_up_is_used(stub: Any, start: Any) -> None:
    stub.respond("RunTask", CAPACITY, CAPACITY, CAPACITY, CAPACITY, CAPACITY, STARTED)
    assert (await start(create_task_run_max_attempts=1))["taskArn"] == TASK["taskArn"]


@pytest.mark.parametrize(
    "message",
    [
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        "You've reached the limit on the number of tasks you can run concurrently",
    ],
)
async def test_a_refusal_for_want_of_capacity_is_no_final_one(stub: Any, start: Any, message: str) -> None:
    stub.respond("RunTask", STARTED)
    stub.fail("RunTask", "ClientException", message, times=4)
    assert (await start())["taskArn"] == TASK["taskArn"]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Fault.ACCESS_DENIED, errors.AwsAccessDenied, "RunTask"),
        (("ClusterNotFoundException", "Cluster not found."), errors.AwsNotFound, "'c'"),
        (("ClientException", "TaskDefinition not found."), errors.AwsInvalidRequest, "'f:1'"),
    ],
)
async def test_a_permanent_refusal_is_raised_at_once(
    stub: Any, start: Any, fake_clock: Any, answer: Any, error: type[Exception], words: str
) -> None:
    stub.fail("RunTask", *(answer if isinstance(answer, tuple) else (answer,)))
    with pytest.raises(error, match=words):
        await start()
    assert len(stub.calls) == 1
    assert fake_clock.sleeps == []


@pytest.mark.parametrize("reason", ["ATTRIBUTE", "LOCATION", "MISSING", "INACTIVE", "TaskFailedToStart"])
async def test_a_permanent_reason_is_raised_at_once_and_named(stub: Any, start: Any, reason: str) -> None:
    stub.respond("RunTask", {"tasks": [], "failures": [{"reason": reason}]})
    with pytest.raises(errors.EcsTaskNotStarted, match=reason) as caught:
        await start()
    assert caught.value.code == reason
    assert len(stub.calls) == 1


async def test_a_run_that_is_no_longer_wanted_starts_nothing_more(stub: Any, start: Any) -> None:
    stub.respond("RunTask", CAPACITY)
    assert await start(wanted=lambda: len(stub.calls) < 2) is None
    assert len(stub.calls) == 2
    assert await start(wanted=lambda: False) is None


# Things done once


async def test_a_hundred_who_ask_at_a_time_have_it_done_once() -> None:
    flights, done, results = SingleFlight(), [], []

    async def work() -> str:
        done.append(1)
        await anyio.sleep(0)
        return "arn"

    async def ask() -> None:
        results.append(await flights.do("key", work))

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(ask)
    assert (len(done), results) == (1, ["arn"] * 100)


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    flights, outcomes = SingleFlight(), []

    async def work() -> str:
        await anyio.sleep(0)
        raise ValueError("no")

    async def ask() -> None:
        try:
            await flights.do("key", work)
        except ValueError as exc:
            outcomes.append(str(exc))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(ask)
    assert outcomes == ["no"] * 5

    async def well() -> str:
        return "arn"

    assert await flights.do("key", well) == "arn"


async def test_when_the_one_who_does_it_is_cancelled_another_does_it() -> None:
    flights, results, began = SingleFlight(), [], anyio.Event()

    async def slow() -> str:
        began.set()
        await anyio.sleep_forever()
        return "never"

    async def quick() -> str:
        return "arn"

    async def wait() -> None:
        results.append(await flights.do("key", quick))

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:

            async def cancel_soon() -> None:
                await began.wait()
                group.start_soon(wait)
                await anyio.lowlevel.checkpoint()
                scope.cancel()

            group.start_soon(cancel_soon)
            await flights.do("key", slow)
    assert results == ["arn"]
