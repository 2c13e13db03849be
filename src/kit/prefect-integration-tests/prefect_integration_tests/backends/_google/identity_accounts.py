"""Service accounts with keys, and the tokens that were issued to them."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

MAX_LIFETIME_SECONDS = 3600
"""Of an assertion and of a token: https://developers.google.com/identity/protocols/oauth2/service-account"""

SKEW_SECONDS = 300
"""How far a signer's clock may be from the server's."""


class Refused(Exception):
    """An OAuth error: a code and a description, as Google words it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class Account:
    """A service account with one key."""

    def __init__(self, email: str, project: str) -> None:
        self.email = email
        self.project = project
        self.key_id = uuid.uuid5(uuid.NAMESPACE_DNS, email).hex
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def pem(self) -> str:
        """The private key as it stands in a key file."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def sign(self, content: bytes) -> bytes:
        """Sign with RS256."""
        return self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())

    def has_signed(self, content: bytes, signature: bytes) -> bool:
        """Check a signature."""
        try:
            self.key.public_key().verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Issued:
    """A token.

    Attributes:
        token: Its text.
        email: Whom it is for.
        grant: How it was asked for: `jwt-bearer`, `token-exchange`, `refresh_token`, `impersonation`, `metadata`.
        scopes: What it is good for.
        expires_at: Seconds since the epoch.
    """

    token: str
    email: str
    grant: str
    scopes: tuple[str, ...]
    expires_at: float


class Accounts:
    """All accounts and tokens."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin with none.

        Args:
            now: Seconds since the epoch.
        """
        self._now = now
        self._lock = threading.RLock()
        self._accounts: dict[str, Account] = {}
        self.reset()

    def reset(self) -> None:
        """Forget tokens and who may do what; keys stay, since they take time to make."""
        with self._lock:
            self.issued: list[Issued] = []
            self._tokens: dict[str, Issued] = {}
            self.disabled: set[str] = set()
            self.may_impersonate: set[tuple[str, str]] = set()
            self.expired_before = 0.0

    def account(self, email: str, project: str) -> Account:
        """The account of an address, made if there is none."""
        with self._lock:
            if email not in self._accounts:
                self._accounts[email] = Account(email, project)
            return self._accounts[email]

    def find(self, email: str) -> Account | None:
        """The account of an address."""
        return self._accounts.get(email)

    def issue(self, email: str, grant: str, scopes: list[str], lifetime_seconds: float) -> Issued:
        """Make a token."""
        token = f"ya29.{secrets.token_urlsafe(24)}"
        issued = Issued(token, email, grant, tuple(scopes), self._now() + lifetime_seconds)
        with self._lock:
            self.issued.append(issued)
            self._tokens[token] = issued
        return issued

    def expire_all(self) -> None:
        """Let no token be good that was made so far, signed ones included."""
        with self._lock:
            self._tokens.clear()
            self.expired_before = time.time()

    def check(self, token: str) -> str | None:
        """Give the account of a token that is good."""
        issued = self._tokens.get(token)
        if issued is not None:
            good = issued.expires_at > self._now() and issued.email not in self.disabled
            return issued.email if good else None
        if token.count(".") == 2:
            return self._check_signed(token)
        return None

    def _check_signed(self, token: str) -> str | None:
        """Check a token that its owner has signed: https://google.aip.dev/auth/4111."""
        try:
            account, claims = self.read_signed(token)
        except Refused:
            return None
        good = claims.get("sub") == account.email and ("aud" in claims or "scope" in claims)
        return account.email if good and float(claims.get("iat", 0)) >= self.expired_before else None

    def read_signed(self, token: str) -> tuple[Account, dict[str, Any]]:
        """Check the signature and the times of a JWT.

        Raises:
            Refused: As Google's token endpoint would.
        """
        try:
            head, body, signature = token.split(".")
            header = json.loads(_decoded(head))
            claims = cast("dict[str, Any]", json.loads(_decoded(body)))
            signed = _decoded(signature)
        except (ValueError, binascii.Error):
            raise Refused("invalid_grant", "Invalid JWT: Failed to parse.") from None
        account = self._accounts.get(str(claims.get("iss", "")))
        if account is None:
            raise Refused("invalid_grant", "Invalid grant: account not found")
        if account.email in self.disabled:
            raise Refused("invalid_grant", "Invalid JWT: The account is disabled.")
        if header.get("alg") != "RS256" or header.get("kid") not in (account.key_id, None):
            raise Refused("invalid_grant", "Invalid JWT Signature.")
        if not account.has_signed(f"{head}.{body}".encode(), signed):
            raise Refused("invalid_grant", "Invalid JWT Signature.")
        issued_at, ends = float(claims.get("iat", 0)), float(claims.get("exp", 0))
        now = self._now()
        if ends - issued_at > MAX_LIFETIME_SECONDS or issued_at > now + SKEW_SECONDS or ends < now:
            raise Refused(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your "
                "iat and exp values in the JWT claim.",
            )
        return account, claims


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
