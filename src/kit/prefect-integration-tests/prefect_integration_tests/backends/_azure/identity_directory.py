"""A directory of Microsoft Entra ID: applications, managed identities, and the tokens that were issued to them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

ASSERTION_SKEW_SECONDS = 300
"""How far a client's clock may be from the directory's: https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes"""


class Refused(Exception):
    """An OAuth error as Entra ID words it."""

    def __init__(self, status: int, error: str, code: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.code = code
        self.description = description


@dataclass
class Application:
    """An application with its service principal.

    Attributes:
        client_id: Its ID.
        client_secret: Its secret.
        object_id: That of the service principal.
        subject: Subject of the federated credential that the application trusts.
        thumbprints: SHA-256 and SHA-1 of its certificates, with their keys.
        secret_is_expired: Whether the secret's time is over.
        is_disabled: Whether it gets no more tokens.
    """

    client_id: str
    client_secret: str
    object_id: str
    subject: str
    thumbprints: dict[str, rsa.RSAPublicKey] = field(default_factory=dict[str, rsa.RSAPublicKey])
    secret_is_expired: bool = False
    is_disabled: bool = False


@dataclass(frozen=True)
class Issued:
    """A token.

    Attributes:
        token: Its text, a JWT.
        principal: Whom it is for: the client ID of an application or a managed identity, or a user's name.
        grant: How it was asked for: `client_secret`, `certificate`, `federation`, `managed`, `cli`.
        audience: What it is good for, such as `https://management.azure.com`.
        expires_at: Seconds since the epoch.
    """

    token: str
    principal: str
    grant: str
    audience: str
    expires_at: float


class Directory:
    """One tenant."""

    def __init__(self, tenant_id: str, now: Callable[[], float]) -> None:
        """Begin with no application.

        Args:
            tenant_id: ID of the tenant.
            now: Seconds since the epoch.
        """
        self.tenant_id = tenant_id
        self._now = now
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._workload_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._lock = threading.RLock()
        self._certificates: dict[str, tuple[str, str, str, rsa.RSAPublicKey]] = {}
        self.reset()

    def reset(self) -> None:
        """Forget applications, identities and tokens."""
        with self._lock:
            self.applications: dict[str, Application] = {}
            self.managed: dict[str, str] = {}
            self.system_assigned = _id("system-assigned")
            self.issued: list[Issued] = []
            self._good: dict[str, Issued] = {}

    def application(self, name: str) -> Application:
        """The application of a name, made if there is none."""
        with self._lock:
            client_id = _id(f"application {name}")
            if client_id not in self.applications:
                secret = secrets.token_urlsafe(30)
                self.applications[client_id] = Application(
                    client_id, secret, _id(f"principal {name}"), f"system:serviceaccount:default:{name}"
                )
            return self.applications[client_id]

    def certificate(self, application: Application) -> str:
        """A certificate and its private key, in PEM format, with which the application may log in."""
        client_id = application.client_id
        with self._lock:
            if client_id not in self._certificates:
                self._certificates[client_id] = _certificate(client_id)
            pem, sha256, sha1, key = self._certificates[client_id]
            application.thumbprints.update({sha256: key, sha1: key})
        return pem

    def user_assigned(self, name: str) -> str:
        """Client ID of the user-assigned managed identity of a name, attached to the machine."""
        client_id = _id(f"managed {name}")
        self.managed[client_id] = name
        return client_id

    def workload_token(self, application: Application, issuer: str, lifetime_seconds: float) -> str:
        """What a workload shows for itself, as a file of a Kubernetes pod holds it."""
        now = self._now()
        claims = {
            "aud": "api://AzureADTokenExchange",
            "iss": issuer,
            "sub": application.subject,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + lifetime_seconds),
        }
        return _signed({"alg": "RS256", "kid": "workload"}, claims, self._workload_key)

    def issue(self, principal: str, grant: str, audience: str, lifetime_seconds: float, object_id: str = "") -> Issued:
        """Make a token in the form of https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference."""
        now = self._now()
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": int(now) - 300,
            "nbf": int(now) - 300,
            "exp": int(now + lifetime_seconds),
            "appid": principal,
            "oid": object_id or _id(f"object {principal}"),
            "sub": object_id or _id(f"object {principal}"),
            "tid": self.tenant_id,
            "uti": secrets.token_urlsafe(12),
            "ver": "1.0",
        }
        token = _signed({"typ": "JWT", "alg": "RS256", "kid": "entra"}, claims, self._key)
        issued = Issued(token, principal, grant, audience, now + lifetime_seconds)
        with self._lock:
            self.issued.append(issued)
            self._good[token] = issued
        return issued

    def expire_all(self) -> None:
        """Let no token be good that was made so far."""
        with self._lock:
            self._good.clear()

    def find(self, token: str) -> Issued | None:
        """Give a token that is good."""
        issued = self._good.get(token)
        if issued is None or issued.expires_at <= self._now():
            return None
        application = self.applications.get(issued.principal)
        return None if application is not None and application.is_disabled else issued

    def log_in(self, client_id: str, form: dict[str, str], issuer: str, audience: str) -> tuple[Application, str]:
        """Check who asks for a token.

        Args:
            client_id: Who it says it is.
            form: The request.
            issuer: Of workloads' tokens.
            audience: The address of the token endpoint.

        Returns:
            The application, and how it has proven itself.

        Raises:
            Refused: As Entra ID would.
        """
        application = self.applications.get(client_id)
        if application is None or application.is_disabled:
            raise Refused(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory 'Contoso'. This can happen "
                "if the application has not been installed by the administrator of the tenant or consented to by any "
                "user in the tenant. You may have sent your authentication request to the wrong tenant.",
            )
        if assertion := form.get("client_assertion"):
            return application, self._check_assertion(application, assertion, issuer, audience)
        if not form.get("client_secret"):
            raise Refused(
                401,
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )
        if application.secret_is_expired:
            raise Refused(
                401,
                "invalid_client",
                7000222,
                f"The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create "
                "new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for "
                "added security: https://aka.ms/certCreds.",
            )
        if form["client_secret"] != application.client_secret:
            raise Refused(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{client_id}'.",
            )
        return application, "client_secret"

    def _check_assertion(self, application: Application, assertion: str, issuer: str, audience: str) -> str:
        try:
            head, body, signature = assertion.split(".")
            header = cast("dict[str, Any]", json.loads(_decoded(head)))
            claims = cast("dict[str, Any]", json.loads(_decoded(body)))
            signed = _decoded(signature)
        except (ValueError, binascii.Error):
            raise Refused(
                401, "invalid_client", 50027, "JWT token is invalid or malformed. Unable to decode the token."
            ) from None
        now = self._now()
        starts, ends = float(claims.get("nbf") or claims.get("iat") or 0), float(claims.get("exp") or 0)
        if starts > now + ASSERTION_SKEW_SECONDS or ends < now - ASSERTION_SKEW_SECONDS:
            raise Refused(
                401,
                "invalid_client",
                700024,
                f"Client assertion is not within its valid time range. Current time: {_time(now)}, expiry time of "
                f"assertion {_time(ends)}.",
            )
        if claims.get("iss") == issuer:
            return self._check_workload(application, claims, f"{head}.{body}", signed)
        thumbprint = str(header.get("x5t#S256") or header.get("x5t") or "").rstrip("=")
        key = application.thumbprints.get(thumbprint)
        if key is None:
            raise Refused(
                401,
                "invalid_client",
                700027,
                "The certificate with identifier used to sign the client assertion is not registered on application. "
                f"[Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}'",
            )
        is_right = claims.get("iss") == claims.get("sub") == application.client_id and claims.get("aud") == audience
        if not is_right or not _has_signed(key, header.get("alg"), f"{head}.{body}".encode(), signed):
            raise Refused(401, "invalid_client", 700027, "Client assertion failed signature validation.")
        return "certificate"

    def _check_workload(self, application: Application, claims: dict[str, Any], content: str, signed: bytes) -> str:
        if claims.get("aud") != "api://AzureADTokenExchange":
            raise Refused(
                401,
                "invalid_client",
                700212,
                f"No matching federated identity record found for presented assertion audience '{claims.get('aud')}'.",
            )
        if claims.get("sub") != application.subject:
            raise Refused(
                401,
                "invalid_client",
                700213,
                "No matching federated identity record found for presented assertion subject "
                f"'{claims.get('sub')}'. Check your federated identity credential Subject, Audience and Issuer against "
                "the presented assertion.",
            )
        if not _has_signed(self._workload_key.public_key(), "RS256", content.encode(), signed):
            raise Refused(401, "invalid_client", 50013, "Assertion failed signature validation.")
        return "federation"


def _certificate(client_id: str) -> tuple[str, str, str, rsa.RSAPublicKey]:
    """PEM text, thumbprints by SHA-256 and SHA-1 as assertions carry them, and the key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, client_id)])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = private + certificate.public_bytes(serialization.Encoding.PEM)
    sha1 = hashlib.sha1(der, usedforsecurity=False)
    return pem.decode(), _encoded(hashlib.sha256(der).digest()), _encoded(sha1.digest()), key.public_key()


def _signed(header: dict[str, Any], claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    content = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
    return f"{content}.{_encoded(key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _has_signed(key: rsa.RSAPublicKey, algorithm: Any, content: bytes, signature: bytes) -> bool:
    ways: dict[str, Any] = {
        "RS256": padding.PKCS1v15(),
        "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH),
    }
    if algorithm not in ways:
        return False
    try:
        key.verify(signature, content, ways[str(algorithm)], hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
