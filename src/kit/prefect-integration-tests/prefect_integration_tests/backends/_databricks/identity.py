"""Who may ask: tokens of the workspace, and its token endpoint."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from .calls import ApiError, Json

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class TokenRefusal(Exception):
    """A refusal of the token endpoint, in the words of OAuth."""

    def __init__(self, status: int, error: str, description: str) -> None:
        """Say what is refused."""
        super().__init__(description)
        self.status = status
        self.body: Json = {"error": error, "error_description": description}


class Identity:
    """Knows the tokens that are let in, and gives new ones."""

    def __init__(self, token: str, clients: Mapping[str, str], seconds: Callable[[], float]) -> None:
        """Start with a personal access token.

        Args:
            token: It never expires.
            clients: Ids of service principals with their secrets.
            seconds: The server's time.
        """
        self.clients = dict(clients)
        self.lifetime_seconds = 3600.0
        self.subject_tokens: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self._seconds = seconds
        self._tokens: dict[str, float | None] = {token: None}
        self._ids = itertools.count(1)
        self.issued: list[str] = []

    def let_in(self, token: str, seconds: float | None = None) -> None:
        """Let a token of another issuer in, for some seconds or for ever."""
        self._tokens[token] = None if seconds is None else self._seconds() + seconds

    def revoke(self, token: str) -> None:
        """Let a token in no more."""
        self._tokens.pop(token, None)

    def check(self, authorization: str) -> None:
        """Refuse a request whose header is not that of somebody known."""
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not token:
            raise ApiError(401, "Credential was not sent or was of an unsupported type for this API.")
        if token not in self._tokens:
            raise ApiError(403, "Invalid access token.", "403")
        until = self._tokens[token]
        if until is not None and until <= self._seconds():
            raise ApiError(401, "Access token expired.")

    def grant(self, form: Mapping[str, str], authorization: str) -> Json:
        """Answer the token endpoint.

        Raises:
            TokenRefusal: If nobody is known by what was sent.
        """
        kind = form.get("grant_type")
        if kind == "client_credentials":
            client, secret = _basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
            if client not in self.clients or self.clients[client] != secret:
                raise TokenRefusal(401, "invalid_client", "Client authentication failed")
            if form.get("scope") != "all-apis":
                raise TokenRefusal(400, "invalid_scope", "The requested scope is invalid")
        elif kind == _EXCHANGE:
            if form.get("subject_token") not in self.subject_tokens:
                raise TokenRefusal(400, "invalid_grant", "The subject token is not trusted")
            if form.get("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt":
                raise TokenRefusal(400, "invalid_request", "subject_token_type must be that of a JWT")
        elif kind == "refresh_token":
            if form.get("refresh_token") not in self.refresh_tokens:
                raise TokenRefusal(400, "invalid_grant", "Refresh token is invalid or expired")
        else:
            raise TokenRefusal(400, "unsupported_grant_type", f"{kind} is not supported")
        return self._issue(with_refresh=kind == "refresh_token")

    def _issue(self, *, with_refresh: bool) -> Json:
        number = next(self._ids)
        token = f"eyJraWQiOiJ0ZXN0cyJ9.token-{number}.c2ln"
        self._tokens[token] = self._seconds() + self.lifetime_seconds
        self.issued.append(token)
        answer: Json = {
            "access_token": token,
            "token_type": "Bearer",
            "scope": "all-apis",
            "expires_in": int(self.lifetime_seconds),
        }
        if with_refresh:
            answer["refresh_token"] = f"refresh-{number}"
            self.refresh_tokens.add(answer["refresh_token"])
        return answer


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme != "Basic":
        return None
    client, _, secret = base64.b64decode(encoded).decode("utf-8", "replace").partition(":")
    return unquote(client), unquote(secret)
