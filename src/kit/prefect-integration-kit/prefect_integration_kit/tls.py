"""Whom to trust: a context of TLS that knows a private authority beside the public ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


def tls_context(ca_bundle: str) -> ssl.SSLContext:
    """Make a context that trusts a private authority, too.

    Args:
        ca_bundle: Certificates of the authority: the text in PEM form, or the path of a file.

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
            f"ca_bundle {shown} cannot be read as certificates ({exc}). Give a PEM file, or its text."
        ) from exc
    return context
