"""REST APIs of git hosts: a loopback server that checks who asks and what, and remembers every call."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qs, unquote, urlsplit

from .._call_faults import Fault, Faults, When
from .._http_server import Cut, Garbled, HttpHandler, HttpServer
from ..processes import HOST

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ..certificates import Certificate

Json = dict[str, Any]

_HTML = b"<html><body>Sign in</body></html>"


@dataclass
class ApiCall:
    """One request, as it came.

    Attributes:
        method: Name of the operation; empty if there is none at this address.
        verb: `GET`, `POST` and so on.
        path: As it came, escaped.
        parts: What the address names, decoded.
        query: Values by name.
        headers: All headers, with names in lower case.
        body: JSON; `None` without one.
        status: What was answered.
    """

    method: str
    verb: str
    path: str
    parts: tuple[str, ...] = ()
    query: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    body: Any = None
    status: int = 0


class ApiRefusal(Exception):
    """What is answered in place of the thing."""

    def __init__(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


Routes = Iterable[tuple[str, str, str]]


class JsonApi:
    """Listens on a loopback port, with TLS if it is given a certificate. Subclasses say what is asked and answered.

    Attributes:
        calls: Every request so far, in order.
        faults: What some calls meet instead of an answer.
        endpoint: `http://127.0.0.1:port`, or https.
    """

    routes: Routes = ()
    """Name, verb and pattern of each operation; groups of the pattern are what the address names."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        """Start the thread that listens, on a free port.

        Args:
            certificate: For TLS.
        """
        self.calls: list[ApiCall] = []
        self.faults: Faults[ApiCall] = Faults()
        self._lock = threading.RLock()
        self._routes = [(name, verb, re.compile(f"^{pattern}$")) for name, verb, pattern in self.routes]
        context = None
        if certificate is not None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert_file, certificate.key_file)
        self._http = HttpServer(self, _Handler, context)
        self.port = int(self._http.server_address[1])
        self.endpoint = f"{'https' if context else 'http'}://{HOST}:{self.port}"
        self._http.start("git-api")

    def fail(
        self,
        method: str = "*",
        status: int = 503,
        *,
        times: int | None = 1,
        when: When = "before",
        headers: Mapping[str, str] | None = None,
        skip: int = 0,
    ) -> None:
        """Let calls fail.

        Args:
            method: Name of the operation; `*` stands for anything in it.
            status: What is answered.
            times: How many calls; `None` for all that come.
            when: `before` refuses, `after` does it and answers with the refusal, `lost` does it and closes the
                connection, `cut` closes the connection, `garbled` answers with a page of HTML.
            headers: Further headers of the answer.
            skip: How many calls are spared first.
        """
        refusal = ApiRefusal(status, {"message": f"{status} as told"}, headers)
        self.faults.add(Fault(method, refusal, times, when, skip))

    @property
    def now(self) -> float:
        """Time by the server's clock, in seconds since 1970."""
        return time.time()

    def extra_headers(self) -> Mapping[str, str]:
        """List headers that every answer has."""
        return {}

    def check_caller(self, call: ApiCall) -> None:
        """Refuse whom the host does not know, or who may not do this.

        Raises:
            ApiRefusal: Then.
        """
        raise NotImplementedError

    def answer(self, call: ApiCall) -> Any:
        """Do what is asked, and say what is answered; a tuple of status and body where the status is not 200.

        Raises:
            ApiRefusal: If it cannot be done.
        """
        raise NotImplementedError

    def handle(self, call: ApiCall) -> tuple[int, Any]:
        """Answer one call, or let it meet a fault."""
        for name, verb, pattern in self._routes:
            if verb == call.verb and (found := pattern.match(call.path)) is not None:
                call.method, call.parts = name, tuple(unquote(part) for part in found.groups() if part is not None)
                break
        with self._lock:
            self.calls.append(call)
            fault = self.faults.next(call)
            if fault is not None and fault.when == "before":
                raise fault.error
            if fault is not None and fault.when == "cut":
                raise Cut
            if fault is not None and fault.when == "garbled":
                raise Garbled(200, _HTML)
            self.check_caller(call)
            if not call.method:
                raise ApiRefusal(404, {"error": f"404 Not Found: {call.verb} {call.path}"})
            answer: Any = self.answer(call)
            if fault is not None and fault.when == "after":
                raise fault.error
            if fault is not None:
                raise Cut
        if isinstance(answer, tuple):
            return cast("tuple[int, Any]", answer)
        return 200, answer

    def called(self, method: str) -> list[ApiCall]:
        """List the calls of one operation."""
        return [call for call in self.calls if call.method == method]

    def clear(self) -> None:
        """Forget calls and faults; subclasses forget all that was made."""
        self.calls.clear()
        self.faults.clear()

    def close(self) -> None:
        """Stop to listen."""
        self._http.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


class _Handler(HttpHandler):
    def date_time_string(self, timestamp: float | None = None) -> str:
        """Write the time of the server's clock."""
        return super().date_time_string(self.server.owner.now if timestamp is None else timestamp)

    def serve(self) -> None:
        """Answer one request."""
        api: JsonApi = self.server.owner
        split = urlsplit(self.path)
        content = self.read_content()
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = ApiCall("", self.command, split.path, (), parse_qs(split.query, keep_blank_values=True), headers)
        sent = dict(api.extra_headers())
        try:
            call.body = json.loads(content) if content else None
            status, answer = api.handle(call)
        except Cut:
            raise
        except Garbled as exc:
            call.status = exc.status
            raise
        except ApiRefusal as exc:
            status, answer, sent = exc.status, exc.body, {**sent, **exc.headers}
        except ValueError:
            status, answer = 400, {"error": "The body is no JSON."}
        except Exception as exc:  # noqa: BLE001 - a test must see what broke, not a lost connection
            status, answer = 500, {"error": f"Local server: {type(exc).__name__}: {exc}"}
        call.status = status
        self.send(status, json.dumps(answer).encode(), {"Content-Type": "application/json", **sent})


def check_body(body: Any, known: Mapping[str, tuple[type, ...]], wanted: Iterable[str]) -> dict[str, str]:
    """Find what is wrong with a body, by field.

    Args:
        body: What came.
        known: The fields that there are, and the types of their values.
        wanted: Those that must be there.
    """
    if not isinstance(body, dict):
        return {"body": "is missing"}
    fields: Json = body  # pyright: ignore[reportUnknownVariableType]
    wrong = {name: "is missing" for name in wanted if name not in fields}
    for name, value in fields.items():
        if name not in known:
            wrong[name] = "is not known"
        elif not isinstance(value, known[name]) or (isinstance(value, bool) and bool not in known[name]):
            wrong[name] = "is invalid"
    return wrong
