"""One observer for the process, as long as a worker needs it, whatever happens to it."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Pending

from prefect_aws.observers import ecs as observed
from prefect_aws.observers.ecs import (
    EcsObserver,
    SqsMessage,
    SqsSubscriber,
    observer_health,
    start_observer,
    stop_observer,
)
from prefect_integration_kit.observing import observe_for_ever
from prefect_integration_kit.waiting import Backoff
from prefect_integration_tests.backends.aws_stub import Fault

from ._ecs_events import tagged, task_event, until

NAME = "prefect-aws-ecs-observer"
logger = logging.getLogger("test")


def threads() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


@pytest.fixture(autouse=True)
async def queue(aws_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    for name, value in {
        "AWS_ENDPOINT_URL": aws_emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME": "observed-in-a-thread",
    }.items():
        monkeypatch.setenv(name, value)
    aws_emulator.client("sqs").create_queue(QueueName="observed-in-a-thread")
    yield
    for _ in range(3):
        await stop_observer()


async def test_it_runs_once_and_until_its_last_user_has_gone() -> None:
    assert (observer_health().state, threads()) == ("stopped", 0)
    await start_observer()
    await start_observer()
    await until(lambda: observer_health().is_healthy)
    assert threads() == 1
    await stop_observer()
    assert (observer_health().state, threads()) == ("healthy", 1)
    await stop_observer()
    assert (observer_health().state, threads()) == ("stopped", 0)
    await stop_observer()  # once too often does no harm
    await start_observer()
    await until(lambda: observer_health().is_healthy)
    await stop_observer()
    assert threads() == 0


async def test_workers_in_other_event_loops_share_it() -> None:
    await start_observer()
    await asyncio.to_thread(lambda: asyncio.run(start_observer()))
    assert threads() == 1
    await asyncio.to_thread(lambda: asyncio.run(stop_observer()))
    await until(lambda: observer_health().is_healthy)
    await stop_observer()
    assert threads() == 0


async def test_it_does_not_run_if_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_ENABLED", "false")
    await start_observer()
    assert (observer_health().is_healthy, threads()) == (False, 0)
    await stop_observer()


async def test_without_a_queue_it_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME", "nowhere")
    await start_observer()
    try:
        await until(lambda: observer_health().consecutive_failures)
        assert not observer_health().is_healthy
        assert "nowhere" in str(observer_health().last_error)
    finally:
        await stop_observer()


async def test_a_stopped_task_crashes_its_run_though_ecs_throttles_at_first(
    aws_emulator: Any, aws_stub: Any, prefect_harness: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    @flow(name="test-ecs-observer-thread")
    def observed_flow() -> None: ...

    stub, event = aws_stub("ecs"), task_event(stopCode="TaskFailedToStart", stoppedReason="RESOURCE:FARGATE")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", stub.endpoint_url)
    async with get_client() as client:
        run = (await client.create_flow_run(observed_flow, state=Pending())).id
        stub.respond("DescribeTasks", {"tasks": [tagged(event["detail"]["taskArn"], run, **_stopped(event))]})
        stub.fail("DescribeTasks", Fault.THROTTLED, times=2)
        stub.respond("DescribeTaskDefinition", {"taskDefinition": {}})
        sqs = aws_emulator.client("sqs")
        url = sqs.get_queue_url(QueueName="observed-in-a-thread")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
        await start_observer()

        async def is_crashed() -> bool:
            state = (await client.read_flow_run(run)).state
            return state is not None and state.is_crashed() and "RESOURCE:FARGATE" in str(state.message)

        await until(is_crashed)
        await stop_observer()


def _stopped(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event["detail"][name] for name in ("stopCode", "stoppedReason", "containers")}


class Broken(SqsSubscriber):
    """A queue that fails as none should, ten times, and then has a message."""

    tries = 0

    async def stream_messages(self) -> AsyncGenerator[SqsMessage, None]:
        self.tries += 1
        if self.tries <= 10:
            raise ValueError("a bug")

        async def done() -> bool:
            return True

        yield SqsMessage({"MessageId": "m", "Body": json.dumps({**task_event(), "detail-type": "x"})}, done, done)
        await asyncio.Event().wait()


async def test_it_is_started_again_for_ever_and_ever_more_slowly(
    fake_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    subscriber = Broken("q")
    backoff = Backoff(initial_seconds=30, maximum_seconds=480, random=lambda: 1.0)
    main = EcsObserver(sqs_subscriber=subscriber).run
    observing = asyncio.create_task(
        observe_for_ever(main, subject="ECS events", backoff=backoff, logger=logger, clock=fake_clock)
    )
    await until(lambda: subscriber.tries == 11)
    observing.cancel()
    assert fake_clock.sleeps == [30, 60, 120, 240, 480, 480, 480, 480, 480, 480]
    assert "ValueError: a bug" in caplog.text


async def test_its_delays_are_those_of_the_constants() -> None:
    backoff = observed._background.backoff
    assert (backoff.initial_seconds, backoff.maximum_seconds) == (30, 480)
