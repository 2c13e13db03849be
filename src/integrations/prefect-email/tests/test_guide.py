"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import asyncio
import builtins
import getpass
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prefect_email import EmailServerCredentials, email_send_many
from prefect_integration_tests.backends.smtp import SMTPBackend
from prefect_integration_tests.suites import GuideSuite

USERS_OWN = "correct horse"


class TestGuide(GuideSuite):
    distribution = "prefect-email"

    @pytest.fixture
    def surroundings(
        self, page_folder: Path, starttls: SMTPBackend, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], object]:
        """A server to send through, and a reader who answers what he is asked."""
        monkeypatch.setattr(builtins, "input", lambda prompt="": "you@example.com")
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": USERS_OWN)
        credentials = EmailServerCredentials(**starttls.fields)

        def save() -> None:
            try:
                saved = EmailServerCredentials.load("mail")
            except ValueError:
                saved = None
            if saved != credentials:  # the page has just saved other ones, or nobody has
                credentials.save("mail", overwrite=True)

        return save

    @pytest.fixture
    def provocations(
        self, plain: SMTPBackend, starttls: SMTPBackend, tls: SMTPBackend, xoauth2: SMTPBackend
    ) -> Mapping[str, Callable[[], object]]:
        def send(server: SMTPBackend = plain, mail: dict[str, Any] | None = None, **fields: Any) -> None:
            fields = {**server.fields, "timeout_seconds": 5, "max_attempts": 1, **fields}
            content = {"subject": "s", "msg": "m", "email_to": "ada@example.com", "email_from": "boss@example.com"}
            with EmailServerCredentials(**fields).connect() as connection:
                connection.send(**{**content, **(mail or {})})

        def failing(stage: Any, reply: str) -> None:
            plain.mailbox.fail(stage, reply)
            send()

        def silent() -> None:
            plain.mailbox.hang("MAIL")
            send(timeout_seconds=0.2)

        def dropped() -> None:
            plain.mailbox.drop("MAIL")
            send()

        def without_tom(run: Callable[[], object]) -> None:
            plain.mailbox.refuse("tom@example.com")
            run()

        def send_two() -> None:
            mails = [{"subject": "s", "msg": "m", "email_to": f"{name}@example.com"} for name in ("ada", "tom")]
            fields = {**plain.fields, "username": "boss@example.com", "max_attempts": 1}
            asyncio.run(email_send_many.fn(mails, EmailServerCredentials(**fields)))

        login = {"username": "reports", "password": USERS_OWN}
        token = {
            "oauth2_token_url": "https://localhost:1/token",
            "oauth2_client_id": "reports",
            "oauth2_client_secret": USERS_OWN,
        }
        too_large = {"attachments": [("a.bin", b"0" * 1000)], "max_message_bytes": 500}
        return {
            "The login is not accepted": partial(send, starttls, password=USERS_OWN),
            "A token is not accepted": partial(send, xoauth2, oauth2_token="of another mailbox"),
            "No token could be fetched": partial(send, xoauth2, **token),
            "The password would be readable": partial(send, **login),
            "The server wants no login": partial(send, **login, allow_insecure_auth=True),
            "The server takes tokens only": partial(send, xoauth2, password=USERS_OWN),
            "The certificate is not trusted": partial(send, tls, ca_file=None),
            "The port speaks no TLS": partial(send, starttls, smtp_type="SSL"),
            "STARTTLS is not offered": partial(send, smtp_type="STARTTLS"),
            "Nothing listens on the port": partial(send, smtp_port=1),
            "The name has no address": partial(send, smtp_server="smtp.example.invalid"),
            "No answer in time": silent,
            "The server takes no mail now": partial(failing, "CONNECT", "421 4.3.2 Too busy"),
            "The connection broke off": dropped,
            "Some recipients are refused": partial(
                without_tom, partial(send, mail={"email_to": "ada@example.com, tom@example.com"})
            ),
            "The sender is refused": partial(failing, "MAIL", "550 5.7.1 Not your address"),
            "The message is refused": partial(failing, "DATA", "554 5.7.1 Looks like spam"),
            "The message is too large": partial(send, mail=too_large),
            "Some of many mails failed": partial(without_tom, send_two),
            "Nobody to send it to": partial(send, mail={"email_to": []}),
            "No mail address": partial(send, mail={"email_to": "tom at example"}),
            "A line break in a header": partial(send, mail={"subject": "Hello\nBcc: eve@example.com"}),
            "An attachment does not exist": partial(send, mail={"attachments": "report.csv"}),
        }
