"""Each message becomes one flow run or one event, whatever fails in between."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prefect.client.base import PrefectHttpxAsyncClient
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter

from prefect_azure import errors
from prefect_azure.service_bus import (
    AzureServiceBusCredentials,
    OutgoingMessage,
    ServiceBusEventTrigger,
    ServiceBusFlowTrigger,
    TriggerCounts,
    service_bus_send_messages,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.service_bus import Queue, ServiceBus

NUMBER = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


class Deployed:
    """A deployment in the test server, with a schema for its parameters, and its runs."""

    def __init__(self, schema: dict[str, Any] | None = None) -> None:
        self.name = f"pack-{uuid.uuid4().hex[:8]}/nightly"
        with get_client(sync_client=True) as client:
            flow_id = client.create_flow_from_name(self.name.partition("/")[0])
            options = {"parameter_openapi_schema": schema, "enforce_parameter_schema": True} if schema else {}
            self.id = client.create_deployment(flow_id, name="nightly", **options)

    def runs(self) -> list[Any]:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id={"any_": [self.id]}))
        return sorted(found, key=lambda run: json.dumps(run.parameters, sort_keys=True))


@pytest.fixture
def deployed(prefect_harness: None) -> Deployed:
    return Deployed()


@pytest.fixture
def credentials(empty_service_bus: ServiceBus) -> AzureServiceBusCredentials:
    return AzureServiceBusCredentials(connection_string=empty_service_bus.connection_string)


@pytest.fixture
def orders(empty_service_bus: ServiceBus) -> Queue:
    return empty_service_bus.new_queue("orders")


@pytest.fixture
def send(credentials: AzureServiceBusCredentials, orders: Queue) -> Callable[..., None]:
    def send(*messages: Any) -> None:
        service_bus_send_messages.fn("orders", messages, credentials)

    return send


@pytest.fixture
def make_trigger(credentials: AzureServiceBusCredentials, orders: Queue) -> Callable[..., ServiceBusFlowTrigger]:
    def make(deployment: str, **options: Any) -> ServiceBusFlowTrigger:
        return ServiceBusFlowTrigger("orders", deployment, **{"credentials": credentials, "wait_seconds": 0, **options})

    return make


async def test_each_message_becomes_a_flow_run_and_is_taken(
    orders: Queue, deployed: Deployed, make_trigger: Any, send: Any, call: Any
) -> None:
    await asyncio.to_thread(send, *({"order": {"number": number}} for number in range(3)))
    trigger = make_trigger(deployed.name, parameters={"number": "order.number"}, tags=["from-bus"])
    assert await call((trigger.serve, trigger.run), until_empty=True) == TriggerCounts(started=3)
    runs = deployed.runs()
    assert [run.parameters for run in runs] == [{"number": number} for number in range(3)]
    assert runs[0].tags == ["from-bus"]
    assert orders.texts == []
    assert trigger.health().state == "stopped"


async def test_messages_of_one_id_have_a_run_each(deployed: Deployed, make_trigger: Any, send: Any) -> None:
    send(OutgoingMessage(1, message_id="same"), OutgoingMessage(2, message_id="same"))
    await make_trigger(str(deployed.id)).run(until_empty=True)
    assert [run.parameters for run in deployed.runs()] == [{"message": 1}, {"message": 2}]


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, {"message": {"a": 1}}),
        ({"body_format": "text"}, {"message": '{"a": 1}'}),
        ({"parameters": lambda message: {"shop": message.properties["shop"]}}, {"shop": "north"}),
    ],
    ids=["json", "text", "function"],
)
async def test_parameters_are_made_as_asked(
    deployed: Deployed, make_trigger: Any, send: Any, options: dict[str, Any], parameters: dict[str, Any]
) -> None:
    send(OutgoingMessage({"a": 1}, {"shop": "north"}))
    await make_trigger(str(deployed.id), **options).run(until_empty=True)
    assert [run.parameters for run in deployed.runs()] == [parameters]


async def test_a_message_that_could_not_be_taken_has_one_run(
    empty_service_bus: ServiceBus, orders: Queue, deployed: Deployed, make_trigger: Any, send: Any
) -> None:
    send(1)
    empty_service_bus.fail("complete", "internal", times=1)
    trigger = make_trigger(deployed.name)
    assert (await trigger.run(until_empty=True)).started == 0
    assert len(deployed.runs()) == 1
    empty_service_bus.advance(3600)
    assert (await trigger.run(until_empty=True)).started == 1
    assert len(deployed.runs()) == 1
    assert orders.texts == []


async def test_malformed_messages_are_put_aside_at_once_with_the_reason(
    prefect_harness: None, orders: Queue, make_trigger: Any, send: Any, caplog: pytest.LogCaptureFixture
) -> None:
    deployed = Deployed(NUMBER)
    bad = ["{no json", "[1]", '{"other": 1}', '{"number": "many"}', b"\xff"]
    send(*bad, {"number": 5})
    trigger = make_trigger(deployed.name, parameters={"number": "number"})
    assert await trigger.run(until_empty=True) == TriggerCounts(started=1, malformed=len(bad))
    assert [run.parameters for run in deployed.runs()] == [{"number": 5}]
    assert orders.texts == []
    assert orders.dead is not None
    reasons = [stored.message.properties for stored in orders.dead.messages]
    assert [reason["DeadLetterReason"] for reason in reasons] == ["Malformed"] * len(bad)
    assert any("not JSON" in reason["DeadLetterErrorDescription"] for reason in reasons)
    assert caplog.text.count("is malformed and was put aside") == len(bad)


@pytest.fixture
def broken_api(monkeypatch: pytest.MonkeyPatch, prefect_harness: None) -> Callable[[str, int], None]:
    """The Prefect API refuses some requests of one kind with status 500, at the network's edge."""
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


async def test_while_prefect_is_out_of_reach_a_message_is_kept_and_uses_up_no_deliveries(
    orders: Queue, deployed: Deployed, make_trigger: Any, send: Any, broken_api: Any, fake_clock: Any
) -> None:
    send(1)
    broken_api("/create_flow_run", 15)  # more than the queue has deliveries
    trigger = make_trigger(deployed.name, max_backoff_seconds=1)
    trigger._clock = fake_clock
    running = asyncio.create_task(trigger.run())
    try:
        await apoll(
            lambda: _if(orders.texts == []), subject="taking the message", interval_seconds=0.05, timeout_seconds=60
        )
        assert trigger.health().state in ("healthy", "degraded")
    finally:
        trigger.stop()
        counts = await running
    assert (counts.started, counts.failed) == (1, 15)
    assert len(deployed.runs()) == 1
    assert orders.dead is not None
    assert orders.dead.texts == []


async def _if(is_true: bool) -> bool | None:
    return is_true or None


async def test_a_message_that_waits_is_given_back_at_the_end(
    orders: Queue, deployed: Deployed, make_trigger: Any, send: Any, broken_api: Any
) -> None:
    send(1)
    broken_api("/create_flow_run", 1)
    assert await make_trigger(deployed.name).run(until_empty=True) == TriggerCounts(failed=1)
    (stored,) = orders.messages
    assert (stored.token, stored.deliveries) == (None, 1)


async def test_a_connection_that_breaks_is_opened_anew(
    empty_service_bus: ServiceBus, orders: Queue, deployed: Deployed, make_trigger: Any, send: Any, fake_clock: Any
) -> None:
    trigger = make_trigger(deployed.name)
    trigger._clock = fake_clock
    running = asyncio.create_task(trigger.run())
    try:
        await apoll(
            lambda: _if(empty_service_bus.count("attach-receiver") > 0),
            subject="a link",
            interval_seconds=0.05,
            timeout_seconds=30,
        )
        empty_service_bus.cut()
        await asyncio.to_thread(send, 1)
        await apoll(
            lambda: _if(orders.texts == []), subject="taking the message", interval_seconds=0.05, timeout_seconds=60
        )
    finally:
        trigger.stop()
        counts = await running
    assert counts.started == 1
    assert len(deployed.runs()) == 1


async def test_a_queue_that_is_missing_ends_the_trigger(
    empty_service_bus: ServiceBus, credentials: AzureServiceBusCredentials, deployed: Deployed
) -> None:
    with pytest.raises(errors.AzureNotFound, match="could not be found"):
        await ServiceBusFlowTrigger("missing", deployed.name, credentials=credentials).run()


async def test_a_deployment_that_is_missing_ends_the_trigger(prefect_harness: None, make_trigger: Any) -> None:
    with pytest.raises(LookupError, match="Prefect has no deployment 'no/such'"):
        await make_trigger("no/such").run(until_empty=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"concurrency": 0}, "concurrency is 0; it must be at least 1"),
        ({"wait_seconds": 61}, "wait_seconds is 61; from 0 to 60 are allowed"),
        ({"max_backoff_seconds": 0}, "max_backoff_seconds is 0; it must be at least 1"),
        ({"parameters": {"a": ""}}, "the path of parameter 'a' is empty"),
        ({"body_format": "xml"}, "body_format"),
        ({"deployment": "nothing"}, "deployment"),
    ],
    ids=["concurrency", "wait", "backoff", "path", "format", "deployment"],
)
def test_arguments_that_make_no_sense_are_refused_at_once(
    credentials: AzureServiceBusCredentials, options: dict[str, Any], said: str
) -> None:
    fields = {"deployment": "flow/deployment", "credentials": credentials, **options}
    with pytest.raises(errors.AzureInvalidRequest, match=said):
        ServiceBusFlowTrigger("orders", **fields)


async def test_each_message_becomes_an_event_with_its_own_id(
    prefect_harness: None, orders: Queue, credentials: AzureServiceBusCredentials, send: Any
) -> None:
    order = uuid.uuid4().hex
    send(OutgoingMessage({"order": order}, {"shop": "north", "id": uuid.UUID(int=1)}, subject="s"))
    trigger = ServiceBusEventTrigger("orders", credentials=credentials, wait_seconds=0)
    fields: list[dict[str, Any]] = []
    make, trigger.event_fields = trigger.event_fields, lambda message: fields.append(make(message)) or fields[-1]
    assert await trigger.run(until_empty=True) == TriggerCounts(started=1)
    (made,) = fields
    assert made["event"] == "azure.servicebus.message"
    assert made["resource"]["prefect.resource.id"] == "azure.servicebus.orders"
    assert made["payload"]["body"] == {"order": order}
    assert made["payload"]["properties"] == {"shop": "north", "id": str(uuid.UUID(int=1))}
    assert orders.texts == []


async def test_an_event_arrives_in_prefect_as_it_was_made(
    prefect_harness: None, credentials: AzureServiceBusCredentials, send: Any
) -> None:
    name = f"order.{uuid.uuid4().hex}"
    send({"event": name})
    await ServiceBusEventTrigger(
        "orders",
        credentials=credentials,
        wait_seconds=0,
        event=lambda message: message.json()["event"],
        resource=lambda _: {"prefect.resource.id": "shop.north"},
    ).run(until_empty=True)

    async def arrived() -> Any:
        async with get_client() as client:
            response = await client._client.post("/events/filter", json={"filter": {"event": {"name": [name]}}})
        return response.json()["events"] or None

    (event,) = await apoll(arrived, subject="the event", interval_seconds=0.05, timeout_seconds=30)
    assert event["resource"]["prefect.resource.id"] == "shop.north"
