"""Mail addresses: read them from what a user wrote, write them into headers.

The parser is stricter than `email.utils.getaddresses`, which guesses an address from almost any text and has been
led to guess the wrong one (CVE-2023-27043).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prefect_email.errors import InvalidEmail

_LOCAL_PART = r'(?:"(?:[^"\\]|\\.)*"|[^\s"(),:;<>@\[\]\\]+)'
_SPEC = rf"{_LOCAL_PART}(?:@(?:[^\s\"(),:;<>@\[\]\\]+|\[[^\s\[\]]*\]))?"
_BARE = re.compile(_SPEC)
_NAMED = re.compile(rf"(?P<name>.*?)\s*<\s*(?P<spec>{_SPEC})\s*>", re.DOTALL)
_COMMENTED = re.compile(rf"(?P<spec>{_SPEC})\s*\((?P<name>[^()]*)\)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_UNQUOTED = re.compile(r'[^\s()<>@,:;\\".\[\]]+(?: [^\s()<>@,:;\\".\[\]]+)*')  # a phrase (RFC 5322, section 3.2.5)


@dataclass(frozen=True)
class Address:
    """One mailbox.

    Attributes:
        spec: `local@domain`, the domain in its ASCII form.
        name: The name shown for it, empty for none.
    """

    spec: str
    name: str = ""


def _split(text: str) -> Iterator[str]:
    """Split at commas that stand outside quotes, angle brackets and comments."""
    start = depth = 0
    is_quoted = is_escaped = False
    for position, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif character == "\\" and (is_quoted or depth):
            is_escaped = True
        elif character == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            if character in "<(":
                depth += 1
            elif character in ">)":
                depth = max(0, depth - 1)
            elif character == "," and not depth:
                yield text[start:position]
                start = position + 1
    yield text[start:]


def _ascii_domain(field: str, spec: str) -> str:
    local, at, domain = spec.rpartition("@")
    if not at or domain.isascii():
        return spec
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError as exc:
        raise InvalidEmail(f"{field}: {domain!r} is no valid domain ({exc}).") from exc


def _parse(field: str, item: str) -> Address:
    if _BARE.fullmatch(item):
        return Address(_ascii_domain(field, item))
    found = _NAMED.fullmatch(item) or _COMMENTED.fullmatch(item)
    if found is None:
        raise InvalidEmail(
            f"{field}: {item!r} is no mail address. Write 'user@example.com' or "
            "'Name <user@example.com>', and separate addresses by commas."
        )
    name = found["name"].strip()
    if quoted := _QUOTED.fullmatch(name):
        name = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
    return Address(_ascii_domain(field, found["spec"]), name)


def parse_addresses(field: str, value: str | Iterable[str] | None) -> tuple[Address, ...]:
    """Read addresses.

    Args:
        field: What they are for, for messages.
        value: Addresses separated by commas, or several such texts. Empty ones are left out.

    Raises:
        InvalidEmail: If something is no address.
    """
    texts = [] if value is None else [value] if isinstance(value, str) else value
    items = (item.strip() for text in texts for item in _split(text))
    return tuple(_parse(field, item) for item in items if item)


def format_address(address: Address, encode: Callable[[str], str] | None = None) -> str:
    """Write an address as it stands in a header.

    Args:
        address: The address.
        encode: Writes a name that is not ASCII; without it, the name stands as it is.
    """
    name = address.name
    if not name:
        return address.spec
    # A sequence that looks like an encoded word would be read as one.
    if encode is not None and (not name.isascii() or "=?" in name):
        return f"{encode(name)} <{address.spec}>"
    if "=?" in name or not _UNQUOTED.fullmatch(name):
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{name} <{address.spec}>"
