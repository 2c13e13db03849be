"""Messages are published within the limits of Pub/Sub, received, acknowledged, given back, and kept during work."""

from __future__ import annotations

import pickle
import threading
import uuid
from typing import Any

import pytest
from prefect import flow

from prefect_gcp import GcpCredentials, errors, pubsub
from prefect_gcp._pubsub_messages import read_time
from prefect_gcp._rest import Transport
from prefect_gcp.pubsub import (
    OutgoingMessage,
    PubsubMessage,
    PubsubSubscription,
    TriggerCounts,
    apublish_message,
    apublish_messages,
    publish_message,
    publish_messages,
)
from prefect_integration_tests.backends._google.pubsub_v1 import PubSub, Subscription

PUBLISH = (publish_messages.fn, apublish_messages.fn)
PUBLISH_ONE = (publish_message.fn, apublish_message.fn)
TOPIC = "projects/test-project/topics/orders"


@pytest.fixture
def credentials(empty_google_api: Any) -> GcpCredentials:
    return GcpCredentials(project="test-project", api_endpoints={"pubsub": empty_google_api.endpoint})


@pytest.fixture
def service(empty_google_api: Any) -> PubSub:
    return empty_google_api.service(PubSub)


@pytest.fixture
def behind(service: PubSub) -> Subscription:
    return service.new_subscription(TOPIC, "projects/test-project/subscriptions/orders")


@pytest.fixture
def subscription(behind: Subscription, credentials: GcpCredentials) -> PubsubSubscription:
    return PubsubSubscription(subscription="orders", gcp_credentials=credentials)


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(pubsub, "_clock", fake_clock)
    return fake_clock


# Publishing


async def test_what_is_published_is_received_and_acknowledged(
    subscription: PubsubSubscription, behind: Subscription, credentials: GcpCredentials, call: Any
) -> None:
    more = OutgoingMessage("more", attributes={"shop": "north"}, ordering_key="k")
    ids = await call(PUBLISH, "orders", ["plain ü", b"\x00\xff", {"order": 1}, [1, None], more], credentials)
    ids.append(await call(PUBLISH_ONE, TOPIC, OutgoingMessage(attributes={"only": "this"}), credentials))
    messages = await call(subscription, "receive", max_messages=20, wait_seconds=0)
    found = {message.message_id: message for message in messages}
    assert [found[name].data for name in ids] == [
        "plain ü".encode(),
        b"\x00\xff",
        b'{"order": 1}',
        b"[1, null]",
        b"more",
        b"",
    ]
    assert found[ids[2]].json() == {"order": 1}
    assert (found[ids[4]].attributes, found[ids[4]].ordering_key) == ({"shop": "north"}, "k")
    assert found[ids[0]].published_at is not None
    assert pickle.loads(pickle.dumps(messages)) == messages
    await call(subscription, "acknowledge", [messages[0].ack_id, *messages[1:]])
    assert behind.backlog == []


async def test_many_messages_go_in_requests_within_the_limits_and_in_order(
    behind: Subscription, credentials: GcpCredentials, empty_google_api: Any, call: Any
) -> None:
    ids = await call(PUBLISH, "orders", list(range(2500)), credentials)
    assert [len(each.body["messages"]) for each in empty_google_api.calls_of("*.publish")] == [1000, 1000, 500]
    assert [message["messageId"] for message in behind.backlog] == ids
    empty_google_api.calls.clear()
    await call(PUBLISH, "orders", ["x" * 3_000_000] * 3 + ["y" * 9_000_000, "z"], credentials)
    assert [len(each.body["messages"]) for each in empty_google_api.calls_of("*.publish")] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("", "message 1: it is empty; give it a body or an attribute"),
        ({"when": object()}, "message 1: .*cannot be written as JSON"),
        (float("nan"), "message 1: .*cannot be written as JSON"),
        ("x" * 10_000_001, "message 1: it has 10000001 bytes; at most 10000000"),
        (OutgoingMessage("x", attributes={str(n): "" for n in range(101)}), "it has 101 attributes; at most 100"),
        (OutgoingMessage("x", attributes={"k" * 257: ""}), "name of an attribute has 257 bytes; from 1 to 256"),
        (OutgoingMessage("x", attributes={"k": "v" * 1025}), "attribute 'k' has 1025 bytes; at most 1024"),
        (OutgoingMessage("x", attributes={"googclient": "v"}), "'googclient' begins with 'goog'"),
        (OutgoingMessage("x", attributes={"n": 1}), "attribute 'n' is a int; names and values must be text"),  # type: ignore[dict-item]
        (OutgoingMessage("x", ordering_key="k" * 1025), "ordering_key has 1025 bytes"),
    ],
    ids=["empty", "object", "nan", "large", "attributes", "name", "value", "goog", "number", "key"],
)
async def test_bad_messages_are_refused_before_any_is_published(
    behind: Subscription, credentials: GcpCredentials, empty_google_api: Any, call: Any, message: Any, said: str
) -> None:
    with pytest.raises(errors.GcpInvalidRequest, match=said):
        await call(PUBLISH, "orders", ["fine", message], credentials)
    assert empty_google_api.calls == []


@pytest.mark.parametrize("topic", ["", "1x", "goog-x", "projects/p/subscriptions/x", "projects//topics/x", "a b"])
async def test_a_name_that_is_no_topic_is_refused(credentials: GcpCredentials, call: Any, topic: str) -> None:
    with pytest.raises(errors.GcpInvalidRequest, match=r"topic is .*give a name of 3 to 255"):
        await call(PUBLISH_ONE, topic, "x", credentials)


async def test_text_in_place_of_a_list_of_messages_is_refused(credentials: GcpCredentials, call: Any) -> None:
    with pytest.raises(errors.GcpInvalidRequest, match="messages is one str; give a list, or use publish_message"):
        await call(PUBLISH, "orders", "abc", credentials)


async def test_a_missing_topic_or_subscription_is_named(
    credentials: GcpCredentials, service: PubSub, call: Any
) -> None:
    with pytest.raises(errors.GcpNotFound, match="Pub/Sub topic 'nowhere'"):
        await call(PUBLISH_ONE, "nowhere", "x", credentials)
    block = PubsubSubscription(subscription="nowhere", gcp_credentials=credentials)
    with pytest.raises(errors.GcpNotFound, match="Pub/Sub subscription 'nowhere'"):
        await call(block, "receive", wait_seconds=0)


async def test_passing_faults_are_outlasted(
    behind: Subscription,
    subscription: PubsubSubscription,
    credentials: GcpCredentials,
    empty_google_api: Any,
    clock: Any,
    call: Any,
) -> None:
    for method in ("publish", "pull", "acknowledge", "modifyAckDeadline"):
        for status in (429, 500, 503):
            empty_google_api.fail(f"pubsub.projects.*.{method}", status)
        empty_google_api.fail(f"pubsub.projects.*.{method}", when="cut")
    await call(PUBLISH_ONE, "orders", "x", credentials)
    messages = await call(subscription, "receive", max_messages=1, wait_seconds=0)
    await call(subscription, "modify_deadline", messages, 60)
    await call(subscription, "acknowledge", messages)
    assert behind.backlog == []


@pytest.mark.parametrize("fault", ["time-out", "truncated", "slow", "lost"])
async def test_a_publication_that_is_answered_badly_is_not_lost(
    behind: Subscription,
    empty_google_api: Any,
    http_edge: Any,
    clock: Any,
    call: Any,
    fault: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is published again; whether the first one arrived, nobody knows."""
    monkeypatch.setitem(Transport.request.__kwdefaults__, "timeout_seconds", 0.7)
    edge = http_edge(empty_google_api.endpoint)
    block = GcpCredentials(project="test-project", api_endpoints={"pubsub": edge.url})
    with edge.fault(fault) as struck:
        await call(PUBLISH_ONE, "orders", "x", block)
        assert struck() == 1
    assert len(behind.backlog) == (2 if fault in ("truncated", "lost") else 1)


async def test_a_batch_that_is_refused_says_what_was_published_before(
    behind: Subscription, credentials: GcpCredentials, empty_google_api: Any, call: Any
) -> None:
    empty_google_api.fail("*.publish", 403, skip=1, times=None)
    with pytest.raises(errors.GcpAccessDenied, match=r"Of 1500 messages, the first 1000 were published\."):
        await call(PUBLISH, "orders", list(range(1500)), credentials)
    assert len(behind.backlog) == 1000


async def test_tokens_are_sent_and_the_account_is_named_when_it_may_not_publish(
    service: PubSub, identity: Any, service_account: dict[str, Any], empty_google_api: Any, call: Any
) -> None:
    service.new_topic(TOPIC)
    empty_google_api.check_tokens(identity.check)
    block = GcpCredentials(service_account_info=service_account, api_endpoints={"pubsub": empty_google_api.endpoint})
    assert await call(PUBLISH_ONE, "orders", "x", block)
    empty_google_api.fail("pubsub.projects.topics.publish", 403)
    with pytest.raises(errors.GcpAccessDenied, match=service_account["client_email"]):
        await call(PUBLISH_ONE, "orders", "x", block)


# Receiving


async def test_a_message_that_is_given_back_comes_again_at_once_and_one_that_is_kept_does_not(
    subscription: PubsubSubscription, credentials: GcpCredentials, empty_google_api: Any, call: Any
) -> None:
    await call(PUBLISH, "orders", ["a", "b"], credentials)
    first, second = await call(subscription, "receive", wait_seconds=0)
    await call(subscription, "nack", [first])
    await call(subscription, "modify_deadline", [second], 600)
    empty_google_api.clock.advance(500)
    (again,) = await call(subscription, "receive", wait_seconds=0)
    assert (again.message_id, again.data) == (first.message_id, b"a")
    assert again.ack_id != first.ack_id


async def test_receiving_waits_for_the_first_message_as_long_as_asked(
    subscription: PubsubSubscription, service: PubSub, credentials: GcpCredentials, call: Any
) -> None:
    # Nobody may wait for the message any more when it comes, so the one that waits too short has its own.
    service.new_subscription(TOPIC, "projects/test-project/subscriptions/other")
    other = PubsubSubscription(subscription="other", gcp_credentials=credentials)
    assert await call(other, "receive", wait_seconds=1) == []
    publisher = threading.Timer(0.1, publish_message.fn, ("orders", "late", credentials))
    publisher.start()
    (message,) = await call(subscription, "receive", max_messages=1, wait_seconds=20)
    publisher.join()
    assert message.body == "late"


@pytest.mark.parametrize(
    ("method", "arguments", "said"),
    [
        ("receive", {"max_messages": 0}, "max_messages is 0"),
        ("receive", {"wait_seconds": 61}, "wait_seconds is 61"),
        ("modify_deadline", {"messages": ["ack-1"], "seconds": 601}, "seconds is 601"),
        ("handle", {"handler": print, "concurrency": 0}, "concurrency is 0"),
        ("handle", {"handler": print, "max_backoff_seconds": 700}, "max_backoff_seconds is 700"),
        ("handle", {"handler": print, "wait_seconds": -1}, "wait_seconds is -1"),
    ],
)
async def test_bad_arguments_are_named(
    subscription: PubsubSubscription,
    empty_google_api: Any,
    call: Any,
    method: str,
    arguments: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(errors.GcpInvalidRequest, match=said):
        await call(subscription, method, **arguments)
    assert empty_google_api.calls == []


def test_a_message_shows_neither_content_nor_ack_id() -> None:
    message = PubsubMessage("m-1", "secret-ack", b"secret body", {"a": "secret attribute"})
    assert "secret" not in repr(message)
    with pytest.raises(ValueError, match="message m-1: the body is not JSON") as caught:
        message.json()
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="message m-2: the body is not UTF-8"):
        _ = PubsubMessage("m-2", "", b"\xff").body
    with pytest.raises(ValueError, match="not JSON"):
        PubsubMessage("m-3", "", b"[" * 100_000).json()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-04T03:02:01Z", "2026-05-04T03:02:01+00:00"),
        ("2026-05-04T03:02:01.5Z", "2026-05-04T03:02:01.500000+00:00"),
        ("2026-05-04T03:02:01.123456789Z", "2026-05-04T03:02:01.123456+00:00"),
    ],
)
def test_times_are_read_whatever_their_digits(text: str, expected: str) -> None:
    read = read_time(text)
    assert read is not None
    assert read.isoformat() == expected
    assert read_time("yesterday") is None


# A function for each message


async def test_each_message_is_handed_to_a_function_and_acknowledged_when_it_has_returned(
    subscription: PubsubSubscription, behind: Subscription, credentials: GcpCredentials, call: Any
) -> None:
    await call(PUBLISH, "orders", list(range(25)), credentials)
    seen: list[int] = []

    async def handle(message: PubsubMessage) -> None:
        seen.append(message.json())

    counts = await call(subscription, "handle", handler=handle, wait_seconds=0)
    assert counts == TriggerCounts(started=25)
    await call(PUBLISH_ONE, "orders", 25, credentials)
    counts = await call(subscription, "handle", handler=lambda message: seen.append(message.json()), wait_seconds=0)
    assert counts == TriggerCounts(started=1)
    assert sorted(seen) == list(range(26))
    assert behind.backlog == []


async def test_a_message_whose_handler_raises_comes_again(
    subscription: PubsubSubscription,
    behind: Subscription,
    credentials: GcpCredentials,
    empty_google_api: Any,
    clock: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish_message.fn("orders", "x", credentials)
    tries = 0

    def handle(message: PubsubMessage) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("disk full")

    empty_google_api.on_call.append(
        lambda asked: empty_google_api.clock.advance(2) if asked.method.endswith(".pull") else None
    )
    counts = TriggerCounts()
    while not counts.started:
        counts = await subscription.ahandle(handle, wait_seconds=0, max_backoff_seconds=1)
    assert tries == 2
    assert "No result for message" in caplog.text
    assert "disk full" in caplog.text
    assert behind.backlog == []


async def test_a_message_is_kept_from_others_while_its_handler_works(
    subscription: PubsubSubscription,
    behind: Subscription,
    credentials: GcpCredentials,
    empty_google_api: Any,
    clock: Any,
) -> None:
    publish_message.fn("orders", "x", credentials)
    kept = threading.Event()

    def look(asked: Any) -> None:
        if asked.method.endswith(".modifyAckDeadline"):
            assert asked.body["ackDeadlineSeconds"] == 10
            if len(empty_google_api.calls_of("*.modifyAckDeadline")) >= 3:
                kept.set()

    empty_google_api.on_call.append(look)
    worked: list[str] = []

    def handle(message: PubsubMessage) -> None:
        assert kept.wait(10)
        worked.append(message.body)

    assert await subscription.ahandle(handle, wait_seconds=0) == TriggerCounts(started=1)
    assert worked == ["x"]
    assert behind.backlog == []


async def test_flows_of_both_kinds_work_a_subscription_off(
    prefect_harness: None, service: PubSub, credentials: GcpCredentials
) -> None:
    name = f"sub-{uuid.uuid4().hex[:8]}"
    service.new_subscription(TOPIC, f"projects/test-project/subscriptions/{name}")
    subscription = PubsubSubscription(subscription=name, gcp_credentials=credentials)

    @flow
    def sync_flow() -> Any:
        publish_messages("orders", ["a", "b"], credentials)
        messages = subscription.receive(wait_seconds=0)
        subscription.acknowledge(messages)
        publish_message("orders", "c", credentials)
        return len(messages), subscription.handle(print, wait_seconds=0).started

    @flow
    async def async_flow() -> Any:
        await publish_message("orders", "c", credentials)
        messages = await subscription.areceive(wait_seconds=0)
        await subscription.aacknowledge(messages)
        return len(messages)

    assert sync_flow() == (2, 1)
    assert await async_flow() == 1


def test_a_subscription_needs_no_network_to_be_made_or_shown() -> None:
    block = PubsubSubscription(subscription="orders", gcp_credentials=GcpCredentials(project="p"))
    assert "orders" in repr(block)
