"""Credentials: each documented way to reach and authenticate to a server works, and a bad field is refused by name."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from prefect_email import EmailServerCredentials, SMTPServer, SMTPType
from prefect_email.errors import (
    EmailAuthenticationError,
    EmailCertificateError,
    EmailConnectionLost,
    EmailHostNotFound,
    EmailInsecureAuthentication,
    EmailNotSupported,
    EmailTimeout,
    EmailTLSError,
)
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.smtp import PASSWORD, USERNAME, SMTPBackend, serve_smtp

Maker = Callable[..., EmailServerCredentials]


def test_the_defaults_are_gmail_over_tls() -> None:
    credentials = EmailServerCredentials()
    assert credentials.username is None
    assert credentials.password == SecretStr("")
    assert credentials.smtp_server is SMTPServer.GMAIL
    assert credentials.smtp_type is SMTPType.SSL
    assert credentials.smtp_port is None
    assert credentials.verify is True


@pytest.mark.parametrize("given", ["ssl", "SSL", " Ssl ", 465, "465", SMTPType.SSL])
def test_a_type_is_known_by_name_value_and_member(given: Any) -> None:
    assert EmailServerCredentials(smtp_type=given).smtp_type is SMTPType.SSL


@pytest.mark.parametrize("given", ["gmail", "GMAIL", "smtp.gmail.com", "SMTP.gmail.com", SMTPServer.GMAIL])
def test_a_provider_is_known_by_name_host_and_member(given: Any) -> None:
    assert EmailServerCredentials(smtp_server=given).smtp_server is SMTPServer.GMAIL


def test_any_other_host_is_kept() -> None:
    host = "smtp-relay.example.com"
    assert EmailServerCredentials(smtp_server=host).smtp_server == host


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"smtp_type": "TLS"}, "SSL, STARTTLS or INSECURE"),
        ({"smtp_type": None}, "SSL, STARTTLS or INSECURE"),
        ({"smtp_server": ""}, "no host name"),
        ({"smtp_server": "smtps://mail.example.com"}, "no host name"),
        ({"smtp_server": "mail.example.com\r\nX"}, "no host name"),
        ({"smtp_server": "mail.example.com:587"}, "without protocol and port"),
        ({"smtp_port": 0}, "smtp_port"),
        ({"smtp_port": -1}, "smtp_port"),
        ({"smtp_port": 70000}, "smtp_port"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": -3}, "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_message_bytes": -1}, "max_message_bytes"),
        ({"oauth2_token": "t"}, "needs username"),
        ({"username": "a", "oauth2_token_url": "https://x"}, "oauth2_client_id"),
        ({"username": "a", "oauth2_token_url": "https://x", "oauth2_client_id": "c"}, "oauth2_refresh_token"),
    ],
)
def test_a_bad_field_is_refused_by_name_without_showing_secrets(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        EmailServerCredentials(**{"password": PASSWORD, **fields})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("kind", ["starttls", "tls"])
def test_a_server_is_handed_out_encrypted_and_logged_in(
    kind: str, credentials_for: Maker, request: pytest.FixtureRequest
) -> None:
    backend: SMTPBackend = request.getfixturevalue(kind)
    with credentials_for(backend).get_server() as server:
        assert isinstance(server, smtplib.SMTP_SSL if kind == "tls" else smtplib.SMTP)
        assert isinstance(server.sock, ssl.SSLSocket)
        assert server.sock.version() in ("TLSv1.2", "TLSv1.3")
        server.sendmail(USERNAME, ["a@x.com"], "Subject: Hi\r\n\r\nx")
    assert backend.mailbox.only().username == USERNAME
    assert [login.is_encrypted for login in backend.mailbox.logins] == [True]


def test_a_server_without_login_gets_none(plain: SMTPBackend, credentials_for: Maker) -> None:
    with credentials_for(plain).get_server() as server:
        server.sendmail("me@x.com", ["a@x.com"], "Subject: Hi\r\n\r\nx")
    assert (plain.mailbox.only().username, plain.mailbox.logins) == (None, [])


def test_a_user_name_without_password_only_names_the_author(plain: SMTPBackend, credentials_for: Maker) -> None:
    with credentials_for(plain, username="me@x.com").connect() as connection:
        connection.send(subject="Hi", msg="x", email_to="a@x.com")
    assert plain.mailbox.only().sender == "me@x.com"


def test_the_usual_port_of_the_type_is_used_unless_another_is_given() -> None:
    # Nothing listens on the usual port of the loopback network's last address.
    for smtp_type, port in (("SSL", 465), ("STARTTLS", 587), ("INSECURE", 25)):
        credentials = EmailServerCredentials(smtp_server="127.255.255.254", smtp_type=smtp_type, timeout_seconds=2)
        with pytest.raises(ConnectionRefusedError, match=rf"127\.255\.255\.254:{port}: nothing listens"):
            credentials.get_server()


def test_a_wrong_password_is_refused_with_its_remedy(tls: SMTPBackend, credentials_for: Maker) -> None:
    with pytest.raises(smtplib.SMTPAuthenticationError, match="Check username and password") as caught:
        credentials_for(tls, password="wrong-c4nary").get_server()
    error = caught.value
    assert isinstance(error, EmailAuthenticationError)
    assert f"localhost:{tls.port}" in str(error)
    assert (error.smtp_code, error.is_transient) == (535, False)
    assert "wrong-c4nary" not in str(error)


def test_gmail_users_are_told_of_app_passwords() -> None:
    from prefect_email._replies import Peer, translate

    refusal = smtplib.SMTPAuthenticationError(535, b"5.7.8 Username and Password not accepted.")
    error = translate(refusal, Peer("smtp.gmail.com", 465, 30))
    assert "App Password (https://support.google.com/accounts/answer/185833)" in str(error)


@pytest.mark.parametrize("password", ["p\u00e4sswort", "\u5bc6\u7801"])
def test_a_password_need_not_be_ascii(password: str, private_ca: PrivateCA, credentials_for: Maker) -> None:
    with serve_smtp("SSL", ca=private_ca, mechanisms=("PLAIN", "LOGIN"), username="jörg", password=password) as backend:
        credentials_for(backend).get_server().quit()
        assert [login.is_accepted for login in backend.mailbox.logins] == [True]
        with pytest.raises(EmailAuthenticationError):
            credentials_for(backend, password="\u00fc").get_server()


def test_a_password_that_no_offered_method_can_carry_is_refused(private_ca: PrivateCA, credentials_for: Maker) -> None:
    with (
        serve_smtp("SSL", ca=private_ca, mechanisms=("LOGIN",), username="a", password="b") as backend,
        pytest.raises(EmailNotSupported, match="Choose an ASCII password"),
    ):
        credentials_for(backend, password="\u00fc").get_server()


# The password and the network


@pytest.fixture
def insecure(private_ca: PrivateCA) -> Any:
    """A server that offers a login without encryption."""
    with serve_smtp(mechanisms=("PLAIN",), username=USERNAME, password=PASSWORD) as backend:
        yield backend


@pytest.mark.parametrize("fields", [{}, {"password": "", "oauth2_token": "t"}])
def test_a_secret_never_goes_over_an_unencrypted_connection(
    fields: dict[str, Any], insecure: SMTPBackend, credentials_for: Maker
) -> None:
    with pytest.raises(EmailInsecureAuthentication, match="allow_insecure_auth=True"):
        credentials_for(insecure, **fields).get_server()
    assert insecure.mailbox.connections == 0


def test_it_does_when_the_block_allows_it(insecure: SMTPBackend, credentials_for: Maker) -> None:
    credentials_for(insecure, allow_insecure_auth=True).get_server().quit()
    assert [login.is_accepted for login in insecure.mailbox.logins] == [True]


def test_a_server_that_does_not_offer_starttls_gets_no_password(insecure: SMTPBackend, credentials_for: Maker) -> None:
    with pytest.raises(EmailNotSupported, match="does not offer STARTTLS") as caught:
        credentials_for(insecure, smtp_type="STARTTLS").get_server()
    assert isinstance(caught.value, smtplib.SMTPNotSupportedError)
    assert insecure.mailbox.logins == []


def test_a_login_that_the_server_does_not_offer_is_reported(plain: SMTPBackend, credentials_for: Maker) -> None:
    credentials = credentials_for(plain, username="a", password="b", allow_insecure_auth=True)
    with pytest.raises(EmailNotSupported, match="does not offer a login"):
        credentials.get_server()


def test_a_server_that_only_takes_tokens_is_reported(xoauth2: SMTPBackend, credentials_for: Maker) -> None:
    with pytest.raises(EmailNotSupported, match="give oauth2_token"):
        credentials_for(xoauth2, password="p").get_server()
    assert xoauth2.mailbox.logins == []


# Certificates


def test_a_private_authority_is_not_trusted_by_itself(tls: SMTPBackend, credentials_for: Maker) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="ca_file") as caught:
        credentials_for(tls, ca_file=None).get_server()
    assert isinstance(caught.value, EmailCertificateError)
    assert tls.mailbox.logins == []


def test_starttls_verifies_too(starttls: SMTPBackend, credentials_for: Maker) -> None:
    with pytest.raises(EmailCertificateError):
        credentials_for(starttls, ca_file=None).get_server()
    assert starttls.mailbox.logins == []


def test_verification_can_be_switched_off_with_a_warning(
    tls: SMTPBackend, credentials_for: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    import logging

    logger = logging.getLogger("prefect.prefect_email")
    logger.addHandler(caplog.handler)
    try:
        credentials_for(tls, ca_file=None, verify=False).get_server().quit()
    finally:
        logger.removeHandler(caplog.handler)
    assert [login.is_accepted for login in tls.mailbox.logins] == [True]
    assert "verify=False" in caplog.text


@pytest.mark.parametrize("verify", [True, None])
def test_only_false_switches_verification_off(tls: SMTPBackend, credentials_for: Maker, verify: Any) -> None:
    with pytest.raises(EmailCertificateError):
        credentials_for(tls, ca_file=None, verify=verify).get_server()


@pytest.mark.parametrize(("hosts", "days"), [(("elsewhere.example",), 1), (("localhost",), -1)])
def test_a_certificate_for_another_host_or_time_is_refused(
    hosts: tuple[str, ...], days: int, private_ca: PrivateCA, credentials_for: Maker
) -> None:
    certificate = private_ca.issue("odd", *hosts, days=days)
    with (
        serve_smtp("SSL", ca=private_ca, certificate=certificate) as backend,
        pytest.raises(EmailCertificateError, match="certificate is not trusted"),
    ):
        credentials_for(backend).get_server()


@pytest.fixture
def mutual(private_ca: PrivateCA) -> Any:
    """A server that asks for the client's certificate."""
    with serve_smtp("SSL", ca=private_ca, asks_client_certificate=True) as backend:
        yield backend


def test_a_client_certificate_is_shown(mutual: SMTPBackend, private_ca: PrivateCA, credentials_for: Maker) -> None:
    ours = private_ca.issue("client")
    credentials_for(mutual, client_cert_file=ours.cert_file, client_key_file=ours.key_file).get_server().quit()
    with pytest.raises(OSError, match=f"localhost:{mutual.port}"):
        credentials_for(mutual, max_attempts=1).connect().send(
            subject="Hi", msg="x", email_to="a@x.com", email_from="b@x.com"
        )


@pytest.mark.parametrize("field", ["ca_file", "client_cert_file"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_holds_no_certificate_is_named(
    field: str, content: str | None, tls: SMTPBackend, credentials_for: Maker, tmp_path: Path
) -> None:
    path = tmp_path / "some.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=rf"{field} '.*some\.pem' cannot be used"):
        credentials_for(tls, **{field: path}).get_server()


def test_an_encrypted_key_does_not_ask_on_the_terminal(
    mutual: SMTPBackend, private_ca: PrivateCA, credentials_for: Maker
) -> None:
    from cryptography.hazmat.primitives import serialization

    ours = private_ca.issue("locked")
    key = serialization.load_pem_private_key(ours.key_file.read_bytes(), None)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    ours.key_file.write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"open-c4nary")))
    fields = {"client_cert_file": ours.cert_file, "client_key_file": ours.key_file}
    with pytest.raises(ValueError, match="client_cert_file"):
        credentials_for(mutual, **fields).get_server()
    credentials_for(mutual, **fields, client_key_password="open-c4nary").get_server().quit()


# The wrong port, the wrong host, a server that says nothing


def test_tls_to_a_port_without_it_names_the_remedy(plain: SMTPBackend, credentials_for: Maker) -> None:
    with pytest.raises(EmailTLSError, match="set smtp_type to 'STARTTLS'") as caught:
        credentials_for(plain, smtp_type="SSL").get_server()
    assert isinstance(caught.value, ssl.SSLError)


@pytest.mark.parametrize("smtp_type", ["INSECURE", "STARTTLS"])
def test_no_tls_to_a_port_with_it_ends_in_time(smtp_type: str, tls: SMTPBackend, credentials_for: Maker) -> None:
    fields = {"username": None, "password": "", "timeout_seconds": 0.5}
    with pytest.raises(TimeoutError, match="smtp_type is what this port speaks"):
        credentials_for(tls, smtp_type=smtp_type, **fields).get_server()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example"])
def test_a_host_without_an_address_is_named(host: str) -> None:
    with pytest.raises(EmailHostNotFound, match="Check smtp_server"):
        EmailServerCredentials(smtp_server=host, timeout_seconds=5).get_server()


def test_a_server_that_hangs_up_during_the_handshake_is_one_that_may_come_back(credentials_for: Maker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        port = listener.getsockname()[1]
        with pytest.raises(EmailConnectionLost, match=f"127.0.0.1:{port} closed the connection") as caught:
            EmailServerCredentials(smtp_server="127.0.0.1", smtp_port=port, timeout_seconds=5).get_server()
        thread.join()
    assert caught.value.is_transient


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "AUTH"])
def test_a_server_that_falls_silent_is_left_in_time(stage: Any, tls: SMTPBackend, credentials_for: Maker) -> None:
    tls.mailbox.hang(stage)
    with pytest.raises(EmailTimeout, match=r"within 0\.3 seconds"):
        credentials_for(tls, timeout_seconds=0.3).get_server()
    tls.mailbox.wait_for(lambda mailbox: mailbox.open_connections == 0)


def test_a_refused_login_leaves_no_connection_open(tls: SMTPBackend, credentials_for: Maker) -> None:
    with pytest.raises(EmailAuthenticationError):
        credentials_for(tls, password="wrong").get_server()
    tls.mailbox.wait_for(lambda mailbox: mailbox.open_connections == 0)


async def test_a_saved_block_loads_as_it_was(prefect_harness: None, tmp_path: Path) -> None:
    credentials = EmailServerCredentials(
        username="me@x.com", password=PASSWORD, smtp_server="yahoo", smtp_type="starttls", ca_file=tmp_path / "ca.pem"
    )
    await credentials.asave("saved-mail")
    assert await EmailServerCredentials.aload("saved-mail") == credentials


async def test_a_block_saved_before_these_fields_existed_loads() -> None:
    old = {"username": "me", "password": "p", "smtp_server": "smtp.gmail.com", "smtp_type": 465, "smtp_port": None}
    credentials = EmailServerCredentials.model_validate(old)
    assert (credentials.smtp_server, credentials.smtp_type) == (SMTPServer.GMAIL, SMTPType.SSL)
