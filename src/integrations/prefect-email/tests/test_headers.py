"""Headers: nothing that a caller gives adds a header or a recipient, and what they mean arrives."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prefect_email._addresses import Address, format_address
from prefect_email._headers import fold_header
from prefect_email.errors import HeaderInjection, InvalidEmail
from prefect_email.mime import draft_email, message_bytes

LINE_BREAKS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\0"]
SAFE_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")))
MAIL = {"subject": "Hi", "msg": "x", "email_from": "me@x.com", "email_to": "you@x.com"}


def parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def wire(**fields: object) -> bytes:
    return message_bytes(draft_email(**{**MAIL, **fields}).build().message)


@pytest.mark.parametrize("line_break", LINE_BREAKS)
@pytest.mark.parametrize(
    "field",
    [
        "subject",
        "email_from",
        "email_to",
        "email_to_cc",
        "email_to_bcc",
        "reply_to",
        "envelope_from",
        "header value",
        "header name",
        "file name",
        "content id",
    ],
)
def test_a_line_break_is_refused_wherever_it_could_add_a_header(field: str, line_break: str) -> None:
    evil = f"a@x.com{line_break}Bcc: victim@x.com"
    fields: dict[str, object] = {field: evil}
    if field == "header value":
        fields = {"headers": {"X-Team": evil}}
    elif field == "header name":
        fields = {"headers": {f"X-Team{line_break}Bcc": "victim@x.com"}}
    elif field == "file name":
        fields = {"attachments": [(f"a{line_break}Bcc: victim", b"x")]}
    elif field == "content id":
        fields = {"inline_images": {evil: b"GIF89a"}}
    with pytest.raises(HeaderInjection, match="control character"):
        wire(**fields)


@given(st.text(), st.text(), st.text())
def test_no_text_adds_a_header(subject: str, value: str, name: str) -> None:
    try:
        raw = wire(subject=subject, headers={"X-Team": value}, attachments=[(name, b"x")])
    except InvalidEmail:
        return
    message = parsed(raw)
    assert sorted(message.keys()) == sorted(
        ["Content-Type", "MIME-Version", "Subject", "From", "To", "Date", "Message-ID", "X-Team"]
    )
    assert sorted(next(message.iter_attachments()).keys()) == [
        "Content-Disposition",
        "Content-Transfer-Encoding",
        "Content-Type",
    ]


@given(SAFE_TEXT)
@example("Grüße " * 60)
@example("x" * 2000)
@example("=?utf-8?q?not_encoded?=")
@example(" leading and trailing ")
@example("double  space " * 20)
@example("😀" * 100)
def test_a_subject_arrives_as_it_was_given(subject: str) -> None:
    raw = wire(subject=subject)
    assert parsed(raw)["Subject"] == subject


@given(st.text())
@example("y" * 5000)
@example("ü " * 3000)
def test_no_line_is_longer_than_a_server_takes_or_has_eight_bits(text: str) -> None:
    try:
        raw = wire(subject=text, msg=text, msg_plain=text)
    except InvalidEmail:
        return
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")


@given(SAFE_TEXT.map(lambda text: " ".join(text.split())))
@example("Doe, Jane")
@example("Müller, Jörg <boss@evil.com>, " * 12)
@example('"')
def test_a_name_never_becomes_an_address(name: str) -> None:
    written = format_address(Address("jane@x.com", name))
    raw = wire(email_to=[written, "other@x.com"])
    found = parsed(raw)["To"].addresses
    assert [address.addr_spec for address in found] == ["jane@x.com", "other@x.com"]
    # Python's own parser keeps the spaces between the encoded words of a name.
    assert "".join(found[0].display_name.split()) == "".join(name.split())


def test_many_recipients_are_folded_at_commas() -> None:
    everybody = [f"person{number}@x.com" for number in range(500)]
    raw = wire(email_to=everybody)
    assert [address.addr_spec for address in parsed(raw)["To"].addresses] == everybody
    assert max(map(len, raw.split(b"\r\n"))) <= 78


def test_a_folded_header_keeps_its_words() -> None:
    value = " ".join(f"<reference-{number}@x.com>" for number in range(50))
    folded = fold_header("References", value, "\r\n")
    assert folded.replace("\r\n ", " ") == f"References: {value}\r\n"


@pytest.mark.parametrize("name", ["", "X Team", "X:Team", "Xü", "X" * 100])
def test_what_is_no_header_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidEmail, match="cannot be the name of a header"):
        wire(headers={name: "x"})


@pytest.mark.parametrize("name", ["To", "bcc", "CC", "Subject", "From", "Content-Type", "MIME-Version", "Reply-To"])
def test_headers_that_a_parameter_sets_are_refused(name: str) -> None:
    with pytest.raises(InvalidEmail, match=f"must not hold '{name}'"):
        wire(headers={name: "x@x.com"})


def test_a_line_break_that_got_past_the_checks_is_still_not_written() -> None:
    draft = draft_email(**MAIL)
    draft.message["X-Later"] = "a\r\nBcc: victim@x.com"
    with pytest.raises(HeaderInjection, match="X-Later"):
        message_bytes(draft.message)
