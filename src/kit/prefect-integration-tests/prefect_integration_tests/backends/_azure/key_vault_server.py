"""The HTTP side of a local key vault: TLS, challenge authentication, faults."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, cast
from urllib.parse import parse_qs, unquote, urlsplit

from .._http_server import Cut, Garbled, HttpHandler, HttpServer
from ..processes import HOST
from .key_vault_store import Json, VaultRefused, VaultStore

When = Literal["before", "after", "lost", "cut", "garbled", "silent"]
"""What a fault does: refuse; do it and refuse; do it and close the connection; close it before; answer with a page of
HTML; say nothing until the server is reset."""

# Operation, method, path; the action is what a role must allow:
# https://learn.microsoft.com/en-us/azure/role-based-access-control/permissions/security
_ROUTES: tuple[tuple[str, str, re.Pattern[str], str], ...] = (
    ("SetSecret", "PUT", re.compile(r"/secrets/([^/]+)"), "setSecret/action"),
    ("ListSecretVersions", "GET", re.compile(r"/secrets/([^/]+)/versions"), "readMetadata/action"),
    ("GetSecret", "GET", re.compile(r"/secrets/([^/]+)(?:/([^/]*))?"), "getSecret/action"),
    ("UpdateSecret", "PATCH", re.compile(r"/secrets/([^/]+)(?:/([^/]*))?"), "update/action"),
    ("DeleteSecret", "DELETE", re.compile(r"/secrets/([^/]+)"), "delete"),
    ("ListSecrets", "GET", re.compile(r"/secrets/?"), "readMetadata/action"),
    ("ListDeletedSecrets", "GET", re.compile(r"/deletedsecrets/?"), "readMetadata/action"),
    ("GetDeletedSecret", "GET", re.compile(r"/deletedsecrets/([^/]+)"), "readMetadata/action"),
    ("PurgeSecret", "DELETE", re.compile(r"/deletedsecrets/([^/]+)"), "purge/action"),
    ("RecoverSecret", "POST", re.compile(r"/deletedsecrets/([^/]+)/recover"), "recover/action"),
)


@dataclass
class VaultCall:
    """One request that carried a token."""

    operation: str
    """Such as `GetSecret`; empty for a path that the API does not have."""

    name: str = ""
    version: str = ""
    query: dict[str, str] = field(default_factory=dict[str, str])
    body: Json = field(default_factory=dict[str, Any])
    principal: str = ""
    """Who asks, when tokens are checked."""

    status: int = 0
    """0 while there is no answer, and when the connection was closed."""


@dataclass
class _Fault:
    operation: str
    refusal: VaultRefused
    when: When
    times: int | None


class VaultServer:
    """One vault on a loopback port.

    Attributes:
        store: What it keeps.
        calls: The requests that carried a token.
        challenges: How many requests were told to bring one.
        check_token: Gives who a token is of, `None` for one that is not good. Without it, every token is good.
        denied: Actions that nobody may do, such as `getSecret/action`.
        offset_seconds: How far its clock is ahead.
    """

    def __init__(self, context: ssl.SSLContext, authority: str) -> None:
        """Start the thread that listens, on a free port.

        Args:
            context: Its certificate.
            authority: Address that the challenge sends clients to, with the tenant.
        """
        self.store = VaultStore()
        self.authority = authority
        self._http = HttpServer(self, _Handler, context)
        self.port = int(self._http.server_address[1])
        self._silence = threading.Event()
        self.reset()
        self._http.start("key-vault")

    @property
    def endpoint(self) -> str:
        """`https://127.0.0.1:port`."""
        return f"https://{HOST}:{self.port}"

    def reset(self) -> None:
        """Forget secrets, calls, faults, permissions and the time."""
        self._silence.set()
        self._silence = threading.Event()
        self.store.reset()
        self.calls: list[VaultCall] = []
        self.challenges = 0
        self.check_token: Callable[[str], str | None] | None = None
        self.denied: set[str] = set()
        self.on_call: list[Callable[[VaultCall], None]] = []
        self.offset_seconds = 0.0
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()

    def fail(
        self,
        operation: str,
        status: int = 503,
        code: str = "ServiceUnavailable",
        message: str = "The service is unavailable.",
        *,
        when: When = "before",
        times: int | None = 1,
        retry_after: float | None = None,
        inner: str = "",
    ) -> None:
        """Let calls fail.

        Args:
            operation: Its name, such as `GetSecret`; `*` for any.
            status: HTTP status.
            code: What the error says it is.
            message: What it says in words.
            when: What happens.
            times: How often; `None` for ever.
            retry_after: Seconds that the answer asks to wait.
            inner: Code of the inner error.
        """
        refusal = VaultRefused(status, code, message, inner, retry_after)
        with self._lock:
            self._faults.append(_Fault(operation, refusal, when, times))

    @property
    def pending_faults(self) -> int:
        """How many faults have calls left to strike."""
        with self._lock:
            return len(self._faults)

    def calls_of(self, operation: str) -> list[VaultCall]:
        """The calls of one operation."""
        return [call for call in self.calls if call.operation == operation]

    def close(self) -> None:
        """Stop to listen."""
        self._silence.set()
        self._http.end()

    def answer(self, method: str, target: str, token: str, content: bytes) -> tuple[int, Json | None, dict[str, str]]:
        """Answer a request.

        Raises:
            Cut: If there is to be no answer.
        """
        if not token:
            return self._challenge("AKV10000: Request is missing a Bearer or PoP token.")
        principal = self.check_token(token) if self.check_token else "anybody"
        if principal is None:
            return self._challenge("AKV10022: Invalid audience or expired token.", error=True)
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        operation, action, variables = _route(method, parts.path)
        call = VaultCall(operation, *variables, query=query, principal=principal)
        with contextlib.suppress(ValueError):
            call.body = cast("Json", json.loads(content or b"{}"))
        self.calls.append(call)
        try:
            answer = self._act(call, action)
        except VaultRefused as refused:
            call.status = refused.status
            wait = {} if refused.retry_after is None else {"Retry-After": f"{refused.retry_after:g}"}
            return refused.status, refused.body, wait
        call.status = 200 if answer is not None else 204
        return call.status, answer, {}

    def _challenge(self, message: str, *, error: bool = False) -> tuple[int, Json, dict[str, str]]:
        self.challenges += 1
        said = f'Bearer authorization="{self.authority}", resource="https://vault.azure.net"'
        if error:
            said += ', error="invalid_token"'
        return 401, {"error": {"code": "Unauthorized", "message": message}}, {"WWW-Authenticate": said}

    def _act(self, call: VaultCall, action: str) -> Json | None:
        fault = self._next_fault(call)
        if fault is not None:
            self._strike(fault)
        for hook in list(self.on_call):
            hook(call)
        if "api-version" not in call.query:
            raise VaultRefused(400, "BadParameter", "api-version must be specified")
        if not call.operation:
            raise VaultRefused(404, "NotFound", "The resource does not exist.")
        if action in self.denied:
            raise _forbidden(call.principal, action, call.name)
        with self.store.lock:
            answer = self._do(call)
        if fault is not None and fault.when == "after":
            raise fault.refusal
        if fault is not None and fault.when == "lost":
            raise Cut
        return answer

    def _do(self, call: VaultCall) -> Json | None:
        base, name, now = self.endpoint, call.name, time.time() + self.offset_seconds
        if call.operation == "SetSecret":
            return self.store.set(base, name, call.body, now)
        if call.operation == "GetSecret":
            return self.store.get(base, name, call.version)
        if call.operation == "UpdateSecret":
            return self.store.update(base, name, call.version, call.body, now)
        if call.operation == "DeleteSecret":
            return self.store.delete(base, name, now)
        if call.operation == "GetDeletedSecret":
            return self.store.get_deleted(base, name)
        if call.operation == "RecoverSecret":
            return self.store.recover(base, name)
        if call.operation == "PurgeSecret":
            return self.store.purge(name)
        lists: dict[str, Callable[[], list[Json]]] = {
            "ListSecretVersions": lambda: self.store.versions(base, name),
            "ListSecrets": lambda: self.store.items(base),
            "ListDeletedSecrets": lambda: self.store.deleted_items(base),
        }
        return self._page(call, lists[call.operation]())

    def _page(self, call: VaultCall, items: list[Json]) -> Json:
        start = int(call.query.get("$skiptoken", "0"))
        size = min(int(call.query.get("maxresults", "25")), self.store.page_size)
        end = start + size
        path = f"/secrets/{call.name}/versions" if call.operation == "ListSecretVersions" else "/secrets"
        path = "/deletedsecrets" if call.operation == "ListDeletedSecrets" else path
        version = call.query["api-version"]
        more = f"{self.endpoint}{path}?api-version={version}&$skiptoken={end}&maxresults={size}"
        return {"value": items[start:end], "nextLink": more if end < len(items) else None}

    def _next_fault(self, call: VaultCall) -> _Fault | None:
        with self._lock:
            for fault in self._faults:
                if not fnmatchcase(call.operation, fault.operation):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                return fault
            return None

    def _strike(self, fault: _Fault) -> None:
        if fault.when == "before":
            raise fault.refusal
        if fault.when == "cut":
            raise Cut
        if fault.when == "garbled":
            raise Garbled
        if fault.when == "silent":
            self._silence.wait(30)
            raise Cut


def _route(method: str, path: str) -> tuple[str, str, tuple[str, ...]]:
    for operation, verb, pattern, action in _ROUTES:
        if verb == method and (found := pattern.fullmatch(path)):
            return operation, action, tuple(unquote(part or "") for part in found.groups())
    return "", "", ()


def _forbidden(principal: str, action: str, name: str) -> VaultRefused:
    return VaultRefused(
        403,
        "Forbidden",
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
        "definitions were changed recently, please observe propagation time.\r\n"
        f"Caller: appid={principal};oid=00000000-0000-0000-0000-000000000001;iss=https://sts.windows.net/shop/\r\n"
        f"Action: 'Microsoft.KeyVault/vaults/secrets/{action}'\r\n"
        "Resource: '/subscriptions/1/resourcegroups/shop/providers/microsoft.keyvault/vaults/shop/secrets/"
        f"{name}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\n"
        "Vault: shop;location=westeurope\r\n",
        "ForbiddenByRbac",
    )


class _Handler(HttpHandler):
    def serve(self) -> None:
        """Answer one request."""
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = str(self.headers.get("Authorization") or "").removeprefix("Bearer ")
        vault: VaultServer = self.server.owner
        status, answer, headers = vault.answer(self.command, self.path, token, content)
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send(status, body, {"Content-Type": "application/json; charset=utf-8", **headers})
