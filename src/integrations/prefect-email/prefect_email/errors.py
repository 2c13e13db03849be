"""What can go wrong when mail is sent.

Each class also is what `smtplib` or Python would raise, so that an `except` written for those keeps working:

    EmailError
    ├── EmailConnectionError (ConnectionError)      no conversation with the server
    │   ├── EmailHostNotFound (socket.gaierror)     its name has no address
    │   ├── EmailConnectionRefused (ConnectionRefusedError)
    │   ├── EmailConnectionLost (SMTPServerDisconnected)
    │   ├── EmailServerUnavailable (SMTPConnectError)   it greets with a refusal
    │   ├── EmailTimeout (TimeoutError)
    │   └── EmailTLSError (ssl.SSLError)
    │       └── EmailCertificateError (ssl.SSLCertVerificationError)
    ├── EmailAuthenticationError (SMTPAuthenticationError)
    │   └── EmailTokenError                         no OAuth 2.0 token
    ├── EmailInsecureAuthentication (ValueError)    a password would cross the network readable
    ├── EmailNotSupported (SMTPNotSupportedError)   the server lacks STARTTLS, AUTH or SMTPUTF8
    ├── EmailSenderRefused (SMTPSenderRefused)
    ├── EmailRecipientsRefused (SMTPRecipientsRefused)  some or all; says who got the mail
    ├── EmailRejected (SMTPDataError)               the message itself
    ├── EmailTooLarge (ValueError)
    ├── EmailBatchError                             some mails of many
    └── InvalidEmail (ValueError)
        ├── HeaderInjection                         a control character in a header
        └── InvalidAttachment
            ├── AttachmentNotFound (FileNotFoundError)
            └── AttachmentIsFolder (IsADirectoryError)

`EmailError.is_transient` says whether the same mail may succeed later.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_email.connection import SentEmail

Reply = tuple[int, bytes]
"""A server's answer: the SMTP code and its text."""


class EmailError(Exception):
    """Base of all errors of this package.

    Args:
        message: What happened, to whom, and what to do.
    """

    is_transient: bool = False
    """Whether the same call may succeed later."""

    def __init__(self, message: str) -> None:
        # Not `super()`: the bases that come from smtplib want a code and a reply.
        Exception.__init__(self, message)

    def __str__(self) -> str:
        return str(self.args[0])  # ssl.SSLError has an own form that would show a tuple


class _ReplyError(EmailError):
    """An error that a reply of the server stands for.

    Args:
        message: What happened, to whom, and what to do.
        smtp_code: The reply's code, 0 when there was none.
        smtp_error: The reply's text.
    """

    def __init__(self, message: str, *, smtp_code: int = 0, smtp_error: bytes = b"") -> None:
        super().__init__(message)
        self.smtp_code = smtp_code
        self.smtp_error: bytes | str = smtp_error
        self.is_transient = 400 <= smtp_code < 500


class EmailConnectionError(EmailError, ConnectionError):
    """The server cannot be reached, or the conversation with it broke off."""


class EmailHostNotFound(EmailConnectionError, socket.gaierror):
    """The server's name has no address."""


class EmailConnectionRefused(EmailConnectionError, ConnectionRefusedError):
    """Nothing listens on the port."""

    is_transient = True


class EmailConnectionLost(EmailConnectionError, smtplib.SMTPServerDisconnected):
    """The server closed the connection."""

    is_transient = True


class EmailServerUnavailable(_ReplyError, EmailConnectionError, smtplib.SMTPConnectError):
    """The server answers, but takes no mail now."""


class EmailTimeout(EmailConnectionError, TimeoutError):
    """The server gave no answer in time."""

    is_transient = True


class EmailTLSError(EmailConnectionError, ssl.SSLError):
    """No encrypted connection could be made."""


class EmailCertificateError(EmailTLSError, ssl.SSLCertVerificationError):
    """The server's certificate is not trusted, or not for this server."""


class EmailAuthenticationError(_ReplyError, smtplib.SMTPAuthenticationError):
    """The server does not accept the login."""


class EmailTokenError(EmailAuthenticationError):
    """No OAuth 2.0 access token could be had.

    Args:
        message: What happened, to whom, and what to do.
        is_transient: Whether the same call may succeed later.
        retry_after_seconds: When the token server wants to be asked again, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        is_transient: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.is_transient = is_transient
        self.retry_after_seconds = retry_after_seconds


class EmailInsecureAuthentication(EmailError, ValueError):
    """A password or token would go over an unencrypted connection."""


class EmailNotSupported(EmailError, smtplib.SMTPNotSupportedError):
    """The server lacks something that this mail or these credentials need."""


class EmailSenderRefused(_ReplyError, smtplib.SMTPSenderRefused):  # pyright: ignore[reportIncompatibleVariableOverride]
    """The server does not take mail from this sender.

    Args:
        message: What happened, to whom, and what to do.
        smtp_code: The reply's code, 0 when there was none.
        smtp_error: The reply's text.
        sender: The envelope sender.
    """

    def __init__(self, message: str, *, smtp_code: int = 0, smtp_error: bytes = b"", sender: str = "") -> None:
        super().__init__(message, smtp_code=smtp_code, smtp_error=smtp_error)
        self.sender = sender


class EmailRecipientsRefused(EmailError, smtplib.SMTPRecipientsRefused):
    """Some or all recipients were refused; all others got the mail before this was raised.

    Args:
        message: What happened, to whom, and what to do.
        recipients: The server's reply for each address that was refused. The code is 0 where it gave none.
        accepted: The addresses that got the mail.
    """

    def __init__(
        self,
        message: str,
        *,
        recipients: Mapping[str, Reply] | None = None,
        accepted: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.recipients = dict(recipients or {})
        self.accepted = accepted
        self.is_transient = bool(self.recipients) and all(
            code == 0 or 400 <= code < 500 for code, _ in self.recipients.values()
        )


class EmailRejected(_ReplyError, smtplib.SMTPDataError):
    """The server does not take this message."""


class EmailTooLarge(EmailError, ValueError):
    """The message is larger than the server or the caller allows."""


class InvalidEmail(EmailError, ValueError):
    """The mail cannot be built from what was given."""


class HeaderInjection(InvalidEmail):
    """A header, address or file name holds a line break or another control character."""


class InvalidAttachment(InvalidEmail):
    """An attachment cannot be made from what was given."""


class AttachmentNotFound(InvalidAttachment, FileNotFoundError):
    """There is no file at an attachment's path."""


class AttachmentIsFolder(InvalidAttachment, IsADirectoryError):
    """An attachment's path is a folder."""


class EmailBatchError(EmailError):
    """Some of many mails were not sent.

    Args:
        message: What happened, and what to do.
        sent: What was sent, by position in the batch.
        failures: Why the others were not, by position in the batch. A mail that was sent to some of its
            recipients only is among these, with an `EmailRecipientsRefused`.
    """

    def __init__(
        self,
        message: str,
        *,
        sent: Mapping[int, SentEmail] | None = None,
        failures: Mapping[int, EmailError] | None = None,
    ) -> None:
        super().__init__(message)
        self.sent = dict(sent or {})
        self.failures = dict(failures or {})
        self.is_transient = bool(self.failures) and all(failure.is_transient for failure in self.failures.values())
