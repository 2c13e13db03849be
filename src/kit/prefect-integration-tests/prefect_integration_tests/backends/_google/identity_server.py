"""The HTTP side of the local Google identity: token endpoint, token exchange, IAM credentials, metadata server."""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from .._http_server import HttpHandler, HttpServer
from ..processes import HOST
from .identity_accounts import MAX_LIFETIME_SECONDS, Accounts, Refused

SUBJECT_TOKEN = "eyJ.workload.token"
"""What a workload shows for itself at the token exchange."""

REFRESH_TOKEN = "1//refresh"
USER = "user@example.com"
_IAM = re.compile(r"/v1/projects/-/serviceAccounts/([^:/]+):(generateAccessToken|signBlob)")
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@dataclass
class Answer:
    """Status, body and headers of an answer; a body of text is sent as it is."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])


class IdentityServer(HttpServer):
    """One port for all of it.

    Attributes:
        accounts: Keys and tokens.
        failures: Statuses of the next answers, before any real one.
        requests: Method and path of each request.
        gate: Token requests wait while it is closed.
        metadata_account: The account attached to the machine.
        metadata_project: The machine's project.
        lifetime_seconds: How long tokens are good.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(self, _Handler)
        self.now = now
        self.accounts = Accounts(now)
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything but keys."""
        self.accounts.reset()
        self.failures: list[int] = []
        self.requests: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.metadata_account = "attached@test-project.iam.gserviceaccount.com"
        self.metadata_project = "test-project"
        self.lifetime_seconds = 3599.0

    @property
    def endpoint(self) -> str:
        """Address of the server."""
        return f"http://{HOST}:{self.server_address[1]}"

    def answer(self, method: str, target: str, headers: Any, content: bytes) -> Answer:
        """Answer a request."""
        parts = urlsplit(target)
        with self.lock:
            self.requests.append(f"{method} {parts.path}")
            failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            return Answer(failure, "Service Unavailable", {"Content-Type": "text/plain"})
        self.gate.wait(30)
        if parts.path == "/token" and method == "POST":
            return self._oauth(lambda: self._grant(_form(content)))
        if parts.path == "/v1/token" and method == "POST":
            return self._oauth(lambda: self._exchange(_form(content)))
        if (match := _IAM.fullmatch(parts.path)) and method == "POST":
            return self._iam(match.group(1), match.group(2), headers, content)
        if parts.path == "/subject-token":
            return Answer(200, {"value": SUBJECT_TOKEN})
        if parts.path == "/" or parts.path.startswith("/computeMetadata/v1"):
            return self._metadata(parts.path, headers)
        return Answer(404, _error(404, "NOT_FOUND", f"The requested URL {parts.path} was not found on this server."))

    def _oauth(self, act: Callable[[], dict[str, Any]]) -> Answer:
        try:
            return Answer(200, act())
        except Refused as refused:
            return Answer(400, {"error": refused.error, "error_description": refused.description})

    def _grant(self, form: dict[str, str]) -> dict[str, Any]:
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") != REFRESH_TOKEN:
                raise Refused("invalid_grant", "Token has been expired or revoked.")
            return self._token(USER, "refresh_token", form.get("scope", "").split())
        if form.get("grant_type") != _JWT_BEARER:
            raise Refused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        account, claims = self.accounts.read_signed(form.get("assertion", ""))
        if claims.get("aud") not in (f"{self.endpoint}/token", "https://oauth2.googleapis.com/token"):
            raise Refused("invalid_grant", "Invalid JWT: Failed audience check.")
        scopes = str(claims.get("scope") or "").split()
        if not scopes:
            raise Refused("invalid_scope", "Empty or missing scope not allowed.")
        return self._token(account.email, "jwt-bearer", scopes)

    def _exchange(self, form: dict[str, str]) -> dict[str, Any]:
        if form.get("grant_type") != _EXCHANGE:
            raise Refused("invalid_request", 'Invalid value for "grant_type".')
        missing = [name for name in ("audience", "subject_token", "subject_token_type") if not form.get(name)]
        if missing:
            raise Refused("invalid_request", f'Missing value for "{missing[0]}".')
        if form["subject_token"] != SUBJECT_TOKEN:
            raise Refused("invalid_grant", "The subject token is not valid for this pool.")
        email = f"principal:{form['audience'].rpartition('/workloadIdentityPools/')[2] or form['audience']}"
        answer = self._token(email, "token-exchange", form.get("scope", "").split())
        return {**answer, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}

    def _token(self, email: str, grant: str, scopes: list[str]) -> dict[str, Any]:
        issued = self.accounts.issue(email, grant, scopes, self.lifetime_seconds)
        return {"access_token": issued.token, "expires_in": int(self.lifetime_seconds), "token_type": "Bearer"}

    def _iam(self, email: str, verb: str, headers: Any, content: bytes) -> Answer:
        caller = self.accounts.check(str(headers.get("Authorization", "")).removeprefix("Bearer "))
        if caller is None:
            return Answer(401, _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."))
        body = cast("dict[str, Any]", json.loads(content or b"{}"))
        delegates = cast("list[str]", body.get("delegates") or [])
        chain = [caller, *(one.rpartition("/")[2] for one in delegates), email]
        permission = f"iam.serviceAccounts.{'getAccessToken' if verb == 'generateAccessToken' else verb}"
        for first, second in itertools.pairwise(chain):
            if first != second and (first, second) not in self.accounts.may_impersonate:
                said = f"Permission '{permission}' denied on resource (or it may not exist)."
                details = [
                    {
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "IAM_PERMISSION_DENIED",
                        "domain": "iam.googleapis.com",
                        "metadata": {"permission": permission},
                    }
                ]
                return Answer(403, _error(403, "PERMISSION_DENIED", said, details))
        if verb == "signBlob":
            account = self.accounts.account(email, "test-project")
            signed = account.sign(base64.b64decode(body.get("payload", "")))
            return Answer(200, {"keyId": account.key_id, "signedBlob": base64.b64encode(signed).decode()})
        lifetime = float(str(body.get("lifetime", "3600s")).removesuffix("s"))
        if not body.get("scope") or not 0 < lifetime <= MAX_LIFETIME_SECONDS:
            return Answer(400, _error(400, "INVALID_ARGUMENT", "Request contains an invalid argument."))
        issued = self.accounts.issue(email, "impersonation", list(body["scope"]), min(lifetime, self.lifetime_seconds))
        ends = datetime.fromtimestamp(int(issued.expires_at), timezone.utc)
        return Answer(200, {"accessToken": issued.token, "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def _metadata(self, path: str, headers: Any) -> Answer:
        """Answer as https://cloud.google.com/compute/docs/metadata/overview says."""
        flavor = {"Metadata-Flavor": "Google", "Content-Type": "application/text"}
        if headers.get("Metadata-Flavor") != "Google":
            return Answer(403, "Missing Metadata-Flavor:Google header.", {"Content-Type": "text/html"})
        name = path.removeprefix("/computeMetadata/v1").strip("/")
        account = self.metadata_account
        if name in ("", "instance"):
            return Answer(200, "", flavor)
        if name == "project/project-id":
            return Answer(200, self.metadata_project, flavor)
        if name == "universe/universe-domain":
            return Answer(200, "googleapis.com", flavor)
        scopes = ["https://www.googleapis.com/auth/cloud-platform"]
        for known in ("default", account):
            if name == f"instance/service-accounts/{known}":
                about = {"aliases": ["default"], "email": account, "scopes": scopes}
                return Answer(200, about, {"Metadata-Flavor": "Google"})
            if name == f"instance/service-accounts/{known}/token":
                return Answer(200, self._token(account, "metadata", scopes), {"Metadata-Flavor": "Google"})
        return Answer(404, "Not Found", flavor)


class _Handler(HttpHandler):
    def serve(self) -> None:
        """Answer one request."""
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server: IdentityServer = self.server.owner
        answer = server.answer(self.command, self.path, self.headers, content)
        is_text = isinstance(answer.body, str)
        body = answer.body.encode() if is_text else json.dumps(answer.body).encode()
        self.send(answer.status, body, {"Content-Type": "application/json; charset=UTF-8", **answer.headers})


def _form(content: bytes) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(content.decode("utf-8", "replace")).items()}


def _error(code: int, status: str, message: str, details: list[Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        error["details"] = details
    return {"error": error}
