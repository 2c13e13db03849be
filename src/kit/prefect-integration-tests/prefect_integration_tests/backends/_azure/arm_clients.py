"""How SDK clients identify themselves at the local Azure server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

_LIFETIME_SECONDS = 3600


class StaticCredential:
    """A `TokenCredential` that gives one token for everything."""

    def __init__(self, token: str = "test-token") -> None:
        """Keep a token.

        Args:
            token: What is sent.
        """
        self.token = token

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Give the token."""
        from azure.core.credentials import AccessToken

        return AccessToken(self.token, int(time.time()) + _LIFETIME_SECONDS)


def client_options(token: str = "test-token") -> dict[str, Any]:
    """Give credential and policies of a client that sends its token, though the server on loopback has no TLS.

    Args:
        token: What it sends.
    """
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class Bearer(SansIOHTTPPolicy[Any, Any]):
        def on_request(self, request: Any) -> None:
            request.http_request.headers["Authorization"] = f"Bearer {token}"

    return {"credential": StaticCredential(token), "authentication_policy": Bearer()}
