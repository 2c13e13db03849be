"""Requests to Blob Storage as the front sees them, and answers as the service writes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class AzuriteRequest:
    """One request as it arrived.

    Attributes:
        operation: What it asks for.
        method: HTTP method.
        container: Name of the container; empty where none is meant.
        key: Name of the blob; empty where none is meant.
        query: Query parameters.
        headers: Headers by their names in lower case.
        body: What was sent.
    """

    operation: str
    method: str
    container: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


Answer = tuple[int, list[tuple[str, str]], bytes]


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Write an error as Blob Storage does."""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>'
    )
    return (
        status,
        [("Content-Type", "application/xml"), ("x-ms-error-code", code), *(headers or {}).items()],
        body.encode(),
    )


_SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)


def signature(account: str, key: str, method: str, target: str, headers: Mapping[str, str]) -> str:
    """Sign a request by an account's key.

    See https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key.

    Args:
        account: Name of the account.
        key: Its key, in base64.
        method: HTTP method.
        target: Path and query.
        headers: Headers by their names in lower case.

    Returns:
        The header `Authorization`.
    """
    parts = urlsplit(target)
    values = ["" if (name, headers.get(name)) == ("content-length", "0") else headers.get(name, "") for name in _SIGNED]
    own = [f"{name}:{headers[name].strip()}" for name in sorted(headers) if name.startswith("x-ms-")]
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name.lower(), []).append(value)
    lines = [f"{name}:{','.join(sorted(query[name]))}" for name in sorted(query)]
    text = "\n".join([method, *values, *own, f"/{account}{parts.path}", *lines])
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"
