"""Sessions of `requests`, for SDKs that stand on it, which trust a private authority."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    import requests


def requests_session(ca_bundle: str | None = None, *, verify: bool = True) -> requests.Session:
    """Open a session.

    Args:
        ca_bundle: Certificates of a private authority, which is trusted beside those that are known: the text in PEM
            form, or the path of a file.
        verify: Whether hosts must prove who they are.

    Raises:
        ValueError: If `ca_bundle` is neither.
    """
    import requests

    session = requests.Session()
    session.verify = verify
    if ca_bundle and verify:
        session.mount("https://", _adapter(_context(ca_bundle)))
    return session


def _context(ca_bundle: str) -> ssl.SSLContext:
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


def _adapter(context: ssl.SSLContext) -> Any:
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options, ssl_context=context)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return super().proxy_manager_for(proxy, **options, ssl_context=context)

    return Adapter()
