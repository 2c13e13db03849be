"""Real SMTP servers on loopback, with a mailbox that remembers what came in and can be told to fail.

Each server runs in a thread of this process (`aiosmtpd`), on a free port:

- `smtp_plain`: no TLS, no login.
- `smtp_starttls`: STARTTLS and a login are required.
- `smtp_ssl`: TLS from the first byte; a login is required.
- `smtp_xoauth2`: STARTTLS and a login by OAuth 2.0 token are required.

The fixtures live for the session: call `backend.mailbox.reset()` before each test. `serve_smtp` starts any other kind.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from prefect_integration_tests.backends.certificates import Certificate, PrivateCA
from prefect_integration_tests.backends.mailbox import (
    DROP,
    HANG,
    Login,
    MailBox,
    ReceivedMail,
    Stage,
)

if TYPE_CHECKING:
    from pathlib import Path

    from aiosmtpd.smtp import AuthResult, Envelope, Session

HOST = "127.0.0.1"
USERNAME = "sender@example.com"
PASSWORD = "c4nary-Passw0rd"
OAUTH2_TOKEN = "c4nary-T0ken.of-access"


@dataclass(frozen=True)
class SMTPBackend:
    """A running server and what a client needs to know of it."""

    host: str
    port: int
    smtp_type: Literal["SSL", "STARTTLS", "INSECURE"]
    mailbox: MailBox
    username: str | None = None
    password: str | None = None
    tokens: set[str] = field(default_factory=set[str])
    ca_file: Path | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """Keyword arguments for a credentials block that may send through this server."""
        fields: dict[str, Any] = {
            "smtp_server": self.host,
            "smtp_port": self.port,
            "smtp_type": self.smtp_type,
        }
        if self.username is not None:
            fields["username"] = self.username
        if self.password is not None:
            fields["password"] = self.password
        if self.ca_file is not None:
            fields["ca_file"] = self.ca_file
        return fields


class _Handler:
    """The hooks that `aiosmtpd` calls, one for each command."""

    def __init__(self, backend: SMTPBackend) -> None:
        self._backend = backend
        self._mailbox = backend.mailbox

    async def fault(self, server: Any, stage: Stage, recipient: str | None = None) -> str | None:
        """Take the next fault of a stage; return the reply it asks for, or never."""
        action = self._mailbox.take_fault(stage, recipient)
        if action == DROP:
            server.transport.abort()
        if action in (DROP, HANG):
            await asyncio.Event().wait()  # ended by the cancellation that a closed connection brings
        return action

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        reply = await self.fault(server, "EHLO")
        if reply is not None:
            return [reply]
        session.host_name = hostname
        return replies

    async def handle_AUTH(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, args: list[str]
    ) -> Any:
        from aiosmtpd.smtp import MISSING

        return await self.fault(server, "AUTH") or MISSING

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = await self.fault(server, "MAIL")
        if reply is not None:
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = await self.fault(server, "RCPT", address)
        if reply is not None:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        reply = await self.fault(server, "DATA")
        if reply is not None:
            return reply
        mail = ReceivedMail(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            content=cast("bytes", envelope.original_content),
            mail_options=tuple(envelope.mail_options),
            is_encrypted=server.is_encrypted,
            username=session.auth_data.login.decode() if session.auth_data else None,
        )
        self._mailbox.add_mail(mail)
        return "250 OK"

    def authenticate(
        self, server: Any, session: Session, envelope: Envelope, mechanism: str, auth_data: Any
    ) -> AuthResult:
        """Check a user name and password."""
        username = auth_data.login.decode("utf-8", "replace")
        password = auth_data.password.decode("utf-8", "replace")
        accepted = (username, password) == (self._backend.username, self._backend.password)
        return self._record(server, mechanism, username, auth_data, is_accepted=accepted)

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:  # noqa: N802
        """Check a token, as https://developers.google.com/workspace/gmail/imap/xoauth2-protocol describes."""
        from aiosmtpd.smtp import LoginPassword

        response = base64.b64decode(args[1]).decode() if len(args) > 1 else ""
        fields = [part.partition("=") for part in response.split("\x01") if part]
        pairs = {name: value for name, _, value in fields}
        username, token = pairs.get("user", ""), pairs.get("auth", "").removeprefix("Bearer ")
        accepted = username == self._backend.username and token in self._backend.tokens
        if not accepted:
            # The failure comes as a challenge first, which the client must answer with an empty line.
            failure = json.dumps({"status": "401", "schemes": "bearer", "scope": "mail"})
            await server.challenge_auth(failure)
        data = LoginPassword(username.encode(), b"")
        return self._record(server, "XOAUTH2", username, data, is_accepted=accepted)

    def _record(self, server: Any, mechanism: str, username: str, auth_data: Any, *, is_accepted: bool) -> AuthResult:
        from aiosmtpd.smtp import AuthResult

        login = Login(mechanism, username, is_accepted, server.is_encrypted)
        self._mailbox.add_login(login)
        # `handled=False` lets the server send the refusal; otherwise the client would wait for ever.
        return AuthResult(success=is_accepted, handled=False, auth_data=auth_data)


def _is_news(record: logging.LogRecord) -> bool:
    """Keep out what `aiosmtpd` says of its own use of a name that it has deprecated."""
    return "login_data is deprecated" not in record.getMessage()


def _server_class(mailbox: MailBox) -> type[Any]:
    from aiosmtpd.smtp import SMTP

    class Server(SMTP):
        """Counts connections and can fail at the greeting."""

        @property
        def is_encrypted(self) -> bool:
            transport = self.transport
            return transport is not None and transport.get_extra_info("sslcontext") is not None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            is_upgrade = self._original_transport is not None  # STARTTLS calls this a second time
            if not is_upgrade:
                self._counted = cast("asyncio.WriteTransport", transport)
                mailbox.opened(self._counted, self.loop)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            super().connection_lost(error)
            mailbox.closed(self._counted)

        async def _handle_client(self) -> None:
            reply = await self.event_handler.fault(self, "CONNECT")
            if reply is not None:
                await self.push(reply)
                cast("asyncio.Transport", self.transport).close()
                return
            await super()._handle_client()

    return Server


def _server_context(certificate: Certificate, client_ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert_file, certificate.key_file)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def serve_smtp(
    smtp_type: Literal["SSL", "STARTTLS", "INSECURE"] = "INSECURE",
    *,
    ca: PrivateCA | None = None,
    certificate: Certificate | None = None,
    mechanisms: tuple[str, ...] = (),
    username: str | None = None,
    password: str | None = None,
    tokens: set[str] | None = None,
    asks_client_certificate: bool = False,
    size_limit_bytes: int | None = 32 * 1024 * 1024,
    offers_smtputf8: bool = True,
) -> Generator[SMTPBackend]:
    """Run a server until the block ends.

    Args:
        smtp_type: `SSL` speaks TLS from the first byte, `STARTTLS` demands the upgrade, `INSECURE` offers neither.
        ca: The authority that signs the server's certificate; needed for TLS.
        certificate: The server's certificate, when it is not to be a good one for `localhost` and 127.0.0.1.
        mechanisms: Ways to log in, of `PLAIN`, `LOGIN` and `XOAUTH2`. With TLS and at least one, login is required.
        username: The account that may log in.
        password: Its password.
        tokens: Its valid access tokens. The set may be changed while the server runs.
        asks_client_certificate: Whether clients must show a certificate of `ca`, with `SSL`.
        size_limit_bytes: The largest message, announced as SIZE; `None` for no limit.
        offers_smtputf8: Whether the server takes addresses that are not ASCII.
    """
    if smtp_type != "INSECURE" and ca is None:
        raise ValueError(f"A server of type {smtp_type} needs a certificate authority: give `ca`.")
    logging.getLogger("mail.log").addFilter(_is_news)
    context: ssl.SSLContext | None = None
    if smtp_type != "INSECURE" and ca is not None:
        certificate = certificate or ca.issue("localhost", "localhost", HOST)
        context = _server_context(certificate, ca.ca_file if asks_client_certificate else None)
    settings: dict[str, Any] = {
        "auth_exclude_mechanism": {"PLAIN", "LOGIN", "XOAUTH2"} - set(mechanisms),
        "auth_required": bool(mechanisms),
        "data_size_limit": size_limit_bytes,
        "enable_SMTPUTF8": offers_smtputf8,
        "hostname": "localhost",  # the default asks the resolver
    }
    if smtp_type == "STARTTLS":
        settings |= {"tls_context": context, "require_starttls": True}

    with socket.create_server((HOST, 0)) as listener:
        backend = SMTPBackend(
            host="localhost" if context is not None else HOST,
            port=listener.getsockname()[1],
            smtp_type=smtp_type,
            mailbox=MailBox(),
            username=username,
            password=password,
            tokens=set() if tokens is None else tokens,
            ca_file=ca.ca_file if ca is not None and context is not None else None,
        )
        server_class, handler = _server_class(backend.mailbox), _Handler(backend)

        def connect() -> Any:
            server = server_class(handler, authenticator=handler.authenticate, **settings)
            if smtp_type != "STARTTLS":
                # Only STARTTLS counts as TLS for `aiosmtpd`; a login must also be possible without. As an argument
                # this warns.
                server._auth_require_tls = False  # noqa: SLF001
            return server

        with _loop_in_thread() as loop:
            implicit = context if smtp_type == "SSL" else None

            async def listen() -> asyncio.AbstractServer:
                return await loop.create_server(connect, sock=listener, ssl=implicit)

            server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
            try:
                yield backend
            finally:
                loop.call_soon_threadsafe(server.close)
                backend.mailbox.drop_connections()


@contextmanager
def _loop_in_thread() -> Generator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread; at the end, cancel what still runs in it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="smtp-server", daemon=True)
    thread.start()

    async def cancel_all() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def smtp_plain() -> Generator[SMTPBackend]:
    """A server without TLS and without login."""
    with serve_smtp() as backend:
        yield backend


@pytest.fixture(scope="session")
def smtp_starttls(private_ca: PrivateCA) -> Generator[SMTPBackend]:
    """A server that requires STARTTLS and a login by password."""
    with serve_smtp(
        "STARTTLS",
        ca=private_ca,
        mechanisms=("PLAIN", "LOGIN"),
        username=USERNAME,
        password=PASSWORD,
    ) as backend:
        yield backend


@pytest.fixture(scope="session")
def smtp_ssl(private_ca: PrivateCA) -> Generator[SMTPBackend]:
    """A server that speaks TLS from the first byte and requires a login by password."""
    with serve_smtp(
        "SSL", ca=private_ca, mechanisms=("PLAIN", "LOGIN"), username=USERNAME, password=PASSWORD
    ) as backend:
        yield backend


@pytest.fixture(scope="session")
def smtp_xoauth2(private_ca: PrivateCA) -> Generator[SMTPBackend]:
    """A server that requires STARTTLS and a login by OAuth 2.0 token; `tokens` holds the valid ones."""
    with serve_smtp(
        "STARTTLS",
        ca=private_ca,
        mechanisms=("XOAUTH2",),
        username=USERNAME,
        tokens={OAUTH2_TOKEN},
    ) as backend:
        yield backend
