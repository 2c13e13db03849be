"""Who we are at a mail server, and how it is reached."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from prefect.blocks.core import Block
from prefect.logging.loggers import get_logger
from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from prefect_email.errors import EmailInsecureAuthentication, EmailNotSupported
from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.replaced import is_replaced

if TYPE_CHECKING:
    import logging
    from smtplib import SMTP

    from typing_extensions import Self

    from prefect_email._replies import Peer
    from prefect_email.connection import EmailConnection

internal_logger = get_logger(__name__)

_NOT_IN_A_HOST = re.compile(r"[\s/@]")
_E = TypeVar("_E", bound=Enum)
_LOGO_URL = "https://cdn.sanity.io/images/3ugk85nk/production/82bc6ed16ca42a2252a5512c72233a253b8a58eb-250x250.png"


class SMTPType(Enum):
    """How a connection is encrypted; the value is the usual port.

    Attributes:
        SSL: TLS from the first byte.
        STARTTLS: A plain greeting, then TLS before anything else is said.
        INSECURE: No encryption, and so no login; for relays on the same machine or network.
    """

    SSL = 465
    STARTTLS = 587
    INSECURE = 25


class SMTPServer(Enum):
    """Servers of well-known providers; the value is the host name."""

    AOL = "smtp.aol.com"
    ATT = "smtp.mail.att.net"
    COMCAST = "smtp.comcast.net"
    ICLOUD = "smtp.mail.me.com"
    GMAIL = "smtp.gmail.com"
    OUTLOOK = "smtp-mail.outlook.com"
    YAHOO = "smtp.mail.yahoo.com"


def _member(enum: type[_E], value: object) -> _E | None:
    """Find a member by itself, its name in any case, or its value."""
    if isinstance(value, enum):
        return value
    text = str(value).strip()
    for member in enum:
        if text.upper() == member.name or text.lower() == str(member.value):
            return member
    return None


def __getattr__(name: str) -> Any:
    """Give the classes of `smtplib` that tests of flows look for here, to put others in their place."""
    if name not in ("SMTP", "SMTP_SSL"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import smtplib

    return getattr(smtplib, name)


def _class_in_use(name: str) -> Callable[..., Any]:
    """Find a class of `smtplib`, or what somebody has put in its place, here or there."""
    import smtplib

    here = globals().get(name)
    # What is put back after a test is the class itself.
    return getattr(smtplib, name) if here is None or here.__module__ == "smtplib" else here


def _known_to(make: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a stand-in for `smtplib`, as in tests of flows, does not take."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return options
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return options
    names = {parameter.name for parameter in parameters}
    return {name: value for name, value in options.items() if name in names}


class EmailServerCredentials(QuickKey, Block):
    """A mail server and the account to use there.

    Gmail wants an [App Password](https://support.google.com/accounts/answer/185833). Accounts that take no passwords
    (Microsoft 365, Gmail with OAuth) log in with an OAuth 2.0 access token: give `oauth2_token`, or what is needed to
    fetch one.

    Example:
        Load a stored block and send a mail:

        ```python
        from prefect import flow
        from prefect_email import EmailServerCredentials, email_send_message

        @flow
        def send_report():
            credentials = EmailServerCredentials.load("BLOCK_NAME")
            email_send_message(
                email_server_credentials=credentials,
                subject="Nightly report",
                msg="<p>All went well.</p>",
                email_to="team@example.com",
            )
        ```
    """

    # A validation error would otherwise show all that was given, passwords too.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Email Server Credentials"
    _logo_url = _LOGO_URL  # pyright: ignore[reportAssignmentType]
    _documentation_url = "https://docs.prefect.io/integrations/prefect-email"  # pyright: ignore[reportAssignmentType]

    username: str | None = Field(
        default=None,
        description="The account to log in with, and the author of mails that name no other. "
        "Leave it empty when the server wants no login.",
    )
    password: SecretStr = Field(
        default_factory=partial(SecretStr, ""),
        description="The account's password; for Gmail, Yahoo and iCloud an app password.",
    )
    smtp_server: SMTPServer | str = Field(
        default=SMTPServer.GMAIL,
        title="SMTP Server",
        description="The server's host name, or the name of a known provider, such as gmail.",
    )
    smtp_type: SMTPType | str = Field(
        default=SMTPType.SSL,
        title="SMTP Type",
        description="How the connection is secured: SSL, STARTTLS or INSECURE.",
    )
    smtp_port: int | None = Field(
        default=None,
        title="SMTP Port",
        ge=1,
        le=65535,
        description="The server's port; the usual one of the SMTP type when not given.",
    )
    verify: bool | None = Field(
        default=True,
        description="Whether the server must prove its identity by a certificate. "
        "Without that, anyone between can read the mail and the password; prefer a CA file.",
    )
    ca_file: Path | None = Field(
        default=None,
        title="CA File",
        description="PEM file of certificate authorities to trust beside those of the system, "
        "for servers with a certificate of a private authority.",
    )
    client_cert_file: Path | None = Field(
        default=None,
        description="PEM file of our own certificate, for servers that ask for one.",
    )
    client_key_file: Path | None = Field(
        default=None,
        description="PEM file of the key to the client certificate, if it is not in the same file.",
    )
    client_key_password: SecretStr | None = Field(
        default=None, description="Password of the client key, if it is encrypted."
    )
    allow_insecure_auth: bool = Field(
        default=False,
        description="Whether to log in even over an unencrypted connection, "
        "where anyone between can read the password.",
    )
    oauth2_token: SecretStr | None = Field(
        default=None,
        title="OAuth 2.0 Token",
        description="Access token to log in with (XOAUTH2) in place of a password. It expires soon; with a "
        "token URL, tokens are fetched instead.",
    )
    oauth2_token_url: str | None = Field(
        default=None,
        title="OAuth 2.0 Token URL",
        description="Where to fetch access tokens, such as https://oauth2.googleapis.com/token or "
        "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token.",
    )
    oauth2_client_id: str | None = Field(
        default=None,
        title="OAuth 2.0 Client ID",
        description="The application that fetches access tokens.",
    )
    oauth2_client_secret: SecretStr | None = Field(
        default=None,
        title="OAuth 2.0 Client Secret",
        description="The application's secret. Without a refresh token, it fetches tokens by itself "
        "(client credentials).",
    )
    oauth2_refresh_token: SecretStr | None = Field(
        default=None,
        title="OAuth 2.0 Refresh Token",
        description="What a user's sign-in left; it fetches access tokens for that user.",
    )
    oauth2_scope: str | None = Field(
        default=None,
        title="OAuth 2.0 Scope",
        description="Scope to ask for, such as https://outlook.office365.com/.default.",
    )
    timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds to wait for the connection, and for each answer of the server.",
    )
    max_attempts: int = Field(
        default=4,
        ge=1,
        description="How often a mail is tried when the server is out of reach or says that it may "
        "take the mail later; 1 for no second try.",
    )
    max_message_bytes: int | None = Field(
        default=None,
        ge=1,
        description="The largest encoded message to send; without it, the server's limit holds.",
    )

    @field_validator("smtp_server", mode="before")
    @classmethod
    def _known_server(cls, value: object) -> object:
        return _member(SMTPServer, value) or (value.strip() if isinstance(value, str) else value)

    @field_validator("smtp_server")
    @classmethod
    def _one_host(cls, value: SMTPServer | str) -> SMTPServer | str:
        if isinstance(value, str) and (_NOT_IN_A_HOST.search(value) or not value or value.count(":") == 1):
            raise ValueError(
                f"{value!r} is no host name. Give one such as 'smtp.example.com', without protocol and "
                f"port, or one of {', '.join(SMTPServer.__members__)}."
            )
        return value

    @field_validator("smtp_type", mode="before")
    @classmethod
    def _known_type(cls, value: object) -> SMTPType:
        member = _member(SMTPType, value)
        if member is None:
            raise ValueError(f"{value!r} is no SMTP type. Give SSL, STARTTLS or INSECURE.")
        return member

    @model_validator(mode="after")
    def _complete_oauth2(self) -> Self:
        from prefect_email._login import uses_oauth2

        if self.oauth2_token_url is not None and (
            self.oauth2_client_id is None or (self.oauth2_refresh_token is None and self.oauth2_client_secret is None)
        ):
            raise ValueError(
                "oauth2_token_url also needs oauth2_client_id, and oauth2_refresh_token or oauth2_client_secret."
            )
        if uses_oauth2(self) and not self.username:
            raise ValueError("OAuth 2.0 needs username: the address of the mailbox to send from.")
        return self

    @property
    def logger(self) -> logging.Logger | logging.LoggerAdapter[Any]:
        """The logger of the current flow or task run, else that of this package."""
        return run_logger(__name__)

    def get_server(self) -> SMTP:
        """Open a connection, encrypt it as `smtp_type` says, and log in.

        This is tried once; `connect` gives a connection that is renewed when it breaks.

        Returns:
            The connection, ready to send. As a context manager it ends the conversation.

        Raises:
            EmailInsecureAuthentication: If a password would go over an unencrypted connection.
            EmailConnectionError: If the server cannot be reached. Its subclasses say why.
            EmailAuthenticationError: If the server does not accept the login.
            EmailNotSupported: If the server does not offer what the fields ask for.

        Example:
            Ask a server what it offers:

            ```python
            from prefect_email import EmailServerCredentials

            credentials = EmailServerCredentials.load("BLOCK_NAME")
            with credentials.get_server() as server:
                print(server.esmtp_features)
            ```
        """
        from prefect_email._login import log_in, uses_oauth2
        from prefect_email._replies import Peer, email_errors

        has_secret = uses_oauth2(self) or bool(self.password.get_secret_value())
        logs_in = self.username is not None and (has_secret or self.smtp_type is not SMTPType.INSECURE)
        peer = Peer.of(self)
        if logs_in and self.smtp_type is SMTPType.INSECURE and not self.allow_insecure_auth:
            raise EmailInsecureAuthentication(
                f"{peer}: smtp_type is INSECURE, so the login of {self.username!r} would be readable on the network. "
                "Set smtp_type to 'STARTTLS' or 'SSL'; leave out the password if the server wants none; or, on a "
                "network that you trust, set allow_insecure_auth=True."
            )
        with email_errors(peer):
            server = self._open(peer)
            try:
                if self.smtp_type is SMTPType.STARTTLS:
                    self._start_tls(server, peer)
                if logs_in:
                    log_in(server, self, peer)
            except BaseException:
                if hasattr(server, "close"):  # what replaces `smtplib` in tests of flows may have none
                    server.close()
                raise
        return server

    def connect(self) -> EmailConnection:
        """Return a connection that many mails can share.

        It is made when the first mail is sent, made anew when the server has dropped it, and works with `with` and
        `async with`.

        Example:
            Send one mail to each of many readers:

            ```python
            from prefect_email import EmailServerCredentials

            credentials = EmailServerCredentials.load("BLOCK_NAME")
            with credentials.connect() as connection:
                for reader in ("a@example.com", "b@example.com"):
                    connection.send(subject="News", msg="<p>Hello!</p>", email_to=reader)
            ```
        """
        from prefect_email.connection import EmailConnection

        return EmailConnection(self)

    def _open(self, peer: Peer) -> SMTP:
        from prefect_email._tls import context_of

        options: dict[str, Any] = {"timeout": self.timeout_seconds}
        if self.smtp_type is SMTPType.SSL:
            options["context"] = context_of(self)
        make = _class_in_use("SMTP_SSL" if self.smtp_type is SMTPType.SSL else "SMTP")
        return make(peer.host, peer.port, **_known_to(make, options))

    def _start_tls(self, server: SMTP, peer: Peer) -> None:
        from prefect_email._tls import context_of

        if is_replaced(server, "starttls", "smtplib"):
            server.starttls(**_known_to(server.starttls, {"context": context_of(self)}))
            return
        server.ehlo_or_helo_if_needed()
        if not server.has_extn("starttls"):
            raise EmailNotSupported(
                f"{peer} does not offer STARTTLS. Set smtp_type to 'SSL' (usually port 465) or, for a relay that you "
                "trust, to 'INSECURE'."
            )
        server.starttls(context=context_of(self))
