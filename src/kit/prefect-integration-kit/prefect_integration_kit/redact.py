"""Keep secret values out of text.

A secret leaks in more forms than its own: percent-encoded in a URL, base64 in an `Authorization` header (alone or
behind `user:`), escaped in JSON or a `repr`. `Redactor` finds all of these.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, SecretBytes, SecretStr

MASK = "********"

Secret = SecretStr | SecretBytes | str | bytes | None

# Shorter base64 cores match innocent text: four characters are three bytes.
_MIN_BASE64_CORE = 4


def _plain(secret: Secret) -> bytes:
    if isinstance(secret, SecretStr | SecretBytes):
        secret = secret.get_secret_value()
    if isinstance(secret, str):
        return secret.encode("utf-8", "surrogatepass")
    return secret or b""


def _base64_forms(raw: bytes) -> Iterator[str]:
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


def _forms(secret: Secret) -> Iterator[str]:
    raw = _plain(secret)
    if not raw:
        return
    text = raw.decode("utf-8", "replace")
    yield text
    yield text.strip()
    yield from (line for line in text.splitlines() if len(line.strip()) > 8)  # keys are logged by line
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda m: m.group().lower(), quoted)
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield repr(raw)[2:-1]
    yield from _base64_forms(raw)


class Redactor:
    """Replaces a fixed set of secrets, in every form they take in text, by a mask."""

    def __init__(self, secrets: Iterable[Secret], mask: str = MASK) -> None:
        """Prepare the search.

        Args:
            secrets: The values to hide; empty ones are ignored.
            mask: What to write in their place.
        """
        forms = {form for secret in secrets for form in _forms(secret) if form.strip()}
        self._mask = mask
        # Longest first, so that a secret that contains another goes as a whole.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def redact(self, text: str) -> str:
        """Return `text` with every secret masked."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda _: self._mask, text)

    def found_in(self, text: str) -> bool:
        """Say whether `text` holds one of the secrets."""
        return self._pattern is not None and self._pattern.search(text) is not None


def redact(text: str, secrets: Iterable[Secret], mask: str = MASK) -> str:
    """Mask `secrets` in `text`, raw, percent-encoded, base64-encoded or escaped.

    Args:
        text: Any text: a log line, a message, a URL.
        secrets: The values to hide; empty ones are ignored.
        mask: What to write in their place.
    """
    return Redactor(secrets, mask).redact(text)


def secrets_in(value: Any) -> list[str]:
    """Collect the values of all secret fields in models, mappings and sequences, nested ones included."""
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, SecretBytes):
        return [value.get_secret_value().decode("utf-8", "replace")]
    if isinstance(value, BaseModel):
        members: Iterable[Any] = (getattr(value, name) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        members = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        members = value
    else:
        return []
    return [secret for member in members for secret in secrets_in(member)]


class RedactingFilter(logging.Filter):
    """A logging filter that masks secrets in the message, its arguments and the traceback."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        """Prepare the filter.

        Args:
            secrets: The values to hide.
        """
        super().__init__()
        self._redactor = Redactor(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place and let it pass."""
        record.msg, record.args = self._redactor.redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._redactor.redact(record.exc_text)
        return True
