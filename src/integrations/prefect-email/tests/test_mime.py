"""Messages: the structure that mail programs expect, and parts that arrive byte for byte."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prefect_email import EmailAttachment
from prefect_email.errors import (
    AttachmentIsFolder,
    AttachmentNotFound,
    EmailTooLarge,
    InvalidAttachment,
    InvalidEmail,
)
from prefect_email.mime import OutgoingEmail, draft_email, message_bytes

MAIL: dict[str, Any] = {"subject": "Hi", "msg": "<p>x</p>", "email_from": "me@x.com", "email_to": "you@x.com"}


def build(**fields: Any) -> OutgoingEmail:
    return draft_email(**{**MAIL, **fields}).build()


def received(**fields: Any) -> EmailMessage:
    return message_from_bytes(message_bytes(build(**fields).message), policy=policy.default)


def tree(part: Any) -> Any:
    kind = part.get_content_type()
    return (kind, [tree(child) for child in part.get_payload()]) if part.is_multipart() else kind


HTML, PLAIN = "text/html", "text/plain"
ALTERNATIVE = ("multipart/alternative", [PLAIN, HTML])


@pytest.mark.parametrize(
    ("plain", "images", "files", "expected"),
    [
        (False, False, False, [HTML]),
        (True, False, False, [ALTERNATIVE]),
        (False, True, False, [("multipart/related", [HTML, "image/png"])]),
        (False, False, True, [HTML, "text/csv"]),
        (True, True, False, [("multipart/related", [ALTERNATIVE, "image/png"])]),
        (True, False, True, [ALTERNATIVE, "text/csv"]),
        (False, True, True, [("multipart/related", [HTML, "image/png"]), "text/csv"]),
        (True, True, True, [("multipart/related", [ALTERNATIVE, "image/png"]), "text/csv"]),
    ],
)
def test_parts_are_nested_as_mail_programs_expect(
    plain: bool, images: bool, files: bool, expected: list[Any], png: bytes
) -> None:
    message = received(
        msg_plain="x" if plain else None,
        inline_images={"chart": png} if images else None,
        attachments=[("a.csv", b"x")] if files else None,
    )
    assert tree(message) == ("multipart/mixed", expected)


def test_only_the_message_itself_has_a_mime_version(png: bytes) -> None:
    message = received(msg_plain="x", inline_images={"c": png}, attachments=[("a.csv", b"x")])
    assert [part["MIME-Version"] for part in message.walk()] == ["1.0"] + [None] * 6


def test_the_message_is_a_mime_multipart_that_can_be_read_and_pickled() -> None:
    message = build(subject="Grüße", email_to_cc="c@x.com", msg="<b>hello</b>").message
    assert isinstance(message, MIMEMultipart)
    assert (message["Subject"], message["To"], message["Cc"], message["From"]) == (
        "Grüße",
        "you@x.com",
        "c@x.com",
        "me@x.com",
    )
    assert message.get_payload()[0].get_payload() == "<b>hello</b>"
    written = message.as_bytes()
    assert pickle.loads(pickle.dumps(message)).as_bytes() == written


def test_blind_copies_are_in_the_envelope_only() -> None:
    mail = build(email_to="a@x.com, b@x.com", email_to_cc=["c@x.com"], email_to_bcc="Eve <d@x.com>, a@x.com")
    assert mail.recipients == ("a@x.com", "b@x.com", "c@x.com", "d@x.com")
    assert b"d@x.com" not in message_bytes(mail.message)
    assert "Bcc" not in mail.message


def test_a_bcc_header_that_was_added_later_is_not_written() -> None:
    mail = build()
    mail.message["Bcc"] = "eve@x.com"
    assert b"eve" not in message_bytes(mail.message)
    assert mail.message["Bcc"] == "eve@x.com"


@pytest.mark.parametrize("field", ["email_to", "email_to_cc", "email_to_bcc"])
def test_one_recipient_of_any_kind_suffices(field: str) -> None:
    mail = build(**{"email_to": None, field: "a@x.com"})
    assert mail.recipients == ("a@x.com",)


@pytest.mark.parametrize("nobody", [None, "", " , ", [], [""]])
def test_a_mail_to_nobody_is_refused(nobody: Any) -> None:
    with pytest.raises(ValueError, match="nobody to send"):
        build(email_to=nobody)


def test_a_mail_from_nobody_is_refused() -> None:
    with pytest.raises(InvalidEmail, match="email_from"):
        build(email_from=None)


@pytest.mark.parametrize("field", ["subject", "msg", "msg_plain"])
@pytest.mark.parametrize("value", [5, b"text"], ids=["number", "bytes"])
def test_what_is_no_text_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidEmail, match=f"{field} is of type '{type(value).__name__}'"):
        build(**{field: value})


def test_a_mail_may_have_neither_subject_nor_contents() -> None:
    """Earlier releases took `None` for both."""
    message = received(subject=None, msg=None)
    assert not message["Subject"]
    assert message.get_content_type() == "multipart/mixed"


def test_several_authors_are_refused() -> None:
    with pytest.raises(InvalidEmail, match="2 addresses"):
        build(email_from="a@x.com, b@x.com")


def test_the_envelope_sender_is_the_author_unless_another_is_given() -> None:
    assert build(email_from="Ann <a@x.com>").sender == "a@x.com"
    mail = build(envelope_from="bounces@x.com")
    assert (mail.sender, mail.message["From"]) == ("bounces@x.com", "me@x.com")


def test_extra_headers_answers_and_importance_are_set() -> None:
    message = received(
        reply_to=["Help <help@x.com>", "b@x.com"], headers={"X-Team": "Dätá", "Sender": "s@x.com"}, importance="high"
    )
    assert message["Reply-To"] == "Help <help@x.com>, b@x.com"
    assert (message["X-Team"], message["Sender"]) == ("Dätá", "s@x.com")
    assert (message["Importance"], message["X-Priority"]) == ("high", "1")


def test_an_unknown_importance_is_refused() -> None:
    with pytest.raises(InvalidEmail, match="'low', 'normal' or 'high'"):
        build(importance="urgent")


def test_each_message_has_a_date_and_an_id_of_its_own() -> None:
    first, second = received(), received()
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Message-ID"].endswith("@x.com>")
    assert datetime.now(timezone.utc) - first["Date"].datetime < timedelta(minutes=1)


def test_date_and_message_id_can_be_given() -> None:
    date = "Mon, 01 Jan 2024 00:00:00 +0000"
    message = received(headers={"message-id": "<own@x.com>", "Date": date})
    assert (message.get_all("Message-ID"), message.get_all("Date")) == (["<own@x.com>"], [date])


def normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


@given(st.text(st.characters(exclude_categories=("Cs",))))
@example("From here\n.\n..\nTo there\n")
@example("x" * 5000)
@example("ü" * 5000)
@example("a\rb\r\nc\nd")
@example("trailing space \nand tab\t\n")
def test_a_text_arrives_as_it_was_given(text: str) -> None:
    message = received(msg=text, msg_plain=text)
    for part in message.get_payload()[0].iter_parts():
        content = part.get_payload(decode=True).decode(part.get_content_charset())
        assert normal(content) == normal(text)


@given(
    st.binary(max_size=3000),
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="/\\"), min_size=1).map(
        lambda name: name[:60] + ".bin"
    ),
)
@example(b"\r\n.\r\n", "umläut 漢字 ; \"quoted\" 'x' %41 =?utf-8?q?x?=.bin")
@example(b"", " .bin")
def test_an_attachment_arrives_with_its_bytes_and_name(content: bytes, name: str) -> None:
    (part,) = received(attachments=[(name, content)]).iter_attachments()
    assert part.get_content() == content
    assert part.get_filename() == name.strip()  # Python's reader strips it
    assert part.get_content_disposition() == "attachment"


@pytest.mark.parametrize("form", ["path", "Path", "model", "mapping", "tuple", "typed tuple", "file", "memory", "part"])
def test_attachments_come_from_wherever_the_bytes_are(form: str, tmp_path: Path) -> None:
    path = tmp_path / "räport.csv"
    path.write_bytes(b"a,b\n")
    named = BytesIO(b"a,b\n")
    named.name = "/somewhere/räport.csv"
    named.read()  # it is read from its beginning all the same
    part = MIMEApplication(b"a,b\n", "vnd.own")
    part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", "räport.csv"))
    sources: dict[str, Any] = {
        "path": str(path),
        "Path": path,
        "model": EmailAttachment(filename="räport.csv", content=b"a,b\n"),
        "mapping": {"filename": "räport.csv", "content": "a,b\n"},
        "tuple": ("räport.csv", BytesIO(b"a,b\n")),
        "typed tuple": ("räport.csv", StringIO("a,b\n"), "text/csv"),
        "file": path.open("rb"),
        "memory": named,
        "part": part,
    }
    (found,) = received(attachments=[sources[form]]).iter_attachments()
    sources["file"].close()
    assert found.get_payload(decode=True) == b"a,b\n"
    assert found.get_filename() == "räport.csv"
    assert found.get_content_type() == ("application/vnd.own" if form == "part" else "text/csv")


@pytest.mark.parametrize("source", ["path", "model", "pair"])
def test_a_single_attachment_need_not_stand_in_a_list(source: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    given: Any = {"path": str(path), "model": EmailAttachment(content=path), "pair": ("a.txt", b"x")}[source]
    assert [part.get_filename() for part in received(attachments=given).iter_attachments()] == ["a.txt"]


def test_a_modern_message_part_keeps_its_unicode_name() -> None:
    part = EmailMessage()
    part.set_content(b"x", maintype="application", subtype="pdf", filename="Übersicht.pdf")
    (found,) = received(attachments=[part]).iter_attachments()
    assert (found.get_filename(), found.get_content()) == ("Übersicht.pdf", b"x")


def test_a_forwarded_message_is_not_judged() -> None:
    original = EmailMessage()
    original["From"] = "undisclosed nonsense"
    original["To"] = "a@x.com"
    original.set_content("Grüße")
    part = EmailMessage()
    part.set_content(original)
    (found,) = received(attachments=[part]).iter_attachments()
    assert found.get_content_type() == "message/rfc822"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.pdf", "application/pdf"),
        ("a.png", "image/png"),
        ("a.csv.gz", "application/gzip"),
        ("mail.eml", "application/octet-stream"),
        ("unknown.qqq", "application/octet-stream"),
    ],
)
def test_the_type_of_an_attachment_follows_its_name(name: str, expected: str) -> None:
    (part,) = received(attachments=[(name, b"x")]).iter_attachments()
    assert (part.get_content_type(), part["Content-Transfer-Encoding"]) == (expected, "base64")


def test_a_missing_attachment_is_named(tmp_path: Path) -> None:
    with pytest.raises(AttachmentNotFound, match=r"gone\.csv' does not exist") as caught:
        draft_email(**MAIL, attachments=[str(tmp_path / "gone.csv")])
    assert isinstance(caught.value, FileNotFoundError)


def test_a_folder_cannot_be_attached(tmp_path: Path) -> None:
    with pytest.raises(AttachmentIsFolder, match="is a folder") as caught:
        draft_email(**MAIL, attachments=[tmp_path])
    assert isinstance(caught.value, IsADirectoryError)


def test_a_device_cannot_be_attached() -> None:
    with pytest.raises(InvalidAttachment, match="no regular file"):
        draft_email(**MAIL, attachments=["/dev/null"])


@pytest.mark.parametrize("source", [b"bytes", 7, BytesIO(b"x"), ("a.csv", 7), ("../a", b"x"), ("a" * 300, b"x")])
def test_what_cannot_be_attached_is_refused(source: Any) -> None:
    with pytest.raises(InvalidAttachment):
        build(attachments=[source])


def test_a_wrong_content_type_is_refused() -> None:
    with pytest.raises(ValueError, match="no MIME type"):
        EmailAttachment(filename="a", content=b"x", content_type="text\r\nX: y")


@pytest.mark.parametrize("form", ["path", "bytes", "memory", "model", "part"])
def test_inline_images_come_from_wherever_the_bytes_are(form: str, tmp_path: Path, png: bytes) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png)
    part = EmailMessage()
    part.set_content(png, maintype="image", subtype="png")
    image: Any = {
        "path": str(path),
        "bytes": png,
        "memory": BytesIO(png),
        "model": EmailAttachment(filename="p.png", content=png),
        "part": part,
    }[form]
    message = received(msg='<img src="cid:chart-1">', inline_images={"chart-1": image})
    related = message.get_payload()[0]
    assert related.get_param("type") == "text/html"
    _, found = related.iter_parts()
    assert (found["Content-ID"], found.get_content_disposition()) == ("<chart-1>", "inline")
    assert (found.get_content_type(), found.get_payload(decode=True)) == ("image/png", png)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"BM....", "image/bmp"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "image/svg+xml"),
    ],
)
def test_the_type_of_an_image_is_what_its_bytes_say(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "wrongly-named.txt"
    path.write_bytes(content)
    _, found = received(inline_images={"c": str(path)}).get_payload()[0].iter_parts()
    assert found.get_content_type() == expected


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(InvalidAttachment, match="not an image"):
        build(inline_images={"c": b"hello"})


def test_a_finished_part_that_is_no_image_is_refused() -> None:
    with pytest.raises(InvalidAttachment, match="'application/pdf', which is no image"):
        build(inline_images={"c": MIMEApplication(b"x", "pdf")})


def test_a_part_without_disposition_is_attached() -> None:
    part = EmailMessage()
    part.set_content("hello")
    (found,) = received(attachments=part).iter_attachments()
    assert (found.get_content_disposition(), found.get_content().strip()) == ("attachment", "hello")


@pytest.mark.parametrize("content", [bytearray(b"abc"), memoryview(b"abc"), b"abc", "abc"])
def test_bytes_of_every_kind_are_attached(content: Any) -> None:
    (found,) = received(attachments=[EmailAttachment(filename="a.bin", content=content)]).iter_attachments()
    assert found.get_content() == b"abc"


@pytest.mark.parametrize("cid", ["", "a b", "a>b", "ä"])
def test_what_is_no_content_id_is_refused(cid: str, png: bytes) -> None:
    with pytest.raises(InvalidEmail, match="content ID"):
        build(inline_images={cid: png})


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(AttachmentNotFound, match=r"chart\.png"):
        draft_email(**MAIL, inline_images={"c": str(tmp_path / "chart.png")})


def test_a_message_over_the_limit_is_refused_before_its_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)  # a hole: takes no room
    with pytest.raises(EmailTooLarge, match="max_message_bytes is 25,000,000"):
        draft_email(**MAIL, attachments=[path], max_message_bytes=25_000_000)


def test_the_limit_is_that_of_the_encoded_message() -> None:
    size = len(message_bytes(build(attachments=[("a.bin", b"x" * 9000)]).message))
    assert size > 12_000
    build(attachments=[("a.bin", b"x" * 9000)], max_message_bytes=size + 100)
    with pytest.raises(EmailTooLarge):
        build(attachments=[("a.bin", b"x" * 9000)], max_message_bytes=size - 100)


def test_text_that_cannot_be_encoded_arrives_with_question_marks() -> None:
    message = received(subject="a\udcffb", msg="a\udcffb")
    assert message["Subject"] == "a?b"
    assert message.get_payload()[0].get_content().strip() == "a?b"
