"""Texts from outside reach a mail server as one header, one recipient or one name, or no server is called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from prefect_email import EmailServerCredentials, email_send_many
from prefect_email.errors import EmailBatchError, HeaderInjection, InvalidEmail
from prefect_email.mime import draft_email
from prefect_integration_tests import hostile
from prefect_integration_tests.backends.smtp import SMTPBackend

Maker = Callable[..., EmailServerCredentials]

TEXTS = tuple(dict.fromkeys(hostile.ALL))
CONTROLS = frozenset("\0\r\n\x0b\u2028")
ONE_LINE = [text for text in TEXTS if not CONTROLS.intersection(text)]
HEADERS = ["Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"]


def mail(**fields: Any) -> dict[str, Any]:
    return {"subject": "Hi", "msg": "x", "email_from": "me@x.com", "email_to": "you@x.com", **fields}


def send(mails: list[dict[str, Any]], credentials: EmailServerCredentials) -> None:
    asyncio.run(email_send_many.fn(mails, credentials))  # pyright: ignore[reportArgumentType]


def test_what_is_one_line_arrives_as_it_is_and_brings_nothing(plain: SMTPBackend, credentials_for: Maker) -> None:
    mails = [mail(subject=text, msg=text, headers={"X-Team": text}) for text in ONE_LINE]
    send(mails, credentials_for(plain))
    for text, arrived in zip(ONE_LINE, plain.mailbox.mails, strict=True):
        assert (arrived.sender, arrived.recipients) == ("me@x.com", ("you@x.com",))
        assert sorted(arrived.message.keys()) == sorted([*HEADERS, "X-Team"])
        assert arrived.message["Subject"] == text
        assert arrived.message["X-Team"] == text
        assert arrived.message.get_payload()[0].get_content().rstrip("\r\n") == text


def test_a_name_of_a_person_is_no_address(plain: SMTPBackend, credentials_for: Maker) -> None:
    names = [text.replace("\\", "\\\\").replace('"', '\\"') for text in ONE_LINE]
    send([mail(email_to=f'"{name}" <you@x.com>') for name in names], credentials_for(plain))
    for text, arrived in zip(ONE_LINE, plain.mailbox.mails, strict=True):
        assert arrived.recipients == ("you@x.com",)
        (address,) = arrived.message["To"].addresses
        assert (address.addr_spec, address.display_name) == ("you@x.com", text.strip())


def test_a_file_name_is_no_path(plain: SMTPBackend, credentials_for: Maker) -> None:
    # Python's own reader takes the quotes for those around the name.
    names = [text for text in ONE_LINE if text != ".." and not set(text) & set("/\\") and text[0] != '"']
    send([mail(attachments=[(name, b"x")]) for name in names], credentials_for(plain))
    for name, arrived in zip(names, plain.mailbox.mails, strict=True):
        (part,) = arrived.message.iter_attachments()
        assert part.get_filename() == name
    for text in TEXTS:
        if text in names or text[0] == '"':
            continue
        with pytest.raises((HeaderInjection, InvalidEmail, ValueError), match="attachment"):
            draft_email(**mail(attachments=[(text, b"x")])).build()


@pytest.mark.parametrize("text", [text for text in TEXTS if text not in ONE_LINE], ids=ascii)
@pytest.mark.parametrize("field", ["subject", "email_to", "email_from", "reply_to", "envelope_from", "headers"])
def test_what_is_more_than_one_line_calls_no_server(
    field: str, text: str, plain: SMTPBackend, credentials_for: Maker
) -> None:
    value: Any = {"X-Team": text} if field == "headers" else text
    with pytest.raises(EmailBatchError, match=r"No mail was sent; 1 failed.*\n.*holds the control character"):
        send([mail(**{field: value})], credentials_for(plain))
    assert plain.mailbox.connections == 0
