"""A proxy at the network's edge: it answers for hosts of Azure, with certificates of a private authority.

Both SDKs of Azure Machine Learning speak to fixed hosts. A client that uses the proxy (`HTTPS_PROXY`) and trusts the
authority (`REQUESTS_CA_BUNDLE`) finds them here; hosts of blobs lead to a local server, and all others are refused.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from .._call_faults import Fault, Faults
from .._http_server import Cut, HttpHandler, HttpServer
from ..processes import HOST
from .ml_service import MlCall, MlService
from .ml_store import Json, MlRefused


class MlEdge:
    """The proxy and what is behind it.

    Attributes:
        service: Workspaces.
        calls: All requests, in order.
        refused: Hosts that somebody wanted to reach and that are not here.
        check_token: Gives who a token is of, `None` for one that is not good.
    """

    def __init__(self, context: ssl.SSLContext, hosts: tuple[str, ...]) -> None:
        """Start to listen on a free port.

        Args:
            context: A certificate for all hosts.
            hosts: Those that are answered for.
        """
        self.context = context
        self.hosts = hosts
        self.service = MlService()
        self.faults: Faults[MlCall] = Faults()
        self.forward: dict[str, int] = {}
        """Ports of this machine that hosts lead to."""

        self.reset()
        self._http = HttpServer(self, _Handler)
        self._http.start("ml-edge")

    @property
    def proxy(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"http://{HOST}:{self._http.server_address[1]}"

    def reset(self) -> None:
        """Forget workspaces, calls, faults, permissions."""
        self.faults.clear()
        self.service.workspaces.clear()
        self.service.denied.clear()
        self.calls: list[MlCall] = []
        self.refused: list[str] = []
        self.check_token: Callable[[str], str | None] | None = None

    def close(self) -> None:
        """Stop to listen."""
        self._http.end()

    def answer(self, call: MlCall, token: str) -> Json | None:
        """Do what a call asks.

        Raises:
            MlRefused: The refusal.
            Cut: By a fault.
        """
        self.calls.append(call)
        names = self.service.name(call)
        fault = self.faults.next(call)
        if fault is not None:
            _strike(fault)
        if call.method != "Discovery_Get":
            call.principal = self._principal(token)
        answer = self.service.answer(call, names)
        if fault is not None and fault.when == "lost":
            raise Cut
        if fault is not None and fault.when == "after":
            raise fault.error
        return answer

    def _principal(self, token: str) -> str:
        who = self.check_token(token) if self.check_token is not None else "tester"
        if who is None:
            raise MlRefused(401, "InvalidAuthenticationToken", "The access token is invalid.")
        return who


def _strike(fault: Fault[MlCall]) -> None:
    if fault.delay_seconds:
        threading.Event().wait(fault.delay_seconds)
    if fault.when == "before":
        raise fault.error
    if fault.when == "cut":
        raise Cut


class _Handler(HttpHandler):
    wbufsize = 0  # its file is replaced when TLS begins
    host = ""

    def do_CONNECT(self) -> None:  # noqa: N802 - its name in the base class
        """Open the way to a host: here, or to a local server behind TLS that ends here."""
        owner: MlEdge = self.server.owner
        self.host = self.path.rpartition(":")[0]
        if self.host not in owner.hosts:
            owner.refused.append(self.host)
            self.send_error(403, "Not a host of this machine")
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        secured = owner.context.wrap_socket(self.connection, server_side=True)
        self.connection = secured
        if (port := owner.forward.get(self.host)) is not None:
            _pipe(secured, port)
            self.close_connection = True
            return
        self.rfile, self.wfile = secured.makefile("rb"), secured.makefile("wb")  # pyright: ignore[reportAttributeAccessIssue]
        self.close_connection = False

    def finish(self) -> None:
        """Close the TLS connection, too, if there is one."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()

    def serve(self) -> None:
        """Answer one request."""
        owner: MlEdge = self.server.owner
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        loaded: Any = json.loads(content) if content else {}
        body = cast("Json", loaded) if isinstance(loaded, dict) else {}
        call = MlCall("", self.command, self.host, parts.path, dict(parse_qsl(parts.query)), body)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            answer = owner.answer(call, token)
        except Cut:
            raise
        except MlRefused as exc:
            call.status = exc.status
            error = {"error": {"code": exc.code, "message": exc.message}}
            headers = {} if exc.retry_after_seconds is None else {"Retry-After": str(exc.retry_after_seconds)}
            self._write(exc.status, error, headers)
            return
        except Exception as exc:  # noqa: BLE001 - a test must see what broke, not a lost connection
            call.status = 500
            self._write(500, {"error": {"code": "LocalServer", "message": f"{type(exc).__name__}: {exc}"}}, {})
            return
        call.status = 200
        self._write(200, answer if answer is not None else {}, {})

    def _write(self, status: int, answer: Json, headers: dict[str, str]) -> None:
        self.send(status, json.dumps(answer).encode(), {"Content-Type": "application/json; charset=utf-8", **headers})


def _pipe(client: ssl.SSLSocket, port: int) -> None:
    with contextlib.closing(socket.create_connection((HOST, port))) as server:

        def back() -> None:
            with contextlib.suppress(OSError, ValueError):
                while chunk := server.recv(65536):
                    client.sendall(chunk)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        with contextlib.suppress(OSError):
            while chunk := client.recv(65536):
                server.sendall(chunk)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
