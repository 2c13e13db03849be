"""Header lines: what may stand in them, and how they are written on the wire.

`email`'s own policies fold addresses with names that are not ASCII wrongly (compat32 encodes the address too, older
Pythons lose the quotes around a comma) and cannot write a `MIMEMultipart` for SMTPUTF8. `MAIL_POLICY` keeps the
readable value in the message object, as a caller gave it, and encodes when the message is written.
"""

from __future__ import annotations

import re
import unicodedata
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.policy import Compat32
from typing import Any

from prefect_email._addresses import format_address, parse_addresses
from prefect_email.errors import HeaderInjection, InvalidEmail

ADDRESS_HEADERS = frozenset(("from", "sender", "to", "cc", "reply-to", "resent-from", "resent-to", "resent-cc"))

_LINE_LENGTH = 78  # RFC 5322, section 2.1.1: a line should have no more characters
_LONGEST_TOKEN = 900  # a line must not have more than 998; a longer word has to be encoded to be split
_LONGEST_NAME = 70
_FOLD = re.compile(r"[\r\n]+(?=[ \t])")
_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322, section 2.2: printable ASCII without the colon


def check_text(label: str, value: str) -> str:
    """Refuse control characters in a text that goes into a header.

    Line breaks would let the text add headers of its own; the others are read as line breaks by some programs.

    Args:
        label: What the text is, for the message.
        value: The text.

    Returns:
        The text, with lone surrogates (undecodable bytes of a file name, for example) as question marks.

    Raises:
        HeaderInjection: If there is a control character other than a tab.
    """
    for position, character in enumerate(value):
        if character != "\t" and (unicodedata.category(character) == "Cc" or character in "\u2028\u2029"):
            raise HeaderInjection(
                f"{label} holds the control character {character!a} at position {position}. "
                "Remove it, or put a space in its place: header text is one line."
            )
    return without_surrogates(value)


def without_surrogates(text: str) -> str:
    """Put question marks for what cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def check_name(name: str) -> str:
    """Refuse what is no name of a header.

    Raises:
        HeaderInjection: If it holds control characters.
        InvalidEmail: If it is empty or holds spaces, colons or characters that are not ASCII.
    """
    check_text("The name of a header", name)
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InvalidEmail(f"{name!r} cannot be the name of a header. Give a name such as 'X-Team'.")
    return name


def _needs_encoding(value: str) -> bool:
    return (
        not value.isascii()
        or "=?" in value  # would be read as an encoded word
        or value != value.strip()
        or "\t" in value
        or any(len(token) > _LONGEST_TOKEN for token in value.split(" "))
    )


def _encoded_words(text: str, first_line_used: int) -> list[str]:
    """Write text as RFC 2047 encoded words, each short enough for a line of its own."""
    charset = Charset("utf-8")
    if sum(map(str.isascii, text)) * 3 > len(text) * 2:
        charset.header_encoding = QP  # mostly readable; else base64, which is shorter
    header = Header(text, charset, maxlinelen=_LINE_LENGTH - 2, header_name="X" * first_line_used)
    return header.encode(linesep="\n").split("\n ")


def _fold(tokens: list[str], used: int, linesep: str) -> str:
    """Join tokens by spaces, or by line breaks where a line would become too long."""
    lines: list[str] = []
    line = ""
    for index, token in enumerate(tokens):
        joined = f"{line} {token}" if index else token
        # A line of spaces only would end the header: the break comes before a token that is not empty.
        if index and line.strip() and token and used + len(joined) > _LINE_LENGTH:
            lines.append(line)
            line, used = token, 1
        else:
            line = joined
    lines.append(line)
    return f"{linesep} ".join(lines)


def fold_header(name: str, value: str, linesep: str, *, utf8: bool = False) -> str:
    """Write one header line, folded and encoded, with its line end.

    Args:
        name: The header.
        value: Its readable value.
        linesep: Line end.
        utf8: Whether characters that are not ASCII may stand as they are (RFC 6532).
    """
    value = without_surrogates(_FOLD.sub("", value))
    if "\r" in value or "\n" in value:
        raise HeaderInjection(f"Header {name!r} holds a line break. Put a space in its place.")
    used = len(name) + 2
    tokens = _address_tokens(name, value, utf8=utf8) if name.lower() in ADDRESS_HEADERS else None
    if tokens is None:
        if not utf8 and _needs_encoding(value):
            tokens = _encoded_words(value, used)
        else:
            tokens = value.split(" ")
    return f"{name}: {_fold(tokens, used, linesep)}{linesep}"


def _address_tokens(name: str, value: str, *, utf8: bool) -> list[str] | None:
    """Write addresses as words that a line may break between; `None` if they cannot be read."""
    try:
        addresses = parse_addresses(name, value)
    except InvalidEmail:
        return None  # in a forwarded message, which is not ours to judge

    def encode(text: str) -> str:
        return " ".join(_encoded_words(text, 0))

    written = [format_address(address, None if utf8 else encode) for address in addresses]
    return ", ".join(written).split(" ")


class MailPolicy(Compat32):
    """Keeps headers as given and writes them by `fold_header`."""

    mangle_from_ = False  # `>From ` is for mailbox files, not for SMTP
    utf8 = False  # a policy attribute that `clone(utf8=True)`, as `smtplib` calls it, may set

    def fold(self, name: str, value: str) -> str:
        """Write a header line."""
        return fold_header(name, str(value), self.linesep, utf8=self.utf8)

    def fold_binary(self, name: str, value: str) -> bytes:
        """Write a header line as bytes."""
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii", "surrogateescape")


MAIL_POLICY = MailPolicy()


def wire_policy(*, utf8: bool) -> MailPolicy:
    """Return the policy that messages are written by for a server.

    Args:
        utf8: Whether headers may hold UTF-8.
    """
    changes: dict[str, Any] = {"cte_type": "7bit", "linesep": "\r\n", "utf8": utf8}
    return MAIL_POLICY.clone(**changes)


def set_header(message: Message, name: str, value: str) -> None:
    """Set a header, in place of one that is there, after checking name and value."""
    check_name(name)
    del message[name]
    message[name] = check_text(name, value)
