"""The forms that a text takes inside of other texts: percent-encoded, escaped, in markup, in base64."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

# Shorter base64 cores match innocent text: four characters are three bytes.
_MIN_BASE64_CORE = 4


def utf8(text: str) -> bytes:
    """Encode a text whose lone surrogates, if any, stand for bytes that are no UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair
        return text.encode("utf-8", "surrogatepass")


def base64_forms(raw: bytes) -> Iterator[str]:
    """Yield what base64 makes of `raw` at each of the three offsets it can have in a longer text.

    The first and last characters of an encoding depend on the neighbours of `raw`, so they are cut off.
    """
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode("ascii")
        start = (0, 2, 3)[offset]
        remainder = (offset + len(raw)) % 3
        core = encoded[start:] if remainder == 0 else encoded[start : -4 + remainder]
        if len(core) >= _MIN_BASE64_CORE:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def long_forms(secret: str, texts: Iterable[str]) -> Iterator[str]:
    """Yield what each usual encoding makes of a long text, one encoding at a time.

    Args:
        secret: The whole text.
        texts: The text and the parts of it to find.
    """
    yield from base64_forms(utf8(secret))
    for text in texts:
        raw = utf8(text)
        yield text
        yield from (quote(raw, safe=""), quote(raw), quote_plus(raw))
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        yield from (repr(text)[1:-1], repr(raw)[2:-1], html.escape(text))


def _percent(raw: bytes) -> str:
    """Match percent-encoding in either case, encoded once or more often, as in a URL inside of a URL's query."""
    return "".join(f"%(?:25)*{''.join(map(_either_case, f'{byte:02x}'))}" for byte in raw)


def _either_case(digit: str) -> str:
    return f"[{digit}{digit.upper()}]" if digit.isalpha() else digit


def _escapes(char: str) -> Iterator[str]:
    r"""Yield how string literals, JSON and markup write a character behind a `\` or `&`."""
    code = ord(char)
    short = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\0": "0"}.get(char)
    if short:
        yield short
    if code < 0x100:
        yield f"x{_hex(code, 2)}"
    if code >= 0x10000:
        high, low = 0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code - 0x10000 & 0x3FF)
        yield f"u{_hex(high, 4)}{_BACKSLASHES}u{_hex(low, 4)}"
    else:
        yield f"u{_hex(code, 4)}"
    yield f"U{_hex(code, 8)}"


def _hex(number: int, digits: int) -> str:
    return "".join(map(_either_case, f"{number:0{digits}x}"))


# One for each time that the text was escaped, itself perhaps percent-encoded. A run is tried at its start only, which
# keeps the search linear.
_RUN_START = r"(?<!\\)(?<!%5[cC])"
_BACKSLASH = r"(?:\\|%(?:25)*5[cC])"
_BACKSLASHES = f"{_RUN_START}{_BACKSLASH}+"
_BACKSLASH_RUN = re.compile(r"\\+")
_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9._~-]+")
_MARKUP = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_ITSELF = {" ": "[ +]", "\n": r"\r?\n"}
_ESCAPED_AS_THEMSELVES = frozenset("\"'/`$!")  # they end a literal, or mean something in one


def _char_pattern(char: str, *, follows_backslashes: bool) -> str:
    """Match a character as itself or as any encoding of text writes it.

    Args:
        char: The character; no backslash.
        follows_backslashes: The pattern before this one takes all backslashes there are.
    """
    raw = utf8(char)
    backslashes = "" if follows_backslashes else _BACKSLASHES
    itself = f"(?:{_ITSELF.get(char, re.escape(char))}|{_percent(raw)})"
    forms = [itself]
    if char in _ESCAPED_AS_THEMSELVES and backslashes:
        forms.append(f"{backslashes}{itself}")
    forms += [f"{backslashes}{escape}" for escape in _escapes(char)]
    if len(raw) > 1:
        in_bytes = _BACKSLASHES.join(f"x{_hex(byte, 2)}" for byte in raw)  # their repr
        forms.append(f"{backslashes}{in_bytes}")
    if 0xDC80 <= ord(char) <= 0xDCFF:  # a byte that is no UTF-8: its repr, and what decoders show in its place
        forms += [f"{backslashes}x{_hex(raw[0], 2)}", "\ufffd", chr(raw[0])]
    if char == "'":
        forms += [r"'\\''", "'\"'\"'"]  # how a shell writes a quote inside of quotes
    if char in _MARKUP:
        forms.append(f"&{_MARKUP[char]};")
    forms.append(f"&#(?:{ord(char)}|x{_hex(ord(char), 0)});")
    return f"(?:{'|'.join(forms)})"


def text_pattern(text: str) -> str:
    """Match a text raw, percent-encoded, escaped, or any mixture of these, character by character.

    What counts as safe in a URL differs from client to client, so a fixed set of encodings would miss some.
    Backslashes are matched by the run: taken one by one, there would be too many ways to share them out.
    """
    parts: list[str] = []
    position = 0
    while position < len(text):
        run = _NEVER_ESCAPED.match(text, position) or _BACKSLASH_RUN.match(text, position)
        if run is None:
            after = text[position - 1 : position] == "\\"
            parts.append(_char_pattern(text[position], follows_backslashes=after))
            position += 1
            continue
        position, size = run.end(), len(run.group())
        is_plain = run.re is _NEVER_ESCAPED
        parts.append(run.group().replace(".", r"\.") if is_plain else f"{_RUN_START}{_BACKSLASH}{{{size},}}")
    return "".join(parts)
