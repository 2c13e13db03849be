"""What is sent to Service Bus arrives whole; what is received is taken once it was worked on."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_azure import errors, service_bus
from prefect_azure.service_bus import (
    AzureServiceBusCredentials,
    OutgoingMessage,
    ServiceBusMessage,
    ServiceBusQueue,
    TriggerCounts,
    aservice_bus_send_messages,
    service_bus_send_messages,
)
from prefect_integration_tests.backends.service_bus import Queue, ServiceBus

KEY = "SharedAccessKeyName=a;SharedAccessKey=c4nary"


@pytest.fixture
def credentials(empty_service_bus: ServiceBus) -> AzureServiceBusCredentials:
    return AzureServiceBusCredentials(connection_string=empty_service_bus.connection_string)


@pytest.fixture
def orders(empty_service_bus: ServiceBus) -> Queue:
    return empty_service_bus.new_queue("orders")


@pytest.fixture
def queue(orders: Queue, credentials: AzureServiceBusCredentials) -> ServiceBusQueue:
    return ServiceBusQueue(queue="orders", credentials=credentials)


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch, fake_clock: Any) -> Any:
    """Waits take no time."""
    monkeypatch.setattr(service_bus, "_clock", fake_clock)
    return fake_clock


def send(credentials: AzureServiceBusCredentials, *messages: Any, to: str = "orders") -> list[str]:
    return service_bus_send_messages.fn(to, messages, credentials)


# Sending


async def test_bodies_arrive_as_they_are_and_others_as_json(
    orders: Queue, credentials: AzureServiceBusCredentials, call: Any
) -> None:
    bodies = [b"\xff\x00", "täxt", {"a": [1, None]}, 5]
    ids = await call((service_bus_send_messages.fn, aservice_bus_send_messages.fn), "orders", bodies, credentials)
    stored = [each.message for each in orders.messages]
    assert [bytes(message.body) for message in stored] == [b"\xff\x00", "täxt".encode(), b'{"a": [1, null]}', b"5"]
    assert [str(message.content_type) for message in stored[2:]] == ["application/json", "application/json"]
    assert [message.id for message in stored] == ids


def test_a_message_has_what_its_sender_gave_it(
    orders: Queue, credentials: AzureServiceBusCredentials, queue: ServiceBusQueue
) -> None:
    properties = {"shop": "north", "count": 3, "paid": True, "id": uuid.UUID(int=7)}
    sent = OutgoingMessage(
        "x",
        properties,
        message_id="m-1",
        subject="order",
        session_id="s",
        content_type="text/plain",
        correlation_id="c",
    )
    assert send(credentials, sent) == ["m-1"]
    (message,) = queue.peek()
    assert (message.body, message.properties, message.message_id) == ("x", properties, "m-1")
    assert (message.subject, message.session_id, message.content_type) == ("order", "s", "text/plain")
    assert (message.correlation_id, message.sequence_number, message.receive_count) == ("c", 1, 1)
    assert message.enqueued_at is not None
    assert abs(message.enqueued_at - datetime.now(timezone.utc)) < timedelta(minutes=5)
    assert "data" not in repr(message)


def test_many_messages_go_in_few_batches_in_order(
    empty_service_bus: ServiceBus, credentials: AzureServiceBusCredentials
) -> None:
    small = empty_service_bus.new_queue("small", max_message_bytes=2000, max_batch_bytes=1000)
    texts = [f"{number:03}" * 50 for number in range(50)]
    send(credentials, *texts, to="small")
    assert small.texts == texts
    sends = [call.count for call in empty_service_bus.calls if call.method == "send"]
    assert sum(sends) == 50
    assert 8 < len(sends) < 25


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("x" * 3000, "message 1 is larger than the 2000 bytes"),
        (object(), "message 1: it is neither bytes nor text and cannot be written as JSON"),
        (float("nan"), "cannot be written as JSON"),
        (OutgoingMessage("x", {"a": object()}), "message 1: property 'a' is a object; text, numbers"),
        (OutgoingMessage("x", {"": 1}), "the name of property '' must be text"),
        (OutgoingMessage("x", message_id="i" * 129), "message_id must be text of 1 to 128 characters"),
        (OutgoingMessage("x", session_id=""), "session_id must be text of 1 to 128 characters"),
        (OutgoingMessage("x", scheduled_at=datetime(2030, 1, 1)), "scheduled_at has no time zone"),  # noqa: DTZ001
    ],
    ids=["too-large", "object", "nan", "property", "name", "message-id", "session-id", "time"],
)
def test_a_bad_message_is_named_and_none_is_sent(
    empty_service_bus: ServiceBus, credentials: AzureServiceBusCredentials, message: Any, said: str
) -> None:
    small = empty_service_bus.new_queue("small", max_message_bytes=2000, max_batch_bytes=1000)
    with pytest.raises(errors.AzureInvalidRequest, match=said) as caught:
        send(credentials, "good", message, to="small")
    assert "Nothing was sent." in str(caught.value)
    assert small.texts == []


def test_one_text_is_not_taken_for_a_list(orders: Queue, credentials: AzureServiceBusCredentials) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match="messages is one str; give a list"):
        service_bus_send_messages.fn("orders", "text", credentials)
    assert send(credentials) == []


@pytest.mark.parametrize("kind", ["busy", "internal", "timeout"])
def test_what_passes_is_tried_again_and_each_message_arrives_once(
    empty_service_bus: ServiceBus, orders: Queue, credentials: AzureServiceBusCredentials, no_time: Any, kind: str
) -> None:
    empty_service_bus.fail("send", kind, times=2)
    send(credentials, "one", "two")
    assert orders.texts == ["one", "two"]
    assert no_time.sleeps


def test_a_full_queue_is_said_with_how_much_was_sent(
    empty_service_bus: ServiceBus, credentials: AzureServiceBusCredentials, no_time: Any
) -> None:
    small = empty_service_bus.new_queue("small", max_batch_bytes=600)
    sends: list[Any] = []

    def second(call: Any) -> bool:
        sends.append(call)
        return len(sends) == 2

    empty_service_bus.fail("send", "quota", times=None, where=second)
    with pytest.raises(errors.AzureError, match=r"Of 3 messages, the first 1 were sent\."):
        send(credentials, "a" * 300, "b" * 300, "c" * 300, to="small")
    assert small.texts == ["a" * 300]


def test_what_is_sent_to_a_topic_is_received_from_its_subscription(
    empty_service_bus: ServiceBus, credentials: AzureServiceBusCredentials
) -> None:
    empty_service_bus.new_queue("shops/Subscriptions/north")
    send(credentials, "one", to="shops")
    north = ServiceBusQueue(queue="shops", subscription="north", credentials=credentials)
    assert [message.body for message in north.receive(wait_seconds=1)] == ["one"]


# Receiving


async def test_what_is_received_is_taken(
    orders: Queue, credentials: AzureServiceBusCredentials, queue: ServiceBusQueue, call: Any
) -> None:
    send(credentials, "one", "two", "three")
    messages = await call((queue.receive, queue.areceive), max_messages=2, wait_seconds=1)
    assert [message.body for message in messages] == ["one", "two"]
    assert orders.texts == ["three"]


async def test_what_is_looked_at_stays(
    orders: Queue, credentials: AzureServiceBusCredentials, queue: ServiceBusQueue, call: Any
) -> None:
    send(credentials, "one", "two")
    assert [message.body for message in await call((queue.peek, queue.apeek))] == ["one", "two"]
    assert orders.texts == ["one", "two"]


def test_nothing_there_is_no_error(queue: ServiceBusQueue) -> None:
    assert queue.receive(wait_seconds=0) == []
    assert queue.peek() == []


async def test_a_message_is_taken_when_the_function_has_returned_and_given_back_when_it_raises(
    orders: Queue, credentials: AzureServiceBusCredentials, queue: ServiceBusQueue, call: Any
) -> None:
    send(credentials, "good", "bad", "fine")

    def work(message: ServiceBusMessage) -> None:
        if message.body == "bad":
            raise RuntimeError("no")

    counts = await call((queue.handle, queue.ahandle), work, wait_seconds=1)
    assert counts == TriggerCounts(started=2, failed=1)
    assert orders.texts == ["bad"]
    assert [message.body for message in await queue.areceive(wait_seconds=1)] == ["bad"]


def test_a_message_that_no_batch_can_hold_goes_alone(
    empty_service_bus: ServiceBus, credentials: AzureServiceBusCredentials
) -> None:
    premium = empty_service_bus.new_queue("premium", max_message_bytes=100_000, max_batch_bytes=1000)
    send(credentials, "small", "x" * 5000, "last", to="premium")
    assert premium.texts == ["small", "x" * 5000, "last"]


def test_what_was_put_aside_is_received_from_the_dead_letter_queue(
    orders: Queue, credentials: AzureServiceBusCredentials
) -> None:
    send(credentials, "one")
    stored = orders.lock_next()
    assert stored is not None
    assert stored.token is not None
    orders.put_aside(stored.token, "Malformed", "no")
    dead = ServiceBusQueue(queue="orders", dead_letter=True, credentials=credentials)
    (message,) = dead.receive(wait_seconds=1)
    assert (message.body, message.dead_letter_reason) == ("one", "Malformed")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_messages": 0}, "max_messages is 0; it must be at least 1"),
        ({"wait_seconds": 61}, "wait_seconds is 61; from 0 to 60 are allowed"),
        ({"wait_seconds": -1}, "wait_seconds is -1; from 0 to 60 are allowed"),
    ],
    ids=["none", "long", "negative"],
)
def test_numbers_out_of_their_range_are_refused(queue: ServiceBusQueue, options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match=said):
        queue.receive(**options)


# Who may, and what is not there


@pytest.mark.parametrize("act", ["send", "receive", "peek", "handle"])
@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ("missing", errors.AzureNotFound, "'missing'.*could not be found"),
        ("disabled", errors.AzureConflict, "disabled"),
        ("key", errors.AzureCredentialsRefused, "Check the key"),
        ("denied", errors.AzureAccessDenied, "claim"),
        ("name", errors.AzureInvalidRequest, "give a name of letters"),
    ],
    ids=["missing", "disabled", "key", "denied", "name"],
)
def test_a_refusal_says_why(
    empty_service_bus: ServiceBus,
    credentials: AzureServiceBusCredentials,
    orders: Queue,
    no_time: Any,
    act: str,
    wrong: str,
    error: type[Exception],
    said: str,
) -> None:
    empty_service_bus.new_queue("disabled", disabled=True)
    name = {"missing": "missing", "disabled": "disabled", "name": "a b"}.get(wrong, "orders")
    if wrong == "key":
        string = empty_service_bus.connection_string.replace("SharedAccessKey=", "SharedAccessKey=c4nary")
        credentials = AzureServiceBusCredentials(connection_string=string)
    if wrong == "denied":
        empty_service_bus.fail("attach-*", "denied", times=None)
    queue = ServiceBusQueue(queue=name, credentials=credentials)
    acts: dict[str, Any] = {
        "send": lambda: send(credentials, "x", to=name),
        "receive": lambda: queue.receive(wait_seconds=0),
        "peek": lambda: queue.peek(),
        "handle": lambda: queue.handle(print, wait_seconds=0),
    }
    if act == "peek" and wrong == "disabled":
        pytest.skip("a disabled queue lets itself be looked at")
    with pytest.raises(error, match=said) as caught:
        acts[act]()
    assert "c4nary" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Give connection_string, or namespace"),
        (
            {"connection_string": "Endpoint=sb://n/;SharedAccessKeyName=a;SharedAccessKey=c4nary", "namespace": "n"},
            "both",
        ),
        ({"connection_string": "c4nary"}, "connection_string must have the form Endpoint=sb://"),
        ({"connection_string": "Endpoint=sb://n/;SharedAccessKey=c4nary"}, "must have the form"),
        (
            {"connection_string": "Endpoint=https://n/;SharedAccessKeyName=a;SharedAccessKey=c4nary"},
            "must have the form",
        ),
        ({"namespace": "n", "client_id": "c", "client_secret": "c4nary"}, "tenant_id"),
    ],
    ids=["nothing", "both", "text", "no-name", "no-bus", "half-a-principal"],
)
def test_credentials_that_make_no_sense_are_refused_without_being_quoted(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        AzureServiceBusCredentials(**fields)
    assert "c4nary" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ({"namespace": "mine"}, "mine.servicebus.windows.net"),
        ({"namespace": "sb://mine.servicebus.windows.net/"}, "mine.servicebus.windows.net"),
        ({"namespace": "mine", "cloud": "usgov"}, "mine.servicebus.usgovcloudapi.net"),
    ],
    ids=["name", "url", "cloud"],
)
def test_a_namespace_is_reached_at_its_host_by_an_identity(fields: dict[str, Any], host: str) -> None:
    credentials = AzureServiceBusCredentials(**fields, tenant_id="t", client_id="c", client_secret="s")
    with credentials.get_client() as client:
        assert client.fully_qualified_namespace == host
