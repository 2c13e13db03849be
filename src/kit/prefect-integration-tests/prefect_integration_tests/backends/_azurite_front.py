"""Before a Blob Storage server: a front that listens in, refuses, spoils answers, and plays a hierarchical namespace.

azurite has no endpoint of Data Lake Storage; the front answers its requests with blobs of the server, see
`_azurite_directories`.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from ._azurite_directories import Directories
from ._azurite_messages import Answer, AzuriteRequest, error, signature
from ._http_server import HttpHandler, HttpServer
from ._lifetime import Stopped
from .processes import HOST

if TYPE_CHECKING:
    from .azurite import Azurite

Operation = Literal[
    "upload", "block", "commit", "download", "list", "properties", "copy", "delete", "account", "container", "dfs"
]

# https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
_REASONS: dict[int, tuple[str, str]] = {
    400: ("InvalidInput", "One of the request inputs is not valid."),
    401: ("InvalidAuthenticationInfo", "Server failed to authenticate the request."),
    403: ("AuthorizationPermissionMismatch", "This request is not authorized to perform this operation."),
    404: ("BlobNotFound", "The specified blob does not exist."),
    408: ("RequestTimeout", "The request timed out."),
    409: ("BlobAlreadyExists", "The specified blob already exists."),
    412: ("ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."),
    429: ("TooManyRequests", "Too many requests."),
    500: ("InternalError", "The server encountered an internal error. Please retry the request."),
    503: ("ServerBusy", "The server is busy."),
}


@dataclass
class _Fault:
    operation: str
    kind: Literal["refuse", "after", "lost", "cut", "corrupt"]
    times: int | None
    status: int = 503
    code: str | None = None
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class AzuriteFront(Stopped):
    """Stands before a server on a port of its own; a context manager.

    Attributes:
        requests: What arrived, in order.
        is_hierarchical: Whether the account seems to have a hierarchical namespace.
    """

    def __init__(self, server: Azurite) -> None:
        """Start the front.

        Args:
            server: The server behind, which speaks plain HTTP.
        """
        self.requests: list[AzuriteRequest] = []
        self.is_hierarchical = False
        self.server = server
        self._directories = Directories(server)
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._http = HttpServer(self, _Handler)
        self.port = self._http.server_port
        self._http.start("azurite-front")

    @property
    def endpoint(self) -> str:
        """Address of the account's Blob service, and of its Data Lake service."""
        return f"http://{HOST}:{self.port}/{self.server.account}"

    @property
    def connection_string(self) -> str:
        """A connection string that leads to the front."""
        from .azurite import connection_string

        return connection_string(self.endpoint)

    def stop(self) -> None:
        """Stop listening."""
        self._http.end()

    # What tests arrange

    def fail(
        self,
        operation: Operation | Literal["*"],
        *,
        status: int,
        times: int | None = 1,
        code: str | None = None,
        message: str | None = None,
        after: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with an error.

        Args:
            operation: Which requests; `*` for all.
            status: HTTP status.
            times: How often; `None` for ever.
            code: Azure's error code; the usual one of the status by default.
            message: Text of the error.
            after: Let the server do what was asked first.
            headers: Further headers of the answer.
        """
        kind = "after" if after else "refuse"
        self._faults.append(_Fault(operation, kind, times, status, code, message, headers or {}))

    def lose(self, operation: Operation | Literal["*"], *, times: int | None = 1) -> None:
        """Let the server do what was asked, and break the connection instead of an answer."""
        self._faults.append(_Fault(operation, "lost", times))

    def cut(self, operation: Operation | Literal["*"], *, times: int | None = 1) -> None:
        """Break the connection in the middle of the answer's body; without a body, before the answer."""
        self._faults.append(_Fault(operation, "cut", times))

    def corrupt(self, operation: Literal["download"] = "download", *, times: int | None = 1) -> None:
        """Change one byte of the content on its way."""
        self._faults.append(_Fault(operation, "corrupt", times))

    def heal(self) -> None:
        """End all faults."""
        self._faults.clear()

    def seen(self, operation: Operation) -> list[AzuriteRequest]:
        """List the requests of one kind."""
        return [request for request in self.requests if request.operation == operation]

    # What happens with a request

    def take_fault(self, operation: str) -> _Fault | None:
        """Find the fault that is due, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.operation in (operation, "*") and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def answer(self, request: AzuriteRequest, target: str) -> Answer:
        """Answer as the account would."""
        if request.operation == "dfs":
            return self._directories.answer(request)
        status, headers, body = self._forward(request, target)
        if request.operation == "account" and self.is_hierarchical:
            headers = [(name, value) for name, value in headers if name.lower() != "x-ms-is-hns-enabled"]
            headers.append(("x-ms-is-hns-enabled", "true"))
        if self.is_hierarchical and status == 201 and request.operation in ("upload", "commit", "copy"):
            self._directories.make_parents(request.container, request.key)
        return status, headers, body

    def _forward(self, request: AzuriteRequest, target: str) -> Answer:
        dropped = {"host", "connection", "content-length", "transfer-encoding"}
        headers = {name: value for name, value in request.headers.items() if name not in dropped}
        if request.body or request.method in ("PUT", "POST"):
            headers["content-length"] = str(len(request.body))
        connection = http.client.HTTPConnection(HOST, self.server.port, timeout=60)
        try:
            if "x-ms-copy-source" in headers:  # the server fetches the source from itself
                source = headers["x-ms-copy-source"]
                headers["x-ms-copy-source"] = source.replace(f"//{HOST}:{self.port}/", f"//{HOST}:{self.server.port}/")
                if "authorization" in headers:
                    account, key = self.server.account, self.server.account_key
                    headers["authorization"] = signature(account, key, request.method, target, headers)
            connection.request(request.method, target, body=request.body or None, headers=headers)
            found = connection.getresponse()
            return found.status, found.getheaders(), found.read()
        finally:
            connection.close()


def _classified(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Read operation, container and key from a request."""
    _, _, rest = unquote(path).lstrip("/").partition("/")  # the account's name comes first
    container, _, key = rest.partition("/")
    comp, restype = query.get("comp", ""), query.get("restype", "")
    is_dfs = "resource" in query or "recursive" in query or "x-ms-rename-source" in headers
    if is_dfs or query.get("action") in ("append", "flush", "getStatus", "getAccessControl", "setAccessControl"):
        return "dfs", container, key
    if restype == "account":
        return "account", container, key
    if restype == "container" or not key:
        return ("list" if comp == "list" else "container"), container, key
    if method == "PUT":
        names = {"block": "block", "blocklist": "commit", "": "upload"}
        return ("copy" if "x-ms-copy-source" in headers else names.get(comp, comp)), container, key
    return {"GET": "download", "HEAD": "properties", "DELETE": "delete"}.get(method, method.lower()), container, key


class _Handler(HttpHandler):
    wbufsize = 0  # half of an answer goes out

    def serve(self) -> None:
        """Answer one request."""
        front: AzuriteFront = self.server.owner
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        operation, container, key = _classified(self.command, parts.path, query, headers)
        request = AzuriteRequest(operation, self.command, container, key, query, headers, self.read_content())
        front.requests.append(request)
        fault = front.take_fault(operation)
        kind = fault.kind if fault is not None else None
        answer = front.answer(request, self.path) if kind != "refuse" else error(500, "", "")
        if fault is not None and kind in ("refuse", "after"):
            usual = _REASONS.get(fault.status, ("Unknown", f"Status {fault.status}."))
            answer = error(fault.status, fault.code or usual[0], fault.message or usual[1], fault.headers)
        status, found, content = answer
        if kind == "lost" or (kind == "cut" and not content):
            self.close_connection = True
            return
        if kind == "corrupt" and content:
            content = bytes([content[0] ^ 0xFF]) + content[1:]
        self._answer(status, found, content, cut=kind == "cut")

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, *, cut: bool) -> None:
        skipped = ("connection", "transfer-encoding", "keep-alive")
        self.send_response_only(status)
        length = False
        for name, value in headers:
            if name.lower() in skipped or (name.lower() == "content-length" and self.command != "HEAD"):
                continue
            length = length or name.lower() == "content-length"
            self.send_header(name, value)
        if not length:
            self.send_header("Content-Length", str(len(content)))
        if not any(name.lower() == "date" for name, _ in headers):
            self.send_header("Date", self.date_time_string())
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True
