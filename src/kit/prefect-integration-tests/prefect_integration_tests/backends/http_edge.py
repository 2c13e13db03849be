"""An HTTP proxy before a server that spoils some answers: refusals, broken and late bodies, answers that get lost.

`faults` breaks any line by bytes; this one knows requests, so that it can do what was asked and still fail.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

import pytest

from ._http_server import Cut, HttpHandler, HttpServer, cut
from ._strikes import Strike, Strikes
from .processes import HOST

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["EDGE_FAULTS", "EdgeCall", "EdgeFault", "HttpEdge", "Refusal", "hand_on"]

EdgeFault = Literal["reset", "time-out", "429", "500", "503", "truncated", "slow", "lost"]
"""What a request meets.

`reset`: the connection breaks by RST before anything is done. `time-out`: it is heard and never answered nor done.
`429`, `500`, `503`: it is refused before anything is done, 429 and 503 with `Retry-After`. `truncated`: it is done, and
the connection ends within the answer's body. `slow`: it is done, and the body comes in pieces. `lost`: it is done, and
the connection breaks without an answer.
"""

EDGE_FAULTS: tuple[EdgeFault, ...] = get_args(EdgeFault)
"""All of them."""

_PER_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "proxy-connection"}
_UPSTREAM_SECONDS = 120
_SLOW_PIECES = 5
_MISSING_BYTES = 64  # how much longer than its body a truncated answer says that it is, if there is no body to cut


class Refusal(NamedTuple):
    """How a server says no."""

    status: int
    content: bytes = b'{"message": "refused"}'
    headers: Mapping[str, str] = {"Content-Type": "application/json"}


class Answer(NamedTuple):
    """What the server behind the edge said."""

    status: int
    content: bytes
    headers: list[tuple[str, str]]


@dataclass(frozen=True)
class EdgeCall:
    """A request that reached the edge."""

    method: str
    path: str
    """With its query, as it was sent."""

    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    fault: EdgeFault | None
    """What it met."""


@dataclass(eq=False)
class _Strike(Strike[EdgeCall]):
    refusal: Refusal | None = None
    retry_after_seconds: int = 1
    body_seconds: float = 1.0


def hand_on(
    method: str,
    target: str,
    headers: Mapping[str, str],
    content: bytes,
    *,
    address: tuple[str, int],
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Ask a server the same.

    Args:
        method: HTTP method.
        target: Path and query.
        headers: All of the request; those of one connection are left out.
        content: The body.
        address: Host and port of the server.
        context: With it TLS is spoken.

    Raises:
        OSError: If the server cannot be reached or ends the connection.
    """
    kept = {name: value for name, value in headers.items() if name.lower() not in _PER_HOP}
    upstream = (
        http.client.HTTPSConnection(*address, timeout=_UPSTREAM_SECONDS, context=context)
        if context
        else http.client.HTTPConnection(*address, timeout=_UPSTREAM_SECONDS)
    )
    with contextlib.closing(upstream):
        upstream.request(method, target, content or None, {**kept, "Content-Length": str(len(content))})
        answer = upstream.getresponse()
        found = answer.read()
        shown = [(name, value) for name, value in answer.getheaders() if name.lower() not in _PER_HOP]
        if method == "HEAD" and (length := answer.getheader("Content-Length")):
            shown.append(("Content-Length", length))
        return Answer(answer.status, found, shown)


class HttpEdge:
    """A proxy on a free loopback port before one HTTP server.

    ```python
    with HttpEdge(server.url) as edge:
        with edge.fault("lost"):
            client(edge.url).create("x")  # was done, but the first answer is lost
    ```
    """

    def __init__(
        self, upstream: str, *, context: ssl.SSLContext | None = None, trust: ssl.SSLContext | None = None
    ) -> None:
        """Start to listen.

        Args:
            upstream: URL of the server, without a path.
            context: With its certificate the edge itself speaks TLS.
            trust: What it trusts when the server speaks TLS; by default what the system trusts.
        """
        parts = urlsplit(upstream)
        self._is_secure = parts.scheme == "https"
        self._address = (parts.hostname or HOST, parts.port or (443 if self._is_secure else 80))
        self._trust = (trust or ssl.create_default_context()) if self._is_secure else None
        self._scheme = "https" if context else "http"
        self._lock = threading.Lock()
        self._strikes = Strikes[_Strike]()
        self._calls: list[EdgeCall] = []
        self._ended = False
        self._http = HttpServer(self, _Handler, context).start("http-edge")

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return self._http.server_port

    @property
    def url(self) -> str:
        """The edge as a URL without a path."""
        return f"{self._scheme}://{HOST}:{self.port}"

    @property
    def calls(self) -> list[EdgeCall]:
        """All requests so far, in the order in which they arrived."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._calls.clear()

    @contextmanager
    def fault(
        self,
        fault: EdgeFault,
        *,
        times: int | None = 1,
        where: Callable[[EdgeCall], bool] | None = None,
        refusal: Refusal | None = None,
        retry_after_seconds: int = 1,
        body_seconds: float = 1.0,
    ) -> Generator[Callable[[], int], None, None]:
        """Spoil requests while the context lasts; it gives a function that tells how many were.

        Args:
            fault: What they meet.
            times: How many; `None` for all.
            where: Which; all by default.
            refusal: How the server refuses, for the faults that are a refusal.
            retry_after_seconds: What `Retry-After` says with 429 and 503.
            body_seconds: How long a slow body takes.
        """
        strike = _Strike(
            fault,
            times,
            where,
            refusal=refusal,
            retry_after_seconds=retry_after_seconds,
            body_seconds=body_seconds,
        )
        with self._strikes.during(strike) as struck:
            yield struck

    def close(self) -> None:
        """Stop, and break all connections."""
        self._ended = True
        self._http.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # For the handlers.

    def met_by(self, call: EdgeCall) -> tuple[EdgeCall, _Strike | None]:
        """Write a request down, with what it meets."""
        strike = self._strikes.met_by(call)
        if strike is not None:
            call = replace(call, fault=strike.fault)
        with self._lock:
            self._calls.append(call)
        return call, strike

    def wait_in_vain(self, strike: _Strike, connection: socket.socket) -> None:
        """Say nothing until the fault ends or the client gives up."""
        connection.settimeout(0.05)
        while not self._ended and not self._strikes.is_over(strike):
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                if not connection.recv(1):
                    return  # it hung up

    def ask(self, call: EdgeCall) -> Answer:
        """Ask the server."""
        return hand_on(call.method, call.path, call.headers, call.content, address=self._address, context=self._trust)


class _Handler(HttpHandler):
    wbufsize = 0  # parts of an answer go out

    def serve(self) -> None:
        edge: HttpEdge = self.server.owner
        headers = dict(self.headers.items())
        call, strike = edge.met_by(EdgeCall(self.command, self.path, headers, self.read_content(), None))
        if strike is None:
            self._pass(edge, call)
        elif strike.fault == "reset":
            raise Cut
        elif strike.fault == "time-out":
            edge.wait_in_vain(strike, self.connection)
            raise Cut
        elif strike.fault in ("429", "500", "503"):
            refusal = strike.refusal or Refusal(int(strike.fault))
            waits = {} if strike.fault == "500" else {"Retry-After": str(strike.retry_after_seconds)}
            self.send(int(strike.fault), refusal.content, {**refusal.headers, **waits})
        else:
            self._spoil(edge, call, strike)

    def _asked(self, edge: HttpEdge, call: EdgeCall) -> Answer:
        try:
            return edge.ask(call)
        except (OSError, http.client.HTTPException) as exc:
            raise Cut from exc  # as the server itself would

    def _pass(self, edge: HttpEdge, call: EdgeCall) -> None:
        answer = self._asked(edge, call)
        self._head(answer, None if call.method == "HEAD" else len(answer.content))
        self._body(call, answer.content)

    def _spoil(self, edge: HttpEdge, call: EdgeCall, strike: _Strike) -> None:
        answer = self._asked(edge, call)
        if strike.fault == "lost":
            raise Cut
        if strike.fault == "truncated":
            has_none = call.method == "HEAD"  # and its headers already say how long a body would be
            self._head(answer, None if has_none else len(answer.content) or _MISSING_BYTES)
            self._body(call, answer.content[: len(answer.content) // 2])
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            cut(self.connection)
            return
        self._head(answer, None if call.method == "HEAD" else len(answer.content))
        size = max(1, -(-len(answer.content) // _SLOW_PIECES))
        for start in range(0, len(answer.content), size):
            threading.Event().wait(strike.body_seconds / _SLOW_PIECES)  # the fault itself takes time
            self._body(call, answer.content[start : start + size])

    def _head(self, answer: Answer, length: int | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if length is not None and (answer.status not in (204, 304)):
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _body(self, call: EdgeCall, content: bytes) -> None:
        if call.method != "HEAD" and content:
            with contextlib.suppress(OSError):  # the client gave up
                self.wfile.write(content)


@pytest.fixture
def http_edge() -> Iterator[Callable[..., HttpEdge]]:
    """A maker of edges, such as `http_edge(server.url)`; they end with the test."""
    with ExitStack() as stack:

        def make(upstream: str, **options: Any) -> HttpEdge:
            return stack.enter_context(HttpEdge(upstream, **options))

        yield make
