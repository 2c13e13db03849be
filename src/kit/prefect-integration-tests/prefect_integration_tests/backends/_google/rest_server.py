"""The HTTP side of the local Google REST server: one port, all services, a thread for each connection."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

from .._http_server import Cut, Garbled, HttpHandler, HttpServer
from ..processes import HOST
from .checks import check_answer, read_body, read_query
from .clock import Clock
from .discovery import Method
from .errors import ApiError, Json
from .faults import ApiCall, Fault, Faults
from .operations import Operations
from .service import ApiRequest, Service

S = TypeVar("S", bound=Service)
T = TypeVar("T")

NOBODY = "tester@example.com"
"""Who asks, while tokens are not checked."""

_REGION = re.compile(r"^/?([a-z]+-[a-z]+\d+)(?=/)")
_NO_TOKEN = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_HTML = b"<html><head><title>502 Server Error</title></head><body><h1>Error: Server Error</h1></body></html>"


class RestServer:
    """Listens on a loopback port, checks requests against Google's schemas, and lets services answer."""

    def __init__(self) -> None:
        """Start the thread that listens, on a free port."""
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        """Handlers hold it; `notify_all` when something changed that others may wait for."""

        self.clock = Clock()
        self.faults: Faults[ApiCall] = Faults()
        self.operations = Operations(self)
        self.calls: list[ApiCall] = []
        self.on_call: list[Callable[[ApiCall], None]] = []
        """Told of each call before it is answered; what one raises is the answer, if it is an `ApiError`."""

        self.check_token: Callable[[str], str | None] | None = None
        """Gives the account of a token, `None` for one that is not valid. Without it, tokens are not looked at."""

        self._services: list[Service] = []
        self._shared: dict[Any, Any] = {}
        self._http = HttpServer(self, _Handler)
        self.port = int(self._http.server_address[1])
        self._http.start("google-api")

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`, for every API."""
        return f"http://{HOST}:{self.port}"

    def add(self, kind: type[S]) -> S:
        """Add a service.

        Args:
            kind: Its class.
        """
        service = kind(self)
        self._services.append(service)
        return service

    def shared(self, kind: Callable[[RestServer], T]) -> T:
        """Give what several services share, such as the jobs of two versions of an API; made when first asked for.

        Args:
            kind: Its class, which takes the server.
        """
        if kind not in self._shared:
            self._shared[kind] = kind(self)
        return self._shared[kind]

    def reset(self) -> None:
        """Forget everything: what services keep, faults, calls, hooks, the time."""
        self.faults.clear()
        self.clock.reset()
        with self.lock:
            for service in self._services:
                service.reset()
            self.operations.reset()
        self.on_call.clear()
        self.check_token = None
        self.calls.clear()

    def close(self) -> None:
        """Stop to listen, close all connections."""
        self._http.end()
        self.clock.close()
        for service in self._services:
            service.close()

    def cut_connections(self) -> None:
        """Close all open connections, as when a load balancer restarts. New ones are welcome."""
        self._http.cut_all()

    def find(self, http_method: str, path: str) -> tuple[Service | None, Method | None, dict[str, str]]:
        """Find the service and method of a path, and the path's variables.

        Args:
            http_method: `GET` and so on.
            path: Without the query.
        """
        known: tuple[Service, Method, dict[str, str]] | None = None
        for service in self._services:
            for method, variables in service.document.find(http_method, path.removeprefix("/")):
                if method.id in service.handlers and service.knows(method, variables):
                    return service, method, variables
                known = known or (service, method, variables)
        return (None, known[1], known[2]) if known else (None, None, {})

    def answer(self, call: ApiCall, content: bytes, token: str, region: str) -> Json:
        """Do what a call asks.

        Raises:
            ApiError: The refusal.
            Cut: By a fault.
        """
        service, method, variables = self.find(call.http_method, call.path)
        call.method = method.id if method else ""
        known = method.parameters if method else {}
        call.params = {**variables, **{name: values[-1] for name, values in call.query.items() if name in known}}
        with contextlib.suppress(ValueError):
            loaded: Any = json.loads(content or b"{}")
            call.body = cast("Json", loaded) if isinstance(loaded, dict) else {}
        self.calls.append(call)
        fault = self.faults.next(call)
        if fault is not None:
            self._strike(fault)
        for hook in list(self.on_call):
            hook(call)
        if method is None:
            raise ApiError(404, "Not Found", status="NOT_FOUND")
        call.email = self._email(token)
        query = read_query(method, call.query)
        call.params = {**variables, **query}
        if service is None:
            raise ApiError(501, f"The local server has no {method.id} yet.")
        body = read_body(method, content)
        request = ApiRequest(method, call.params, body, call.email, region)
        if fault is not None and fault.when == "late":
            self.clock.later(fault.delay_seconds, lambda: self._do_unheard(service, request))
            raise Cut
        answer = self._do(service, request)
        check_answer(method, answer)
        if fault is not None and fault.when == "lost":
            raise Cut
        if fault is not None and fault.when == "after":
            raise fault.error
        return answer

    def _do(self, service: Service, request: ApiRequest) -> Json:
        with self.changed:
            answer = dict(service.handlers[request.method.id](request))
            self.changed.notify_all()
        return answer

    def _do_unheard(self, service: Service, request: ApiRequest) -> None:
        with contextlib.suppress(ApiError):
            self._do(service, request)

    def _strike(self, fault: Fault[ApiCall]) -> None:
        if fault.delay_seconds and fault.when != "late":
            self._pause(fault.delay_seconds)
        if fault.when == "before":
            raise fault.error
        if fault.when == "garbled":
            raise Garbled(fault.error.code, _HTML)
        if fault.when == "cut":
            raise Cut

    def _pause(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def _email(self, token: str) -> str:
        if self.check_token is None:
            return NOBODY
        if not token:
            raise ApiError(401, _NO_TOKEN)
        email = self.check_token(token)
        if email is None:
            reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_EXPIRED"}
            raise ApiError(401, details=[{**reason, "domain": "googleapis.com"}])
        return email


class _Handler(HttpHandler):
    def serve(self) -> None:
        """Answer one request."""
        rest: RestServer = self.server.owner
        split = urlsplit(self.path)
        path, region = split.path, ""
        if found := _REGION.match(path):
            region, path = found[1], path[found.end() :]
        headers = {name.lower(): value for name, value in self.headers.items()}
        kind, _, token = headers.pop("authorization", "").partition(" ")
        content = self.rfile.read(int(headers.get("content-length") or 0))
        http_method = headers.get("x-http-method-override", self.command)
        query = parse_qs(split.query, keep_blank_values=True)
        if http_method != self.command and not query:  # long queries of googleapiclient come as a form
            query, content = parse_qs(content.decode(), keep_blank_values=True), b""
        call = ApiCall("", http_method, path, query, headers, at_seconds=time.monotonic())
        try:
            answer = rest.answer(call, content, token if kind.lower() == "bearer" else "", region)
        except Cut:
            raise
        except Garbled as exc:
            call.status = exc.status
            raise
        except ApiError as exc:
            call.status = exc.code
            self._send_error(exc)
            return
        except Exception as exc:  # noqa: BLE001 - a test must see what broke, not a lost connection
            call.status = 500
            self._send_error(ApiError(500, f"Local server: {type(exc).__name__}: {exc}"))
            return
        call.status = 200
        self._send(200, answer)

    def _send_error(self, exc: ApiError) -> None:
        headers = {} if exc.retry_after_seconds is None else {"Retry-After": str(exc.retry_after_seconds)}
        self._send(exc.code, exc.body, headers)

    def _send(self, status: int, data: Json, headers: dict[str, str] | None = None) -> None:
        self._write(status, json.dumps(data).encode(), "application/json; charset=UTF-8", headers)

    def _write(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send(status, content, {"Content-Type": kind, **(headers or {})}, may_compress=True)
