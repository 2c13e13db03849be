"""Before a Cloud Storage server: a front that listens in, refuses, spoils answers, and minds customers' own keys.

fake-gcs-server checks neither checksums of uploads nor encryption keys nor tokens. The front does, as Cloud Storage
does, and can let any request fail.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import parse_qs, unquote, urlsplit

from ._http_server import HttpHandler, HttpServer
from ._lifetime import Stopped
from .processes import HOST

Operation = Literal["upload", "chunk", "download", "list", "metadata", "copy", "delete", "bucket", "create"]

_REASONS: dict[int, tuple[str, str]] = {
    400: ("invalid", "Invalid argument."),
    401: ("authError", "Invalid Credentials"),
    403: (
        "forbidden",
        "a@test-project.iam.gserviceaccount.com does not have storage.objects.get access to the resource.",
    ),
    404: ("notFound", "Not Found"),
    408: ("requestTimeout", "Request timed out."),
    412: ("conditionNotMet", "At least one of the pre-conditions you specified did not hold."),
    429: ("rateLimitExceeded", "The object exceeded the rate limit for object mutation operations."),
    500: ("internalError", "Internal error."),
    503: ("backendError", "Backend error."),
}

_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/(?P<bucket>[^/]+)/o/(?P<key>[^/]+)(?P<rest>/.*)?")
_OBJECTS = re.compile(r"/(?P<upload>(?:resumable/)?upload/)?storage/v1/b/(?P<bucket>[^/]+)/o")
_BUCKETS = re.compile(r"/storage/v1/b(?:/(?P<bucket>[^/]+))?")
_PLAIN = re.compile(r"/(?P<bucket>[^/]+)/(?P<key>.+)")


@dataclass(frozen=True)
class GcsRequest:
    """One request as it arrived.

    Attributes:
        operation: What it asks for.
        method: HTTP method.
        bucket: Name of the bucket.
        key: Name of the object; empty where none is meant or the body names it.
        query: Query parameters, the last of each name.
        headers: Headers by their names in lower case.
        body: What was sent.
    """

    operation: str
    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


_Answer = tuple[int, list[tuple[str, str]], bytes]
_RANGE = re.compile(r"bytes (\d+)-(\d+)/.*")


@dataclass
class _Fault:
    operation: str
    kind: Literal["refuse", "after", "cut", "corrupt"]
    times: int | None
    status: int = 503
    reason: str | None = None
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class GcsFront(Stopped):
    """Stands before a server on a port of its own; a context manager.

    Attributes:
        requests: What arrived, in order.
        check_token: Says of a bearer token (`None` if there was none) whether it may pass; everything passes by
            default.
    """

    def __init__(self, host: str, port: int) -> None:
        """Start the front.

        Args:
            host: Host of the server.
            port: Port of the server.
        """
        self.requests: list[GcsRequest] = []
        self.check_token: Callable[[str | None], bool] | None = None
        self._server_address = (host, port)
        self._faults: list[_Fault] = []
        self._keys: dict[tuple[str, str], str] = {}
        self._sessions: dict[str, tuple[int, _Answer]] = {}
        self._lock = threading.Lock()
        self._http = HttpServer(self, _Handler)
        self.port = self._http.server_port
        self._http.start("gcs-front")

    @property
    def endpoint(self) -> str:
        """Address that clients take as `api_endpoint`."""
        return f"http://{HOST}:{self.port}"

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
        reason: str | None = None,
        message: str | None = None,
        after: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with an error.

        Args:
            operation: Which requests; `*` for all.
            status: HTTP status.
            times: How often; `None` for ever.
            reason: Reason in the error's JSON; the usual one of the status by default.
            message: Text of the error.
            after: Let the server do what was asked first.
            headers: Further headers of the answer.
        """
        kind = "after" if after else "refuse"
        self._faults.append(_Fault(operation, kind, times, status, reason, message, headers or {}))

    def cut(self, operation: Operation | Literal["*"], *, times: int | None = 1) -> None:
        """Break the connection in the middle of the answer's body; without a body, before the answer."""
        self._faults.append(_Fault(operation, "cut", times))

    def corrupt(self, operation: Literal["upload", "chunk", "download"], *, times: int | None = 1) -> None:
        """Change one byte of the content on its way."""
        self._faults.append(_Fault(operation, "corrupt", times))

    def heal(self) -> None:
        """End all faults."""
        self._faults.clear()

    def seen(self, operation: Operation) -> list[GcsRequest]:
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

    def refusal(self, request: GcsRequest) -> tuple[int, str, str] | None:
        """Say why Cloud Storage would refuse a request: status, reason and message."""
        if self.check_token is not None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if not self.check_token(token if scheme.lower() == "bearer" else None):
                return 401, *_REASONS[401]
        return self._key_refusal(request) or _checksum_refusal(request)

    def _key_refusal(self, request: GcsRequest) -> tuple[int, str, str] | None:
        """Check a customer's own encryption key.

        See https://cloud.google.com/storage/docs/encryption/customer-supplied-keys.
        """
        given = request.headers.get("x-goog-encryption-key-sha256")
        if given is not None:
            raw = base64.b64decode(request.headers.get("x-goog-encryption-key", ""))
            if len(raw) != 32 or base64.b64encode(hashlib.sha256(raw).digest()).decode() != given:
                return 400, "customerEncryptionKeyFormatIsInvalid", "Missing, or unable to parse, the key."
        if request.operation == "upload":
            name = request.key or _named_in_body(request)
            with self._lock:
                if given is None:
                    self._keys.pop((request.bucket, name), None)
                else:
                    self._keys[request.bucket, name] = given
        elif request.operation in ("download", "copy"):
            if request.operation == "copy":
                given = request.headers.get("x-goog-copy-source-encryption-key-sha256")
            wanted = self._keys.get((request.bucket, request.key))
            if wanted is not None and given is None:
                return (
                    400,
                    "resourceIsEncryptedWithCustomerEncryptionKey",
                    "The target object is encrypted by a customer-supplied encryption key.",
                )
            if wanted != given:
                return 400, "customerEncryptionKeyIsIncorrect", "The provided encryption key is incorrect."
        return None

    def answer(self, request: GcsRequest, target: str) -> _Answer:
        """Answer as the server does. A chunk that it has already, sent once more, is not taken twice."""
        found = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if request.operation != "chunk" or found is None:
            return self._forward(request, target)
        session = request.query.get("upload_id", target)
        end, known = self._sessions.get(session, (0, None))
        if known is not None and int(found[1]) < end:
            return known
        answer = self._forward(request, target)
        if answer[0] in (200, 308):
            self._sessions[session] = int(found[2]) + 1, answer
        return answer

    def _forward(self, request: GcsRequest, target: str) -> _Answer:
        """Ask the server: status, headers and body of its answer, with its address replaced by the front's."""
        connection = http.client.HTTPConnection(*self._server_address, timeout=60)
        try:
            dropped = ("host", "connection", "content-length", "transfer-encoding")
            headers = {name: value for name, value in request.headers.items() if name not in dropped}
            headers["content-length"] = str(len(request.body))
            connection.request(request.method, target, body=request.body, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            own = f"http://{self._server_address[0]}:{self._server_address[1]}"
            found = [(name, value.replace(own, self.endpoint)) for name, value in answer.getheaders()]
            if "json" in (answer.getheader("Content-Type") or ""):
                body = body.replace(own.encode(), self.endpoint.encode())
            return answer.status, found, body
        finally:
            connection.close()


def _classified(method: str, path: str, query: Mapping[str, str]) -> tuple[str, str, str]:
    """Read operation, bucket and key from a request's path."""
    if found := _OBJECT.fullmatch(path):
        bucket, key, rest = unquote(found["bucket"]), unquote(found["key"]), found["rest"] or ""
        if rest.startswith(("/rewriteTo/", "/copyTo/")):
            return "copy", bucket, key
        if method == "DELETE":
            return "delete", bucket, key
        return ("download" if query.get("alt") == "media" else "metadata"), bucket, key
    if found := _OBJECTS.fullmatch(path):
        bucket = unquote(found["bucket"])
        if not found["upload"]:
            return "list", bucket, ""
        return ("chunk" if method == "PUT" else "upload"), bucket, query.get("name", "")
    if found := _BUCKETS.fullmatch(path):
        return ("create" if method == "POST" else "bucket"), unquote(found["bucket"] or ""), ""
    if method == "PUT" and "upload_id" in query:
        return "chunk", "", ""
    if found := _PLAIN.fullmatch(path):
        return ("metadata" if method == "HEAD" else "download"), unquote(found["bucket"]), unquote(found["key"])
    return "other", "", ""


def _parts(request: GcsRequest) -> tuple[dict[str, Any], bytes] | None:
    """Take a multipart upload apart: the object's resource and its content."""
    kind = request.headers.get("content-type", "")
    found = re.search(r'boundary="?([^";]+)"?', kind)
    if not kind.startswith("multipart/related") or found is None:
        return None
    mark = b"--" + found[1].encode()
    _, first, second, *_ = request.body.split(mark)
    resource = json.loads(first.split(b"\r\n\r\n", 1)[1])
    return resource, second.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")


def _named_in_body(request: GcsRequest) -> str:
    parts = _parts(request)
    if parts is not None:
        return str(parts[0].get("name", ""))
    try:
        body: Any = json.loads(request.body)
    except ValueError:
        return ""
    return str(cast("dict[str, Any]", body).get("name", "")) if isinstance(body, dict) else ""


def _checksum_refusal(request: GcsRequest) -> tuple[int, str, str] | None:
    """Compare the content of an upload with the checksums that came with it."""
    parts = _parts(request) if request.operation == "upload" else None
    if parts is None:
        return None
    import google_crc32c

    crc32c: Any = google_crc32c  # untyped
    resource, content = parts
    sums = {
        "crc32c": lambda: base64.b64encode(crc32c.value(content).to_bytes(4, "big")).decode(),
        "md5Hash": lambda: base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
    }
    for name, make in sums.items():
        if name in resource and resource[name] != make():
            return 400, "invalid", f"Provided {name} hash {resource[name]!r} doesn't match calculated hash {make()!r}."
    return None


class _Handler(HttpHandler):
    wbufsize = 0  # half of an answer goes out

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, *, sent: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        bare = status in (204, 304) or self.command == "HEAD"
        stored = next((value for name, value in headers if name.lower() == "content-length"), "0")
        self.send_header("Content-Length", stored if bare else str(len(body)))
        self.end_headers()
        if not bare:
            self.wfile.write(body if sent is None else body[:sent])
        if sent is not None:
            self.close_connection = True

    def _error(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        error = {"message": message, "domain": "global", "reason": reason}
        body = json.dumps({"error": {"code": status, "message": message, "errors": [error]}}).encode()
        self._answer(status, [("Content-Type", "application/json"), *(headers or {}).items()], body)

    def serve(self) -> None:
        """Answer one request."""
        front: GcsFront = self.server.owner
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation, bucket, key = _classified(self.command, parts.path, query)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = GcsRequest(operation, self.command, bucket, key, query, headers, body)
        front.requests.append(request)
        fault = front.take_fault(operation)
        kind = fault.kind if fault is not None else None
        if kind == "corrupt" and operation in ("upload", "chunk") and body:
            # Near the end of the content, which in a multipart body stands before the closing boundary.
            at = len(body) // 2 if operation == "chunk" else max(body.rfind(b"\r\n--") - 1, 0)
            body = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
            request = GcsRequest(operation, self.command, bucket, key, query, headers, body)
        if fault is not None and kind == "refuse":
            usual = _REASONS.get(fault.status, ("unknown", f"Status {fault.status}."))
            self._error(fault.status, fault.reason or usual[0], fault.message or usual[1], fault.headers)
            return
        refusal = front.refusal(request)
        if refusal is not None:
            self._error(*refusal)
            return
        status, found, content = front.answer(request, self.path)
        if fault is not None and kind == "after":
            usual = _REASONS.get(fault.status, ("unknown", f"Status {fault.status}."))
            self._error(fault.status, fault.reason or usual[0], fault.message or usual[1], fault.headers)
        elif kind == "cut":
            if content:
                self._answer(status, found, content, sent=len(content) // 2)
            else:
                self.close_connection = True
        else:
            if kind == "corrupt" and operation == "download" and content:
                content = bytes([content[0] ^ 0xFF]) + content[1:]
            self._answer(status, found, content)
