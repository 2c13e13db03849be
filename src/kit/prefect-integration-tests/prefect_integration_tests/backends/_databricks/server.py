"""The HTTP side of the local Databricks workspace: one port, the REST API, the token endpoint, links to results."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, urlsplit

from .._call_faults import Fault, Faults
from .._http_server import Cut, Garbled, HttpHandler, HttpServer
from .._server_clock import Clock
from ..processes import HOST
from .calls import ApiError, DatabricksCall, Json
from .identity import TokenRefusal

_JOBS = "/api/(?P<version>2\\.[012])/jobs"
_SQL = "/api/(?P<version>2\\.0)/sql"

_ROUTES = [
    (operation, method, re.compile(f"^{path}/?$"))
    for operation, method, path in (
        ("CreateJob", "POST", f"{_JOBS}/create"),
        ("GetJob", "GET", f"{_JOBS}/get"),
        ("ListJobs", "GET", f"{_JOBS}/list"),
        ("UpdateJob", "POST", f"{_JOBS}/update"),
        ("ResetJob", "POST", f"{_JOBS}/reset"),
        ("DeleteJob", "POST", f"{_JOBS}/delete"),
        ("RunNow", "POST", f"{_JOBS}/run-now"),
        ("SubmitRun", "POST", f"{_JOBS}/runs/submit"),
        ("GetRun", "GET", f"{_JOBS}/runs/get"),
        ("ListRuns", "GET", f"{_JOBS}/runs/list"),
        ("GetRunOutput", "GET", f"{_JOBS}/runs/get-output"),
        ("ExportRun", "GET", f"{_JOBS}/runs/export"),
        ("CancelRun", "POST", f"{_JOBS}/runs/cancel"),
        ("CancelAllRuns", "POST", f"{_JOBS}/runs/cancel-all"),
        ("DeleteRun", "POST", f"{_JOBS}/runs/delete"),
        ("RepairRun", "POST", f"{_JOBS}/runs/repair"),
        ("ExecuteStatement", "POST", f"{_SQL}/statements"),
        ("GetStatement", "GET", f"{_SQL}/statements/([^/]+)"),
        ("GetStatementChunk", "GET", f"{_SQL}/statements/([^/]+)/result/chunks/(\\d+)"),
        ("CancelStatement", "POST", f"{_SQL}/statements/([^/]+)/cancel"),
        ("GetWarehouse", "GET", f"{_SQL}/warehouses/([^/]+)"),
        ("ListWarehouses", "GET", f"{_SQL}/warehouses"),
        ("GetMe", "GET", "/api/(?P<version>2\\.0)/preview/scim/v2/Me"),
        ("FetchExternalLink", "GET", "/external/([^/]+)/(\\d+)"),
        ("GetToken", "POST", "/oidc/v1/token"),
        ("DiscoverOidc", "GET", "/oidc/\\.well-known/oauth-authorization-server"),
        ("DiscoverHost", "GET", "/\\.well-known/databricks-config"),
    )
]
_OPEN = ("GetToken", "DiscoverOidc", "DiscoverHost", "FetchExternalLink")
"""Operations that ask for no token of the workspace."""


class WorkspaceServer:
    """Listens on a loopback port, checks requests, and lets a service answer."""

    def __init__(
        self,
        answer: Callable[[DatabricksCall], Any],
        check: Callable[[str], None],
        grant: Callable[[Json, str], Json],
        context: ssl.SSLContext | None,
    ) -> None:
        """Start the thread that listens, on a free port.

        Args:
            answer: Answers a call.
            check: Refuses an authorization.
            grant: Answers the token endpoint.
            context: With its certificate TLS is spoken.
        """
        self.lock = threading.RLock()
        self.clock = Clock()
        self.faults: Faults[DatabricksCall] = Faults()
        self.calls: list[DatabricksCall] = []
        self._answer = answer
        self._check = check
        self._grant = grant
        self._scheme = "http" if context is None else "https"
        self._http = HttpServer(self, _Handler, context)
        self.port = int(self._http.server_address[1])
        self._http.start("databricks")

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"{self._scheme}://{HOST}:{self.port}"

    def cut_all(self) -> None:
        """Close all open connections."""
        self._http.cut_all()

    def close(self) -> None:
        """Stop to listen, close all connections."""
        self._http.end()
        self.clock.close()

    def answer(self, call: DatabricksCall, content: bytes, authorization: str) -> Any:
        """Do what a call asks.

        Raises:
            ApiError: The refusal.
            Cut: By a fault.
        """
        _route(call)
        form = call.operation == "GetToken"
        body = dict(parse_qsl(content.decode())) if form else _loaded(content)
        call.body = cast("Json", body) if isinstance(body, dict) else {}
        self.calls.append(call)
        fault = self.faults.next(call)
        if fault is not None:
            _strike(fault)
        if call.operation not in _OPEN:
            with self.lock:
                self._check(authorization)
        if content and not isinstance(body, dict):
            raise ApiError(400, "Could not parse request object: Unrecognized token", "MALFORMED_REQUEST")
        if fault is not None and fault.when == "late":
            self.clock.later(fault.delay_seconds, lambda: self._do(call, authorization))
            raise Cut
        answer = self._do(call, authorization)
        if fault is not None and fault.when == "lost":
            raise Cut
        if fault is not None and fault.when == "after":
            raise fault.error
        return answer

    def _do(self, call: DatabricksCall, authorization: str) -> Any:
        with self.lock:
            return self._grant(call.body, authorization) if call.operation == "GetToken" else self._answer(call)


def _route(call: DatabricksCall) -> None:
    for operation, method, pattern in _ROUTES:
        if method == call.http_method and (found := pattern.match(call.path)):
            call.operation = operation
            call.version = found.groupdict().get("version") or ""
            call.ids = found.groups()[1:] if call.version else found.groups()
            return


def _strike(fault: Fault[DatabricksCall]) -> None:
    if fault.delay_seconds and fault.when != "late":
        threading.Event().wait(fault.delay_seconds)
    if fault.when == "before":
        raise fault.error
    if fault.when == "garbled":
        raise Garbled(fault.error.status)
    if fault.when == "cut":
        raise Cut


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


class _Handler(HttpHandler):
    def date_time_string(self, timestamp: float | None = None) -> str:
        """Write the server's time."""
        server: WorkspaceServer = self.server.owner
        return formatdate(server.clock.seconds() if timestamp is None else timestamp, usegmt=True)

    def serve(self) -> None:
        """Answer one request."""
        server: WorkspaceServer = self.server.owner
        split = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        authorization = headers.pop("authorization", "")
        content = self.read_content()
        query = parse_qs(split.query, keep_blank_values=True)
        call = DatabricksCall("", self.command, split.path, query, headers, connection=self.client_address[1])
        call.has_authorization = bool(authorization)
        sent: dict[str, str] = {}
        try:
            answer, status = server.answer(call, content, authorization), 200
        except Cut:
            raise
        except Garbled as exc:
            call.status = exc.status
            raise
        except ApiError as exc:
            answer, status, sent = exc.body, exc.status, exc.headers
        except TokenRefusal as exc:
            answer, status = exc.body, exc.status
        except Exception as exc:  # noqa: BLE001 - a test must see what broke, not a lost connection
            answer, status = ApiError(500, f"Local server: {type(exc).__name__}: {exc}").body, 500
        call.status = status
        if isinstance(answer, bytes):
            self.send(status, answer, {"Content-Type": "application/octet-stream", **sent})
            return
        self.send(status, json.dumps(answer).encode(), {"Content-Type": "application/json", **sent}, may_compress=True)
