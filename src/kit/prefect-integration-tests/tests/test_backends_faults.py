"""The proxy makes a line slow, broken or dead, as asked and no more."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST, FaultProxy, closed_port


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def echo(client: socket.socket) -> None:
        with client:
            try:
                while data := client.recv(1 << 16):
                    client.sendall(data)
            except OSError:
                pass

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture(params=["thread", "process"])
def proxy(request: pytest.FixtureRequest, echo_port: int) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo_port, own_process=request.param == "process") as proxy:
        yield proxy


def connect(proxy: FaultProxy) -> socket.socket:
    connection = socket.create_connection((proxy.host, proxy.port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return receive(connection, len(data))


def receive(connection: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size and (part := connection.recv(1 << 16)):
        parts += part
    return parts


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_a_good_line_changes_nothing(proxy: FaultProxy):
    data = bytes(range(256)) * 20_000
    with connect(proxy) as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        assert receive(connection, len(data)) == data
        sender.join()
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert proxy.connections == 1


def test_latency_is_added_once_to_each_round_trip(proxy: FaultProxy):
    with connect(proxy) as connection:
        exchange(connection, b"warm")
        proxy.latency_seconds = 0.05
        took = min(seconds(lambda: exchange(connection, b"ping")) for _ in range(3))
        assert 0.05 <= took < 0.09
        proxy.heal()
        assert min(seconds(lambda: exchange(connection, b"ping")) for _ in range(5)) < 0.05


def test_latency_does_not_lower_throughput(proxy: FaultProxy):
    proxy.latency_seconds = 0.05
    with connect(proxy) as connection:
        chunks = 200  # one after the other they would take 10 s
        took = seconds(
            lambda: [connection.sendall(b"x" * 1000) for _ in range(chunks)] and receive(connection, 200_000)
        )
    assert took < 5


def test_speed_can_be_limited(proxy: FaultProxy):
    proxy.bytes_per_second = 200_000
    with connect(proxy) as connection:
        took = seconds(lambda: exchange(connection, b"x" * 60_000))
    assert 0.25 <= took < 5


def test_a_connection_breaks_half_way_as_often_as_asked(proxy: FaultProxy):
    with connect(proxy) as old, connect(proxy) as connection:
        exchange(old, b"x" * 500)
        proxy.set(reset_after_bytes=100, reset_times=1)
        assert exchange(old, b"y" * 40) == b"y" * 40  # the past does not count
        with pytest.raises(ConnectionResetError):
            exchange(old, b"y" * 4000)
        assert exchange(connection, b"z" * 5000) == b"z" * 5000
    assert proxy.faults.reset_after_bytes is None


def test_open_connections_can_be_broken_at_once(proxy: FaultProxy):
    with connect(proxy) as connection:
        exchange(connection, b"x")
        proxy.reset_connections()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_new_connections_are_refused_until_healed(proxy: FaultProxy):
    with connect(proxy) as connection:
        exchange(connection, b"x")
        proxy.refuse = True
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        assert exchange(connection, b"still here") == b"still here"
        proxy.refuse = False
        with connect(proxy) as another:
            assert exchange(another, b"x") == b"x"


def test_a_black_hole_keeps_bytes_until_it_ends(proxy: FaultProxy):
    with connect(proxy) as connection:
        proxy.blackhole = True
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            exchange(connection, b"hello")
        proxy.blackhole = False
        connection.settimeout(10)
        assert receive(connection, 5) == b"hello"


def test_a_dead_server_breaks_the_connection():
    with FaultProxy("127.0.0.1", closed_port()) as proxy, pytest.raises(ConnectionError):  # noqa: PT012
        connection = connect(proxy)
        with connection:
            exchange(connection, b"x")
            raise ConnectionError("closed without an answer")


def test_the_fixture_makes_proxies(fault_proxy: Callable[..., FaultProxy], echo_port: int):
    proxy = fault_proxy("127.0.0.1", echo_port)
    assert proxy.url == f"http://127.0.0.1:{proxy.port}"
    with connect(proxy) as connection:
        assert exchange(connection, b"x") == b"x"


def test_names_for_bad_input_are_bad():
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(UNRESOLVABLE_HOST, 443)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", closed_port()))
