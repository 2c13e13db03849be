"""An HTTP server in this process: a loopback port, a thread for each connection."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from .processes import HOST

if TYPE_CHECKING:
    from typing_extensions import Self

_NO_CONTENT = (204, 304)
_COMPRESSED_FROM = 1000
_LOOK_SECONDS = 0.02
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Cut(Exception):
    """The connection is to be closed without an answer."""


class Garbled(Exception):
    """The answer is to be a page of HTML, as a proxy in between sends one.

    Attributes:
        status: Its HTTP status.
        page: The page.
    """

    def __init__(self, status: int = 502, page: bytes = _PAGE) -> None:
        super().__init__(status)
        self.status = status
        self.page = page


class HttpServer(ThreadingHTTPServer):
    """A server on a free loopback port, whose connections can be cut.

    Its handlers find what they serve as `self.server.owner`.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, owner: Any, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
    ) -> None:
        """Bind the port; `start` answers.

        Args:
            owner: What the handlers serve.
            handler: Their class.
            context: With its certificate TLS is spoken.
        """
        self.owner = owner
        self._context = context
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        super().__init__((HOST, 0), handler)

    def start(self, name: str) -> Self:
        """Answer from now on, in a thread.

        Args:
            name: Of the thread.
        """
        self._thread = threading.Thread(target=self.serve_forever, args=(_LOOK_SECONDS,), name=name, daemon=True)
        self._thread.start()
        return self

    def end(self) -> None:
        """Answer no longer: close the port and the connections."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join(5)
        self.server_close()
        self.cut_all()

    def server_bind(self) -> None:
        """Bind, without asking for a name."""
        # HTTPServer looks its own name up by DNS, which takes seconds on some machines.
        super(ThreadingHTTPServer, self).server_bind()
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, and answer it in a thread."""
        with self._lock:
            self._sockets.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands if TLS is spoken, and answer: both in the connection's own thread, since clients may be slow."""
        if self._context is None:
            super().finish_request(request, client_address)
            return
        with self._context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as secured:
            with self._lock:  # it has taken the connection over
                self._sockets.discard(request)
                self._sockets.add(secured)
            try:
                secured.do_handshake()
                super().finish_request(secured, client_address)
            finally:
                with self._lock:
                    self._sockets.discard(secured)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection, and close it."""
        with self._lock:
            self._sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ended is nobody's fault here, nor is a client that does not trust the certificate."""

    def cut_all(self) -> None:
        """Close all open connections; new ones are welcome."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:  # a thread reads from it, so that it would not be closed at once
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class HttpHandler(BaseHTTPRequestHandler):
    """Answers requests of one connection, as its subclass does in `serve`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer goes out as one piece
    server: HttpServer  # pyright: ignore[reportIncompatibleVariableOverride] - what these handlers are made by

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        """Say nothing."""

    def serve(self) -> None:
        """Answer one request, whatever its method.

        Raises:
            Cut: Instead of an answer.
            Garbled: For a page of HTML instead of an answer.
        """
        raise NotImplementedError

    def _serve(self) -> None:
        try:
            self.serve()
        except Cut:
            self.cut()
        except Garbled as exc:
            self.send(exc.status, exc.page, {"Content-Type": "text/html"}, may_compress=True)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of the base class

    def read_content(self) -> bytes:
        """Read the body, which may come in chunks."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def send(self, status: int, content: bytes, headers: Mapping[str, str], *, may_compress: bool = False) -> None:
        """Answer.

        Args:
            status: HTTP status.
            content: The body; it is left out where the method or the status has none.
            headers: All but the length.
            may_compress: Whether a body of more than 1000 bytes is compressed for clients that can read it so.
        """
        sent = dict(headers)
        if may_compress and len(content) > _COMPRESSED_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
            content = gzip.compress(content, 1)
            sent["Content-Encoding"] = "gzip"
        if status not in _NO_CONTENT:
            sent["Content-Length"] = str(len(content))
        self.send_response(status)
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and status not in _NO_CONTENT:
            self.wfile.write(content)
        self.wfile.flush()

    def cut(self) -> None:
        """Close the connection by RST."""
        self.close_connection = True
        cut(self.connection)


def cut(connection: socket.socket) -> None:
    """Close a connection by RST."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        connection.close()
