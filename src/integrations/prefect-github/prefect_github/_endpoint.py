"""Which client of GitHub's API there is: ours, or what tests of flows put in the place of sgqlc's.

By `sgqlc.endpoint.http.HTTPEndpoint`, which calls `urllib.request.urlopen`, went all requests of earlier releases.
"""

from __future__ import annotations

import sys
import urllib.request
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.replaced import is_replaced

from ._hosts import server_of
from ._login import api_header, token_of

if TYPE_CHECKING:
    from sgqlc.endpoint.http import HTTPEndpoint

    from ._login import Credentials

_CREDENTIALS = f"{__package__}.credentials"
_SDK = "sgqlc.endpoint.http"  # whoever replaces something of it has loaded it


def endpoint(credentials: Credentials) -> HTTPEndpoint:
    """Build a client for a block of credentials."""
    if (made_by := _replaced_class()) is not None:
        return made_by(server_of(credentials.base_url).graphql, base_headers=api_header(token_of(credentials)))
    from ._client import GitHubEndpoint  # heavy, and a subclass of what may be replaced

    return GitHubEndpoint(credentials)


def own_endpoint(credentials: Credentials) -> Any:
    """Build the client that somebody has put in the place of ours or of sgqlc's; `None` if nobody has."""
    return credentials.get_client() if is_replaced(credentials, "get_client", _CREDENTIALS) or _is_replaced() else None


def _replaced_class() -> Any:
    for name in (_CREDENTIALS, _SDK):
        found: Any = vars(sys.modules[name]).get("HTTPEndpoint") if name in sys.modules else None
        if found is not None and getattr(found, "__module__", None) != _SDK:
            return found
    return None


def _is_replaced() -> bool:
    if _replaced_class() is not None or is_urlopen_replaced():
        return True
    return _SDK in sys.modules and is_replaced(sys.modules[_SDK].HTTPEndpoint, "__call__", _SDK)


def is_urlopen_replaced() -> bool:
    """Say whether a test has put something in the place of the function that sends."""
    return is_replaced(urllib.request, "urlopen", "urllib.request")
