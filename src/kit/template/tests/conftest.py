"""A small Acme on this machine: objects in memory, checked tokens, failures when told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from prefect_acme import AcmeBucket, AcmeCredentials


class AcmeServer(ThreadingHTTPServer):
    """Speaks what the package needs of Acme's API.

    Attributes:
        objects: Content by bucket and key.
        tokens: The tokens that are good; any token is when it is empty.
        failures: Status and headers of the next answers, before any real one.
        requests: How many requests came in.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.objects: dict[str, bytes] = {}
        self.tokens: set[str] = set()
        self.failures: list[tuple[int, dict[str, str]]] = []
        self.requests = 0

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: AcmeServer

    def do_GET(self) -> None:
        self._answer(lambda path, _: self.server.objects.get(path))

    def do_PUT(self) -> None:
        def store(path: str, content: bytes) -> bytes:
            self.server.objects[path] = content
            return b""

        self._answer(store)

    def _answer(self, act: Any) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server, status, headers, body = self.server, 200, {}, b""
        server.requests += 1
        if server.failures:
            status, headers = server.failures.pop(0)
        elif server.tokens and (self.headers["Authorization"] or "")[7:] not in server.tokens:
            status = 401
        else:
            found = act(unquote(self.path), content)
            status, body = (404, b"") if found is None else (200, found)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def acme_process() -> Iterator[AcmeServer]:
    """The server, started once."""
    server = AcmeServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def acme(acme_process: AcmeServer) -> AcmeServer:
    """The server, empty."""
    acme_process.reset()
    return acme_process


@pytest.fixture
def bucket(acme: AcmeServer) -> AcmeBucket:
    """A bucket with a folder, on the empty server."""
    credentials = AcmeCredentials(api_token="token", url=acme.url)
    return AcmeBucket(bucket_name="b", bucket_folder="base", credentials=credentials)
