"""Whom to trust: contexts of TLS, with the public authorities, and with a private one beside them."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


def tls_context(ca_bundle: str, field: str = "ca_bundle") -> ssl.SSLContext:
    """Make a context that trusts a private authority, too.

    Args:
        ca_bundle: Certificates of the authority: the text in PEM form, or the path of a file.
        field: Name of what the user gave, for the message.

    Raises:
        ValueError: If it is neither.
    """
    import ssl

    context = ssl.create_default_context()
    try:
        if "-----BEGIN" in ca_bundle:
            context.load_verify_locations(cadata=ca_bundle)
        else:
            context.load_verify_locations(cafile=Path(ca_bundle).expanduser())
    except (OSError, ValueError) as exc:  # errors of TLS are among them
        shown = "that was given as text" if "-----BEGIN" in ca_bundle else repr(ca_bundle)
        raise ValueError(
            f"{field} {shown} cannot be read as certificates ({exc}). Give a PEM file, or its text."
        ) from exc
    return context


def httpx_context() -> ssl.SSLContext:
    """Give the context that httpx makes for itself, which takes longer than a request, as the environment is now.

    Returns:
        One context for all clients; it must not be changed.
    """
    return _httpx_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.lru_cache(maxsize=4)
def _httpx_context(_cert_file: str | None, _cert_dir: str | None) -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()
