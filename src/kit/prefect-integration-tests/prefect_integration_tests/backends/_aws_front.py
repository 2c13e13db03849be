"""A server before an AWS emulator: it answers some operations itself and hands on all others."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from .aws_faults import AwsError
from .processes import HOST

_REGION = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")
_PER_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
_UPSTREAM_SECONDS = 120


class Refused(Exception):
    """An operation is answered by an error."""

    def __init__(self, error: AwsError) -> None:
        """Wrap the error's answer."""
        super().__init__(error)
        self.error = error


class FrontCall(NamedTuple):
    """A request of a JSON protocol."""

    target: str
    """Service and operation, such as `AmazonEC2ContainerServiceV20141113.RunTask`."""

    body: dict[str, Any]
    region: str

    @property
    def operation(self) -> str:
        """Name of the operation, such as `RunTask`."""
        return self.target.rpartition(".")[2]


Answer = Callable[[FrontCall], "Mapping[str, Any] | None"]


class AwsFront:
    """An HTTP server on a free loopback port, in threads of this process."""

    def __init__(self, upstream_port: int, answer: Answer) -> None:
        """Start to listen.

        Args:
            upstream_port: Loopback port of the emulator.
            answer: Asked about every request of a JSON protocol. It returns the answer, `None` to hand the request
                on, or raises `Refused`.
        """
        self._http = _Server((HOST, 0), _Handler)
        self._http.upstream_port = upstream_port
        self._http.answer = answer
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="aws-front", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return self._http.server_address[1]

    def close(self) -> None:
        """Stop to listen."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    upstream_port: int
    answer: Answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that were killed or gave up while they were answered."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - it is made by this server alone

    def _serve(self) -> None:
        body = self._read_body()
        target = self.headers.get("X-Amz-Target")
        try:
            answer = self._own_answer(target, body) if target else None
        except Refused as exc:
            error = exc.error
            self._send_json(error.status, {"__type": error.code, "message": error.message, **error.details})
            return
        except Exception as exc:  # noqa: BLE001 - the client is to hear of a mistake of ours, without trying again
            self._send_json(400, {"__type": "EmulatorFailed", "message": f"{target}: {type(exc).__name__}: {exc}"})
            return
        if answer is not None:
            self._send_json(200, answer)
        else:
            self._hand_on(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815 - the base class wants these names

    def _own_answer(self, target: str, body: bytes) -> Mapping[str, Any] | None:
        try:
            parameters = json.loads(body or b"{}")
        except ValueError:
            return None
        match = _REGION.search(self.headers.get("Authorization", ""))
        return self.server.answer(FrontCall(target, parameters, match[1] if match else ""))

    def _send_json(self, status: int, answer: Mapping[str, Any]) -> None:
        self._send(status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode())

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _hand_on(self, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _PER_HOP}
        upstream = http.client.HTTPConnection(HOST, self.server.upstream_port, timeout=_UPSTREAM_SECONDS)
        try:
            upstream.request(self.command, self.path, body or None, {**headers, "Content-Length": str(len(body))})
            answer = upstream.getresponse()
            content = answer.read()
        except OSError:
            self.close_connection = True  # as the emulator itself, which is gone or about to be
            return
        finally:
            upstream.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _PER_HOP}
        if self.command == "HEAD" and (length := answer.getheader("Content-Length")):
            kept["Content-Length"] = length
        self._send(answer.status, kept, content)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(parts)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: pytest shows what a test asserts."""
