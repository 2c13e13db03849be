"""Connections: many mails share one, it is renewed when it breaks, and nobody gets a mail twice."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import MagicMock, patch

import pytest

from prefect_email import EmailConnection, EmailServerCredentials, SentEmail, email_send_message
from prefect_email.errors import (
    EmailAuthenticationError,
    EmailConnectionLost,
    EmailConnectionRefused,
    EmailNotSupported,
    EmailRecipientsRefused,
    EmailRejected,
    EmailSenderRefused,
    EmailServerUnavailable,
    EmailTimeout,
    EmailTooLarge,
)
from prefect_integration_tests.backends.smtp import PASSWORD, SMTPBackend, serve_smtp

Maker = Callable[..., EmailServerCredentials]
MAIL: dict[str, Any] = {"subject": "Hi", "msg": "x", "email_from": "me@x.com", "email_to": "a@x.com"}
TRIO: dict[str, Any] = {**MAIL, "email_to": "a@x.com, b@x.com, c@x.com"}


@pytest.fixture
def connection(plain: SMTPBackend, credentials_for: Maker, fake_clock: Any) -> EmailConnection:
    """A connection that waits for nothing, with three tries."""
    return EmailConnection(credentials_for(plain, max_attempts=3), clock=fake_clock)


def test_many_mails_share_one_connection_and_one_login(tls: SMTPBackend, credentials_for: Maker) -> None:
    with credentials_for(tls).connect() as connection:
        assert not connection.is_open
        sent = [connection.send(**MAIL) for _ in range(20)]
        assert connection.is_open
    assert not connection.is_open
    assert (tls.mailbox.connections, len(tls.mailbox.logins), len(tls.mailbox.mails)) == (1, 1, 20)
    assert [mail["Message-ID"] for mail in tls.mailbox.messages] == [mail.message_id for mail in sent]


async def test_the_async_form_does_the_same(tls: SMTPBackend, credentials_for: Maker) -> None:
    async with credentials_for(tls).connect() as connection:
        sent = await asyncio.gather(*(connection.asend(**MAIL) for _ in range(10)))
    assert (tls.mailbox.connections, len(tls.mailbox.mails)) == (1, 10)
    assert {type(mail) for mail in sent} == {SentEmail}
    tls.mailbox.wait_for(lambda mailbox: mailbox.open_connections == 0)


async def test_the_sync_name_can_be_awaited_in_async_code(plain: SMTPBackend, credentials_for: Maker) -> None:
    connection: Any = credentials_for(plain).connect()
    await connection.send(**MAIL)
    await connection.close()
    assert plain.mailbox.only().recipients == ("a@x.com",)


async def test_the_event_loop_runs_on_while_a_server_is_silent(plain: SMTPBackend, credentials_for: Maker) -> None:
    plain.mailbox.hang("MAIL")
    async with credentials_for(plain, timeout_seconds=0.5, max_attempts=1).connect() as connection:
        sending = asyncio.create_task(connection.asend(**MAIL))
        longest, last = 0.0, time.monotonic()
        while not sending.done():
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        with pytest.raises(EmailTimeout):
            await sending
    assert longest < 0.4


def test_threads_may_share_a_connection(plain: SMTPBackend, credentials_for: Maker) -> None:
    with credentials_for(plain).connect() as connection, ThreadPoolExecutor(8) as pool:
        subjects = [f"mail {number}" for number in range(40)]
        list(pool.map(lambda subject: connection.send(**{**MAIL, "subject": subject}), subjects))
    assert sorted(mail["Subject"] for mail in plain.mailbox.messages) == sorted(subjects)
    assert plain.mailbox.connections == 1


def test_a_connection_that_the_server_has_dropped_is_renewed_at_once(
    plain: SMTPBackend, connection: EmailConnection, fake_clock: Any
) -> None:
    connection.send(**MAIL)
    plain.mailbox.drop_connections()
    before = fake_clock.monotonic()
    connection.send(**MAIL)
    assert (len(plain.mailbox.mails), plain.mailbox.connections) == (2, 2)
    assert fake_clock.monotonic() == before


def test_a_server_that_ends_an_idle_conversation_by_421_is_asked_anew(
    plain: SMTPBackend, credentials_for: Maker
) -> None:
    with credentials_for(plain, max_attempts=1).connect() as connection:
        connection.send(**MAIL)
        plain.mailbox.fail("MAIL", "421 4.4.2 Idle for too long")
        connection.send(**MAIL)
    assert (len(plain.mailbox.mails), plain.mailbox.connections) == (2, 2)


def test_a_closed_connection_can_be_used_again(plain: SMTPBackend, credentials_for: Maker) -> None:
    connection = credentials_for(plain).connect()
    for _ in range(2):
        with connection:
            connection.send(**MAIL)
    assert plain.mailbox.connections == 2


def test_leaving_says_goodbye_even_to_a_server_that_is_gone(plain: SMTPBackend, credentials_for: Maker) -> None:
    with credentials_for(plain).connect() as connection:
        connection.send(**MAIL)
        plain.mailbox.drop_connections()
    assert not connection.is_open


# What may pass


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("CONNECT", "421 4.3.2 Too busy"),
        ("EHLO", "421 4.3.2 Too busy"),
        ("MAIL", "451 4.3.0 Try later"),
        ("MAIL", "421 4.3.2 Shutting down"),
        ("RCPT", "450 4.2.0 Greylisted"),
        ("RCPT", "421 4.3.2 Shutting down"),
        ("DATA", "451 4.3.0 Disk full"),
        ("DATA", "421 4.3.2 Shutting down"),
    ],
)
def test_a_passing_refusal_is_tried_again(
    stage: Any, reply: str, plain: SMTPBackend, connection: EmailConnection, fake_clock: Any
) -> None:
    plain.mailbox.fail(stage, reply, times=2)
    sent = connection.send(**MAIL)
    assert plain.mailbox.only().message["Message-ID"] == sent.message_id
    assert sent.recipients == ("a@x.com",)


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL", "RCPT"])
def test_a_lost_connection_is_tried_again(stage: Any, plain: SMTPBackend, connection: EmailConnection) -> None:
    plain.mailbox.drop(stage, times=2)
    connection.send(**MAIL)
    assert len(plain.mailbox.mails) == 1


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT"])
def test_a_lost_encrypted_connection_is_tried_again(
    stage: Any, tls: SMTPBackend, credentials_for: Maker, fake_clock: Any
) -> None:
    tls.mailbox.drop(stage)
    with EmailConnection(credentials_for(tls), clock=fake_clock) as connection:
        connection.send(**MAIL)
    assert (len(tls.mailbox.mails), tls.mailbox.connections) == (1, 2)


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL", "RCPT"])
def test_a_silent_server_is_tried_again(
    stage: Any, plain: SMTPBackend, credentials_for: Maker, fake_clock: Any
) -> None:
    plain.mailbox.hang(stage)
    with EmailConnection(credentials_for(plain, timeout_seconds=0.4), clock=fake_clock) as connection:
        connection.send(**MAIL)
    assert len(plain.mailbox.mails) == 1


def test_a_server_that_is_silent_after_the_whole_message_is_not_sent_it_twice(
    plain: SMTPBackend, credentials_for: Maker, fake_clock: Any
) -> None:
    plain.mailbox.hang("DATA")
    connection = EmailConnection(credentials_for(plain, timeout_seconds=0.4), clock=fake_clock)
    with pytest.raises(EmailTimeout, match="may have been delivered"):
        connection.send(**MAIL)
    assert plain.mailbox.connections == 1


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_a_server_that_is_lost_after_the_whole_message_is_not_sent_it_twice(
    kind: str, request: pytest.FixtureRequest, credentials_for: Maker, fake_clock: Any
) -> None:
    backend = request.getfixturevalue(kind)
    backend.mailbox.drop("DATA")
    connection = EmailConnection(credentials_for(backend), clock=fake_clock)
    with pytest.raises(EmailConnectionLost, match=r"closed the connection.*may have been delivered") as caught:
        connection.send(**MAIL)
    assert not caught.value.is_transient
    assert (backend.mailbox.connections, fake_clock.sleeps) == (1, [])
    assert not connection.is_open
    connection.send(**MAIL)
    assert len(backend.mailbox.mails) == 1


def test_a_passing_login_failure_is_tried_again(tls: SMTPBackend, credentials_for: Maker, fake_clock: Any) -> None:
    tls.mailbox.fail("AUTH", "454 4.7.0 Temporary authentication failure", times=2)
    with EmailConnection(credentials_for(tls), clock=fake_clock) as connection:
        connection.send(**MAIL)
    assert len(tls.mailbox.mails) == 1


@pytest.mark.parametrize(
    ("stage", "reply", "error", "base"),
    [
        ("CONNECT", "421 4.3.2 Too busy", EmailServerUnavailable, smtplib.SMTPConnectError),
        ("MAIL", "451 4.3.0 Try later", EmailSenderRefused, smtplib.SMTPSenderRefused),
        ("RCPT", "450 4.2.0 Greylisted", EmailRecipientsRefused, smtplib.SMTPRecipientsRefused),
        ("DATA", "451 4.3.0 Disk full", EmailRejected, smtplib.SMTPDataError),
    ],
)
def test_tries_come_to_an_end(
    stage: Any,
    reply: str,
    error: type[Exception],
    base: type[Exception],
    plain: SMTPBackend,
    connection: EmailConnection,
) -> None:
    plain.mailbox.fail(stage, reply, times=None)
    with pytest.raises(error, match=reply.partition(" ")[2]) as caught:
        connection.send(**MAIL)
    assert isinstance(caught.value, base)
    assert getattr(caught.value, "is_transient", False)
    assert plain.mailbox.mails == []


def test_each_try_waits_and_the_number_of_tries_is_the_block_s(
    plain: SMTPBackend, connection: EmailConnection, fake_clock: Any
) -> None:
    plain.mailbox.fail("MAIL", "451 Later", times=3)
    with pytest.raises(EmailSenderRefused):
        connection.send(**MAIL)
    assert len(fake_clock.sleeps) == 2
    connection.send(**MAIL)


def test_a_lost_connection_is_reported_when_tries_end(plain: SMTPBackend, connection: EmailConnection) -> None:
    plain.mailbox.drop("RCPT", times=None)
    with pytest.raises(EmailConnectionLost, match="closed the connection"):
        connection.send(**MAIL)
    assert not connection.is_open


def test_nothing_listening_is_tried_again_and_then_named(fake_clock: Any) -> None:
    credentials = EmailServerCredentials(smtp_server="127.255.255.254", smtp_port=9, smtp_type="INSECURE")
    with pytest.raises(EmailConnectionRefused, match=r"127\.255\.255\.254:9"):
        EmailConnection(credentials, clock=fake_clock).send(**MAIL)
    assert len(fake_clock.sleeps) == 3


# What does not pass


@pytest.mark.parametrize(
    ("stage", "reply", "error"),
    [
        ("CONNECT", "554 5.7.1 Go away", EmailServerUnavailable),
        ("MAIL", "553 5.1.8 Not your address", EmailSenderRefused),
        ("RCPT", "550 5.1.1 No such user", EmailRecipientsRefused),
        ("DATA", "554 5.7.1 Looks like spam", EmailRejected),
        ("DATA", "552 5.3.4 Too big", EmailTooLarge),
        ("MAIL", "552 5.3.4 Too big", EmailTooLarge),
    ],
)
def test_a_final_refusal_is_reported_at_once(
    stage: Any, reply: str, error: type[Exception], plain: SMTPBackend, connection: EmailConnection, fake_clock: Any
) -> None:
    plain.mailbox.fail(stage, reply)
    with pytest.raises(error, match=f"127.0.0.1:{plain.port}.*{reply[4:]}"):
        connection.send(**MAIL)
    assert fake_clock.sleeps == []
    connection.send(**MAIL)  # the connection, or a new one, still works
    assert len(plain.mailbox.mails) == 1


def test_a_wrong_password_is_not_tried_again(tls: SMTPBackend, credentials_for: Maker, fake_clock: Any) -> None:
    with pytest.raises(EmailAuthenticationError):
        EmailConnection(credentials_for(tls, password="wrong"), clock=fake_clock).send(**MAIL)
    assert tls.mailbox.connections == 1


def test_a_login_that_is_needed_is_asked_for(tls: SMTPBackend, credentials_for: Maker) -> None:
    connection = credentials_for(tls, username=None).connect()
    with connection, pytest.raises(EmailSenderRefused, match="set username and password"):
        connection.send(**MAIL)


def test_encryption_that_is_needed_is_asked_for(starttls: SMTPBackend, credentials_for: Maker) -> None:
    connection = credentials_for(starttls, username=None, smtp_type="INSECURE").connect()
    with connection, pytest.raises(EmailSenderRefused, match="set smtp_type to 'STARTTLS'"):
        connection.send(**MAIL)


def test_a_reply_that_repeats_the_password_does_not_bring_it_into_the_error(
    tls: SMTPBackend, credentials_for: Maker
) -> None:
    import base64
    import traceback

    login = base64.b64encode(f"\0{tls.username}\0{PASSWORD}".encode()).decode()
    tls.mailbox.fail("AUTH", f"535 5.7.8 Bad login {login} ({PASSWORD})", times=None)
    with pytest.raises(EmailAuthenticationError) as caught:
        credentials_for(tls).get_server()
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert PASSWORD not in shown
    assert login not in shown
    assert "Bad login" in shown


# Some recipients


def test_the_others_get_the_mail_before_a_refusal_is_reported(plain: SMTPBackend, connection: EmailConnection) -> None:
    plain.mailbox.refuse("b@x.com")
    with pytest.raises(EmailRecipientsRefused, match=r"No such user.*delivered to a@x\.com, c@x\.com") as caught:
        connection.send(**TRIO)
    assert plain.mailbox.only().recipients == ("a@x.com", "c@x.com")
    assert caught.value.accepted == ("a@x.com", "c@x.com")
    assert caught.value.recipients == {"b@x.com": (550, b"5.1.1 No such user")}
    assert not caught.value.is_transient


def test_only_those_who_are_left_are_tried_again(plain: SMTPBackend, connection: EmailConnection) -> None:
    plain.mailbox.fail("RCPT", "450 4.2.0 Greylisted", times=2, recipient="b@x.com")
    sent = connection.send(**TRIO)
    assert [mail.recipients for mail in plain.mailbox.mails] == [("a@x.com", "c@x.com"), ("b@x.com",)]
    assert len({mail["Message-ID"] for mail in plain.mailbox.messages}) == 1
    assert sorted(sent.recipients) == ["a@x.com", "b@x.com", "c@x.com"]


def test_a_connection_lost_between_two_tries_sends_nobody_the_mail_twice(
    plain: SMTPBackend, connection: EmailConnection
) -> None:
    plain.mailbox.fail("RCPT", "450 4.2.0 Greylisted", recipient="b@x.com")
    plain.mailbox.fail("RCPT", "421 4.3.2 Shutting down", recipient="b@x.com")
    connection.send(**TRIO)
    assert [mail.recipients for mail in plain.mailbox.mails] == [("a@x.com", "c@x.com"), ("b@x.com",)]


def test_when_the_server_goes_after_some_were_served_the_error_says_who(
    plain: SMTPBackend, connection: EmailConnection
) -> None:
    plain.mailbox.fail("RCPT", "450 4.2.0 Greylisted", recipient="b@x.com")
    plain.mailbox.fail("RCPT", "421 4.3.2 Shutting down", times=None, recipient="b@x.com")
    with pytest.raises(EmailRecipientsRefused, match="Shutting down") as caught:
        connection.send(**TRIO)
    assert (caught.value.accepted, set(caught.value.recipients)) == (("a@x.com", "c@x.com"), {"b@x.com"})
    assert caught.value.is_transient


def test_many_recipients_go_in_transactions_of_a_hundred(plain: SMTPBackend, connection: EmailConnection) -> None:
    everybody = [f"person{number}@x.com" for number in range(250)]
    sent = connection.send(**{**MAIL, "email_to": None, "email_to_bcc": everybody})
    assert [len(mail.recipients) for mail in plain.mailbox.mails] == [100, 100, 50]
    assert list(sent.recipients) == everybody
    assert (plain.mailbox.connections, len({mail.content for mail in plain.mailbox.mails})) == (1, 1)


# Sizes and alphabets


def test_a_message_over_the_server_s_limit_is_not_sent(credentials_for: Maker) -> None:
    with serve_smtp(size_limit_bytes=10_000) as small:
        with credentials_for(small).connect() as connection:
            with pytest.raises(EmailTooLarge, match="takes at most 10,000"):
                connection.send(**MAIL, attachments=[("a.bin", b"x" * 10_000)])
            connection.send(**MAIL)
        assert len(small.mailbox.mails) == 1


def test_the_limit_of_the_block_and_of_the_call_hold(plain: SMTPBackend, credentials_for: Maker) -> None:
    with credentials_for(plain, max_message_bytes=5_000).connect() as connection:
        with pytest.raises(EmailTooLarge, match="5,000"):
            connection.send(**MAIL, attachments=[("a.bin", b"x" * 5_000)])
        with pytest.raises(EmailTooLarge, match="100"):
            connection.send(**MAIL, max_message_bytes=100)
        connection.send(**MAIL, attachments=[("a.bin", b"x" * 5_000)], max_message_bytes=20_000)


def test_international_addresses_are_sent_where_the_server_takes_them(
    plain: SMTPBackend, credentials_for: Maker
) -> None:
    with credentials_for(plain).connect() as connection:
        connection.send(**{**MAIL, "email_to": "Jörg <jörg@münchen.de>", "subject": "Grüße"})
    mail = plain.mailbox.only()
    assert mail.recipients == ("jörg@xn--mnchen-3ya.de",)
    assert "SMTPUTF8" in mail.mail_options
    assert "To: Jörg <jörg@xn--mnchen-3ya.de>" in mail.content.decode()
    assert mail.message["Subject"] == "Grüße"


def test_international_addresses_are_refused_where_it_does_not(credentials_for: Maker) -> None:
    with serve_smtp(offers_smtputf8=False) as ascii_only:
        with credentials_for(ascii_only).connect() as connection:
            with pytest.raises(EmailNotSupported, match="only ASCII addresses"):
                connection.send(**{**MAIL, "email_to": "jörg@x.com"})
            connection.send(**{**MAIL, "email_to": "Jörg <j@münchen.de>"})
        assert ascii_only.mailbox.only().recipients == ("j@xn--mnchen-3ya.de",)


def test_lines_of_dots_arrive(plain: SMTPBackend, connection: EmailConnection) -> None:
    connection.send(**{**MAIL, "msg": ".\r\n..\r\n.hidden\r\nFrom me\r\n"})
    content = plain.mailbox.only().message.get_payload()[0].get_payload(decode=True)
    assert content.split() == [b".", b"..", b".hidden", b"From", b"me"]


@pytest.mark.parametrize("is_block", [True, False], ids=["block", "stand-in"])
async def test_what_replaces_get_server_needs_no_more_than_send_message(
    is_block: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server:
        sent: ClassVar[list[tuple[Any, dict[str, Any]]]] = []

        def send_message(self, message: Any, **envelope: Any) -> None:
            self.sent.append((message, envelope))

    if is_block:
        monkeypatch.setattr(EmailServerCredentials, "get_server", lambda self: Server())
    credentials: Any = EmailServerCredentials() if is_block else SimpleNamespace(get_server=Server, username="me@x.com")
    Server.sent.clear()
    message = await email_send_message.fn(email_server_credentials=credentials, **MAIL)
    await email_send_message.fn(email_server_credentials=credentials, **MAIL, email_to_bcc="b@x.com")
    assert Server.sent[0] == (message, {})
    assert Server.sent[1][1] == {"from_addr": "me@x.com", "to_addrs": ["a@x.com", "b@x.com"]}


async def test_a_replaced_smtplib_gets_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    server = MagicMock()
    monkeypatch.setattr(smtplib, "SMTP_SSL", server)
    credentials = EmailServerCredentials(username="me@x.com", password="none")  # pyright: ignore[reportArgumentType]
    message = await email_send_message.fn(email_server_credentials=credentials, **MAIL)
    entered = server.return_value.__enter__.return_value
    entered.send_message.assert_called_once_with(message)
    server.return_value.__exit__.assert_called_once_with(None, None, None)


async def test_what_replaces_get_server_may_be_a_context_manager(
    plain: SMTPBackend, credentials_for: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, ended = EmailServerCredentials.get_server, list[str]()

    @contextlib.contextmanager
    def get_server(self: EmailServerCredentials) -> Generator[Any]:
        with real(self) as server:
            yield server
        ended.append("once")

    monkeypatch.setattr(EmailServerCredentials, "get_server", get_server)
    await email_send_message.fn(email_server_credentials=credentials_for(plain), **{**MAIL, "email_from": "me@x.com"})
    assert plain.mailbox.only().recipients == ("a@x.com",)
    assert ended == ["once"]


@pytest.mark.parametrize("kind", ["SSL", "STARTTLS"])
async def test_what_replaces_smtplib_needs_no_more_than_the_documented_calls(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    class Server:
        def __init__(self, host: str, port: int, context: Any = None) -> None:
            calls.append((host, port))

        def starttls(self, context: Any = None) -> None:
            calls.append("starttls")

        def login(self, user: str, password: str) -> None:
            calls.append((user, password))

        def send_message(self, message: Any) -> None:
            calls.append(message)

    monkeypatch.setattr(smtplib, "SMTP", Server)
    monkeypatch.setattr(smtplib, "SMTP_SSL", Server)
    credentials = EmailServerCredentials(
        username="me@x.com",
        password="none",  # pyright: ignore[reportArgumentType]
        smtp_type=kind,
    )
    message = await email_send_message.fn(email_server_credentials=credentials, **MAIL)
    start = [("smtp.gmail.com", 465)] if kind == "SSL" else [("smtp.gmail.com", 587), "starttls"]
    assert calls == [*start, ("me@x.com", "none"), message]


async def test_a_replaced_method_of_smtplib_is_used(
    starttls: SMTPBackend, credentials_for: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("starttls", "login", "send_message"):
        monkeypatch.setattr(smtplib.SMTP, name, MagicMock())
    credentials = credentials_for(starttls)
    message = await email_send_message.fn(email_server_credentials=credentials, **MAIL)
    smtplib.SMTP.send_message.assert_called_once_with(message)  # pyright: ignore[reportFunctionMemberAccess]
    smtplib.SMTP.login.assert_called_once_with(starttls.username, starttls.password)  # pyright: ignore[reportFunctionMemberAccess]
    smtplib.SMTP.starttls.assert_called_once()  # pyright: ignore[reportFunctionMemberAccess]
    assert not starttls.mailbox.mails


@pytest.mark.parametrize("fields", [{}, {"username": "me@x.com"}, {"username": "me@x.com", "max_message_bytes": 10}])
async def test_a_mock_stands_in_for_the_block(fields: dict[str, Any]) -> None:
    """Its attributes that nobody has set say nothing: there is no limit, and some sender."""
    credentials = MagicMock(**fields)
    sending = email_send_message.fn(subject="Hi", msg="x", email_server_credentials=credentials, email_to="a@x.com")
    if "max_message_bytes" in fields:
        with pytest.raises(EmailTooLarge):
            await sending
        return
    message = await sending
    assert message["From"] == fields.get("username", "sender@example.invalid")
    server = credentials.get_server.return_value.__enter__.return_value
    server.send_message.assert_called_once_with(message)


@pytest.mark.parametrize("place", ["smtplib", "prefect_email.credentials"])
@pytest.mark.parametrize("kind", ["SSL", "STARTTLS"])
async def test_a_class_in_the_place_of_smtplib_s_is_used_for_as_long_as_it_is_there(
    kind: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = EmailServerCredentials(username="me@x.com", password="none", smtp_type=kind)  # pyright: ignore[reportArgumentType]
    name = "SMTP_SSL" if kind == "SSL" else "SMTP"
    for _ in range(2):
        server = MagicMock()
        with monkeypatch.context() as patched:
            patched.setattr(f"{place}.{name}", server)
            message = await email_send_message.fn(email_server_credentials=credentials, **MAIL)
        server.return_value.__enter__.return_value.send_message.assert_called_once_with(message)
    refused = patch.object(socket, "create_connection", side_effect=ConnectionRefusedError)
    with refused, pytest.raises(ConnectionRefusedError, match="nothing listens"):
        credentials.get_server()


async def test_what_takes_the_message_alone_finds_blind_copies_in_it() -> None:
    class Server:
        def send_message(self, message: Any) -> None:
            sent.append(message)

    sent: list[Any] = []
    credentials: Any = SimpleNamespace(get_server=Server)
    message = await email_send_message.fn(
        email_server_credentials=credentials, **MAIL, email_to_cc="c@x.com", email_to_bcc=["b@x.com", "d@x.com"]
    )
    assert (sent[0]["To"], sent[0]["Cc"], sent[0]["Bcc"]) == ("a@x.com", "c@x.com", "b@x.com, d@x.com")
    assert "Bcc" not in message
