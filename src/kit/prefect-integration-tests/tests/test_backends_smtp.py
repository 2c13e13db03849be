"""The mail servers: real conversations, a memory of them, and the faults that were asked for."""

from __future__ import annotations

import smtplib
import ssl
from typing import Any

import pytest

from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.smtp import OAUTH2_TOKEN, PASSWORD, USERNAME, SMTPBackend, serve_smtp

MESSAGE = "Subject: Hi\r\n\r\nx"


@pytest.fixture
def plain(smtp_plain: SMTPBackend) -> SMTPBackend:
    smtp_plain.mailbox.reset()
    return smtp_plain


@pytest.fixture
def context(private_ca: PrivateCA) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=private_ca.ca_file)


def client(backend: SMTPBackend, context: ssl.SSLContext | None = None, timeout: float = 5) -> smtplib.SMTP:
    if backend.smtp_type == "SSL":
        return smtplib.SMTP_SSL(backend.host, backend.port, timeout=timeout, context=context)
    server = smtplib.SMTP(backend.host, backend.port, timeout=timeout)
    if backend.smtp_type == "STARTTLS":
        server.starttls(context=context)
    return server


def test_a_mail_is_kept_with_its_envelope(plain: SMTPBackend) -> None:
    with client(plain) as server:
        server.sendmail("me@x.com", ["a@x.com", "b@x.com"], MESSAGE)
    mail = plain.mailbox.only()
    assert (mail.sender, mail.recipients, mail.is_encrypted, mail.username) == (
        "me@x.com",
        ("a@x.com", "b@x.com"),
        False,
        None,
    )
    assert mail.message["Subject"] == "Hi"
    assert plain.mailbox.messages[0]["Subject"] == "Hi"


def test_there_is_not_one_mail_before_it_came(plain: SMTPBackend) -> None:
    with pytest.raises(AssertionError, match="0 mails arrived"):
        plain.mailbox.only()


@pytest.mark.parametrize("fixture", ["smtp_starttls", "smtp_ssl"])
def test_encryption_and_login_are_required(
    fixture: str, context: ssl.SSLContext, request: pytest.FixtureRequest
) -> None:
    backend: SMTPBackend = request.getfixturevalue(fixture)
    backend.mailbox.reset()
    with client(backend, context) as server:
        with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
            server.sendmail("me@x.com", ["a@x.com"], MESSAGE)
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            server.login(USERNAME, "wrong")
        server.login(USERNAME, PASSWORD)
        server.sendmail("me@x.com", ["a@x.com"], MESSAGE)
    assert (backend.mailbox.only().is_encrypted, backend.mailbox.only().username) == (True, USERNAME)
    assert [login.is_accepted for login in backend.mailbox.logins] == [False, False, True]  # PLAIN, LOGIN; PLAIN
    assert backend.mailbox.connections == 1


def test_starttls_is_asked_for(smtp_starttls: SMTPBackend) -> None:
    with (
        smtplib.SMTP(smtp_starttls.host, smtp_starttls.port, timeout=5) as server,
        pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"),
    ):
        server.sendmail("me@x.com", ["a@x.com"], MESSAGE)


def test_the_certificate_is_trusted_by_its_authority_only(smtp_ssl: SMTPBackend) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        client(smtp_ssl, ssl.create_default_context())


def test_a_token_logs_in_and_another_is_refused(smtp_xoauth2: SMTPBackend, context: ssl.SSLContext) -> None:
    smtp_xoauth2.mailbox.reset()

    def answer(token: str) -> Any:
        return lambda challenge=None: f"user={USERNAME}\x01auth=Bearer {token}\x01\x01" if challenge is None else ""

    with client(smtp_xoauth2, context) as server:
        server.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            server.auth("XOAUTH2", answer("old"))
        server.auth("XOAUTH2", answer(OAUTH2_TOKEN))
    assert [login.is_accepted for login in smtp_xoauth2.mailbox.logins] == [False, True]


def test_a_fault_strikes_as_often_as_asked(plain: SMTPBackend) -> None:
    plain.mailbox.fail("MAIL", "451 later", times=2)
    with client(plain) as server:
        server.ehlo()
        assert [server.mail("me@x.com")[0] for _ in range(3)] == [451, 451, 250]


def test_one_recipient_is_refused(plain: SMTPBackend) -> None:
    plain.mailbox.refuse("b@x.com")
    with client(plain) as server:
        refused = server.sendmail("me@x.com", ["a@x.com", "b@x.com"], MESSAGE)
    assert list(refused) == ["b@x.com"]
    assert plain.mailbox.only().recipients == ("a@x.com",)


@pytest.mark.parametrize("stage", ["EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_a_conversation_ends_or_stops_where_asked(stage: Any, fault: str, plain: SMTPBackend) -> None:
    getattr(plain.mailbox, fault)(stage)
    server = client(plain, timeout=0.3)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out" if fault == "hang" else "closed|reset"):
        server.sendmail("me@x.com", ["a@x.com"], MESSAGE)
    assert plain.mailbox.mails == []
    plain.mailbox.wait_for(lambda mailbox: mailbox.open_connections == 0)


def test_the_greeting_can_be_a_refusal(plain: SMTPBackend) -> None:
    plain.mailbox.fail("CONNECT", "421 busy")
    with pytest.raises(smtplib.SMTPConnectError, match="busy"):
        client(plain)


def test_reset_forgets_everything_and_cuts_connections(plain: SMTPBackend) -> None:
    server = client(plain)
    server.sendmail("me@x.com", ["a@x.com"], MESSAGE)
    plain.mailbox.refuse("a@x.com")
    plain.mailbox.reset()
    assert (plain.mailbox.mails, plain.mailbox.connections, plain.mailbox.open_connections) == ([], 0, 0)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        server.noop()
    with client(plain) as again:
        assert again.sendmail("me@x.com", ["a@x.com"], MESSAGE) == {}


def test_a_server_with_tls_needs_an_authority() -> None:
    with pytest.raises(ValueError, match="give `ca`"), serve_smtp("SSL"):
        pass


def test_a_server_ends_with_its_block() -> None:
    with serve_smtp() as backend:
        server = client(backend)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        server.noop()
    with pytest.raises(ConnectionRefusedError):
        client(backend)
