"""Values of secrets: Key Vault stores text, and bytes that are none as the Azure CLI stores them.

`az keyvault secret set --file F --encoding base64` tags a secret with `file-encoding: base64`, and
`az keyvault secret download` decodes by that tag
(https://learn.microsoft.com/en-us/cli/azure/keyvault/secret#az-keyvault-secret-download).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prefect_azure.errors import AzureInvalidRequest

ENCODING_TAG = "file-encoding"
MAX_BYTES = 25_600
"""Largest value: https://learn.microsoft.com/en-us/azure/key-vault/secrets/about-secrets"""

_TEXT = ("utf-8", "utf-16le", "utf-16be", "ascii")


def encoded(subject: str, value: object) -> tuple[str, dict[str, str]]:
    """The text to store, and the tags that say how to read it.

    Args:
        subject: The secret, for the message.
        value: Text or bytes.

    Raises:
        AzureInvalidRequest: If it is neither, or too large.
    """
    if isinstance(value, str):
        text, tags = value, {}
    elif isinstance(value, bytes | bytearray):
        text, tags = _as_text(bytes(value))
    else:
        raise AzureInvalidRequest(
            f"{subject}: the value is of type {type(value).__name__}. Give str or bytes.", subject=subject
        )
    size = len(text.encode())
    if size > MAX_BYTES:
        how = " in base64, since it is no UTF-8 text" if tags else ""
        raise AzureInvalidRequest(
            f"{subject}: the value has {size} bytes{how}; Key Vault takes up to {MAX_BYTES}. Store it in Blob Storage.",
            subject=subject,
        )
    return text, tags


def _as_text(value: bytes) -> tuple[str, dict[str, str]]:
    try:
        return value.decode(), {}
    except UnicodeDecodeError:
        return base64.b64encode(value).decode(), {ENCODING_TAG: "base64"}


# A fault is returned, not raised: the errors of Python's parsers hold all of the secret.


def decoded(text: str, tags: Mapping[str, str] | None) -> tuple[bytes, str]:
    """The bytes of a value, and what is wrong with it; empty when nothing is.

    Args:
        text: What is stored.
        tags: Of the version.
    """
    encoding = (tags or {}).get(ENCODING_TAG, "utf-8").lower()
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True), ""
        if encoding == "hex":
            return bytes.fromhex(text), ""
        if encoding in _TEXT:
            return text.encode(encoding), ""
    except (binascii.Error, ValueError):
        return b"", f"its tag {ENCODING_TAG} says {encoding}, which it is not"
    return text.encode(), ""  # a tag of somebody else's


def properties_of(
    subject: str,
    *,
    content_type: str | None = None,
    tags: Mapping[str, str] | None = None,
    expires_on: datetime | None = None,
    not_before: datetime | None = None,
) -> dict[str, Any]:
    """What is to be said about a version, as the SDK takes it.

    Args:
        subject: The secret, for the message.
        content_type: What the value is.
        tags: Up to 15.
        expires_on: When it ends.
        not_before: When it begins.

    Raises:
        AzureInvalidRequest: If a time has no zone: machines would not agree when it is.
    """
    for name, time in (("expires_on", expires_on), ("not_before", not_before)):
        if time is not None and time.utcoffset() is None:
            raise AzureInvalidRequest(
                f"{subject}: {name} is {time.isoformat()} without a time zone. Write, say, "
                "datetime.now(timezone.utc) + timedelta(days=90).",
                subject=subject,
            )
    given = {"content_type": content_type, "tags": dict(tags or {}) or None}
    given |= {"expires_on": expires_on, "not_before": not_before}
    return {name: value for name, value in given.items() if value is not None}
