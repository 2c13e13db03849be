"""OAuth 2.0 access tokens for SMTP: fetched, cached until shortly before they expire, refreshed once at a time."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from prefect_email.errors import EmailTokenError
from prefect_integration_kit.redact import Redactor
from prefect_integration_kit.waiting import (
    SYSTEM_CLOCK,
    Backoff,
    Clock,
    Verdict,
    retry,
    retry_after_seconds,
)

_MARGIN_SECONDS = 60.0  # a token must outlive the conversation that it opens
_UNSTATED_LIFETIME_SECONDS = 300.0  # RFC 6749 only recommends `expires_in`
_TRANSIENT = frozenset((408, 429, 500, 502, 503, 504))


@dataclass(frozen=True)
class TokenRequest:
    """How to get an access token: by refresh token, or else by client credentials."""

    token_url: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    scope: str | None = None

    def form(self, refresh_token: str | None) -> dict[str, str]:
        """Return the fields of the request (RFC 6749, sections 4.4.2 and 6)."""
        fields = {"client_id": self.client_id}
        if refresh_token is not None:
            fields |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
        else:
            fields["grant_type"] = "client_credentials"
        if self.client_secret is not None:
            fields["client_secret"] = self.client_secret
        if self.scope:
            fields["scope"] = self.scope
        return fields

    def key(self) -> str:
        """Return what tells two requests apart, without their secrets."""
        secrets = (self.client_secret, self.refresh_token)
        parts = (self.token_url, self.client_id, self.scope, *secrets)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    access_token: str | None = None
    renew_at: float = 0.0
    refresh_token: str | None = None


class TokenCache:
    """Access tokens of this process, by request.

    Blocks are loaded anew in every task, so the tokens are kept here rather than in a block.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        """Make an empty cache.

        Args:
            clock: Time.
        """
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def token(
        self,
        request: TokenRequest,
        context: Callable[[], ssl.SSLContext],
        timeout_seconds: float,
        rejected: str | None = None,
    ) -> str:
        """Return an access token that is valid for at least a minute, if the server grants that long.

        Args:
            request: How to get one.
            context: Makes the TLS settings for the token server.
            timeout_seconds: Seconds to wait for each answer.
            rejected: A token that a mail server refused; it is not returned again.

        Raises:
            EmailTokenError: If there is none to be had.
        """
        with self._lock:
            entry = self._entries.setdefault(request.key(), _Entry())
        with entry.lock:  # the others wait for the one that fetches
            is_usable = entry.access_token is not None and entry.access_token != rejected
            if not is_usable or self._clock.monotonic() >= entry.renew_at:
                self._fetch(entry, request, context(), timeout_seconds)
            return cast("str", entry.access_token)

    def _fetch(self, entry: _Entry, request: TokenRequest, context: ssl.SSLContext, timeout_seconds: float) -> None:
        refresh_token = entry.refresh_token or request.refresh_token
        asked_at = self._clock.monotonic()
        answer = retry(
            lambda: _post(request, refresh_token, context, timeout_seconds),
            is_transient=_verdict,
            backoff=Backoff(max_attempts=4, deadline_seconds=timeout_seconds * 2),
            clock=self._clock,
        )
        lifetime = _lifetime_seconds(answer.get("expires_in"))
        entry.access_token = str(answer["access_token"])
        entry.renew_at = asked_at + max(lifetime - _MARGIN_SECONDS, lifetime / 2)
        if isinstance(answer.get("refresh_token"), str):
            entry.refresh_token = answer["refresh_token"]  # some servers let each be used once


TOKENS = TokenCache()


def _lifetime_seconds(value: object) -> float:
    try:
        seconds = float(cast("Any", value))
    except (TypeError, ValueError):
        return _UNSTATED_LIFETIME_SECONDS
    return max(0.0, seconds)


def _verdict(error: Exception) -> Verdict:
    if not isinstance(error, EmailTokenError) or not error.is_transient:
        return False
    return True if error.retry_after_seconds is None else error.retry_after_seconds


def _post(
    request: TokenRequest,
    refresh_token: str | None,
    context: ssl.SSLContext,
    timeout_seconds: float,
) -> dict[str, Any]:
    import httpx  # Prefect brings it

    redactor = Redactor([request.client_secret, request.refresh_token, refresh_token])
    try:
        host = httpx.URL(request.token_url).host
    except httpx.InvalidURL as exc:
        raise EmailTokenError(f"oauth2_token_url is no address ({exc}). Check oauth2_token_url.") from exc
    subject = f"Token server {host}, client {request.client_id!r}"
    form = request.form(refresh_token)
    try:
        response = httpx.post(
            request.token_url,
            data=form,
            headers={"Accept": "application/json"},
            timeout=timeout_seconds,
            verify=context,
            follow_redirects=False,  # the secrets are for this server only
        )
    except httpx.HTTPError as exc:
        reason = redactor.redact(str(exc)) or type(exc).__name__
        may_pass = isinstance(exc, httpx.TransportError) and not isinstance(exc, httpx.UnsupportedProtocol)
        message = f"{subject}: no answer ({reason}). Check oauth2_token_url."
        raise EmailTokenError(message, is_transient=may_pass) from exc
    try:
        parsed: object = response.json()
    except ValueError:
        parsed = None
    answer = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    if response.is_success and isinstance(answer.get("access_token"), str):
        return answer
    told = " ".join(str(answer[name]) for name in ("error", "error_description") if answer.get(name))
    reason = redactor.redact(told) or "no access token in the answer"
    message = f"{subject}: HTTP {response.status_code}, {reason}."
    if response.status_code in _TRANSIENT:
        wait = retry_after_seconds(response.headers.get("Retry-After"))
        raise EmailTokenError(message, is_transient=True, retry_after_seconds=wait)
    raise EmailTokenError(f"{message} {_remedy(str(answer.get('error')))}")


def _remedy(error: str) -> str:
    """Say what to do about an error of RFC 6749, section 5.2."""
    if error == "invalid_grant":
        return "The refresh token has expired or was revoked; sign in again for a new oauth2_refresh_token."
    if error in ("invalid_client", "unauthorized_client"):
        return "Check oauth2_client_id and oauth2_client_secret."
    if error == "invalid_scope":
        return "Check oauth2_scope."
    return "Check oauth2_token_url and the other oauth2 fields."
