"""The proxy that spoils answers."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from prefect_integration_tests.backends._http_server import HttpHandler, HttpServer
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.http_edge import EDGE_FAULTS, HttpEdge, Refusal


class Shelf:
    """A server that keeps what it is told, and counts."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.puts: list[tuple[str, bytes]] = []
        self.hosts: list[str] = []
        self.http = HttpServer(self, _Handler, context).start("shelf")
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.http.server_port}"


class _Handler(HttpHandler):
    def serve(self) -> None:
        shelf: Shelf = self.server.owner
        content = self.read_content()
        shelf.hosts.append(self.headers["Host"])
        if self.command == "PUT":
            shelf.puts.append((self.path, content))
        if self.command == "DELETE":
            self.send(204, b"", {})
            return
        self.send(200, content or b"x" * 1000, {"ETag": '"1"', "X-Path": self.path})


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf()
    yield shelf
    shelf.http.end()


@pytest.fixture
def edge(shelf: Shelf, http_edge: Callable[..., HttpEdge]) -> HttpEdge:
    return http_edge(shelf.url)


def ask(
    edge: HttpEdge, method: str, path: str, content: bytes | None = None, context: ssl.SSLContext | None = None
) -> tuple[int, bytes, dict[str, str]]:
    parts = urlsplit(edge.url)
    assert parts.hostname is not None
    connection = (
        http.client.HTTPSConnection(parts.hostname, parts.port, timeout=2, context=context)
        if context
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=2)
    )
    try:
        connection.request(method, path, content)
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_what_is_asked_and_said_goes_through(edge: HttpEdge, shelf: Shelf) -> None:
    status, content, headers = ask(edge, "PUT", "/a?b=%2F", b"words")
    assert (status, content, headers["etag"], headers["x-path"]) == (200, b"words", '"1"', "/a?b=%2F")
    assert shelf.puts == [("/a?b=%2F", b"words")]
    assert shelf.hosts == [f"127.0.0.1:{edge.port}"]  # signatures of requests are over the name that was asked
    assert [(call.method, call.path, call.fault) for call in edge.calls] == [("PUT", "/a?b=%2F", None)]


def test_answers_without_a_body_have_none(edge: HttpEdge) -> None:
    assert ask(edge, "DELETE", "/a")[:2] == (204, b"")
    status, content, headers = ask(edge, "HEAD", "/a")
    assert (status, content, headers["content-length"]) == (200, b"", "1000")


@pytest.mark.parametrize("fault", ["429", "500", "503"])
def test_a_refusal_is_not_done_and_says_when_to_come_back(edge: HttpEdge, shelf: Shelf, fault: str) -> None:
    refusal = Refusal(int(fault), json.dumps({"code": "Busy"}).encode(), {"Content-Type": "text/x"})
    with edge.fault(fault, refusal=refusal, retry_after_seconds=7) as struck:  # pyright: ignore[reportArgumentType]
        status, content, headers = ask(edge, "PUT", "/a", b"1")
        assert (status, json.loads(content), headers["content-type"]) == (int(fault), {"code": "Busy"}, "text/x")
        assert headers.get("retry-after") == (None if fault == "500" else "7")
        assert ask(edge, "PUT", "/b", b"2")[0] == 200  # one was asked for
        assert struck() == 1
    assert shelf.puts == [("/b", b"2")]


def test_a_reset_does_nothing(edge: HttpEdge, shelf: Shelf) -> None:
    with edge.fault("reset"), pytest.raises(ConnectionResetError):
        ask(edge, "PUT", "/a", b"1")
    assert shelf.puts == []


def test_a_time_out_does_nothing_and_ends_with_the_fault(edge: HttpEdge, shelf: Shelf) -> None:
    before = set(threading.enumerate())
    with edge.fault("time-out"), pytest.raises(TimeoutError):
        ask(edge, "PUT", "/a", b"1")
    assert shelf.puts == []
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_a_lost_answer_is_of_something_done(edge: HttpEdge, shelf: Shelf) -> None:
    with edge.fault("lost"), pytest.raises(ConnectionResetError):
        ask(edge, "PUT", "/a", b"1")
    assert shelf.puts == [("/a", b"1")]


def test_a_truncated_answer_ends_early(edge: HttpEdge) -> None:
    with edge.fault("truncated"), pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        ask(edge, "GET", "/a")
    assert ask(edge, "GET", "/a")[1] == b"x" * 1000


def test_what_has_no_body_cannot_be_cut_in_it(edge: HttpEdge) -> None:
    with edge.fault("truncated") as struck:
        status, content, headers = ask(edge, "HEAD", "/a")
        assert (status, content, headers["content-length"]) == (200, b"", "1000")
        assert struck() == 1


def test_a_slow_answer_is_whole(edge: HttpEdge) -> None:
    with edge.fault("slow", body_seconds=0.2):
        assert ask(edge, "GET", "/a")[1] == b"x" * 1000


def test_only_those_that_are_meant_are_struck(edge: HttpEdge) -> None:
    with edge.fault("500", times=None, where=lambda call: call.path == "/bad") as struck:
        assert [ask(edge, "GET", path)[0] for path in ("/bad", "/good", "/bad")] == [500, 200, 500]
        assert struck() == 2
    assert [call.fault for call in edge.calls] == ["500", None, "500"]
    edge.clear()
    assert edge.calls == []


def test_both_sides_speak_tls(tmp_path: Path, http_edge: Callable[..., HttpEdge]) -> None:
    authority = PrivateCA(tmp_path)
    issued = authority.issue("localhost", "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.cert_file, issued.key_file)
    trust = ssl.create_default_context(cafile=str(authority.ca_file))
    shelf = Shelf(context)
    try:
        edge = http_edge(shelf.url, context=context, trust=trust)
        assert edge.url.startswith("https://")
        assert ask(edge, "GET", "/a", context=trust)[0] == 200
        for fault in EDGE_FAULTS:
            with edge.fault(fault, times=None, body_seconds=0.1) as struck:
                if fault in ("429", "500", "503", "slow"):
                    ask(edge, "GET", "/a", context=trust)
                else:
                    with pytest.raises((OSError, http.client.HTTPException)):
                        ask(edge, "GET", "/a", context=trust)
                assert struck() == 1
    finally:
        shelf.http.end()
