"""Log in to a mail server: by password, or by OAuth 2.0 token (XOAUTH2)."""

from __future__ import annotations

import base64
import smtplib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from prefect_email._oauth2 import TOKENS, TokenRequest
from prefect_email._replies import Peer, email_errors, is_smtp
from prefect_email._tls import context_of
from prefect_email.errors import (
    EmailAuthenticationError,
    EmailInsecureAuthentication,
    EmailNotSupported,
)
from prefect_integration_kit.redact import Redactor, secrets_in
from prefect_integration_kit.replaced import is_replaced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from prefect_email.credentials import EmailServerCredentials

_PASSWORD_MECHANISMS = {"CRAM-MD5", "PLAIN", "LOGIN"}  # what smtplib speaks
_OAUTH2_HINT = "Check that the access token is for the mailbox of username and has the scope to send mail."


def uses_oauth2(credentials: EmailServerCredentials) -> bool:
    """Say whether credentials log in by token."""
    return credentials.oauth2_token is not None or credentials.oauth2_token_url is not None


def log_in(server: smtplib.SMTP, credentials: EmailServerCredentials, peer: Peer) -> None:
    """Log in as the credentials say.

    Raises:
        EmailNotSupported: If the server does not offer a way to log in that fits.
        EmailAuthenticationError: If the server does not accept the login.
        EmailTokenError: If there is no token to be had.
        EmailInsecureAuthentication: If a secret would go to the token server unencrypted.
    """
    if not uses_oauth2(credentials) and (not is_smtp(server) or is_replaced(server, "login", "smtplib")):
        server.login(credentials.username or "", credentials.password.get_secret_value())
        return
    server.ehlo_or_helo_if_needed()
    offered = cast("Mapping[str, str]", server.esmtp_features).get("auth", "").upper().split()
    if not offered:
        raise EmailNotSupported(
            f"{peer} does not offer a login. If it wants none, leave username empty and give email_from."
        )
    if uses_oauth2(credentials):
        if "XOAUTH2" not in offered:
            raise EmailNotSupported(
                f"{peer} does not take OAuth 2.0 tokens (XOAUTH2), only {', '.join(offered)}. "
                "Use username and password."
            )
        _log_in_by_token(server, credentials, peer)
        return
    if _PASSWORD_MECHANISMS.isdisjoint(offered):
        raise EmailNotSupported(
            f"{peer} takes no passwords in a way that we know, only {', '.join(offered)}. "
            "For XOAUTH2, give oauth2_token or oauth2_token_url."
        )
    _log_in_by_password(server, credentials.username or "", credentials.password.get_secret_value(), offered)


def _log_in_by_password(server: smtplib.SMTP, username: str, password: str, offered: list[str]) -> None:
    if username.isascii() and password.isascii():
        server.login(username, password)
        return
    # smtplib only knows ASCII; PLAIN is defined on UTF-8 (RFC 4616).
    if "PLAIN" not in offered:
        raise EmailNotSupported(
            "A user name or password that is not ASCII needs the login method PLAIN, which the server "
            f"does not offer (only {', '.join(offered)}). Choose an ASCII password."
        )
    response = base64.b64encode(f"\0{username}\0{password}".encode()).decode("ascii")
    code, reply = server.docmd("AUTH", f"PLAIN {response}")
    if code not in (235, 503):  # accepted, already logged in
        raise smtplib.SMTPAuthenticationError(code, reply)


def _log_in_by_token(server: smtplib.SMTP, credentials: EmailServerCredentials, peer: Peer) -> None:
    rejected: str | None = None
    while True:
        token = _access_token(credentials, rejected)
        redactor = Redactor([*secrets_in(credentials), token])
        with_token = replace(peer, redactor=redactor, login_hint=_OAUTH2_HINT)
        try:
            with email_errors(with_token):
                _send_token(server, credentials.username or "", token)
        except EmailAuthenticationError as exc:
            # A cached token may have been revoked; a new one is worth one more try.
            if credentials.oauth2_token_url is None or rejected is not None or exc.is_transient:
                raise
            rejected = token
        else:
            return


def _send_token(server: smtplib.SMTP, username: str, token: str) -> None:
    """Log in as https://developers.google.com/workspace/gmail/imap/xoauth2-protocol says."""

    def respond(challenge: bytes | None = None) -> str:
        # A challenge is the server's reason for a refusal; an empty answer asks for the refusal itself.
        return "" if challenge is not None else f"user={username}\x01auth=Bearer {token}\x01\x01"

    server.auth("XOAUTH2", cast("Any", respond))


def _access_token(credentials: EmailServerCredentials, rejected: str | None) -> str:
    url = credentials.oauth2_token_url
    if url is None:
        return _plain(credentials.oauth2_token) or ""
    if not url.lower().startswith("https://") and not credentials.allow_insecure_auth:
        raise EmailInsecureAuthentication(
            "oauth2_token_url does not begin with https://, so the client's secret would be readable on the "
            "network. Give an https address."
        )
    request = TokenRequest(
        token_url=url,
        client_id=credentials.oauth2_client_id or "",
        client_secret=_plain(credentials.oauth2_client_secret),
        refresh_token=_plain(credentials.oauth2_refresh_token),
        scope=credentials.oauth2_scope,
    )
    return TOKENS.token(request, partial(context_of, credentials), credentials.timeout_seconds, rejected)


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
