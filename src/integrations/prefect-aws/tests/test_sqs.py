"""Messages are sent, received and deleted, and each becomes one flow run, whatever fails in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import uuid
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter

from prefect_aws import AwsCredentials, errors, sqs
from prefect_aws.sqs import (
    OutgoingMessage,
    SqsFlowTrigger,
    SqsMessage,
    TriggerCounts,
    adelete_messages,
    areceive_messages,
    asend_message,
    asend_messages,
    delete_messages,
    receive_messages,
    send_message,
    send_messages,
)
from prefect_integration_kit.message_actions import find_value
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.aws_stub import Fault, HangUp

RECEIVE = (receive_messages.fn, areceive_messages.fn)
DELETE = (delete_messages.fn, adelete_messages.fn)
SEND = (send_messages.fn, asend_messages.fn)
SEND_ONE = (send_message.fn, asend_message.fn)
URL = "https://sqs.us-east-1.amazonaws.com/000000000000/orders"


@pytest.fixture(scope="session")
def sqs_client(aws_emulator: Any) -> Any:
    return aws_emulator.client("sqs")


@pytest.fixture
def new_queue(sqs_client: Any) -> Callable[..., str]:
    def make(suffix: str = "", **attributes: str) -> str:
        name = f"q-{uuid.uuid4().hex[:12]}{suffix}"
        return sqs_client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    return make


@pytest.fixture
def queue_url(new_queue: Callable[..., str]) -> str:
    return new_queue()


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    stub = aws_stub("sqs")
    stub.respond("GetQueueAttributes", {"Attributes": {"RedrivePolicy": "{}"}})
    stub.respond("DeleteMessageBatch", lambda call: accepted(call))
    stub.respond("ChangeMessageVisibility", {})
    return stub


@pytest.fixture
def credentials(stub: Any, make_credentials: Any) -> AwsCredentials:
    return make_credentials(stub.endpoint_url)


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sqs, "_clock", fake_clock)
    return fake_clock


def accepted(call: Any) -> dict[str, Any]:
    entries = call.parameters["Entries"]
    sent = [{"Id": each["Id"], "MessageId": f"m-{each['Id']}", "MD5OfMessageBody": "x" * 32} for each in entries]
    return {"Successful": [{"Id": each["Id"]} for each in sent] if "Delete" in call.operation else sent, "Failed": []}


def waiting(sqs_client: Any, queue_url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs_client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


# Tasks


async def test_what_is_sent_is_received_and_deleted(
    sqs_client: Any, queue_url: str, aws_credentials: AwsCredentials, call: Any
) -> None:
    bodies = ["plain ü", {"order": 1}, [1, None], OutgoingMessage("more", attributes={"shop": "north", "raw": b"\x00"})]
    ids = await call(SEND, queue_url, bodies, aws_credentials)
    ids.append(await call(SEND_ONE, queue_url, 7, aws_credentials))
    messages = await call(RECEIVE, queue_url, aws_credentials, max_messages=20, wait_seconds=1)
    found = {message.message_id: message for message in messages}
    assert [found[name].body for name in ids] == ["plain ü", '{"order": 1}', "[1, null]", "more", "7"]
    assert found[ids[1]].json() == {"order": 1}
    assert found[ids[3]].attributes == {"shop": "north", "raw": b"\x00"}
    assert (found[ids[0]].receive_count, found[ids[0]].group_id) == (1, None)
    assert found[ids[0]].sent_at is not None
    await call(DELETE, queue_url, [messages[0].receipt_handle, *messages[1:]], aws_credentials)
    assert waiting(sqs_client, queue_url) == 0


async def test_more_than_ten_go_in_batches_both_ways(
    sqs_client: Any, queue_url: str, aws_credentials: AwsCredentials, call: Any
) -> None:
    await call(SEND, queue_url, list(range(25)), aws_credentials)
    some = await call(RECEIVE, queue_url, aws_credentials, max_messages=12, wait_seconds=1)
    assert len(some) == 12
    rest = await call(RECEIVE, queue_url, aws_credentials, max_messages=100, wait_seconds=1)
    assert sorted(int(message.body) for message in [*some, *rest]) == list(range(25))
    await call(DELETE, queue_url, [*some, *rest], aws_credentials)
    assert waiting(sqs_client, queue_url) == 0


async def test_received_messages_are_hidden_as_long_as_asked(
    queue_url: str, aws_credentials: AwsCredentials, call: Any
) -> None:
    await call(SEND_ONE, queue_url, "x", aws_credentials)
    assert len(await call(RECEIVE, queue_url, aws_credentials, wait_seconds=1, visibility_seconds=0)) == 1
    (again,) = await call(RECEIVE, queue_url, aws_credentials, wait_seconds=1, visibility_seconds=60)
    assert again.receive_count > 1
    assert await call(RECEIVE, queue_url, aws_credentials, wait_seconds=0) == []


async def test_batches_are_cut_by_weight_too(stub: Any, credentials: AwsCredentials, call: Any) -> None:
    stub.respond("SendMessageBatch", accepted)
    assert len(await call(SEND, URL, ["x" * 100_000] * 5 + ["y" * 300_000], credentials)) == 6
    sizes = [len(each.parameters["Entries"]) for each in stub.calls_of("SendMessageBatch")]
    assert sizes == [2, 2, 1, 1]


async def test_entries_that_fail_on_aws_s_side_are_sent_again_alone(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    failed = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "later"}

    def partly(asked: Any) -> Any:
        answer = accepted(asked)
        return {"Successful": [each for each in answer["Successful"] if each["Id"] != "1"], "Failed": [failed]}

    stub.respond("SendMessageBatch", partly, accepted)
    assert await call(SEND, URL, ["a", "b", "c"], credentials) == ["m-0", "m-1", "m-2"]
    again = stub.calls_of("SendMessageBatch")[1].parameters["Entries"]
    assert again == [{"Id": "1", "MessageBody": "b"}]


async def test_entries_that_are_refused_are_named_and_the_others_sent(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    def refuse(asked: Any) -> Any:
        answer = accepted(asked)
        bad = [each["Id"] for each in asked.parameters["Entries"] if each["MessageBody"] == "bad"]
        failed = [{"Id": name, "SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"} for name in bad]
        return {"Successful": [each for each in answer["Successful"] if each["Id"] not in bad], "Failed": failed}

    stub.respond("SendMessageBatch", refuse)
    with pytest.raises(
        errors.AwsBatchRefused, match=r"'orders': 2 of 12 messages were not sent. Number 3: Inv"
    ) as info:
        await call(SEND, URL, ["ok"] * 3 + ["bad"] + ["ok"] * 7 + ["bad"], credentials)
    assert info.value.failed == {3: "InvalidMessageContents no", 11: "InvalidMessageContents no"}
    assert len(stub.calls_of("SendMessageBatch")) == 2


async def test_entries_that_never_get_through_are_named(
    stub: Any, credentials: AwsCredentials, clock: Any, call: Any
) -> None:
    failed = {"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "busy"}
    stub.respond("DeleteMessageBatch", {"Successful": [], "Failed": [failed]})
    with pytest.raises(
        errors.AwsBatchRefused, match=r"1 of 1 messages were not deleted\. Number 0: InternalError busy"
    ):
        await call(DELETE, URL, ["handle"], credentials)
    assert sum(clock.sleeps) <= 60


async def test_passing_faults_are_outlasted(stub: Any, credentials: AwsCredentials, clock: Any, call: Any) -> None:
    stub.respond("SendMessageBatch", accepted)
    stub.respond("ReceiveMessage", {"Messages": []})
    for operation in ("SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"):
        for fault in (Fault.THROTTLED, Fault.INTERNAL, HangUp()):
            stub.fail(operation, fault, times=1)
    await call(SEND_ONE, URL, "x", credentials)
    await call(DELETE, URL, ["handle"], credentials)
    assert await call(RECEIVE, URL, credentials) == []


async def test_a_missing_queue_is_named(aws_emulator: Any, aws_credentials: AwsCredentials, call: Any) -> None:
    url = f"{aws_emulator.endpoint_url}/000000000000/nowhere"
    for faces, arguments in ((SEND_ONE, ("x",)), (DELETE, (["handle"],)), (RECEIVE, ())):
        with pytest.raises(errors.AwsNotFound, match="SQS queue 'nowhere'"):
            await call(faces, url, *arguments, aws_credentials)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("", "message 1: it is empty"),
        ({"when": object()}, "message 1: .*cannot be written as JSON"),
        (OutgoingMessage("x", delay_seconds=901), "message 1: delay_seconds is 901"),
    ],
)
async def test_bad_messages_are_refused_before_any_is_sent(
    stub: Any, credentials: AwsCredentials, call: Any, message: Any, said: str
) -> None:
    with pytest.raises(errors.AwsInvalidRequest, match=said):
        await call(SEND, URL, ["fine", message], credentials)
    assert stub.calls == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_messages": 0}, "max_messages is 0"),
        ({"wait_seconds": 21}, "wait_seconds is 21"),
        ({"visibility_seconds": -1}, "visibility_seconds is -1"),
        ({"queue_url": "orders"}, "queue_url is 'orders'"),
    ],
)
async def test_bad_arguments_are_named(
    stub: Any, credentials: AwsCredentials, call: Any, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.AwsInvalidRequest, match=said):
        await call(RECEIVE, **{"queue_url": URL, "aws_credentials": credentials, **arguments})
    assert stub.calls == []


async def test_fifo_messages_have_groups(new_queue: Callable[..., str], aws_credentials: AwsCredentials) -> None:
    url = new_queue(".fifo", FifoQueue="true")
    with pytest.raises(errors.AwsInvalidRequest, match="message 0: the queue is FIFO, so the message needs a group_id"):
        await asend_message.fn(url, "x", aws_credentials)
    messages = [OutgoingMessage(n, group_id="g", deduplication_id=f"d-{min(n, 2)}") for n in range(4)]
    await asend_messages.fn(url, messages, aws_credentials)
    received = await areceive_messages.fn(url, aws_credentials, wait_seconds=1)
    assert [(message.body, message.group_id) for message in received] == [("0", "g"), ("1", "g"), ("2", "g")]


def test_a_message_shows_neither_body_nor_handle() -> None:
    message = SqsMessage("m-1", "secret-handle", "secret body")
    assert "secret" not in repr(message)
    with pytest.raises(ValueError, match="message m-1: the body is not JSON") as caught:
        message.json()
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="not JSON"):
        SqsMessage("m-2", "", "[" * 100_000).json()


async def test_flows_of_both_kinds_work_a_queue_off(
    prefect_harness: None, new_queue: Callable[..., str], aws_credentials: AwsCredentials
) -> None:
    url = new_queue()

    @flow
    def sync_flow() -> Any:
        send_messages(url, ["a", "b"], aws_credentials)
        messages = receive_messages(url, aws_credentials, wait_seconds=1)
        delete_messages(url, messages, aws_credentials)
        return len(messages)

    @flow
    async def async_flow() -> Any:
        await send_message(url, "c", aws_credentials)
        messages = await areceive_messages(url, aws_credentials, wait_seconds=1)
        await adelete_messages(url, messages, aws_credentials)
        return len(messages)

    assert sync_flow() == 2
    assert await async_flow() == 1


# The trigger


class Deployed:
    """A deployment in the test server, with a schema for its parameters, and its runs."""

    def __init__(self, schema: dict[str, Any] | None = None) -> None:
        self.flow_name = f"pack-{uuid.uuid4().hex[:8]}"
        self.name = f"{self.flow_name}/nightly"
        self.deploy(schema)

    def deploy(self, schema: dict[str, Any] | None = None) -> None:
        with get_client(sync_client=True) as client:
            flow_id = client.create_flow_from_name(self.flow_name)
            options = {"parameter_openapi_schema": schema, "enforce_parameter_schema": True} if schema else {}
            self.id = client.create_deployment(flow_id, name="nightly", **options)

    def delete(self) -> None:
        with get_client(sync_client=True) as client:
            client.delete_deployment(self.id)

    def runs(self) -> list[Any]:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id={"any_": [self.id]}))
        return sorted(found, key=lambda run: json.dumps(run.parameters, sort_keys=True))


NUMBER = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


@pytest.fixture
def deployed(prefect_harness: None) -> Deployed:
    return Deployed()


@pytest.fixture
def make_trigger(aws_credentials: AwsCredentials) -> Callable[..., SqsFlowTrigger]:
    def make(queue_url: str, deployment: str, **options: Any) -> SqsFlowTrigger:
        return SqsFlowTrigger(
            queue_url, deployment, **{"aws_credentials": aws_credentials, "wait_seconds": 0, **options}
        )

    return make


async def test_each_message_becomes_a_flow_run_and_is_deleted(
    sqs_client: Any, queue_url: str, deployed: Deployed, make_trigger: Any, aws_credentials: AwsCredentials, call: Any
) -> None:
    orders = [{"order": {"number": number, "items": [{"name": "tea"}]}} for number in range(12)]
    send_messages.fn(queue_url, orders, aws_credentials)
    paths = {"number": "order.number", "first": "order.items.0.name", "all": "."}
    trigger = make_trigger(queue_url, deployed.name, parameters=paths, tags=["from-sqs"])
    counts = await call((trigger.serve, trigger.run), until_empty=True)
    assert counts == TriggerCounts(started=12)
    runs = deployed.runs()
    assert sorted(run.parameters["number"] for run in runs) == list(range(12))
    assert runs[0].parameters == {"number": ANY, "first": "tea", "all": ANY}
    assert runs[0].tags == ["from-sqs"]
    assert runs[0].state.is_scheduled()
    assert waiting(sqs_client, queue_url) == 0


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, {"message": {"a": 1}}),
        ({"body_format": "text"}, {"message": '{"a": 1}'}),
        ({"parameters": lambda message: {"id": message.message_id, "a": message.json()["a"]}}, {"id": ANY, "a": 1}),
    ],
    ids=["json", "text", "function"],
)
async def test_parameters_are_made_as_asked(
    queue_url: str,
    deployed: Deployed,
    make_trigger: Any,
    aws_credentials: AwsCredentials,
    options: dict[str, Any],
    parameters: dict[str, Any],
) -> None:
    send_message.fn(queue_url, {"a": 1}, aws_credentials)
    await make_trigger(queue_url, str(deployed.id), **options).run(until_empty=True)
    assert [run.parameters for run in deployed.runs()] == [parameters]


@pytest.mark.parametrize("path", ["b", "a.x", "list.2", "list.x", "list.-1", ""])
def test_a_path_that_leads_nowhere_is_malformed(path: str) -> None:
    assert find_value({"a": 1, "list": [1, 2]}, "list.1") == 2
    with pytest.raises(ValueError, match="the body has no"):
        find_value({"a": 1, "list": [1, 2]}, path)


async def test_a_message_that_comes_again_has_one_run(
    sqs_client: Any,
    queue_url: str,
    deployed: Deployed,
    stub: Any,
    make_credentials: Any,
    make_trigger: Any,
) -> None:
    """The service delivers a message twice, since it lost the deletion: that is scripted."""
    message = {"MessageId": str(uuid.uuid4()), "ReceiptHandle": "h-1", "Body": '{"a": 1}'}
    again = {**message, "ReceiptHandle": "h-2"}
    stub.respond("ReceiveMessage", {"Messages": [message]}, {"Messages": [again]}, {"Messages": []})
    expired = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "expired"}
    stub.respond("DeleteMessageBatch", {"Successful": [], "Failed": [expired]}, accepted)
    trigger = make_trigger(URL, deployed.name, aws_credentials=make_credentials(stub.endpoint_url), concurrency=1)
    assert (await trigger.run(until_empty=True)).started == 1
    assert len(deployed.runs()) == 1
    deleted = [each.parameters["Entries"][0]["ReceiptHandle"] for each in stub.calls_of("DeleteMessageBatch")]
    assert deleted == ["h-1", "h-2"]


async def test_malformed_messages_stay_for_the_dead_letter_queue_and_are_told_once(
    prefect_harness: None,
    sqs_client: Any,
    new_queue: Callable[..., str],
    make_trigger: Any,
    aws_credentials: AwsCredentials,
    caplog: pytest.LogCaptureFixture,
) -> None:
    deployed = Deployed(NUMBER)
    dead = new_queue()
    arn = sqs_client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = new_queue(RedrivePolicy=policy)
    bad = ["{no json", "[1]", '{"other": 1}', '{"number": "many"}', '{"number": NaN}', "[" * 5000]
    send_messages.fn(url, [*bad, {"number": 5}], aws_credentials)
    trigger = make_trigger(url, deployed.name, parameters={"number": "number"}, visibility_seconds=1)
    running = asyncio.create_task(trigger.run())

    async def all_put_aside() -> bool | None:
        assert not running.done()
        return waiting(sqs_client, dead) == len(bad) or None

    await apoll(all_put_aside, subject="the dead letters", interval_seconds=0.1, timeout_seconds=30)
    trigger.stop()
    assert await running == TriggerCounts(started=1, malformed=len(bad))
    assert [run.parameters for run in deployed.runs()] == [{"number": 5}]
    left = receive_messages.fn(dead, aws_credentials, max_messages=100, wait_seconds=1)
    assert sorted(message.body for message in left) == sorted(bad)
    warnings = [record.getMessage() for record in caplog.records if "is malformed and stays" in record.getMessage()]
    assert len(warnings) == len(bad)
    assert any("not of type 'integer'" in warning for warning in warnings)
    assert waiting(sqs_client, url) == 0


async def test_a_queue_without_a_dead_letter_queue_is_warned_of(
    queue_url: str, deployed: Deployed, make_trigger: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await make_trigger(queue_url, deployed.name).run(until_empty=True)
    assert "has no dead-letter queue" in caplog.text


@pytest.fixture
def broken_api(monkeypatch: pytest.MonkeyPatch, prefect_harness: None) -> Callable[[int], None]:
    """The Prefect API refuses some requests for flow runs with status 500, at the network's edge."""
    import httpx
    from prefect.client.base import PrefectHttpxAsyncClient

    left = 0
    send = httpx.AsyncClient.send

    async def refuse(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
        nonlocal left
        if left and isinstance(self, PrefectHttpxAsyncClient) and request.url.path.endswith("/create_flow_run"):
            left -= 1
            return httpx.Response(500, json={"exception_message": "Internal Server Error"}, request=request)
        return await send(self, request, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", refuse)

    def arm(times: int) -> None:
        nonlocal left
        left = times

    return arm


async def test_a_message_whose_run_could_not_be_created_comes_again_later(
    sqs_client: Any,
    queue_url: str,
    deployed: Deployed,
    make_trigger: Any,
    aws_credentials: AwsCredentials,
    broken_api: Callable[[int], None],
    fake_clock: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    send_messages.fn(queue_url, [1, 2], aws_credentials)
    trigger = make_trigger(queue_url, deployed.name, max_backoff_seconds=1, concurrency=1)
    trigger._clock = fake_clock
    broken_api(3)
    running = asyncio.create_task(trigger.run())

    async def all_started() -> bool | None:
        assert not running.done()
        return len(deployed.runs()) == 2 or None

    await apoll(all_started, subject="both runs", interval_seconds=0.05, timeout_seconds=20)
    trigger.stop()
    counts = await running
    assert counts == TriggerCounts(started=2, failed=3)
    assert fake_clock.sleeps  # it pauses: each delivery counts for the redrive policy
    assert "No flow run for message" in caplog.text
    assert waiting(sqs_client, queue_url) == 0


async def test_a_deployment_that_was_made_again_is_found_by_its_name(
    queue_url: str, deployed: Deployed, make_trigger: Any, aws_credentials: AwsCredentials
) -> None:
    trigger = make_trigger(queue_url, deployed.name)
    running = asyncio.create_task(trigger.run())

    async def started(number: int) -> Any:
        async def look() -> bool | None:
            assert not running.done()
            return len(deployed.runs()) == number or None

        send_message.fn(queue_url, number, aws_credentials)
        await apoll(look, subject="the run", interval_seconds=0.05, timeout_seconds=20)

    await started(1)
    deployed.delete()
    deployed.deploy()
    await started(1)
    trigger.stop()
    assert (await running).started == 2


async def test_a_missing_deployment_or_queue_is_an_error_at_once(
    prefect_harness: None, aws_emulator: Any, queue_url: str, deployed: Deployed, make_trigger: Any
) -> None:
    with pytest.raises(LookupError, match="Prefect has no deployment 'pack/nowhere'"):
        await make_trigger(queue_url, "pack/nowhere").run()
    with pytest.raises(LookupError, match="Prefect has no deployment"):
        await make_trigger(queue_url, str(uuid.uuid4())).run()
    with pytest.raises(errors.AwsNotFound, match="SQS queue 'nowhere'"):
        await make_trigger(f"{aws_emulator.endpoint_url}/000000000000/nowhere", deployed.name).run()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"deployment": "nightly"}, "deployment is 'nightly'"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"body_format": "xml"}, "body_format is 'xml'"),
        ({"wait_seconds": 30}, "wait_seconds is 30"),
        ({"max_backoff_seconds": 0}, "max_backoff_seconds is 0"),
        ({"parameters": {"number": ""}}, "the path of parameter 'number' is empty"),
        ({"queue_url": "orders"}, "queue_url is 'orders'"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused_by_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.AwsInvalidRequest, match=said):
        SqsFlowTrigger(**{"queue_url": URL, "deployment": "pack/nightly", **options})


async def test_receiving_outlasts_passing_faults_and_ends_with_lasting_ones(
    deployed: Deployed, stub: Any, credentials: AwsCredentials, make_trigger: Any, fake_clock: Any
) -> None:
    faults = iter([Fault.THROTTLED, Fault.INTERNAL, HangUp(), {"Messages": []}, Fault.ACCESS_DENIED])
    stub.respond("ReceiveMessage", lambda _: next(faults))
    trigger = make_trigger(URL, deployed.name, aws_credentials=credentials)
    trigger._clock = fake_clock
    with pytest.raises(errors.AwsAccessDenied, match="Allow ReceiveMessage"):
        await trigger.run()
    assert len(fake_clock.sleeps) >= 3


async def test_a_message_that_may_not_be_deleted_ends_the_trigger(
    deployed: Deployed, stub: Any, credentials: AwsCredentials, make_trigger: Any
) -> None:
    message = {"MessageId": str(uuid.uuid4()), "ReceiptHandle": "h-1", "Body": "1"}
    stub.respond("ReceiveMessage", {"Messages": [message]}, {"Messages": []})
    stub.fail("DeleteMessageBatch", Fault.ACCESS_DENIED)
    with pytest.raises(errors.AwsAccessDenied, match="Allow DeleteMessage"):
        await make_trigger(URL, deployed.name, aws_credentials=credentials).run()
    assert len(deployed.runs()) == 1


async def test_what_comes_after_stop_is_given_back_at_once(
    deployed: Deployed, stub: Any, credentials: AwsCredentials, make_trigger: Any
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def receive(_: Any) -> Any:
        asked.set()
        go_on.wait(10)
        return {"Messages": [{"MessageId": "m-1", "ReceiptHandle": "h-1", "Body": "1"}]}

    stub.respond("ReceiveMessage", receive)
    trigger = make_trigger(URL, deployed.name, aws_credentials=credentials)
    running = asyncio.create_task(trigger.run())
    await asyncio.to_thread(asked.wait, 10)
    trigger.stop()
    go_on.set()
    assert (await running).started == 0
    (given_back,) = stub.calls_of("ChangeMessageVisibility")
    assert given_back.parameters == {"QueueUrl": URL, "ReceiptHandle": "h-1", "VisibilityTimeout": 0}


async def test_a_cancelled_trigger_leaves_nothing_running(
    queue_url: str, deployed: Deployed, make_trigger: Any
) -> None:
    before = asyncio.all_tasks()
    trigger = make_trigger(queue_url, deployed.name)
    running = asyncio.create_task(trigger.run())

    async def is_running() -> bool | None:
        return bool(trigger._runs) or None

    await apoll(is_running, subject="the trigger", interval_seconds=0.01, timeout_seconds=20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() - before == set()
    assert not trigger._runs
    assert trigger.health().state == "stopped"


def test_a_served_trigger_stops_when_the_process_is_told_to_end(
    queue_url: str, deployed: Deployed, make_trigger: Any, aws_credentials: AwsCredentials
) -> None:
    send_message.fn(queue_url, 1, aws_credentials)
    trigger = make_trigger(queue_url, deployed.name)
    before = signal.getsignal(signal.SIGTERM)

    def end_when_done() -> None:
        async def look() -> bool | None:
            return len(deployed.runs()) == 1 or None

        asyncio.run(apoll(look, subject="the run", interval_seconds=0.05, timeout_seconds=20))
        os.kill(os.getpid(), signal.SIGTERM)

    ender = threading.Thread(target=end_when_done)
    ender.start()
    counts = trigger.serve()
    ender.join()
    assert counts.started == 1
    assert signal.getsignal(signal.SIGTERM) == before


async def test_no_more_messages_are_held_than_are_worked_on(
    deployed: Deployed, stub: Any, credentials: AwsCredentials, make_trigger: Any
) -> None:
    sent = iter(range(30))

    def receive(asked: Any) -> Any:
        count = asked.parameters["MaxNumberOfMessages"]
        numbers = [number for _, number in zip(range(count), sent, strict=False)]
        return {
            "Messages": [{"MessageId": f"{deployed.id}-{n}", "ReceiptHandle": "h", "Body": str(n)} for n in numbers]
        }

    stub.respond("ReceiveMessage", receive)
    trigger = make_trigger(URL, deployed.name, aws_credentials=credentials, concurrency=3)
    assert (await trigger.run(until_empty=True)).started == 30
    assert max(each.parameters["MaxNumberOfMessages"] for each in stub.calls_of("ReceiveMessage")) == 3


async def test_messages_of_a_group_keep_their_order_and_wait_behind_a_bad_one(
    deployed: Deployed, stub: Any, credentials: AwsCredentials, make_trigger: Any
) -> None:
    def message(name: str, body: str, group: str) -> dict[str, Any]:
        attributes = {"MessageGroupId": group}
        return {"MessageId": f"{deployed.id}-{name}", "ReceiptHandle": name, "Body": body, "Attributes": attributes}

    batch = [message("a1", "1", "a"), message("b1", "{bad", "b"), message("a2", "2", "a"), message("b2", "3", "b")]
    stub.respond("ReceiveMessage", {"Messages": batch}, {"Messages": []})
    trigger = make_trigger(f"{URL}.fifo", deployed.name, aws_credentials=credentials)
    assert await trigger.run(until_empty=True) == TriggerCounts(started=2, malformed=1)
    deleted = [each.parameters["Entries"][0]["ReceiptHandle"] for each in stub.calls_of("DeleteMessageBatch")]
    assert deleted == ["a1", "a2"]


async def test_a_prefect_server_that_is_away_at_first_is_waited_for(
    queue_url: str, deployed: Deployed, make_trigger: Any, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    send = httpx.AsyncClient.send
    left = 3

    async def away(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
        nonlocal left
        if left and "/deployments/name/" in request.url.path:
            left -= 1
            raise httpx.ConnectError("refused", request=request)
        return await send(self, request, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", away)
    trigger = make_trigger(queue_url, deployed.name)
    trigger._clock = fake_clock
    assert await trigger.run(until_empty=True) == TriggerCounts()
    assert left == 0
    async with get_client() as client:
        assert (await client.read_deployment_by_name(deployed.name)).id == deployed.id
