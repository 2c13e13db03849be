"""Keep secret values out of text.

A secret leaks in more forms than its own: percent-encoded in a URL, base64 in an `Authorization` header (alone or
behind `user:`), escaped in JSON, markup or a `repr`. `Redactor` finds all of these.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, cast

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic import Secret as PydanticSecret

from prefect_integration_kit._encodings import base64_forms, long_forms, text_pattern, utf8

MASK = "********"

Secret = SecretStr | SecretBytes | str | bytes | None

# Shorter lines of a key file, such as a lone bracket, are no secret.
_MIN_LINE = 8

_LONG = 512


def _plain(secret: Secret) -> str:
    """Return the text of a secret; bytes that are no UTF-8 become lone surrogates, one each."""
    if isinstance(secret, SecretStr | SecretBytes):
        secret = secret.get_secret_value()
    if isinstance(secret, bytes):
        return secret.decode("utf-8", "surrogateescape")
    return secret or ""


def _texts(text: str) -> set[str]:
    """A secret whole, without its margin, and by line: keys are logged line by line."""
    lines = (line.strip() for line in text.splitlines())
    return {text, text.strip(), *(line for line in lines if len(line) > _MIN_LINE)}


class Redactor:
    """Replaces a fixed set of secrets, in every form they take in text, by a mask.

    A secret of up to 512 characters is found in any mixture of encodings, a longer one (a file) in each encoding by
    itself, because the time to prepare the search grows with the length. It is prepared when it is first needed.
    """

    def __init__(self, secrets: Iterable[Secret], mask: str = MASK) -> None:
        """Choose what to hide.

        Args:
            secrets: The values to hide; empty ones are ignored.
            mask: What to write in their place.
        """
        self._mask = mask
        self._secrets = {text for text in map(_plain, secrets) if text.strip()}

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        patterns: dict[str, int] = {}
        for secret in self._secrets:
            if len(secret) > _LONG:
                continue
            found = [*map(text_pattern, _texts(secret)), *map(text_pattern, base64_forms(utf8(secret)))]
            patterns.update((pattern, max(len(secret), patterns.get(pattern, 0))) for pattern in found)
        # Longest first, so that a secret that contains another goes as a whole.
        ordered = sorted(patterns, key=lambda pattern: (-patterns[pattern], -len(pattern), pattern))
        return re.compile("|".join(ordered)) if ordered else None

    @cached_property
    def _literals(self) -> list[str]:
        long = (secret for secret in self._secrets if len(secret) > _LONG)
        forms = {form for secret in long for form in long_forms(secret, _texts(secret))}
        return sorted(forms, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """Return `text` with every secret masked."""
        for literal in self._literals:
            text = text.replace(literal, self._mask)
        return text if self._pattern is None else self._pattern.sub(lambda _: self._mask, text)

    def found_in(self, text: str) -> bool:
        """Say whether `text` holds one of the secrets."""
        if any(literal in text for literal in self._literals):
            return True
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
    """Collect the values of all secret fields in models, mappings and sequences, nested ones included.

    A secret that holds a mapping or sequence, such as a service account's key file, gives each text in it.
    """
    if isinstance(value, SecretStr | SecretBytes | PydanticSecret):
        return _texts_in(cast("Any", value).get_secret_value())
    if isinstance(value, BaseModel):
        fields = (getattr(value, name) for name in type(value).model_fields)
        members: Iterable[Any] = (*fields, *(value.model_extra or {}).values())
    elif isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value).values()
    elif isinstance(value, list | tuple | set | frozenset):
        members = cast("Iterable[Any]", value)
    else:
        return []
    return [secret for member in members for secret in secrets_in(member)]


def _texts_in(value: Any) -> list[str]:
    if isinstance(value, bytes):
        return [value.decode("utf-8", "surrogateescape")]
    if isinstance(value, Mapping):
        members: Iterable[Any] = cast("Mapping[Any, Any]", value).values()
    elif isinstance(value, list | tuple | set | frozenset):
        members = cast("Iterable[Any]", value)
    elif isinstance(value, SecretStr | SecretBytes | PydanticSecret | BaseModel):
        return secrets_in(value)
    else:
        return [value] if isinstance(value, str) else []
    return [text for member in members for text in _texts_in(member)]


class RedactingFilter(logging.Filter):
    """A logging filter that masks secrets in the message, its arguments, the traceback and every other text.

    Add it to a handler, or to the logger that writes: the filters of a parent logger do not see a child's records.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        """Prepare the filter.

        Args:
            secrets: The values to hide.
        """
        super().__init__()
        self._redactor = Redactor(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place and let it pass."""
        try:
            record.msg = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit their message must not break the caller
            record.msg = f"{record.msg} {record.args}"
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None  # a formatter that ignores `exc_text` would write the traceback again
        for name, value in vars(record).items():
            if isinstance(value, str) and name not in _RECORD_NAMES:
                setattr(record, name, self._redactor.redact(value))
        return True


# What routes a record, and names our own code.
_RECORD_NAMES = {"name", "levelname", "pathname", "filename", "module", "funcName", "threadName", "processName"}
