"""Sessions of `requests`, for SDKs that stand on it, which trust a private authority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.tls import tls_context

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
        session.mount("https://", _adapter(tls_context(ca_bundle)))
    return session


def _adapter(context: ssl.SSLContext) -> Any:
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options, ssl_context=context)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return super().proxy_manager_for(proxy, **options, ssl_context=context)

    return Adapter()
