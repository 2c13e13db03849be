"""Build mails: from what a caller says to a message and its envelope, without a server.

The structure is the one that mail programs show best, with the levels that are not needed left out:

    multipart/mixed
    ├── multipart/related            when there are inline images
    │   ├── multipart/alternative    when there is a plain text beside the HTML
    │   │   ├── text/plain
    │   │   └── text/html
    │   └── image/…                  one for each inline image
    └── …                            one for each attachment
"""

from __future__ import annotations

import base64
import binascii
import copy
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.generator import BytesGenerator
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import format_datetime, make_msgid
from io import BytesIO
from typing import Literal, cast

from typing_extensions import Required, TypedDict

from prefect_email._addresses import Address, format_address, parse_addresses
from prefect_email._headers import (
    ADDRESS_HEADERS,
    MAIL_POLICY,
    check_text,
    set_header,
    wire_policy,
    without_surrogates,
)
from prefect_email.attachments import (
    AttachmentSource,
    EmailAttachment,
    as_attachment,
    as_image,
    attachment_part,
    encoded_size_bytes,
    inline_image_part,
)
from prefect_email.errors import EmailTooLarge, InvalidEmail

Importance = Literal["low", "normal", "high"]
"""How urgent mail programs show a mail."""

_PRIORITY: dict[str, str] = {"high": "1", "normal": "3", "low": "5"}
_SAFE_LINE = 900  # bytes; RFC 5322 allows 998, and aiosmtpd and others end a conversation beyond

_BASE64_GROWTH = 77 / 57  # 57 bytes become a line of 76 characters

# Headers that a parameter sets, or that describe the body.
_RESERVED = {
    "bcc": "Use email_to_bcc.",
    "cc": "Use email_to_cc.",
    "from": "Use email_from.",
    "reply-to": "Use reply_to.",
    "subject": "Use subject.",
    "to": "Use email_to.",
    "content-transfer-encoding": "It describes the body and is set by itself.",
    "content-type": "It describes the body and is set by itself.",
    "mime-version": "It describes the body and is set by itself.",
}


@dataclass(frozen=True)
class OutgoingEmail:
    """A message and the envelope it travels in.

    Attributes:
        message: The message. Recipients of blind copies are not in it.
        sender: The envelope sender, to which bounces go.
        recipients: All addresses to deliver to, each once, blind copies included.
    """

    message: MIMEMultipart
    sender: str
    recipients: tuple[str, ...]


class Email(TypedDict, total=False):
    """One mail of many, as a dictionary: the arguments of `email_send_message` but for the credentials.

    `subject` and `msg` are required, and so is at least one recipient.
    """

    subject: Required[str]
    msg: Required[str]
    msg_plain: str | None
    email_from: str | None
    email_to: str | list[str] | None
    email_to_cc: str | list[str] | None
    email_to_bcc: str | list[str] | None
    attachments: AttachmentSource | Iterable[AttachmentSource] | None
    inline_images: Mapping[str, AttachmentSource | bytes] | None
    reply_to: str | list[str] | None
    headers: Mapping[str, str] | None
    envelope_from: str | None
    importance: Importance | None
    max_message_bytes: int | None


@dataclass(frozen=True)
class EmailDraft:
    """A checked mail whose attachments have not been read yet, so that many can wait in little memory.

    Attributes:
        message: The headers.
        sender: The envelope sender.
        recipients: All addresses to deliver to.
        html: The contents as HTML.
        plain: The contents as plain text, if there is one.
        images: Inline images by content ID.
        files: Attachments.
        max_message_bytes: Size of the encoded message that must not be exceeded.
    """

    message: MIMEMultipart
    sender: str
    recipients: tuple[str, ...]
    html: str
    plain: str | None
    images: Mapping[str, EmailAttachment | Message]
    files: tuple[EmailAttachment | Message, ...]
    max_message_bytes: int | None

    def build(self) -> OutgoingEmail:
        """Read the attachments and put all together.

        Returns:
            The mail, ready to be sent.

        Raises:
            InvalidAttachment: If an attachment cannot be read.
            EmailTooLarge: If the message is larger than `max_message_bytes`.
        """
        message = copy.copy(self.message)
        message.set_payload([])
        message.attach(_body(self.html, self.plain, self.images))
        for file in self.files:
            message.attach(attachment_part(file))
        for part in message.walk():
            if part is not message:
                del part["MIME-Version"]  # RFC 2045, section 4: it belongs on the message only
        if self.max_message_bytes is not None:
            _refuse_if_too_large(len(message_bytes(message)), self.max_message_bytes)
        return OutgoingEmail(message, self.sender, self.recipients)


def draft_email(
    subject: str,
    msg: str,
    *,
    email_from: str | None,
    msg_plain: str | None = None,
    email_to: str | Iterable[str] | None = None,
    email_to_cc: str | Iterable[str] | None = None,
    email_to_bcc: str | Iterable[str] | None = None,
    attachments: AttachmentSource | Iterable[AttachmentSource] | None = None,
    inline_images: Mapping[str, AttachmentSource | bytes] | None = None,
    reply_to: str | Iterable[str] | None = None,
    headers: Mapping[str, str] | None = None,
    envelope_from: str | None = None,
    importance: Importance | None = None,
    max_message_bytes: int | None = None,
) -> EmailDraft:
    """Check all of a mail but the contents of its attachments.

    Args:
        subject: The subject line.
        msg: The contents as HTML.
        email_from: The author's address.
        msg_plain: The contents as plain text.
        email_to: Recipients, separated by commas or as a list.
        email_to_cc: Recipients of a copy.
        email_to_bcc: Recipients of a blind copy.
        attachments: What to attach.
        inline_images: Images that the HTML shows, by content ID.
        reply_to: Where answers go.
        headers: Further headers. `Date` and `Message-ID` replace ours.
        envelope_from: Where bounces go; the author when not given.
        importance: Sets the headers `Importance` and `X-Priority`.
        max_message_bytes: Size of the encoded message that must not be exceeded.

    Raises:
        InvalidEmail: If there is no recipient or no sender, or something of this cannot stand in a mail. Its
            subclasses say more.
        EmailTooLarge: If the attachments alone are larger than `max_message_bytes`.
    """
    subject, msg = _text("subject", subject), _text("msg", msg)
    msg_plain = None if msg_plain is None else _text("msg_plain", msg_plain)
    message = MIMEMultipart("mixed", policy=MAIL_POLICY)
    set_header(message, "Subject", subject)
    author = _one_address("email_from", email_from)
    message["From"] = format_address(author)
    recipients = _set_recipients(message, email_to, email_to_cc, email_to_bcc)
    if answers := _addresses("reply_to", reply_to):
        message["Reply-To"] = ", ".join(map(format_address, answers))
    if importance is not None:
        if importance not in _PRIORITY:
            raise InvalidEmail(f"importance is {importance!r}; give 'low', 'normal' or 'high'.")
        message["Importance"] = importance
        message["X-Priority"] = _PRIORITY[importance]
    message["Date"] = format_datetime(datetime.now(timezone.utc))
    message["Message-ID"] = make_msgid(domain=author.spec.rpartition("@")[2] or "localhost")
    for name, value in (headers or {}).items():
        _set_extra_header(message, name, value)
    bounces = author if envelope_from is None else _one_address("envelope_from", envelope_from)

    images = {_content_id(cid): as_image(cid, image) for cid, image in (inline_images or {}).items()}
    files = tuple(as_attachment(source) for source in _each(attachments))
    sizes = [encoded_size_bytes(part) for part in (*images.values(), *files)]
    _refuse_if_too_large(sum(sizes), max_message_bytes)
    return EmailDraft(message, bounces.spec, recipients, msg, msg_plain, images, files, max_message_bytes)


def message_bytes(message: Message, *, utf8: bool = False) -> bytes:
    """Write a message as it goes over the wire, in lines of 7-bit characters ending in CR LF.

    Args:
        message: The message. A `Bcc` header is left out.
        utf8: Whether headers may hold UTF-8, as the SMTPUTF8 extension allows.
    """
    buffer = BytesIO()
    policy = wire_policy(utf8=utf8)
    if "Bcc" in message:
        message = copy.copy(message)  # its own headers, the same parts
        del message["Bcc"]
    BytesGenerator(buffer, policy=policy).flatten(message)
    return buffer.getvalue()


def _text(field: str, value: str | None) -> str:
    if value is None:
        return ""  # as earlier releases took it
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] - it comes from a caller
        raise InvalidEmail(f"{field} is of type {type(value).__name__!r}. Give text.")
    return value


def _addresses(field: str, value: str | Iterable[str] | None) -> tuple[Address, ...]:
    if value is not None:
        value = [value] if isinstance(value, str) else list(value)
        for text in value:
            if not isinstance(text, str):
                raise InvalidEmail(f"{field} holds {text!r}, which is no text.")
            check_text(field, text)
    return parse_addresses(field, value)


def _one_address(field: str, value: str | None) -> Address:
    found = _addresses(field, value)
    if not found:
        raise InvalidEmail(
            f"{field} is empty and so is the username of the credentials; a mail needs a sender. "
            f"Give {field}='you@example.com'."
        )
    if len(found) > 1:
        raise InvalidEmail(f"{field} holds {len(found)} addresses; give one.")
    return next(iter(found))


def _set_recipients(
    message: Message,
    email_to: str | Iterable[str] | None,
    email_to_cc: str | Iterable[str] | None,
    email_to_bcc: str | Iterable[str] | None,
) -> tuple[str, ...]:
    to = _addresses("email_to", email_to)
    cc = _addresses("email_to_cc", email_to_cc)
    bcc = _addresses("email_to_bcc", email_to_bcc)
    if not (to or cc or bcc):
        raise InvalidEmail(
            "There is nobody to send the mail to: email_to, email_to_cc and email_to_bcc are empty. "
            "Give at least one address."
        )
    for header, addresses in (("To", to), ("Cc", cc)):
        if addresses:
            message[header] = ", ".join(map(format_address, addresses))
    return tuple(dict.fromkeys(address.spec for address in (*to, *cc, *bcc)))


def _set_extra_header(message: Message, name: str, value: str) -> None:
    remedy = _RESERVED.get(name.lower())
    if remedy is not None:
        raise InvalidEmail(f"headers must not hold {name!r}. {remedy}")
    check_text(f"Header {name!r}", value)
    if name.lower() in ADDRESS_HEADERS:
        value = ", ".join(map(format_address, _addresses(f"Header {name!r}", value)))
    set_header(message, name, value)


def _content_id(cid: str) -> str:
    """Check a content ID, and take off the angle brackets that belong to the header."""
    check_text("The content ID of an inline image", cid)
    bare = cid[1:-1] if cid.startswith("<") and cid.endswith(">") else cid
    if not bare or not bare.isascii() or any(character in "<> \t" for character in bare):
        raise InvalidEmail(
            f"{cid!r} cannot be the content ID of an inline image. Use letters, digits and hyphens, "
            "such as 'chart' for <img src=\"cid:chart\">."
        )
    return bare


def _each(
    attachments: AttachmentSource | Iterable[AttachmentSource] | None,
) -> list[AttachmentSource]:
    """List attachments; a single one need not stand in a list."""
    if attachments is None:
        return []
    single = isinstance(attachments, (str, bytes, os.PathLike, Mapping, EmailAttachment, Message))
    if single or hasattr(attachments, "read") or _is_named_content(attachments):
        return [cast("AttachmentSource", attachments)]
    return list(cast("Iterable[AttachmentSource]", attachments))


def _is_named_content(value: object) -> bool:
    if not isinstance(value, tuple):
        return False
    items = cast("tuple[object, ...]", value)
    return len(items) > 1 and isinstance(items[0], str) and isinstance(items[1], (bytes, BytesIO))


def _refuse_if_too_large(size_bytes: int, limit_bytes: int | None) -> None:
    if limit_bytes is not None and size_bytes > limit_bytes:
        raise EmailTooLarge(
            f"The message has {size_bytes:,} bytes or more once encoded, and max_message_bytes is "
            f"{limit_bytes:,}. Send less, or a link to the file."
        )


def _body(html: str, plain: str | None, images: Mapping[str, EmailAttachment | Message]) -> Message:
    body: Message = _text_part(html, "html")
    if plain is not None:
        alternative = MIMEMultipart("alternative", policy=MAIL_POLICY)
        alternative.attach(_text_part(plain, "plain"))
        alternative.attach(body)  # the last alternative is the preferred one
        body = alternative
    if images:
        related = MIMEMultipart("related", policy=MAIL_POLICY, type=body.get_content_type())
        related.attach(body)
        for cid, image in images.items():
            related.attach(inline_image_part(cid, image))
        body = related
    return body


def _text_part(text: str, subtype: str) -> MIMENonMultipart:
    """Build a text part in the shortest encoding whose lines every server takes."""
    text = without_surrogates(text)
    content = text.encode()
    is_short = all(len(line) <= _SAFE_LINE for line in content.splitlines())
    if text.isascii() and is_short and "\0" not in text:
        charset, encoding, payload = "us-ascii", "7bit", text
    else:
        charset = "utf-8"
        encoding, encoded = "quoted-printable", binascii.b2a_qp(content, istext=True)
        if len(encoded) > len(content) * _BASE64_GROWTH:
            encoding, encoded = "base64", base64.encodebytes(content)
        payload = encoded.decode("ascii")
    part = MIMENonMultipart("text", subtype, charset=charset, policy=MAIL_POLICY)
    part["Content-Transfer-Encoding"] = encoding
    part.set_payload(payload)
    return part
