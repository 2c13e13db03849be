"""The HTTP side of the local Entra ID: discovery and token endpoints over TLS, managed identity endpoints without."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .._http_server import HttpHandler, HttpServer
from .identity_directory import Directory, Issued, Refused

if TYPE_CHECKING:
    import ssl

USER = "user@contoso.com"
"""Who is logged in to the Azure CLI."""
_TENANT = re.compile(r"/([^/]+)(/v2\.0/\.well-known/openid-configuration|/oauth2(?:/v2\.0)?/token)")
_IMDS = "/metadata/identity/oauth2/token"
_APP_SERVICE = "/msi/token"
_CLI = "/cli/token"


@dataclass
class Answer:
    """Status, body and headers of an answer."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Identities:
    """What both ports serve.

    Attributes:
        directory: Applications and tokens.
        failures: Statuses and headers of the next answers, before any real one.
        requests: Method and path of each request.
        gate: Token requests wait while it is closed.
        lifetime_seconds: How long tokens are good.
        header: What App Service asks callers to show.
        is_logged_in: Whether somebody is logged in to the Azure CLI.
        has_identity: Whether the machine has a system-assigned identity.
    """

    def __init__(self, tenant_id: str, now: Callable[[], float]) -> None:
        self.directory = Directory(tenant_id, now)
        self.now = now
        self.lock = threading.Lock()
        self.authority = ""
        self.reset()

    def reset(self) -> None:
        """Forget everything but keys of certificates."""
        self.directory.reset()
        self.failures: list[tuple[int, dict[str, str]]] = []
        self.requests: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.lifetime_seconds = 3599.0
        self.header = uuid.uuid4().hex
        self.is_logged_in = True
        self.has_identity = True

    @property
    def workload_issuer(self) -> str:
        """Who signs what workloads show for themselves."""
        return f"{self.authority}/workloads"

    def answer(self, method: str, target: str, headers: Any, content: bytes) -> Answer:
        """Answer a request."""
        parts = urlsplit(target)
        with self.lock:
            self.requests.append(f"{method} {parts.path}")
            failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            return Answer(failure[0], {"error": "temporarily_unavailable"}, failure[1])
        self.gate.wait(30)
        query = _form(parts.query)
        if parts.path == _IMDS:
            return self._imds(query, headers)
        if parts.path == _APP_SERVICE:
            return self._app_service(query, headers)
        if parts.path == _CLI:
            return self._cli(query)
        if parts.path == "/common/discovery/instance":
            return self._instance(query)
        if match := _TENANT.fullmatch(parts.path):
            try:
                return self._of_tenant(match[1], match[2], _form(content.decode("utf-8", "replace")))
            except Refused as refused:
                return self._refusal(refused)
        return Answer(404, {"error": "not_found"})

    def _instance(self, query: dict[str, str]) -> Answer:
        host = urlsplit(self.authority).netloc
        about = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        tenant = urlsplit(query.get("authorization_endpoint", "")).path.split("/")[1:2] or [self.directory.tenant_id]
        where = f"{self.authority}/{tenant[0]}/v2.0/.well-known/openid-configuration"
        return Answer(200, {"tenant_discovery_endpoint": where, "api-version": "1.1", "metadata": [about]})

    def _of_tenant(self, tenant: str, what: str, form: dict[str, str]) -> Answer:
        if tenant not in (self.directory.tenant_id, "contoso.onmicrosoft.com"):
            raise Refused(
                400,
                "invalid_tenant",
                90002,
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
                "the correct cloud. Check with your subscription administrator, this may happen if there are no active "
                "subscriptions for the tenant.",
            )
        base = f"{self.authority}/{tenant}"
        if not what.endswith("/token"):
            return Answer(
                200,
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                    "jwks_uri": f"{base}/discovery/v2.0/keys",
                    "issuer": f"{self.authority}/{self.directory.tenant_id}/v2.0",
                    "tenant_region_scope": "EU",
                    "cloud_instance_name": "microsoftonline.com",
                },
            )
        return self._token(form, f"{base}{what}")

    def _token(self, form: dict[str, str], endpoint: str) -> Answer:
        if form.get("grant_type") != "client_credentials":
            raise Refused(400, "unsupported_grant_type", 70003, "The app returned an unsupported grant type.")
        scopes = form.get("scope", "").split() or [f"{form['resource'].rstrip('/')}/.default"] * ("resource" in form)
        if len(scopes) != 1 or not scopes[0].endswith("/.default"):
            raise Refused(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {' '.join(scopes)} is not valid. Client credential flows must have a "
                "scope value with /.default suffixed to the resource identifier (application ID URI).",
            )
        application, grant = self.directory.log_in(form.get("client_id", ""), form, self.workload_issuer, endpoint)
        issued = self.directory.issue(
            application.client_id, grant, _audience(scopes[0]), self.lifetime_seconds, application.object_id
        )
        seconds = int(self.lifetime_seconds)
        body = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": issued.token}
        return Answer(200, body)

    def _refusal(self, refused: Refused) -> Answer:
        """The body of https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response-1."""
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        timestamp = datetime.fromtimestamp(self.now(), timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
        said = (
            f"AADSTS{refused.code}: {refused.description} Trace ID: {trace} Correlation ID: {correlation} "
            f"Timestamp: {timestamp}"
        )
        return Answer(
            refused.status,
            {
                "error": refused.error,
                "error_description": said,
                "error_codes": [refused.code],
                "timestamp": timestamp,
                "trace_id": trace,
                "correlation_id": correlation,
                "error_uri": f"{self.authority}/error?code={refused.code}",
            },
        )

    def _imds(self, query: dict[str, str], headers: Any) -> Answer:
        """Answer as https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token."""
        if headers.get("Metadata") != "true":
            said = "Required metadata header not specified"
            return Answer(400, {"error": "invalid_request", "error_description": said})
        issued = self._managed(query)
        if isinstance(issued, Answer):
            return issued
        return Answer(200, self._managed_body(issued))

    def _app_service(self, query: dict[str, str], headers: Any) -> Answer:
        """Answer as https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference."""
        if headers.get("X-IDENTITY-HEADER") != self.header:
            return Answer(401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER is not right."})
        issued = self._managed(query)
        return issued if isinstance(issued, Answer) else Answer(200, self._managed_body(issued))

    def _managed(self, query: dict[str, str]) -> Issued | Answer:
        client_id = query.get("client_id")
        directory = self.directory
        if client_id is None and self.has_identity:
            client_id = directory.system_assigned
        elif client_id is None or client_id not in directory.managed:
            return Answer(400, {"error": "invalid_request", "error_description": "Identity not found"})
        return directory.issue(client_id, "managed", _audience(query.get("resource", "")), self.lifetime_seconds)

    def _managed_body(self, issued: Issued) -> dict[str, str]:
        return {
            "access_token": issued.token,
            "client_id": issued.principal,
            "expires_in": str(int(issued.expires_at - self.now())),
            "expires_on": str(int(issued.expires_at)),
            "not_before": str(int(self.now()) - 300),
            "resource": issued.audience,
            "token_type": "Bearer",
        }

    def _cli(self, query: dict[str, str]) -> Answer:
        """What `az account get-access-token` prints."""
        if not self.is_logged_in:
            return Answer(401, {"error": "Please run 'az login' to setup account."})
        issued = self.directory.issue(USER, "cli", _audience(query.get("resource", "")), self.lifetime_seconds)
        ends = datetime.fromtimestamp(issued.expires_at, timezone.utc)
        return Answer(
            200,
            {
                "accessToken": issued.token,
                "expiresOn": ends.strftime("%Y-%m-%d %H:%M:%S.000000"),
                "expires_on": int(issued.expires_at),
                "subscription": str(uuid.UUID(int=0)),
                "tenant": self.directory.tenant_id,
                "tokenType": "Bearer",
            },
        )


class Port(HttpServer):
    """One of the ports."""

    def __init__(self, identities: Identities, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(identities, _Handler, tls)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="azure-identity", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Stop to listen."""
        self.shutdown()
        self.server_close()
        self.cut_all()
        self.thread.join(5)


class _Handler(HttpHandler):
    def serve(self) -> None:
        """Answer one request."""
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        identities: Identities = self.server.owner
        answer = identities.answer(self.command, self.path, self.headers, content)
        body = json.dumps(answer.body).encode()
        self.send(answer.status, body, {"Content-Type": "application/json; charset=utf-8", **answer.headers})


def _form(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text).items()}


def _audience(scope: str) -> str:
    """The resource of a scope: `https://storage.azure.com/.default` is for `https://storage.azure.com`."""
    return scope.removesuffix("/.default").rstrip("/")
