"""The line to Service Bus breaks, is slow, or leads nowhere: messages arrive all the same, or it is told why not."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest

from prefect_azure import errors, service_bus
from prefect_azure.service_bus import AzureServiceBusCredentials, ServiceBusQueue, service_bus_send_messages
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST

if TYPE_CHECKING:
    from pathlib import Path

    from prefect_integration_tests.backends.faults import FaultProxy
    from prefect_integration_tests.backends.service_bus import Queue, ServiceBus


@pytest.fixture(autouse=True)
def no_time(monkeypatch: pytest.MonkeyPatch, fake_clock: Any) -> Any:
    """Waits take no time."""
    monkeypatch.setattr(service_bus, "_clock", fake_clock)
    return fake_clock


@pytest.fixture
def orders(empty_service_bus: ServiceBus) -> Queue:
    return empty_service_bus.new_queue("orders")


@pytest.fixture
def line(empty_service_bus: ServiceBus, fault_proxy: Any) -> FaultProxy:
    return fault_proxy("127.0.0.1", empty_service_bus.port)


@pytest.fixture
def credentials(empty_service_bus: ServiceBus, line: FaultProxy) -> AzureServiceBusCredentials:
    text = empty_service_bus.connection_string.replace(f":{empty_service_bus.port};", f":{line.port};")
    return AzureServiceBusCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("moved_bytes", [0, 400, 1200])
def test_a_connection_that_breaks_is_opened_anew(
    orders: Queue, line: FaultProxy, credentials: AzureServiceBusCredentials, moved_bytes: int
) -> None:
    line.set(reset_after_bytes=moved_bytes, reset_times=1)
    sent = service_bus_send_messages.fn("orders", ["one", "two"], credentials)
    assert line.connections >= 2
    assert {each.message.id for each in orders.messages} == set(sent)
    assert set(orders.texts) == {"one", "two"}


def test_a_message_that_breaks_off_arrives_all_the_same(
    orders: Queue, line: FaultProxy, credentials: AzureServiceBusCredentials
) -> None:
    large = "x" * 100_000
    line.set(reset_after_bytes=60_000, reset_times=1)
    sent = service_bus_send_messages.fn("orders", [large], credentials)
    assert orders.texts == [large]
    assert [each.message.id for each in orders.messages] == sent


def test_a_line_that_is_slow_changes_nothing(
    orders: Queue, line: FaultProxy, credentials: AzureServiceBusCredentials
) -> None:
    line.set(bytes_per_second=200_000, latency_seconds=0.02)
    texts = [f"{number:03}" * 500 for number in range(20)]
    service_bus_send_messages.fn("orders", texts, credentials)
    assert orders.texts == texts
    received = ServiceBusQueue(queue="orders", credentials=credentials).receive(20, wait_seconds=5)
    assert [message.body for message in received] == texts
    assert orders.texts == []


@pytest.mark.parametrize("where", ["name", "certificate"])
def test_a_server_that_is_none_is_told(where: str, http_edge: Any, tmp_path: Path) -> None:
    host, edge = UNRESOLVABLE_HOST, None
    if where == "certificate":
        issued = PrivateCA(tmp_path).issue("bus", "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.cert_file, issued.key_file)
        edge = http_edge("http://127.0.0.1:9", context=context)
        host = f"127.0.0.1:{edge.port}"
    text = f"Endpoint=sb://{host};SharedAccessKeyName=a;SharedAccessKey=c4nary"
    credentials = AzureServiceBusCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]
    started = time.monotonic()
    with pytest.raises(errors.AzureError, match="Service Bus queue or topic 'orders'") as caught:
        service_bus_send_messages.fn("orders", ["x"], credentials)
    assert time.monotonic() - started < 60
    assert "c4nary" not in str(caught.value)
    assert edge is None or edge.calls == []
