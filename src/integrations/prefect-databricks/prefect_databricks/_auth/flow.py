"""Put tokens into requests of httpx, fresh ones for as long as the client lives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping

import httpx

from .tokens import TokenKeeper

_UNAUTHORIZED, _FORBIDDEN = 401, 403


def _is_refused(response: httpx.Response) -> bool:
    """Say whether it is the token that is refused; Databricks says 403 of one that it does not know any more."""
    if response.status_code == _FORBIDDEN:
        return b"Invalid access token" in response.content
    return response.status_code == _UNAUTHORIZED


class TokenAuth(httpx.Auth):
    """Sends a token with each request; one that is refused is replaced, once for each request.

    Args:
        keepers: Gives the token of each header, most important first.
        headers: Further headers that belong to who asks.
    """

    def __init__(self, keepers: Mapping[str, TokenKeeper], headers: Mapping[str, str]) -> None:
        self._keepers = dict(keepers)
        self._headers = dict(headers)

    def __repr__(self) -> str:
        """Say nothing of the token."""
        return f"<{type(self).__name__}>"

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request with tokens of now, and once more with others if they are refused."""
        tokens = {name: keeper.get() for name, keeper in self._keepers.items()}
        response = yield self._signed(request, tokens)
        if response.status_code == _FORBIDDEN:
            response.read()
        if self._can_send_again(request) and _is_refused(response):
            self._forget(tokens)
            yield self._signed(request, {name: keeper.get() for name, keeper in self._keepers.items()})

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Async form of `sync_auth_flow`."""
        tokens = {name: await keeper.aget() for name, keeper in self._keepers.items()}
        response = yield self._signed(request, tokens)
        if response.status_code == _FORBIDDEN:
            await response.aread()
        if self._can_send_again(request) and _is_refused(response):
            self._forget(tokens)
            yield self._signed(request, {name: await keeper.aget() for name, keeper in self._keepers.items()})

    def _signed(self, request: httpx.Request, tokens: Mapping[str, str]) -> httpx.Request:
        request.headers.update(self._headers)
        for name, token in tokens.items():
            request.headers[name] = f"Bearer {token}" if name == "Authorization" else token
        return request

    def _forget(self, tokens: Mapping[str, str]) -> None:
        for name, keeper in self._keepers.items():
            keeper.forget(tokens[name])

    @staticmethod
    def _can_send_again(request: httpx.Request) -> bool:
        """A body that is read from a file or a generator is gone."""
        return isinstance(request.stream, httpx.ByteStream)
