"""Serve repositories over HTTP as git hosts do: `git http-backend` behind authentication, faults and redirects."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal
from urllib.parse import quote, unquote, urlsplit

from .._http_server import HttpHandler, HttpServer
from ..processes import HOST
from .lfs import LfsStore

if TYPE_CHECKING:
    from ..certificates import Certificate

When = Literal["before", "cut", "midway"]

_PAGE = b"<html>\n<head><title>Sign in</title></head>\n<body>Sign in to your account</body>\n</html>\n"
_HELD_SECONDS = 30.0
_CHALLENGES = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}


@dataclass
class GitRequest:
    """One request, as it came.

    Attributes:
        method: `GET` or `POST`.
        path: Decoded, without the query.
        query: As it came.
        authorization: What the header says; `None` without one.
        headers: All headers, with names in lower case.
        body: The first 64 kB.
        status: What was answered.
    """

    method: str
    path: str
    query: str
    authorization: str | None = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes = field(default=b"", repr=False)
    status: int = 0


@dataclass
class _Fault:
    when: When
    status: int
    headers: dict[str, str]


class GitHttpServer:
    """Listens on a loopback port, with TLS if it is given a certificate."""

    def __init__(self, root: Path, certificate: Certificate | None = None) -> None:
        """Start the thread that listens, on a free port.

        Args:
            root: Folder of the repositories.
            certificate: For TLS.
        """
        self.root = root
        self.requests: list[GitRequest] = []
        self.accepted: set[str] | None = None
        self.accepted_by_proxy: set[str] | None = None
        self.forbidden: set[str] = set()
        self.on_request: list[Callable[[GitRequest], None]] = []
        self.redirects: dict[str, str] = {}
        self.pages: set[str] = set()
        self.lfs = LfsStore()
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._gate = threading.Event()
        self._gate.set()
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert_file, certificate.key_file)
        self._http = HttpServer(self, _Handler, context)
        self.port = int(self._http.server_address[1])
        self.endpoint = f"{'https' if context else 'http'}://{HOST}:{self.port}"
        self._http.start("git-server")

    def fail(
        self, times: int = 1, status: int = 503, *, when: When = "before", headers: dict[str, str] | None = None
    ) -> None:
        """Let the next requests fail.

        Args:
            times: How many.
            status: What is answered.
            when: `before` answers with the status, `cut` closes the connection without an answer, `midway` closes it in
                the middle of the pack.
            headers: Further headers of the answer.
        """
        with self._lock:
            self._faults += [_Fault(when, status, headers or {})] * times

    @contextlib.contextmanager
    def hold(self) -> Generator[None, None, None]:
        """Let requests wait for an answer until the context is left."""
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()

    def reset(self) -> None:
        """Forget requests, faults, rules and hooks; everybody may read."""
        self._gate.set()
        self.requests.clear()
        self.accepted = None
        self.accepted_by_proxy = None
        self.forbidden.clear()
        self.on_request.clear()
        self.redirects.clear()
        self.pages.clear()
        self.lfs.clear()
        self._faults.clear()

    def close(self) -> None:
        """Stop to listen."""
        self._gate.set()
        self._http.end()

    def take_fault(self, *, midway: bool) -> _Fault | None:
        """Take the next fault, if it fits the request."""
        with self._lock:
            if not self._faults or (self._faults[0].when == "midway") != midway:
                return None
            return self._faults.pop(0)

    def wait_at_gate(self) -> None:
        """Wait while requests are held."""
        self._gate.wait(_HELD_SECONDS)


class _Handler(HttpHandler):
    wbufsize = 0  # a pack goes out as it comes

    @property
    def _git(self) -> GitHttpServer:
        return self.server.owner

    def serve(self) -> None:
        """Answer one request."""
        git = self._git
        split = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = GitRequest(self.command, unquote(split.path), split.query, headers.get("authorization"), headers)
        body = self.read_content()
        request.body = body[:65536]
        git.requests.append(request)
        for hook in list(git.on_request):
            hook(request)
        git.wait_at_gate()
        if (fault := git.take_fault(midway=False)) is not None:
            if fault.when == "cut":
                self.cut()
                return
            self._answer(request, fault.status, b"Trouble.", headers=fault.headers)
            return
        for start, target in git.redirects.items():
            if request.path.startswith(start):
                rest = quote(request.path[len(start) :])
                self._answer(request, 301, b"", headers={"Location": f"{target}{rest}?{request.query}"})
                return
        refusal = self._refusal(request)
        if refusal:
            challenge = {_CHALLENGES[refusal]: 'Basic realm="git"'} if refusal in _CHALLENGES else {}
            self._answer(request, refusal, b"No.", headers=challenge)
        elif any(request.path.startswith(page) for page in git.pages):
            self._answer(request, 200, _PAGE, "text/html")
        elif (found := git.lfs.answer(request, body, f"{git.endpoint}{split.path}")) is not None:
            self._answer(request, *found)
        else:
            self._run_backend(request, split.path, body)

    def _refusal(self, request: GitRequest) -> int:
        git = self._git
        proxies = git.accepted_by_proxy
        if proxies is not None and request.headers.get("proxy-authorization") not in proxies:
            return 407
        if request.authorization in git.forbidden:
            return 403
        if git.accepted is not None and request.authorization not in git.accepted:
            return 401
        return 0

    def _answer(
        self,
        request: GitRequest,
        status: int,
        content: bytes,
        kind: str = "text/plain",
        headers: dict[str, str] | None = None,
    ) -> None:
        request.status = status
        self.send_response(status)
        all_headers = {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}
        for name, value in all_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _run_backend(self, request: GitRequest, path: str, body: bytes) -> None:
        """Let `git http-backend` answer (https://git-scm.com/docs/git-http-backend), a CGI program."""
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_PROJECT_ROOT": str(self._git.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": unquote(path),
            "QUERY_STRING": request.query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": HOST,
        }
        with subprocess.Popen(
            ["git", "http-backend"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as backend:
            try:
                self._pass_on(request, backend, body)
            finally:
                backend.kill()

    def _pass_on(self, request: GitRequest, backend: subprocess.Popen[bytes], body: bytes) -> None:
        assert backend.stdin is not None
        assert backend.stdout is not None
        feed = threading.Thread(target=_feed, args=(backend.stdin, body), daemon=True)
        feed.start()
        descriptor = backend.stdout.fileno()
        headers: dict[str, str] = {}
        while line := _line_of(descriptor):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip()] = value.strip()
        status = int(headers.pop("Status", "200").split()[0])
        if not headers:
            status = 500
        request.status = status
        self.send_response(status)
        for name, value in {**headers, "Transfer-Encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        is_pack = b"command=fetch" in body or b"want " in body
        fault = self._git.take_fault(midway=True) if is_pack else None
        with contextlib.suppress(OSError):
            while part := os.read(descriptor, 65536):
                part = part[: len(part) // 2] if fault else part
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                if fault:
                    self.wfile.flush()
                    self.cut()
                    return
            self.wfile.write(b"0\r\n\r\n")
        feed.join(5)


def _line_of(descriptor: int) -> bytes:
    """Read a line and no more: what follows is read in large parts."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(descriptor, 1)):
        line += byte
    return line.strip()


def _feed(pipe: IO[bytes], body: bytes) -> None:
    with contextlib.suppress(OSError), pipe:
        pipe.write(body)
