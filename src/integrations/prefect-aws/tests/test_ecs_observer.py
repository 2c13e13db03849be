"""Events come from the queue, each reaches its handlers once, and none is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from prefect_aws._ecs import tags as names
from prefect_aws._sdk_logs import silent_sdk
from prefect_aws.errors import AwsError
from prefect_aws.observers import _dispatch
from prefect_aws.observers.ecs import (
    EcsObserver,
    EcsObserverSettings,
    EcsTaskTagsReader,
    FilterCase,
    SqsMessage,
    SqsSubscriber,
)
from prefect_aws.settings import EcsObserverSqsSettings
from prefect_integration_tests.backends.aws_stub import Fault

from ._ecs_events import CLUSTER, FastClock, new_task_arn, running, tagged, task_event, until

OURS = {names.FLOW_RUN_ID: FilterCase.PRESENT}


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return monkeypatch


class Queue:
    """A queue of the emulator."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.name = f"events-{uuid.uuid4().hex[:12]}"
        self.url = ""

    def create(self) -> None:
        self.url = self.client.create_queue(QueueName=self.name)["QueueUrl"]

    def put(self, body: Any) -> str:
        text = body if isinstance(body, str) else json.dumps(body)
        with silent_sdk():
            return self.client.send_message(QueueUrl=self.url, MessageBody=text)["MessageId"]

    def count(self) -> tuple[int, int]:
        """How many messages are visible, and how many hidden."""
        names_ = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names_)["Attributes"]
        return int(found[names_[0]]), int(found[names_[1]])

    async def becomes(self, visible: int, hidden: int) -> None:
        await until(lambda: self.count() == (visible, hidden), f"({visible}, {hidden}) messages")


@pytest.fixture(scope="session")
def emulated_sqs(aws_emulator: Any) -> Any:
    """A plain SQS client of the emulator."""
    return aws_emulator.client("sqs")


@pytest.fixture
def queue(aws_emulator: Any, emulated_sqs: Any, surroundings: pytest.MonkeyPatch) -> Queue:
    surroundings.setenv("AWS_ENDPOINT_URL_SQS", aws_emulator.endpoint_url)
    queue = Queue(emulated_sqs)
    queue.create()
    return queue


@pytest.fixture
def subscriber(queue: Queue) -> SqsSubscriber:
    subscriber = SqsSubscriber(queue.name)
    subscriber.clock = FastClock()
    return subscriber


@pytest.fixture
def ecs(aws_stub: Any, surroundings: pytest.MonkeyPatch) -> Any:
    """ECS, which knows no task until a test says so."""
    stub = aws_stub("ecs")
    surroundings.setenv("AWS_ENDPOINT_URL_ECS", stub.endpoint_url)
    stub.respond("DescribeTasks", {"tasks": []})
    return stub


@pytest.fixture
def observer(subscriber: SqsSubscriber, ecs: Any) -> EcsObserver:
    observer = EcsObserver(sqs_subscriber=subscriber)
    observer.clock = observer.ecs_tags_reader.clock = FastClock()
    return observer


def seen_by(observer: EcsObserver, **filters: Any) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Register a handler that keeps what it is given."""
    seen: list[tuple[dict[str, Any], dict[str, str]]] = []

    @observer.on_event("task", **filters)
    async def keep(event: dict[str, Any], tags: dict[str, str]) -> None:
        seen.append((event, tags))

    return seen


# The queue


async def test_a_message_stays_hidden_until_it_is_acknowledged(queue: Queue, subscriber: SqsSubscriber) -> None:
    queue.put({"hello": 1})
    async for message in subscriber.stream_messages():
        assert json.loads(message.message["Body"]) == {"hello": 1}
        await queue.becomes(0, 1)
        assert await message.extend_visibility() is True
        assert await message.ack() is True
        break
    await queue.becomes(0, 0)


async def test_what_was_received_and_not_handed_out_goes_back(queue: Queue, subscriber: SqsSubscriber) -> None:
    for number in range(3):
        queue.put({"number": number})
    messages = subscriber.stream_messages()
    await anext(messages)
    hidden = queue.count()[1]
    await messages.aclose()
    await queue.becomes(2, 1)
    assert hidden >= 1


async def test_a_wait_for_messages_is_left_at_once_and_loses_none(queue: Queue, subscriber: SqsSubscriber) -> None:
    subscriber.monitor.succeeded()  # so it waits for its first answer, too
    waiting = asyncio.create_task(anext(subscriber.stream_messages()))
    await until(lambda: any(t.name == "prefect-aws-observer-call" for t in threading.enumerate()), "the request")
    start = time.monotonic()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert time.monotonic() - start < 2
    queue.put({"late": 1})  # the request that was left may take it, and gives it back
    found = await asyncio.wait_for(anext(SqsSubscriber(queue.name).stream_messages()), 15)
    assert json.loads(found.message["Body"]) == {"late": 1}


async def test_a_queue_that_is_missing_is_named_and_read_once_it_is_there(
    aws_emulator: Any, emulated_sqs: Any, surroundings: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    surroundings.setenv("AWS_ENDPOINT_URL_SQS", aws_emulator.endpoint_url)
    queue = Queue(emulated_sqs)
    subscriber = SqsSubscriber(queue.name, "us-east-1")
    subscriber.clock = FastClock()
    with caplog.at_level(logging.INFO):
        waiting = asyncio.create_task(anext(subscriber.stream_messages()))
        await until(lambda: subscriber.monitor.health.consecutive_failures >= 5)
        health = subscriber.monitor.health
        assert (health.state, health.last_success) == ("degraded", None)
        assert "PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME" in str(health.last_error)
        queue.create()
        queue.put({})
        await (await asyncio.wait_for(waiting, 10)).ack()
    assert subscriber.monitor.health.is_healthy
    said = [record for record in caplog.records if queue.name in record.getMessage()]
    assert [record.levelname for record in said if record.levelno >= logging.INFO] == ["WARNING", "INFO"]


async def test_failures_are_backed_off_for_ever_with_a_bound_and_told_once(
    aws_stub: Any, surroundings: pytest.MonkeyPatch, fake_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stub = aws_stub("sqs")
    surroundings.setenv("AWS_ENDPOINT_URL_SQS", stub.endpoint_url)
    stub.respond("GetQueueUrl", {"QueueUrl": f"{stub.endpoint_url}/123456789012/q"})
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": "{}"}
    stub.respond("ReceiveMessage", {"Messages": [message]})
    for fault in (Fault.THROTTLED, Fault.ACCESS_DENIED, Fault.INTERNAL):
        stub.fail("ReceiveMessage", fault, times=10)
    subscriber = SqsSubscriber("q")
    subscriber.clock = fake_clock
    found = await asyncio.wait_for(anext(subscriber.stream_messages()), 20)
    assert found.message == message
    assert len(fake_clock.sleeps) == 30
    assert max(fake_clock.sleeps) <= 32
    assert max(fake_clock.sleeps[:2]) <= 2
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    assert len(subscriber.monitor.health.recent_errors) == 10


async def test_messages_are_received_in_batches_by_long_polls(aws_stub: Any, surroundings: pytest.MonkeyPatch) -> None:
    stub = aws_stub("sqs")
    surroundings.setenv("AWS_ENDPOINT_URL_SQS", stub.endpoint_url)
    stub.respond("GetQueueUrl", {"QueueUrl": f"{stub.endpoint_url}/123456789012/q"})
    stub.respond("ReceiveMessage", {"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "{}"}]})
    messages = SqsSubscriber("q", "eu-west-1").stream_messages()
    for _ in range(2):
        await anext(messages)
    first, then = stub.calls_of("ReceiveMessage")
    assert {first.region, then.region} == {"eu-west-1"}
    wanted = {"MaxNumberOfMessages": 10, "VisibilityTimeout": 300}
    assert wanted.items() <= dict(first.parameters).items()
    assert (first.parameters["WaitTimeSeconds"], then.parameters["WaitTimeSeconds"]) == (0, 20)


# Tags


async def test_tags_of_many_tasks_are_read_together_and_once(ecs: Any) -> None:
    arns = [new_task_arn() for _ in range(250)]
    ecs.respond("DescribeTasks", lambda call: {"tasks": [tagged(arn, "run") for arn in call.parameters["tasks"]]})
    async with EcsTaskTagsReader() as reader:
        for _ in range(2):
            found = await asyncio.gather(*(reader.read_tags(CLUSTER, arn) for arn in arns))
            assert found == [{names.FLOW_RUN_ID: "run"}] * 250
    calls = [call.parameters for call in ecs.calls_of("DescribeTasks")]
    assert [len(call["tasks"]) for call in calls] == [100, 100, 50]
    assert all(call["include"] == ["TAGS"] and call["cluster"] == CLUSTER for call in calls)


async def test_a_task_that_is_not_known_is_asked_for_again(ecs: Any) -> None:
    arn = new_task_arn()
    ecs.respond(
        "DescribeTasks", {"tasks": [], "failures": [{"arn": arn, "reason": "MISSING"}]}, {"tasks": [tagged(arn, "r")]}
    )
    async with EcsTaskTagsReader() as reader:
        assert await reader.read_tags(CLUSTER, arn) == {}
        assert await reader.read_tags(CLUSTER, arn) == {names.FLOW_RUN_ID: "r"}


async def test_a_cluster_that_is_gone_took_its_tasks_along(ecs: Any) -> None:
    ecs.fail("DescribeTasks", "ClusterNotFoundException", "Cluster not found.")
    async with EcsTaskTagsReader() as reader:
        assert await reader.read_tags(CLUSTER, new_task_arn()) == {}


async def test_a_failing_ecs_gets_one_request_for_all_who_wait(ecs: Any) -> None:
    ecs.fail("DescribeTasks", Fault.THROTTLED)
    async with EcsTaskTagsReader() as reader:
        waits = (reader.read_tags(CLUSTER, new_task_arn()) for _ in range(50))
        found = await asyncio.gather(*waits, return_exceptions=True)
    assert all(isinstance(error, AwsError) for error in found)
    assert len(ecs.calls_of("DescribeTasks")) == 1
    assert reader.monitor.health.last_error is not None


async def test_a_task_is_looked_up_in_its_own_region(ecs: Any) -> None:
    async with EcsTaskTagsReader() as reader:
        await reader.read_tags(CLUSTER.replace("us-east-1", "eu-north-1"), new_task_arn())
    assert ecs.calls_of("DescribeTasks")[0].region == "eu-north-1"


async def test_a_client_that_is_given_is_used(aws_stub: Any) -> None:
    stub = aws_stub("ecs")
    arn = new_task_arn()
    stub.respond("DescribeTasks", {"tasks": [tagged(arn, "r")]})
    reader = EcsTaskTagsReader()
    reader.ecs_client = stub.client("ecs")
    async with reader:
        assert await reader.read_tags(CLUSTER, arn) == {names.FLOW_RUN_ID: "r"}


async def test_a_reader_must_be_entered() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await EcsTaskTagsReader().read_tags(CLUSTER, new_task_arn())


# The observer


async def test_an_event_reaches_the_handlers_that_want_it_and_is_acknowledged(
    queue: Queue, observer: EcsObserver, ecs: Any
) -> None:
    event = task_event()
    ecs.respond("DescribeTasks", {"tasks": [tagged(event["detail"]["taskArn"], "run")]})
    wanted = seen_by(observer, tags=OURS, statuses=["STOPPED"])
    others = [
        seen_by(observer, tags={names.FLOW_RUN_ID: "another"}),
        seen_by(observer, tags={names.FLOW_RUN_ID: FilterCase.ABSENT}),
        seen_by(observer, statuses=["RUNNING"]),
    ]
    queue.put(event)
    async with running(observer):
        await until(lambda: wanted)
        await queue.becomes(0, 0)
        assert observer.health.is_healthy
    assert wanted == [(event, {names.FLOW_RUN_ID: "run"})]
    assert others == [[], [], []]
    assert observer.health.state == "stopped"


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.INTERNAL, Fault.ACCESS_DENIED, Fault.EXPIRED_TOKEN])
async def test_nothing_is_acknowledged_while_it_is_not_known_whose_task_it_is(
    queue: Queue, observer: EcsObserver, ecs: Any, fault: Fault
) -> None:
    event = task_event()
    seen = seen_by(observer, tags=OURS)
    ecs.fail("DescribeTasks", fault)
    queue.put(event)
    async with running(observer):
        await until(lambda: len(ecs.calls_of("DescribeTasks")) >= 2)
        assert (seen, queue.count()) == ([], (0, 1))
        ecs.respond("DescribeTasks", {"tasks": [tagged(event["detail"]["taskArn"], "run")]})
        await until(lambda: seen)
        await queue.becomes(0, 0)
    assert len(seen) == 1


async def test_an_unknown_owner_is_seen_in_the_health(queue: Queue, observer: EcsObserver, ecs: Any) -> None:
    ecs.fail("DescribeTasks", Fault.ACCESS_DENIED)
    queue.put(task_event())
    async with running(observer):
        await until(lambda: observer.health.state == "degraded")
        assert "AccessDenied" in str(observer.health.last_error)


async def test_a_task_that_is_forgotten_is_recognised_by_its_event(
    queue: Queue, observer: EcsObserver, ecs: Any
) -> None:
    run = str(uuid.uuid4())
    seen = seen_by(observer, tags=OURS)
    queue.put(task_event(startedBy=run))
    async with running(observer):
        await until(lambda: seen)
        await queue.becomes(0, 0)
    assert seen[0][1] == {names.FLOW_RUN_ID: run}


async def test_a_task_of_somebody_else_is_acknowledged(queue: Queue, observer: EcsObserver, ecs: Any) -> None:
    event = task_event()
    ecs.respond("DescribeTasks", {"tasks": [tagged(event["detail"]["taskArn"], tags=[{"key": "a", "value": "b"}])]})
    seen = seen_by(observer, tags=OURS)
    queue.put(event)
    async with running(observer):
        await until(lambda: ecs.calls_of("DescribeTasks"))
        await queue.becomes(0, 0)
    assert seen == []


async def test_what_is_no_event_is_deleted_and_not_repeated_in_the_log(
    queue: Queue, observer: EcsObserver, caplog: pytest.LogCaptureFixture, canary: str, no_canary_leaks: Any
) -> None:
    message_id = queue.put(f'{{"secret": "{canary}"')
    async with running(observer):
        await until(lambda: message_id in caplog.text)
        await queue.becomes(0, 0)
    assert "holds no ECS event" in caplog.text


async def test_no_environment_of_a_task_is_logged(
    queue: Queue, observer: EcsObserver, ecs: Any, canary: str, no_canary_leaks: Any
) -> None:
    overrides = {"containerOverrides": [{"name": "flow", "environment": [{"name": "TOKEN", "value": canary}]}]}
    event = task_event(overrides=overrides)
    ecs.respond("DescribeTasks", {"tasks": [tagged(event["detail"]["taskArn"], "run", overrides=overrides)]})
    seen = seen_by(observer)
    queue.put(event)
    async with running(observer):
        await until(lambda: seen)
        await queue.becomes(0, 0)


async def test_a_handler_that_fails_keeps_the_message_and_does_not_repeat_the_others(
    queue: Queue, observer: EcsObserver, caplog: pytest.LogCaptureFixture
) -> None:
    first, broken = seen_by(observer), [True]
    tried: list[str] = []

    @observer.on_event("task")
    async def fails(event: dict[str, Any], tags: dict[str, str]) -> None:
        tried.append(event["id"])
        if broken:
            raise ValueError("a bug")

    last = seen_by(observer)
    message_id = queue.put(task_event())
    async with running(observer):
        await until(lambda: "stays in the queue" in caplog.text)
        assert (len(first), len(tried), len(last)) == (1, 1, 1)
        await queue.becomes(0, 1)
        assert message_id in caplog.text
        broken.clear()
        queue.put(task_event())  # another message: all of its handlers are called
        await until(lambda: len(last) == 2)
    await queue.becomes(0, 1)


async def test_handlers_that_succeeded_are_not_called_again_when_a_message_comes_back(
    queue: Queue, observer: EcsObserver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_aws.observers import _sqs

    monkeypatch.setattr(_sqs, "SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS", 1)
    succeeded, tried = seen_by(observer), []

    @observer.on_event("task")
    async def fails_once(event: dict[str, Any], tags: dict[str, str]) -> None:
        tried.append(event["id"])
        if len(tried) == 1:
            raise ValueError("a bug")

    queue.put(task_event())
    async with running(observer):
        await until(lambda: len(tried) == 2)
        await queue.becomes(0, 0)
    assert len(succeeded) == 1


async def test_a_handler_whose_service_is_away_is_called_again(queue: Queue, observer: EcsObserver) -> None:
    before, states = seen_by(observer), list[str]()

    @observer.on_event("task")
    async def fails_at_first(event: dict[str, Any], tags: dict[str, str]) -> None:
        states.append(observer.health.state)
        if len(states) < 5:
            raise ConnectionError("away")

    queue.put(task_event())
    async with running(observer):
        await queue.becomes(0, 0)
        assert observer.health.is_healthy
    assert states == ["healthy"] * 3 + ["degraded"] * 2
    assert len(before) == 1


async def test_an_event_is_given_back_when_its_time_is_up(
    queue: Queue, observer: EcsObserver, caplog: pytest.LogCaptureFixture
) -> None:
    @observer.on_event("task")
    async def fails(event: dict[str, Any], tags: dict[str, str]) -> None:
        raise ConnectionError("away")

    observer.clock = FastClock(2000)  # a quarter of an hour takes half a second
    queue.put(task_event())
    async with running(observer):
        await until(lambda: "stays in the queue" in caplog.text)
        await queue.becomes(0, 1)


async def test_a_plain_function_is_called_in_a_thread(queue: Queue, observer: EcsObserver) -> None:
    threads: list[str] = []

    @observer.on_event("task")
    def plain(event: dict[str, Any], tags: dict[str, str]) -> None:
        threads.append(threading.current_thread().name)

    queue.put(task_event())
    async with running(observer):
        await until(lambda: threads)
        await queue.becomes(0, 0)
    assert threads[0] != threading.current_thread().name


@pytest.mark.parametrize(
    ("event_type", "detail_type"),
    [
        ("container-instance", "ECS Container Instance State Change"),
        ("deployment", "ECS Deployment State Change"),
    ],
)
async def test_other_events_have_handlers_too(
    queue: Queue, observer: EcsObserver, ecs: Any, event_type: Any, detail_type: str
) -> None:
    seen: list[Any] = []

    @observer.on_event(event_type)
    async def keep(event: dict[str, Any], tags: dict[str, str]) -> None:
        seen.append((event["detail"], tags))

    queue.put({"detail-type": detail_type, "detail": {"clusterArn": CLUSTER}})
    async with running(observer):
        await until(lambda: seen)
        await queue.becomes(0, 0)
    assert seen == [({"clusterArn": CLUSTER}, {})]
    assert ecs.calls == []


async def test_a_slow_handler_stops_no_other_task_and_keeps_the_order_of_its_own(
    queue: Queue, observer: EcsObserver
) -> None:
    slow, go, seen = new_task_arn(), asyncio.Event(), []

    @observer.on_event("task")
    async def handle(event: dict[str, Any], tags: dict[str, str]) -> None:
        if event["detail"]["taskArn"] == slow and event["detail"]["lastStatus"] == "RUNNING":
            await go.wait()
        seen.append(event["detail"]["lastStatus"])

    queue.put(task_event(slow, "RUNNING"))
    async with running(observer):
        await queue.becomes(0, 1)
        queue.put(task_event(slow, "STOPPED"))
        queue.put(task_event(last_status="PENDING"))
        await until(lambda: seen)
        assert seen == ["PENDING"]
        go.set()
        await until(lambda: len(seen) == 3)
        await queue.becomes(0, 0)
    assert seen == ["PENDING", "RUNNING", "STOPPED"]


async def test_no_more_events_are_taken_than_can_be_worked_on(
    queue: Queue, observer: EcsObserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_dispatch, "MAX_EVENTS_UNDER_WAY", 2)
    under_way, most, go = [0], [0], asyncio.Event()

    @observer.on_event("task")
    async def handle(event: dict[str, Any], tags: dict[str, str]) -> None:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        await go.wait()
        under_way[0] -= 1

    for _ in range(5):
        queue.put(task_event())
    async with running(observer):
        await until(lambda: under_way[0] == 2)
        go.set()
        await queue.becomes(0, 0)
    assert most[0] == 2


async def test_what_cannot_be_finished_at_the_end_is_given_back_at_once(queue: Queue, observer: EcsObserver) -> None:
    started = asyncio.Event()

    @observer.on_event("task")
    async def never_ends(event: dict[str, Any], tags: dict[str, str]) -> None:
        started.set()
        await asyncio.Event().wait()

    queue.put(task_event())
    async with running(observer):
        await asyncio.wait_for(started.wait(), 10)
        await queue.becomes(0, 1)
    await queue.becomes(1, 0)


async def test_what_is_nearly_finished_at_the_end_is_finished(queue: Queue, observer: EcsObserver) -> None:
    started, done = asyncio.Event(), []

    observer.clock = FastClock(1)

    @observer.on_event("task")
    async def ends_soon(event: dict[str, Any], tags: dict[str, str]) -> None:
        started.set()
        for _ in range(20):
            await asyncio.sleep(0)
        done.append(1)

    queue.put(task_event())
    async with running(observer):
        await asyncio.wait_for(started.wait(), 10)
    assert done == [1]
    assert queue.count() == (0, 0)


async def test_a_message_stays_hidden_while_handlers_work_on_it(
    aws_stub: Any, ecs: Any, surroundings: pytest.MonkeyPatch
) -> None:
    stub = aws_stub("sqs")
    surroundings.setenv("AWS_ENDPOINT_URL_SQS", stub.endpoint_url)
    stub.respond("GetQueueUrl", {"QueueUrl": f"{stub.endpoint_url}/123456789012/q"})
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": json.dumps(task_event())}
    gate = threading.Event()

    def wait(_: Any) -> dict[str, Any]:
        gate.wait(30)
        return {}

    stub.respond("ReceiveMessage", {"Messages": [message]}, wait)
    stub.respond("ChangeMessageVisibility", {})
    stub.fail("ChangeMessageVisibility", Fault.INTERNAL, times=1)
    stub.respond("DeleteMessage", {})
    # At the end the observer may not have heard yet that the message is deleted: it gives it back.
    stub.respond("ChangeMessageVisibilityBatch", {"Successful": [], "Failed": []})
    subscriber = SqsSubscriber("q")
    observer = EcsObserver(sqs_subscriber=subscriber)
    waits: list[float] = []

    class Recording(FastClock):
        async def asleep(self, seconds: float) -> None:
            waits.append(seconds)
            await super().asleep(seconds)

    observer.clock = Recording(1000)
    go = asyncio.Event()

    @observer.on_event("task")
    async def slow(event: dict[str, Any], tags: dict[str, str]) -> None:
        await go.wait()

    async with running(observer):
        await until(lambda: len(stub.calls_of("ChangeMessageVisibility")) >= 3)
        assert stub.calls_of("DeleteMessage") == []
        go.set()
        await until(lambda: stub.calls_of("DeleteMessage"))
    gate.set()
    asked = [call.parameters["VisibilityTimeout"] for call in stub.calls_of("ChangeMessageVisibility")]
    assert set(asked) == {300}
    assert waits[:3] == [240, 5, 240]  # the first request is refused


async def test_the_queue_is_that_of_the_settings(queue: Queue, ecs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME", queue.name)
    observer = EcsObserver()
    seen = seen_by(observer)
    queue.put(task_event())
    async with running(observer):
        await until(lambda: seen)
    given = EcsObserverSettings(sqs=EcsObserverSqsSettings(queue_name="q", queue_region="eu-west-1"))
    subscriber = EcsObserver(settings=given).sqs_subscriber
    assert (subscriber.queue_name, subscriber.queue_region) == ("q", "eu-west-1")


async def test_a_stream_that_ends_ends_the_run_after_its_last_event(ecs: Any) -> None:
    acknowledged: list[str] = []

    class Finite(SqsSubscriber):
        async def stream_messages(self) -> AsyncGenerator[SqsMessage, None]:
            for number in range(3):

                async def ack(name: str = str(number)) -> bool:
                    acknowledged.append(name)
                    return True

                yield SqsMessage({"MessageId": str(number), "Body": json.dumps(task_event())}, ack, ack)

    observer = EcsObserver(sqs_subscriber=Finite("q"))
    seen = seen_by(observer)
    await asyncio.wait_for(observer.run(), 10)
    assert len(seen) == 3
    assert sorted(acknowledged) == ["0", "1", "2"]


def _names(handlers: list[Any]) -> list[str]:
    return [handler.handler.__name__ for handler in handlers]


def test_a_handler_keeps_its_name_and_order() -> None:
    observer = EcsObserver()

    @observer.on_event("task")
    def one(event: dict[str, Any], tags: dict[str, str]) -> None: ...

    @observer.on_event("task", statuses=["RUNNING"])
    async def two(event: dict[str, Any], tags: dict[str, str]) -> None: ...

    assert _names(observer.event_handlers["task"]) == ["one", "two"]
    two_filters = observer.event_handlers["task"][1].filters
    assert two_filters["last_status"].statuses == ("RUNNING",)
    assert isinstance(one, Callable)
