"""The HTTP side of the local Azure server: one port, all providers, a thread for each connection."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from .._http_server import Cut, Garbled, HttpHandler, HttpServer
from .._server_clock import Clock
from ..processes import HOST
from .arm_calls import ArmCall, Fault, Faults
from .arm_errors import ArmError, Json
from .arm_operations import AsyncOperations
from .arm_schema import SchemaError, check_answer, read_request
from .arm_service import Answer, ArmRequest, Operation, Provider
from .arm_settings import ArmSettings

P = TypeVar("P", bound=Provider)

NOBODY = "00000000-0000-0000-0000-0000000000aa"
"""Who asks, while tokens are not checked."""

_CHECKED_ITEMS = 10
_VERSION = re.compile(r"^\d{4}-\d\d-\d\d(-(preview|alpha|beta|privatepreview))?$")
_HTML = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
_CHALLENGE = (
    'Bearer authorization_uri="https://login.windows.net/common", error="invalid_token", error_description="{said}"'
)
_NO_TOKEN = "Authentication failed. The 'Authorization' header is missing."
_BAD_TOKEN = "The access token is invalid, or its lifetime has ended."


class ArmServer:
    """Listens on a loopback port, checks requests against the SDK's models, and lets providers answer."""

    def __init__(self) -> None:
        """Start the thread that listens, on a free port."""
        self.lock = threading.RLock()
        self.clock = Clock()
        self.settings = ArmSettings()
        self.faults: Faults[ArmCall] = Faults()
        self.calls: list[ArmCall] = []
        self.on_call: list[Callable[[ArmCall], None]] = []
        """Told of each call before it is answered; what one raises is the answer, if it is an `ArmError`."""

        self.check_token: Callable[[str], str | None] | None = None
        """Gives the principal of a token, `None` for one that is not valid. Without it, tokens are not looked at."""

        self._providers: list[Provider] = []
        self.operations = self.add(AsyncOperations(self))
        self._http = HttpServer(self, _Handler)
        self.port = int(self._http.server_address[1])
        self._http.start("azure-api")

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`, for every API."""
        return f"http://{HOST}:{self.port}"

    def add(self, provider: P) -> P:
        """Add a provider."""
        self._providers.append(provider)
        return provider

    def reset(self) -> None:
        """Forget everything: what providers keep, settings, faults, calls, hooks, the time."""
        self.faults.clear()
        self.clock.reset()
        with self.lock:
            for provider in self._providers:
                provider.reset()
            self.settings.reset()
        self.on_call.clear()
        self.check_token = None
        self.calls.clear()

    def close(self) -> None:
        """Stop to listen, close all connections."""
        self._http.end()
        self.clock.close()
        for provider in self._providers:
            provider.close()

    def cut_connections(self) -> None:
        """Close all open connections, as when a load balancer restarts. New ones are welcome."""
        self._http.cut_all()

    def find(self, http_method: str, path: str) -> tuple[Provider, Operation, dict[str, str]] | None:
        """Find the provider and operation of a path, and the path's variables."""
        for provider in self._providers:
            for operation in provider.operations:
                if operation.http_method == http_method and (found := operation.pattern.match(path)):
                    return provider, operation, {key: unquote(value) for key, value in found.groupdict().items()}
        return None

    def answer(self, call: ArmCall, content: bytes, token: str) -> Answer:
        """Do what a call asks.

        Raises:
            ArmError: The refusal.
            Cut: By a fault.
        """
        found = self.find(call.http_method, call.path)
        if found is not None:
            call.operation, call.params = found[1].id, found[2]
        body = _loaded(content)
        call.body = cast("Json", body) if isinstance(body, dict) else {}
        self.calls.append(call)
        fault = self.faults.next(call)
        if fault is not None:
            self._strike(fault)
        for hook in list(self.on_call):
            hook(call)
        if found is None:
            raise _unknown(call)
        provider, operation, params = found
        if operation.is_management:
            call.principal = self.principal_of(token)
            self._check_version(call, provider)
        read = _read_body(provider, operation, body, content)
        request = ArmRequest(operation, params, call.query, read, call.headers, call.principal, token)
        if fault is not None and fault.when == "late":
            self.clock.later(fault.delay_seconds, lambda: self._do_unheard(provider, request))
            raise Cut
        answer = self._do(provider, request)
        if fault is not None and fault.when == "lost":
            raise Cut
        if fault is not None and fault.when == "after":
            raise fault.error
        return answer

    def _do(self, provider: Provider, request: ArmRequest) -> Answer:
        operation = request.operation
        with self.lock:
            answer = provider.handlers[operation.id](request)
        if operation.answer and answer.body is not None and answer.status < 300:
            _check_answer(provider, request, answer.body)
        return answer

    def _do_unheard(self, provider: Provider, request: ArmRequest) -> None:
        with contextlib.suppress(ArmError):
            self._do(provider, request)

    def _strike(self, fault: Fault[ArmCall]) -> None:
        if fault.delay_seconds and fault.when != "late":
            threading.Event().wait(fault.delay_seconds)
        if fault.when == "before":
            raise fault.error
        if fault.when == "garbled":
            raise Garbled(fault.error.status, _HTML)
        if fault.when == "cut":
            raise Cut

    def principal_of(self, token: str) -> str:
        """Give who has a token.

        Raises:
            ArmError: 401.
        """
        if self.check_token is None:
            return NOBODY
        principal = self.check_token(token) if token else None
        if principal is None:
            code, said = ("InvalidAuthenticationToken", _BAD_TOKEN) if token else ("AuthenticationFailed", _NO_TOKEN)
            raise ArmError(401, code, said, headers={"WWW-Authenticate": _CHALLENGE.format(said=said)})
        return principal

    def _check_version(self, call: ArmCall, provider: Provider) -> None:
        version = call.query.get("api-version", "")
        if not version:
            said = "The api-version query parameter (?api-version=) is required for all requests."
            raise ArmError(400, "MissingApiVersionParameter", said)
        if not _VERSION.match(version):
            said = f"The api-version '{version}' is invalid. The api-version must be of the form 'yyyy-mm-dd'."
            raise ArmError(400, "InvalidApiVersionParameter", said)
        if provider.namespace in self.settings.unregistered:
            said = f"The subscription is not registered to use namespace '{provider.namespace}'. "
            link = "See https://aka.ms/rps-not-found for how to register subscriptions."
            raise ArmError(409, "MissingSubscriptionRegistration", said + link)
        group = call.params.get("resourceGroupName", "")
        if group.lower() in self.settings.missing_groups:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def _check_answer(provider: Provider, request: ArmRequest, body: Json) -> None:
    model = request.operation.answer
    kind = provider.model(model.removesuffix("[]"))
    # The items of a list are alike, and there may be hundreds in every look of a test at them.
    for each in body["value"][:_CHECKED_ITEMS] if model.endswith("[]") else [body]:
        check_answer(kind, each, is_old=request.api_version < provider.version)


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


def _read_body(provider: Provider, operation: Operation, body: Any, content: bytes) -> Json:
    if content and body is None:
        raise invalid_content("Unexpected character encountered while parsing value. Path '', line 0, position 0.")
    if not operation.body:
        return cast("Json", body) if isinstance(body, dict) else {}
    optional = operation.body.endswith("?")
    if body is None:
        if optional:
            return {}
        said = "The request content was invalid: the request body is missing."
        raise ArmError(400, "InvalidRequestContent", said)
    try:
        return read_request(provider.model(operation.body.rstrip("?")), body)
    except SchemaError as exc:
        raise invalid_content(str(exc)) from None


def invalid_content(problem: str) -> ArmError:
    """400, of a body that does not fit."""
    said = f"The request content was invalid and could not be deserialized: '{problem}'."
    return ArmError(400, "InvalidRequestContent", said)


def _unknown(call: ArmCall) -> ArmError:
    said = f"No HTTP resource was found that matches the request URI '{call.path}' and method {call.http_method}."
    return ArmError(404, "NotFound", said)


class _Handler(HttpHandler):
    def serve(self) -> None:
        """Answer one request."""
        server: ArmServer = self.server.owner
        split = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        kind, _, token = headers.pop("authorization", "").partition(" ")
        content = self.rfile.read(int(headers.get("content-length") or 0))
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        path = re.sub("/{2,}", "/", split.path)
        call = ArmCall("", self.command, path, query, headers, at_seconds=time.monotonic())
        try:
            answer = server.answer(call, content, token if kind.lower() == "bearer" else "")
        except Cut:
            raise
        except Garbled as exc:
            call.status = exc.status
            raise
        except ArmError as exc:
            answer = Answer(exc.body, exc.status, exc.headers)
        except Exception as exc:  # noqa: BLE001 - a test must see what broke, not a lost connection
            answer = Answer(ArmError(500, "LocalServerError", f"{type(exc).__name__}: {exc}").body, 500)
        call.status = answer.status
        if answer.stream is not None:
            self._write_stream(answer)
            return
        sent = b"" if answer.body is None else json.dumps(answer.body).encode()
        request_id = str(uuid.uuid4())
        correlation = headers.get("x-ms-correlation-request-id", request_id)
        ids = {"x-ms-request-id": request_id, "x-ms-correlation-request-id": correlation}
        about = {"Content-Type": "application/json"} if sent else {}
        self.send(answer.status, sent, {**about, **ids, **answer.headers}, may_compress=True)

    def _write_stream(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Transfer-Encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        for piece in answer.stream or ():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
