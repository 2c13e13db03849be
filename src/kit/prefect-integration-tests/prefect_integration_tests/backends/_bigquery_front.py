"""A server before the BigQuery emulator: it records requests, and spoils, changes or holds back answers."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlsplit

from .processes import HOST

When = Literal["before", "after", "lost", "cut"]
Json = dict[str, Any]

_PER_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "accept-encoding"}
_UPSTREAM_SECONDS = 300
_TABLE = r"/datasets/[^/]+/tables/[^/]+"
# https://cloud.google.com/bigquery/docs/reference/rest
_METHODS = [
    (method, verb, re.compile(rf"/(?:upload/)?bigquery/v2/projects/[^/]+{pattern}"))
    for method, verb, pattern in (
        ("jobs.insert", "POST", "/jobs"),
        ("jobs.upload", "PUT", "/jobs"),
        ("jobs.get", "GET", "/jobs/[^/]+"),
        ("jobs.cancel", "POST", "/jobs/[^/]+/cancel"),
        ("jobs.query", "POST", "/queries"),
        ("jobs.getQueryResults", "GET", "/queries/[^/]+"),
        ("datasets.get", "GET", "/datasets/[^/]+"),
        ("datasets.insert", "POST", "/datasets"),
        ("tables.get", "GET", _TABLE),
        ("tables.insert", "POST", "/datasets/[^/]+/tables"),
        ("tabledata.insertAll", "POST", f"{_TABLE}/insertAll"),
        ("tabledata.list", "GET", f"{_TABLE}/data"),
    )
]
_LINGER_ZERO = struct.pack("ii", 1, 0)  # closing the socket then sends RST instead of FIN
_STOPPED = {"reason": "stopped", "message": "Job execution was cancelled: User requested cancellation"}


@dataclass
class BigQueryCall:
    """A request, and what was answered."""

    method: str
    """Name in the discovery document without `bigquery.`, such as `jobs.insert`; empty for others."""

    path: str
    query: dict[str, str]
    body: Json
    """What was sent as JSON; of an upload its first part, the job."""

    content_bytes: int
    """Size of the whole body."""

    status: int = 0
    """HTTP status of the answer; 0 while there is none, and when the connection was broken."""

    @property
    def job_id(self) -> str:
        """ID of the job that it is about."""
        reference: Json = self.body.get("jobReference") or {}
        return str(reference.get("jobId") or self.path.removesuffix("/cancel").rpartition("/")[2])


@dataclass
class _Fault:
    method: str
    times: int
    when: When
    status: int
    body: Json = field(default_factory=dict[str, Any])


Hook = Callable[[BigQueryCall, Json], "Json | None"]


class BigQueryFront:
    """An HTTP server on a free loopback port, in threads of this process. Any thread may call it."""

    def __init__(self, upstream_port: int) -> None:
        """Start to listen.

        Args:
            upstream_port: Loopback port of the emulator's REST API.
        """
        self.calls: list[BigQueryCall] = []
        self._upstream_port = upstream_port
        self._lock = threading.Lock()
        self._faults: list[_Fault] = []
        self._hooks: list[tuple[str, Hook]] = []
        self._is_holding = False
        self._job_ids: set[str] = set()
        self._cancelled: set[str] = set()
        self.held = threading.Event()
        """Set once a job was held back."""

        self._http = _Server((HOST, 0), _Handler)
        self._http.front = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="bigquery-front", daemon=True
        )
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://{HOST}:{self._http.server_address[1]}"

    def calls_of(self, method: str) -> list[BigQueryCall]:
        """Give the requests of a method, such as `jobs.insert`, so far."""
        return [call for call in list(self.calls) if call.method == method]

    def fail(
        self,
        method: str,
        *,
        status: int = 503,
        reason: str = "backendError",
        message: str = "Visibility check was unavailable. Please retry the request",
        times: int = 1,
        when: When = "before",
    ) -> None:
        """Spoil the next requests of a method.

        Args:
            method: Such as `jobs.insert`.
            status: HTTP status of the error.
            reason: Its reason.
            message: Its message.
            times: How many requests.
            when: `before`: refused. `after`: done, but answered by the error. `lost`: done, and the connection ends
                without an answer. `cut`: the connection ends before anything is done.
        """
        error: Json = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
        with self._lock:
            self._faults.append(_Fault(method, times, when, status, {"error": error}))

    def change(self, method: str, hook: Hook) -> None:
        """Change the answers of a method.

        Args:
            method: Such as `jobs.insert`.
            hook: Given the request and the emulator's answer, it returns another, or `None` to leave it.
        """
        self._hooks.append((method, hook))

    def hold_jobs(self) -> None:
        """Let jobs look as if they ran, until they are cancelled or `release_jobs` is called."""
        self._is_holding = True

    def release_jobs(self) -> None:
        """Let jobs end."""
        self._is_holding = False

    def close(self) -> None:
        """Stop to listen."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    # For the handler.

    def fault_of(self, call: BigQueryCall) -> _Fault | None:
        with self._lock:
            self.calls.append(call)
            fault = next((fault for fault in self._faults if fault.method == call.method and fault.times > 0), None)
            if fault is not None:
                fault.times -= 1
            return fault

    def refusal_of(self, call: BigQueryCall) -> Json | None:
        """Refuse a second job of one ID, as BigQuery does and the emulator does not."""
        if call.method != "jobs.insert" or call.query.get("uploadType") == "resumable":
            return None
        if not call.body.get("jobReference", {}).get("jobId") or call.body.get("configuration", {}).get("dryRun"):
            return None
        with self._lock:
            if call.job_id not in self._job_ids:
                self._job_ids.add(call.job_id)
                return None
        message = f"Already Exists: Job {call.job_id}"
        return {"error": {"code": 409, "message": message, "errors": [{"reason": "duplicate", "message": message}]}}

    def hand_on(
        self, verb: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(HOST, self._upstream_port, timeout=_UPSTREAM_SECONDS)
        try:
            upstream.request(verb, path, body or None, {**headers, "Content-Length": str(len(body))})
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _PER_HOP}
        return answer.status, kept, content

    def changed(self, call: BigQueryCall, content: bytes) -> bytes:
        hooks = [hook for method, hook in self._hooks if method == call.method]
        if not hooks and not (self._is_holding or self._cancelled):
            return content
        try:
            answer: Any = json.loads(content)
        except ValueError:
            return content
        self._hold(call, answer)
        for hook in hooks:
            answer = hook(call, answer) or answer
        return json.dumps(answer).encode()

    def _hold(self, call: BigQueryCall, answer: Json) -> None:
        """Make a job of the emulator, which has ended already, look as one that runs or was cancelled."""
        if call.method == "jobs.cancel" and self._is_holding:
            self._cancelled.add(call.job_id)
            return
        is_cancelled = call.job_id in self._cancelled
        if not (self._is_holding or is_cancelled):
            return
        if call.method in ("jobs.get", "jobs.insert", "jobs.upload") and "jobReference" in answer:
            answer["status"] = {"state": "DONE", "errorResult": _STOPPED} if is_cancelled else {"state": "RUNNING"}
            self.held.set()
        elif call.method == "jobs.getQueryResults":
            reference = {"jobReference": answer.get("jobReference")}
            answer.clear()
            answer.update({"kind": "bigquery#getQueryResultsResponse", "jobComplete": False, **reference})
            self.held.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    front: BigQueryFront

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that gave up while they were answered."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - it is made by this server alone

    def _serve(self) -> None:
        front = self.server.front
        body = self._read_body()
        call = _call(self.command, self.path, self.headers.get("Content-Type", ""), body)
        fault = front.fault_of(call)
        if fault is not None and fault.when == "cut":
            self._break()
            return
        if fault is not None and fault.when == "before":
            self._answer_json(call, fault.status, fault.body)
            return
        if (refusal := front.refusal_of(call)) is not None:
            self._answer_json(call, 409, refusal)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _PER_HOP}
        try:
            status, kept, content = front.hand_on(self.command, self.path, headers, body)
        except OSError:
            self._break()
            return
        if fault is not None and fault.when == "lost":
            self._break()
        elif fault is not None:
            self._answer_json(call, fault.status, fault.body)
        else:
            self._answer(call, status, kept, front.changed(call, content))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - the base class wants these names

    def _answer(self, call: BigQueryCall, status: int, headers: Mapping[str, str], content: bytes) -> None:
        call.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer_json(self, call: BigQueryCall, status: int, body: Json) -> None:
        self._answer(call, status, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _break(self) -> None:
        self.close_connection = True
        connection = cast("socket.socket", self.connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        connection.close()

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


def _call(verb: str, target: str, content_type: str, body: bytes) -> BigQueryCall:
    parts = urlsplit(target)
    method = next((name for name, way, path in _METHODS if way == verb and path.fullmatch(parts.path)), "")
    return BigQueryCall(method, parts.path, dict(parse_qsl(parts.query)), _json_of(content_type, body), len(body))


def _json_of(content_type: str, body: bytes) -> Json:
    if content_type.startswith("multipart/related"):
        _, _, body = body.partition(b"\r\n\r\n")
        body, _, _ = body.partition(b"\r\n--")
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return cast("Json", found) if isinstance(found, dict) else {}
