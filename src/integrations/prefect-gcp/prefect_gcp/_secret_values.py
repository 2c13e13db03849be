"""Values of secrets: as bytes, as text, as JSON."""

from __future__ import annotations

import json
from typing import Any

from prefect_gcp._secret_names import SecretName
from prefect_gcp.errors import GcpInvalidRequest


def as_bytes(name: SecretName, value: object) -> bytes:
    """The value to store.

    Args:
        name: The secret, for the message.
        value: Text or bytes.

    Raises:
        GcpInvalidRequest: If it is neither.
    """
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise GcpInvalidRequest(
        f"{name.subject}: the value is of type {type(value).__name__}. Give str or bytes.", subject=name.subject
    )


# A fault is returned, not raised: the errors of Python's parsers hold all of the secret.


def as_text(value: bytes) -> str | None:
    """The value as text; `None` if it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def parsed(value: bytes) -> tuple[Any, str]:
    """What the JSON of a value says, and what is wrong with it; empty when nothing is."""
    try:
        return json.loads(value), ""
    except UnicodeDecodeError:
        return None, "not UTF-8 text"
    except json.JSONDecodeError as exc:
        return None, f"{exc.msg} in line {exc.lineno}, column {exc.colno}"
