"""Parsers of prefect-email."""

from __future__ import annotations

from email import message_from_string, policy
from email.header import decode_header, make_header

from prefect_email._addresses import format_address, parse_addresses
from prefect_email._headers import ADDRESS_HEADERS, check_name, check_text, fold_header
from prefect_email.errors import HeaderInjection, InvalidEmail

from ..registry import refusing, target


@target(
    "a@example.com", "Ann <a@example.com>, b@c", '"B, C" <b@c>', "a@b (Ann)", "é@é.de", "a@b\r\nBcc: c@d", "<", '"\\'
)
def addresses(text: str) -> None:
    """Addresses that are written are read as the same ones."""
    with refusing(InvalidEmail):
        found = parse_addresses("to", text)
        written = ", ".join(map(format_address, found))
        assert parse_addresses("to", written) == found, written


@target(
    ("Subject", "Hello"),
    ("Subject", "é" * 60),
    ("X-A", "a\r\nBcc: x@y"),
    ("To", "Ä <a@b>, c@d"),
    ("Subject", "=?utf-8?q?a?="),
)
def headers(name: str, value: str) -> None:
    """A header that is written is one header, and says what it was given."""
    with refusing(HeaderInjection, InvalidEmail):
        name, value = check_name(name), check_text("The value", value)
        written = fold_header(name, value, "\n")
        assert written.isascii() or name.lower() in ADDRESS_HEADERS  # such an address needs SMTPUTF8
        message = message_from_string(f"{written}\nbody", policy=policy.compat32)
        assert message.keys() == [name], written
        assert message.get_payload() == "body"
        if name.lower() == "subject" and value.strip():
            read = str(make_header(decode_header(message[name].replace("\n", ""))))
            assert "".join(read.split()) == "".join(value.split()), (read, value)
