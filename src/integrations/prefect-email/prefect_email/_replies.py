"""The one place where failures of `smtplib`, `ssl` and `socket` become errors of this package."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prefect_email.errors import (
    EmailAuthenticationError,
    EmailCertificateError,
    EmailConnectionError,
    EmailConnectionLost,
    EmailConnectionRefused,
    EmailError,
    EmailHostNotFound,
    EmailNotSupported,
    EmailRejected,
    EmailSenderRefused,
    EmailServerUnavailable,
    EmailTimeout,
    EmailTLSError,
    EmailTooLarge,
)
from prefect_integration_kit.redact import Redactor, secrets_in
from prefect_integration_kit.replaced import is_replaced

if TYPE_CHECKING:
    from prefect_email.credentials import EmailServerCredentials

_ENDS_OF_FILE = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_CLOSING = 421  # RFC 5321, section 3.8: the server ends the conversation
_TOO_LARGE = 552  # RFC 1870, section 6
_LOGIN_REQUIRED = 530  # RFC 4954, section 6
_START_TLS_FIRST = "starttls"
_MISSING: Any = object()
_SENDER_OF_MOCKS = "sender@example.invalid"

# Providers whose accounts take no ordinary password over SMTP, and where to get one that works.
_APP_PASSWORDS = {
    "smtp.gmail.com": "Gmail needs an App Password (https://support.google.com/accounts/answer/185833) "
    "or OAuth 2.0 (oauth2_token).",
    "smtp.mail.yahoo.com": "Yahoo needs an app password.",
    "smtp.aol.com": "AOL needs an app password.",
    "smtp.mail.me.com": "iCloud needs an app-specific password.",
    "smtp.mail.att.net": "AT&T needs a secure mail key.",
    "smtp-mail.outlook.com": "Outlook takes no passwords any more; use OAuth 2.0 (oauth2_token).",
    "smtp.office365.com": "Microsoft 365 takes no passwords any more; use OAuth 2.0 (oauth2_token_url).",
}


@dataclass(frozen=True)
class Peer:
    """The server that a failure is about, and what must not be said about it.

    Attributes:
        host: Its name.
        port: Its port.
        timeout_seconds: How long we wait for each answer.
        redactor: Knows the secrets that a server's reply may repeat.
        login_hint: What to do when the server does not accept the login; what is usual at the server when not given.
    """

    host: str
    port: int
    timeout_seconds: float
    redactor: Redactor = field(default_factory=lambda: Redactor([]), repr=False)
    login_hint: str | None = None

    @classmethod
    def of(cls, credentials: EmailServerCredentials) -> Peer:
        """Describe the server that credentials are for."""
        server, kind = field_of(credentials, "smtp_server"), field_of(credentials, "smtp_type")
        return cls(
            host=server if isinstance(server, str) else server.value,
            port=field_of(credentials, "smtp_port") or int(kind if isinstance(kind, str) else kind.value),
            timeout_seconds=field_of(credentials, "timeout_seconds"),
            redactor=Redactor(secrets_in(credentials)),
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def said(self, code: int, reply: bytes | str) -> str:
        """Write a reply on one line, without secrets."""
        return f"{code} {' '.join(self.clean(reply).split())}".strip()

    def clean(self, reply: bytes | str) -> str:
        """Decode a reply and mask secrets in it."""
        text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
        return self.redactor.redact(text)


def _timed_out(exc: BaseException) -> bool:
    """Say whether a time-out is the cause; `smtplib` reports one as a lost connection."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, TimeoutError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _scrub(exc: BaseException, redactor: Redactor) -> None:
    """Mask secrets in an exception that becomes the cause of ours, and so is shown with it."""
    seen: BaseException | None = exc
    while seen is not None:
        if redactor.found_in(repr(seen.args)) or redactor.found_in(str(seen)):
            seen.args = tuple(_masked(arg, redactor) for arg in seen.args)
            if isinstance(seen, smtplib.SMTPResponseException):
                seen.smtp_error = _masked(seen.smtp_error, redactor)
        seen = seen.__cause__ or seen.__context__


def _masked(value: object, redactor: Redactor) -> bytes | str:
    if isinstance(value, bytes):
        return redactor.redact(value.decode("utf-8", "replace")).encode()
    return redactor.redact(value) if isinstance(value, str) else redactor.redact(repr(value))


def translate(exc: Exception, peer: Peer) -> EmailError:
    """Return this package's error for a failure, naming the server, the cause and the remedy."""
    if isinstance(exc, EmailError):
        return exc
    _scrub(exc, peer.redactor)
    if isinstance(exc, smtplib.SMTPResponseException):
        return _from_reply(exc, peer)
    if isinstance(exc, smtplib.SMTPNotSupportedError):
        return EmailNotSupported(f"{peer}: {peer.clean(str(exc))}")
    return _from_network(exc, peer)


def _from_reply(exc: smtplib.SMTPResponseException, peer: Peer) -> EmailError:
    code, reply = exc.smtp_code, exc.smtp_error
    said = peer.said(code, reply)
    text = peer.clean(reply).encode()
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        if 400 <= code < 500:
            hint = "That may pass; try again later."
        else:
            hint = peer.login_hint or _APP_PASSWORDS.get(peer.host, "Check username and password.")
        return EmailAuthenticationError(
            f"{peer} does not accept the login ({said}). {hint}", smtp_code=code, smtp_error=text
        )
    if code == _CLOSING:
        return EmailServerUnavailable(f"{peer} takes no mail now ({said}).", smtp_code=code, smtp_error=text)
    is_about_mail = isinstance(exc, smtplib.SMTPSenderRefused | smtplib.SMTPDataError)
    if is_about_mail and code == _TOO_LARGE:
        return EmailTooLarge(f"{peer} takes no message of this size ({said}). Send less, or a link to the file.")
    if isinstance(exc, smtplib.SMTPSenderRefused):
        sender = str(exc.sender)
        return EmailSenderRefused(
            f"{peer} takes no mail from {sender!r} ({said}).{_sender_hint(code, said)}",
            sender=sender,
            smtp_code=code,
            smtp_error=text,
        )
    if isinstance(exc, smtplib.SMTPDataError):
        return EmailRejected(f"{peer} does not take the message ({said}).", smtp_code=code, smtp_error=text)
    return EmailServerUnavailable(f"{peer} takes no mail now ({said}).", smtp_code=code, smtp_error=text)


def _sender_hint(code: int, said: str) -> str:
    if code != _LOGIN_REQUIRED:
        return ""
    if _START_TLS_FIRST in said.lower():
        return " The server wants encryption: set smtp_type to 'STARTTLS' or 'SSL'."
    return " The server wants a login: set username and password."


def _from_network(exc: Exception, peer: Peer) -> EmailError:
    reason = peer.clean(getattr(exc, "reason", None) or getattr(exc, "strerror", None) or str(exc))
    if _timed_out(exc):
        return EmailTimeout(
            f"{peer} gave no answer within {peer.timeout_seconds:g} seconds. Check smtp_server and "
            "smtp_port, and that smtp_type is what this port speaks; raise timeout_seconds for a slow server."
        )
    if isinstance(exc, ssl.SSLCertVerificationError):
        return EmailCertificateError(
            f"{peer}: the certificate is not trusted ({exc.verify_message or reason}). Name its authority "
            "in ca_file, or the server by the name that the certificate is for in smtp_server."
        )
    if isinstance(exc, ssl.SSLError) and not isinstance(exc, _ENDS_OF_FILE):
        return EmailTLSError(
            f"{peer}: no TLS connection ({reason}). If the port does not speak TLS from the first byte, "
            "set smtp_type to 'STARTTLS'."
        )
    if isinstance(exc, (*_ENDS_OF_FILE, smtplib.SMTPServerDisconnected, ConnectionResetError, BrokenPipeError)):
        return EmailConnectionLost(f"{peer} closed the connection ({reason or 'no reason given'}).")
    if isinstance(exc, socket.gaierror):
        error = EmailHostNotFound(f"{peer}: the name has no address ({reason}). Check smtp_server.")
        error.is_transient = exc.errno == socket.EAI_AGAIN
        return error
    if isinstance(exc, UnicodeError):  # from the `idna` codec
        return EmailHostNotFound(f"{peer}: {peer.host!r} is no valid host name. Check smtp_server.")
    if isinstance(exc, ConnectionRefusedError):
        return EmailConnectionRefused(f"{peer}: nothing listens there. Check smtp_server, smtp_port and smtp_type.")
    return EmailConnectionError(f"{peer} cannot be reached ({reason}).")


@contextmanager
def email_errors(peer: Peer) -> Generator[None]:
    """Raise failures of the conversation with `peer` as this package's errors."""
    try:
        yield
    except EmailError:
        raise
    except (OSError, EOFError, UnicodeError) as exc:  # smtplib's errors are OSErrors
        raise translate(exc, peer) from exc


def field_of(credentials: EmailServerCredentials, name: str) -> Any:
    """Get a field; its default where something without it stands in for the block, as in tests of flows.

    A mock has every attribute, and says nothing by it; mails that it sends have a sender all the same.
    """
    from prefect_email.credentials import EmailServerCredentials

    value = getattr(credentials, name, _MISSING)
    if type(value).__module__ == "unittest.mock":
        value = _SENDER_OF_MOCKS if name == "username" else _MISSING
    if value is not _MISSING:
        return value
    return EmailServerCredentials.model_fields[name].get_default(call_default_factory=True)


def is_smtp(server: object) -> bool:
    """Say whether this is a connection of `smtplib`, and not what replaces it or its sending in tests of flows."""
    is_connection = any(kind.__module__ == "smtplib" for kind in type(server).__mro__)
    return is_connection and not any(is_replaced(server, name, "smtplib") for name in ("send_message", "sendmail"))
