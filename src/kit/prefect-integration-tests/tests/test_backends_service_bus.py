"""The local Service Bus keeps, locks, counts and puts aside messages as the real one, for Azure's own SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)

from prefect_integration_tests.backends.service_bus import Queue, ServiceBus


@pytest.fixture
def orders(empty_service_bus: ServiceBus) -> Queue:
    return empty_service_bus.new_queue("orders", max_delivery_count=2)


@pytest.fixture
def client(empty_service_bus: ServiceBus) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(empty_service_bus.connection_string, retry_total=0) as client:
        yield client


def send(client: ServiceBusClient, *texts: str, to: str = "orders") -> None:
    with client.get_queue_sender(to) as sender:
        sender.send_messages([ServiceBusMessage(text) for text in texts])


def test_what_is_sent_in_a_batch_is_received_one_by_one_and_taken(orders: Queue, client: ServiceBusClient) -> None:
    send(client, "one", "two")
    assert orders.texts == ["one", "two"]
    with client.get_queue_receiver("orders") as receiver:
        first, second = receiver.receive_messages(2, max_wait_time=5)
        assert (str(first), first.sequence_number, first.delivery_count or 0) == ("one", 1, 0)
        receiver.complete_message(first)
        assert orders.texts == ["two"]
        receiver.dead_letter_message(second, reason="bad", error_description="very")
    assert (orders.texts, orders.dead.texts if orders.dead else []) == ([], ["two"])
    assert orders.dead is not None
    assert orders.dead.messages[0].message.properties == {
        "DeadLetterReason": "bad",
        "DeadLetterErrorDescription": "very",
    }


def test_a_message_that_is_given_back_too_often_is_put_aside(orders: Queue, client: ServiceBusClient) -> None:
    send(client, "one")
    with client.get_queue_receiver("orders") as receiver:
        for delivery in range(2):
            (message,) = receiver.receive_messages(1, max_wait_time=5)
            assert (message.delivery_count or 0) == delivery
            receiver.abandon_message(message)
    assert orders.texts == []
    assert orders.dead is not None
    assert orders.dead.texts == ["one"]


def test_a_lock_ends_with_time_and_renewing_puts_that_off(
    empty_service_bus: ServiceBus, orders: Queue, client: ServiceBusClient
) -> None:
    send(client, "one")
    with client.get_queue_receiver("orders") as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        empty_service_bus.advance(50)
        receiver.renew_message_lock(message)
        empty_service_bus.advance(50)
        assert orders.lock_next() is None
        empty_service_bus.advance(11)
        assert orders.lock_next() is not None
        with pytest.raises((MessageLockLostError, ServiceBusError)):
            receiver.complete_message(message)


@pytest.mark.parametrize("kind", ["sender", "receiver"])
@pytest.mark.parametrize("state", ["missing", "disabled"])
def test_what_is_not_there_or_disabled_is_refused(
    empty_service_bus: ServiceBus, client: ServiceBusClient, kind: str, state: str
) -> None:
    empty_service_bus.new_queue("disabled", disabled=True)
    refusal = MessagingEntityNotFoundError if state == "missing" else MessagingEntityDisabledError
    link: Any = getattr(client, f"get_queue_{kind}")(state)
    with pytest.raises(refusal), link:
        link.create_message_batch() if kind == "sender" else link.receive_messages(1, max_wait_time=5)


def test_another_key_is_refused(empty_service_bus: ServiceBus, orders: Queue) -> None:
    string = empty_service_bus.connection_string.replace("SharedAccessKey=", "SharedAccessKey=x")
    stranger = ServiceBusClient.from_connection_string(string, retry_total=0)
    with stranger, pytest.raises(ServiceBusAuthenticationError):
        send(stranger, "one")
    assert orders.texts == []


def test_what_is_sent_to_a_topic_goes_to_each_subscription(
    empty_service_bus: ServiceBus, client: ServiceBusClient
) -> None:
    north, south = (empty_service_bus.new_queue(f"shops/Subscriptions/{name}") for name in ("north", "south"))
    with client.get_topic_sender("shops") as sender:
        sender.send_messages(ServiceBusMessage("one"))
    assert (north.texts, south.texts) == (["one"], ["one"])
    with client.get_subscription_receiver("shops", "north") as receiver:
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        receiver.complete_message(message)
    assert (north.texts, south.texts) == ([], ["one"])


def test_a_connection_that_is_cut_leaves_messages_locked(
    empty_service_bus: ServiceBus, orders: Queue, client: ServiceBusClient
) -> None:
    send(client, "one")
    receiver = client.get_queue_receiver("orders")
    assert receiver.receive_messages(1, max_wait_time=5)
    empty_service_bus.cut()
    with pytest.raises(ServiceBusError):
        receiver.peek_messages(1)
    assert orders.texts == ["one"]
    assert orders.lock_next() is None
