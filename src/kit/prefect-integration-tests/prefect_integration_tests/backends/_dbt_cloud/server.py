"""The HTTP side of the local dbt Cloud: one port, the administrative APIs and the metadata API."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from .._call_faults import Fault, Faults
from .._http_server import Cut, Garbled, HttpHandler, HttpServer
from .._server_clock import Clock
from ..processes import HOST
from .calls import CloudCall, CloudError, Json

_ROUTES = [
    (operation, method, re.compile(f"^{path}$"))
    for operation, method, path in (
        ("ListJobs", "GET", "/api/v2/accounts/(\\d+)/jobs/"),
        ("CreateJob", "POST", "/api/v2/accounts/(\\d+)/jobs/"),
        ("GetJob", "GET", "/api/v2/accounts/(\\d+)/jobs/(\\d+)/"),
        ("DeleteJob", "DELETE", "/api/v2/accounts/(\\d+)/jobs/(\\d+)/"),
        ("TriggerJobRun", "POST", "/api/v2/accounts/(\\d+)/jobs/(\\d+)/run/"),
        ("RerunJob", "POST", "/api/v2/accounts/(\\d+)/jobs/(\\d+)/rerun/"),
        ("GetJobArtifact", "GET", "/api/v2/accounts/(\\d+)/jobs/(\\d+)/artifacts/(?P<path>[^?]+)"),
        ("ListRuns", "GET", "/api/v2/accounts/(\\d+)/runs/"),
        ("GetRun", "GET", "/api/v2/accounts/(\\d+)/runs/(\\d+)/"),
        ("CancelRun", "POST", "/api/v2/accounts/(\\d+)/runs/(\\d+)/cancel/"),
        ("RetryRun", "POST", "/api/v2/accounts/(\\d+)/runs/(\\d+)/retry/"),
        ("ListArtifacts", "GET", "/api/v2/accounts/(\\d+)/runs/(\\d+)/artifacts/"),
        ("GetArtifact", "GET", "/api/v2/accounts/(\\d+)/runs/(\\d+)/artifacts/(?P<path>[^?]+)"),
        ("ListProjects", "GET", "/api/v[23]/accounts/(\\d+)/projects/"),
        ("GetAccount", "GET", "/api/v[23]/accounts/(\\d+)/"),
        ("QueryMetadata", "POST", "/graphql"),
    )
]


class CloudServer:
    """Listens on a loopback port, checks requests, and lets a service answer."""

    def __init__(self, account_id: int, api_key: str, answer: Callable[[CloudCall, str], Any]) -> None:
        """Start the thread that listens, on a free port.

        Args:
            account_id: The account.
            api_key: The key that is asked for.
            answer: Answers a call, whose path ends in the second argument.
        """
        self.lock = threading.RLock()
        self.clock = Clock()
        self.faults: Faults[CloudCall] = Faults()
        self.calls: list[CloudCall] = []
        self.account_id = account_id
        self.api_key = api_key
        self._answer = answer
        self._http = HttpServer(self, _Handler)
        self.port = int(self._http.server_address[1])
        self._http.start("dbt-cloud")

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`, for every API."""
        return f"http://{HOST}:{self.port}"

    def close(self) -> None:
        """Stop to listen, close all connections."""
        self._http.end()
        self.clock.close()

    def answer(self, call: CloudCall, content: bytes, authorization: str) -> Any:
        """Do what a call asks.

        Raises:
            CloudError: The refusal.
            Cut: By a fault.
        """
        rest = self._route(call)
        body = _loaded(content)
        call.body = cast("Json", body) if isinstance(body, dict) else {}
        self.calls.append(call)
        fault = self.faults.next(call)
        if fault is not None:
            self._strike(fault)
        if authorization not in (f"Bearer {self.api_key}", f"Token {self.api_key}"):
            raise CloudError(401)
        if not call.operation:
            raise _unknown(call)
        if content and not isinstance(body, dict):
            raise CloudError(400, developer_message="JSON parse error")
        if call.http_method == "POST" and content and "json" not in call.headers.get("content-type", ""):
            raise CloudError(415, f"Unsupported media type {call.headers.get('content-type')!r} in request.")
        if call.operation != "QueryMetadata" and (not call.ids or call.ids[0] != self.account_id):
            raise CloudError(404, developer_message="No account matches the given query.")
        if fault is not None and fault.when == "late":
            self.clock.later(fault.delay_seconds, lambda: self._do(call, rest))
            raise Cut
        answer = self._do(call, rest)
        if fault is not None and fault.when == "lost":
            raise Cut
        if fault is not None and fault.when == "after":
            raise fault.error
        return answer

    def _do(self, call: CloudCall, rest: str) -> Any:
        with self.lock:
            return self._answer(call, rest)

    @staticmethod
    def _route(call: CloudCall) -> str:
        for operation, method, pattern in _ROUTES:
            if method == call.http_method and (found := pattern.match(call.path)):
                named = found.groupdict().get("path")
                call.operation = operation
                call.ids = tuple(int(each) for each in found.groups() if each and each.isdigit() and each != named)
                return unquote(named or "")
        return ""

    @staticmethod
    def _strike(fault: Fault[CloudCall]) -> None:
        if fault.delay_seconds and fault.when != "late":
            threading.Event().wait(fault.delay_seconds)
        if fault.when == "before":
            raise fault.error
        if fault.when == "garbled":
            raise Garbled(fault.error.status)
        if fault.when == "cut":
            raise Cut


def _unknown(call: CloudCall) -> CloudError:
    # As Django does: a GET without the slash at the end is sent to the right place, anything else is lost.
    if call.http_method == "GET" and not call.path.endswith("/"):
        return CloudError(301, headers={"Location": f"{call.path}/"})
    return CloudError(404, developer_message=f"No endpoint {call.http_method} {call.path}")


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


class _Handler(HttpHandler):
    def date_time_string(self, timestamp: float | None = None) -> str:
        """Write the server's time."""
        server: CloudServer = self.server.owner
        return formatdate(server.clock.seconds() if timestamp is None else timestamp, usegmt=True)

    def serve(self) -> None:
        """Answer one request."""
        server: CloudServer = self.server.owner
        split = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        authorization = headers.pop("authorization", "")
        content = self.read_content()
        query = parse_qs(split.query, keep_blank_values=True)
        call = CloudCall("", self.command, split.path, query, headers, connection=self.client_address[1])
        sent: dict[str, str] = {}
        try:
            answer, status = server.answer(call, content, authorization), 200
        except Cut:
            raise
        except Garbled as exc:
            call.status = exc.status
            raise
        except CloudError as exc:
            answer, status, sent = exc.body, exc.status, exc.headers
        except Exception as exc:  # noqa: BLE001 - a test must see what broke, not a lost connection
            answer, status = CloudError(500, f"Local server: {type(exc).__name__}: {exc}").body, 500
        if status == 200 and call.operation in ("CreateJob", "TriggerJobRun"):
            status = 201 if call.operation == "CreateJob" else 200
        call.status = status
        if isinstance(answer, str):
            self.send(status, answer.encode(), {"Content-Type": "text/plain", **sent}, may_compress=True)
            return
        self.send(status, json.dumps(answer).encode(), {"Content-Type": "application/json", **sent}, may_compress=True)
