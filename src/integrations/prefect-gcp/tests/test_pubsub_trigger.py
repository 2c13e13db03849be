"""Each message becomes one flow run or one event, whatever fails in between."""

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
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.events.filters import EventFilter, EventIDFilter

from prefect_gcp import GcpCredentials, errors
from prefect_gcp._rest import Transport
from prefect_gcp.pubsub import (
    OutgoingMessage,
    PubsubEventTrigger,
    PubsubFlowTrigger,
    PubsubMessage,
    TriggerCounts,
    publish_message,
    publish_messages,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends._google.pubsub_v1 import PubSub, Subscription

TOPIC = "projects/test-project/topics/orders"
DEAD = "projects/test-project/topics/dead"


class Deployed:
    """A deployment in the test server, with a schema for its parameters, and its runs."""

    def __init__(self, schema: dict[str, Any] | None = None) -> None:
        self.flow_name = f"pack-{uuid.uuid4().hex[:8]}"
        self.name = f"{self.flow_name}/nightly"
        with get_client(sync_client=True) as client:
            flow_id = client.create_flow_from_name(self.flow_name)
            options = {"parameter_openapi_schema": schema, "enforce_parameter_schema": True} if schema else {}
            self.id = client.create_deployment(flow_id, name="nightly", **options)

    def runs(self) -> list[Any]:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id={"any_": [self.id]}))
        return sorted(found, key=lambda run: json.dumps(run.parameters, sort_keys=True))


NUMBER = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


@pytest.fixture
def deployed(prefect_harness: None) -> Deployed:
    return Deployed()


@pytest.fixture
def credentials(empty_google_api: Any) -> GcpCredentials:
    return GcpCredentials(project="test-project", api_endpoints={"pubsub": empty_google_api.endpoint})


@pytest.fixture
def service(empty_google_api: Any) -> PubSub:
    return empty_google_api.service(PubSub)


@pytest.fixture
def name() -> str:
    """Messages of the local server have small numbers, and keys of flow runs are made of them."""
    return f"orders-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def behind(service: PubSub, name: str, monkeypatch: pytest.MonkeyPatch) -> Subscription:
    start = uuid.uuid4().int >> 80
    monkeypatch.setattr(service, "_ids", iter(range(start, start + 100_000)))
    return service.new_subscription(TOPIC, f"projects/test-project/subscriptions/{name}")


@pytest.fixture
def make_trigger(behind: Subscription, name: str, credentials: GcpCredentials) -> Callable[..., PubsubFlowTrigger]:
    def make(deployment: str, **options: Any) -> PubsubFlowTrigger:
        return PubsubFlowTrigger(name, deployment, **{"gcp_credentials": credentials, "wait_seconds": 0, **options})

    return make


async def test_each_message_becomes_a_flow_run_and_is_acknowledged(
    behind: Subscription, deployed: Deployed, make_trigger: Any, credentials: GcpCredentials, call: Any
) -> None:
    orders = [{"order": {"number": number, "items": [{"name": "tea"}]}} for number in range(3)]
    publish_messages.fn("orders", orders, credentials)
    paths = {"number": "order.number", "first": "order.items.0.name", "all": "."}
    trigger = make_trigger(deployed.name, parameters=paths, tags=["from-pubsub"])
    counts = await call((trigger.serve, trigger.run), until_empty=True)
    assert counts == TriggerCounts(started=3)
    runs = deployed.runs()
    assert sorted(run.parameters["number"] for run in runs) == list(range(3))
    assert runs[0].parameters == {"number": ANY, "first": "tea", "all": ANY}
    assert runs[0].tags == ["from-pubsub"]
    assert behind.backlog == []
    assert trigger.health().state == "stopped"


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, {"message": {"a": 1}}),
        ({"body_format": "text"}, {"message": '{"a": 1}'}),
        (
            {"parameters": lambda message: {"shop": message.attributes["shop"], "a": message.json()["a"]}},
            {"shop": "north", "a": 1},
        ),
    ],
    ids=["json", "text", "function"],
)
async def test_parameters_are_made_as_asked(
    behind: Subscription,
    deployed: Deployed,
    make_trigger: Any,
    credentials: GcpCredentials,
    options: dict[str, Any],
    parameters: dict[str, Any],
) -> None:
    publish_message.fn("orders", OutgoingMessage({"a": 1}, attributes={"shop": "north"}), credentials)
    await make_trigger(str(deployed.id), **options).run(until_empty=True)
    assert [run.parameters for run in deployed.runs()] == [parameters]


async def test_a_message_whose_acknowledgement_was_lost_has_one_run(
    behind: Subscription,
    deployed: Deployed,
    make_trigger: Any,
    credentials: GcpCredentials,
    empty_google_api: Any,
    fake_clock: Any,
) -> None:
    publish_message.fn("orders", 1, credentials)
    empty_google_api.fail("*.acknowledge", 503, times=None)
    trigger = make_trigger(deployed.name)
    trigger._clock = fake_clock
    assert (await trigger.run(until_empty=True)).started == 0
    assert len(deployed.runs()) == 1
    empty_google_api.heal()
    empty_google_api.clock.advance(3600)
    assert (await trigger.run(until_empty=True)).started == 1
    assert len(deployed.runs()) == 1
    assert behind.backlog == []


async def test_malformed_messages_go_to_the_dead_letter_topic_and_are_told_once(
    prefect_harness: None,
    behind: Subscription,
    service: PubSub,
    make_trigger: Any,
    credentials: GcpCredentials,
    empty_google_api: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    deployed = Deployed(NUMBER)
    behind.body["deadLetterPolicy"] = {"deadLetterTopic": DEAD, "maxDeliveryAttempts": 5}
    dead = service.new_subscription(DEAD, "projects/test-project/subscriptions/dead")
    bad = ["{no json", "[1]", '{"other": 1}', '{"number": "many"}', '{"number": NaN}', "[" * 5000, b"\xff"]
    publish_messages.fn("orders", [*bad, {"number": 5}], credentials)

    def pass_time(asked: Any) -> None:
        """When all that is left is malformed, each pull finds that earlier deliveries are over."""
        if asked.method.endswith(".pull") and len(behind.backlog) <= len(bad):
            empty_google_api.clock.advance(11)

    empty_google_api.on_call.append(pass_time)
    trigger = make_trigger(deployed.name, parameters={"number": "number"})
    assert await trigger.run(until_empty=True) == TriggerCounts(started=1, malformed=len(bad))
    assert [run.parameters for run in deployed.runs()] == [{"number": 5}]
    assert (len(dead.backlog), behind.backlog) == (len(bad), [])
    warnings = [record.getMessage() for record in caplog.records if "is malformed and stays" in record.getMessage()]
    assert len(warnings) == len(bad)
    assert any("not of type 'integer'" in warning for warning in warnings)
    assert "has no dead-letter" not in caplog.text


async def test_a_subscription_without_a_dead_letter_topic_is_warned_of(
    deployed: Deployed, make_trigger: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await make_trigger(deployed.name).run(until_empty=True)
    assert "has no dead-letter topic" in caplog.text


@pytest.fixture
def broken_api(monkeypatch: pytest.MonkeyPatch, prefect_harness: None) -> Callable[[str, int], None]:
    """The Prefect API refuses some requests of one kind with status 500, at the network's edge."""
    import httpx
    from prefect.client.base import PrefectHttpxAsyncClient

    left, end = 0, ""
    send = httpx.AsyncClient.send

    async def refuse(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
        nonlocal left
        if left and isinstance(self, PrefectHttpxAsyncClient) and request.url.path.endswith(end):
            left -= 1
            return httpx.Response(500, json={"exception_message": "Internal Server Error"}, request=request)
        return await send(self, request, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", refuse)

    def arm(path: str, times: int) -> None:
        nonlocal left, end
        left, end = times, path

    return arm


async def test_a_message_whose_run_could_not_be_created_comes_again_and_health_says_so_meanwhile(
    behind: Subscription,
    deployed: Deployed,
    make_trigger: Any,
    credentials: GcpCredentials,
    broken_api: Callable[[str, int], None],
    empty_google_api: Any,
    fake_clock: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish_messages.fn("orders", [1, 2], credentials)
    trigger = make_trigger(deployed.name, max_backoff_seconds=1, concurrency=1)
    trigger._clock = fake_clock
    broken_api("/create_flow_run", 4)
    seen: list[str] = []

    def pass_time(asked: Any) -> None:
        if asked.method.endswith(".pull"):
            seen.append(trigger.health().state)
            empty_google_api.clock.advance(2)

    empty_google_api.on_call.append(pass_time)
    running = asyncio.create_task(trigger.run())

    async def all_started() -> bool | None:
        assert not running.done()
        return len(deployed.runs()) == 2 or None

    await apoll(all_started, subject="both runs", interval_seconds=0.05, timeout_seconds=20)

    async def is_healthy() -> bool | None:
        return trigger.health().is_healthy or None

    await apoll(is_healthy, subject="health", interval_seconds=0.01, timeout_seconds=20)
    trigger.stop()
    assert await running == TriggerCounts(started=2, failed=4)
    assert fake_clock.sleeps  # it pauses: Pub/Sub counts deliveries
    assert "degraded" in seen
    assert "No flow run for message" in caplog.text
    assert behind.backlog == []


async def test_receiving_outlasts_passing_faults_and_ends_with_lasting_ones(
    deployed: Deployed, behind: Subscription, make_trigger: Any, empty_google_api: Any, fake_clock: Any
) -> None:
    for status in (429, 500, 503):
        empty_google_api.fail("*.pull", status)
    empty_google_api.fail("*.pull", when="cut")
    empty_google_api.fail("*.pull", 403)
    trigger = make_trigger(deployed.name)
    trigger._clock = fake_clock
    with pytest.raises(errors.GcpAccessDenied, match="orders"):
        await trigger.run()
    assert len(fake_clock.sleeps) >= 4


@pytest.mark.parametrize("fault", ["time-out", "truncated", "slow", "lost"])
@pytest.mark.parametrize("method", ["pull", "acknowledge"])
async def test_a_trigger_outlasts_what_the_line_does(
    deployed: Deployed,
    behind: Subscription,
    make_trigger: Any,
    credentials: GcpCredentials,
    empty_google_api: Any,
    http_edge: Any,
    fake_clock: Any,
    method: str,
    fault: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(Transport.request.__kwdefaults__, "timeout_seconds", 0.7)
    publish_message.fn("orders", 1, credentials)
    edge = http_edge(empty_google_api.endpoint)
    line = GcpCredentials(project="test-project", api_endpoints={"pubsub": edge.url})
    trigger = make_trigger(deployed.name, gcp_credentials=line)
    trigger._clock = fake_clock
    with edge.fault(fault, where=lambda call: call.path.partition("?")[0].endswith(f":{method}")) as struck:
        await trigger.run(until_empty=True)
        assert struck() == 1
    if behind.backlog:  # the deliveries whose answer was lost come again
        empty_google_api.clock.advance(3600)
        await trigger.run(until_empty=True)
    assert len(deployed.runs()) == 1
    assert behind.backlog == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"pushConfig": {"pushEndpoint": "https://example.com"}}, "delivers elsewhere .pushConfig."),
        ({"detached": True}, "it is detached from its topic"),
    ],
    ids=["push", "detached"],
)
async def test_a_subscription_that_nothing_can_be_pulled_from_is_refused(
    deployed: Deployed, behind: Subscription, make_trigger: Any, body: dict[str, Any], said: str
) -> None:
    behind.body.update(body)
    with pytest.raises(errors.GcpInvalidRequest, match=said):
        await make_trigger(deployed.name).run()


async def test_a_missing_deployment_or_subscription_is_an_error_at_once(
    prefect_harness: None, deployed: Deployed, make_trigger: Any, credentials: GcpCredentials
) -> None:
    with pytest.raises(LookupError, match="Prefect has no deployment 'pack/nowhere'"):
        await make_trigger("pack/nowhere").run()
    with pytest.raises(LookupError, match="Prefect has no deployment"):
        await make_trigger(str(uuid.uuid4())).run()
    with pytest.raises(errors.GcpNotFound, match="Pub/Sub subscription 'nowhere'"):
        await PubsubFlowTrigger("nowhere", deployed.name, gcp_credentials=credentials).run()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"deployment": "nightly"}, "deployment is 'nightly'"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"body_format": "xml"}, "body_format is 'xml'"),
        ({"wait_seconds": 61}, "wait_seconds is 61"),
        ({"max_backoff_seconds": 601}, "max_backoff_seconds is 601"),
        ({"parameters": {"number": ""}}, "the path of parameter 'number' is empty"),
        ({"parameters": {"number": 1}}, "the path of parameter 'number' is no text"),
        ({"parameters": ["number"]}, "parameters is a list"),
        ({"subscription": "x"}, "subscription is 'x'"),
        ({"subscription": "projects/p/topics/x"}, "subscription is 'projects/p/topics/x'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_trigger_that_makes_no_sense_is_refused_by_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.GcpInvalidRequest, match=said):
        PubsubFlowTrigger(**{"subscription": "orders", "deployment": "pack/nightly", **options})


async def test_messages_of_an_ordering_key_keep_their_order_and_wait_behind_a_bad_one(
    behind: Subscription, deployed: Deployed, make_trigger: Any, credentials: GcpCredentials
) -> None:
    behind.body["enableMessageOrdering"] = True
    bodies = [("1", "a"), ("{bad", "b"), ("2", "a"), ("3", "b")]
    publish_messages.fn("orders", [OutgoingMessage(text, ordering_key=key) for text, key in bodies], credentials)
    order: list[int] = []

    def parameters(message: PubsubMessage) -> dict[str, Any]:
        order.append(message.json())
        return {"number": message.json()}

    trigger = make_trigger(deployed.name, parameters=parameters)
    assert await trigger.run(until_empty=True) == TriggerCounts(started=2, malformed=1)
    assert order == [1, 2]
    assert len(behind.backlog) == 2


def test_a_served_trigger_stops_when_the_process_is_told_to_end(
    deployed: Deployed, make_trigger: Any, credentials: GcpCredentials
) -> None:
    publish_message.fn("orders", 1, credentials)
    trigger = make_trigger(deployed.name)
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


# Events


async def read_events(ids: list[uuid.UUID]) -> list[Any]:
    async with get_client() as client:
        body = {"filter": EventFilter(id=EventIDFilter(id=ids)).model_dump(mode="json", exclude_none=True)}
        answer = await client.request("POST", "/events/filter", json=body)
    return answer.json()["events"]


def event_id(message_id: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"pubsub-{message_id}")


async def test_each_message_becomes_one_event_even_when_it_comes_twice(
    prefect_harness: None,
    behind: Subscription,
    name: str,
    credentials: GcpCredentials,
    empty_google_api: Any,
    fake_clock: Any,
) -> None:
    attributes = {"eventType": "OBJECT_FINALIZE", "bucketId": "raw", "objectId": "day/1.csv"}
    message_id = publish_message.fn("orders", OutgoingMessage({"name": "day/1.csv"}, attributes), credentials)
    trigger = PubsubEventTrigger(
        name,
        event=lambda message: f"gcs.{message.attributes['eventType'].lower()}",
        resource=lambda message: {"prefect.resource.id": f"gs://{message.attributes['bucketId']}"},
        gcp_credentials=credentials,
        wait_seconds=0,
    )
    trigger._clock = fake_clock
    empty_google_api.fail("*.acknowledge", 503, times=None)
    assert (await trigger.run(until_empty=True)).started == 0
    empty_google_api.heal()
    empty_google_api.clock.advance(3600)
    assert (await trigger.run(until_empty=True)).started == 1
    assert behind.backlog == []

    async def recorded() -> list[Any] | None:
        return await read_events([event_id(message_id)]) or None

    (event,) = await apoll(recorded, subject="the event", interval_seconds=0.1, timeout_seconds=20)
    assert event["event"] == "gcs.object_finalize"
    assert event["resource"] == {"prefect.resource.id": "gs://raw"}
    assert event["payload"]["attributes"] == attributes
    assert event["payload"]["body"] == {"name": "day/1.csv"}


async def test_an_event_that_prefect_did_not_take_comes_again(
    behind: Subscription,
    name: str,
    credentials: GcpCredentials,
    broken_api: Callable[[str, int], None],
    empty_google_api: Any,
    fake_clock: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish_message.fn("orders", 1, credentials)
    trigger = PubsubEventTrigger(name, gcp_credentials=credentials, wait_seconds=0)
    trigger._clock = fake_clock
    broken_api("/events", 1)
    assert await trigger.run(until_empty=True) == TriggerCounts(failed=1)
    assert "No event for message" in caplog.text
    assert len(behind.backlog) == 1
    empty_google_api.clock.advance(3600)
    assert await trigger.run(until_empty=True) == TriggerCounts(started=1)


async def test_a_message_that_no_event_can_be_made_of_stays(
    prefect_harness: None, behind: Subscription, name: str, credentials: GcpCredentials
) -> None:
    publish_messages.fn("orders", [OutgoingMessage("{}"), "no json"], credentials)
    trigger = PubsubEventTrigger(
        name, event=lambda message: message.attributes["kind"], gcp_credentials=credentials, wait_seconds=0
    )
    assert await trigger.run(until_empty=True) == TriggerCounts(malformed=2)
    assert len(behind.backlog) == 2


def test_the_subscription_is_the_resource_of_an_event_that_names_none() -> None:
    trigger = PubsubEventTrigger("projects/p/subscriptions/orders")
    fields = trigger.event_fields(PubsubMessage("m-1", "", b'{"a": 1}'))
    assert fields["event"] == "google.pubsub.message"
    assert fields["resource"] == {
        "prefect.resource.id": "google.pubsub.subscription.orders",
        "prefect.resource.name": "orders",
    }
    with pytest.raises(errors.GcpInvalidRequest, match="event is empty"):
        PubsubEventTrigger("orders", event="")
