"""Tokens that many threads and event loops share: renewed before they expire, and by one of them.

The SDK's clients each keep a token of their own, and all of them ask for another at the same time. Here one asks; the
others use the old token while it is good, and else wait for the new one.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo
    from typing_extensions import Self

RENEW_BEFORE_SECONDS = 300.0
"""How long before its end a token is renewed, the SDK's own threshold:
https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/core/azure-core/azure/core/pipeline/policies/_authentication.py"""
TRY_AGAIN_SECONDS = 30.0
"""How long an old token is used before the next attempt, when it could not be renewed."""


class _Kept:
    """The token for one set of scopes."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.token: Any = None
        self.due_at = 0.0


class SharedTokenCredential:
    """A `TokenCredential` that asks the one behind it once for all threads.

    Attributes:
        clock: Seconds since the epoch; a test sets another.
    """

    clock: ClassVar[Any] = staticmethod(time.time)

    def __init__(self, source: Any) -> None:
        """Keep the tokens of a credential.

        Args:
            source: A `TokenCredential` of the SDK or of the user's own.
        """
        self.source = source
        self._kept: dict[Hashable, _Kept] = {}
        self._changing = threading.Lock()

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        """Get a token, https://learn.microsoft.com/en-us/python/api/azure-core/azure.core.credentials.tokencredential."""
        from azure.core.credentials import AccessToken

        token = self._get(scopes, claims, tenant_id, enable_cae=enable_cae, **kwargs)
        return AccessToken(token.token, int(token.expires_on))

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """Get a token with what is known about it, the newer form of `get_token`."""
        given = dict(options or {})
        return self._get(
            scopes, given.get("claims"), given.get("tenant_id"), enable_cae=bool(given.get("enable_cae", False))
        )

    def kept_token(self, scopes: tuple[str, ...], tenant_id: str | None = None, *, enable_cae: bool = False) -> Any:
        """Return a token that needs no renewal yet, or `None`; nobody is asked."""
        kept = self._kept.get((scopes, tenant_id, enable_cae))
        return kept.token if kept is not None and kept.token is not None and self.clock() < kept.due_at else None

    def _get(
        self, scopes: tuple[str, ...], claims: str | None, tenant_id: str | None, *, enable_cae: bool, **kwargs: Any
    ) -> Any:
        with self._changing:
            kept = self._kept.setdefault((scopes, tenant_id, enable_cae), _Kept())
        token = kept.token
        now = float(self.clock())
        if token is not None and not claims:
            if now < kept.due_at:
                return token
            if now < token.expires_on and not kept.turn.acquire(blocking=False):
                return token  # somebody else renews it
            if now >= token.expires_on:
                kept.turn.acquire()
        else:
            kept.turn.acquire()
        try:
            if not claims and kept.token is not None and kept.token is not token and self.clock() < kept.due_at:
                return kept.token  # renewed while we waited
            try:
                fresh = self._ask(scopes, claims, tenant_id, enable_cae=enable_cae, **kwargs)
            except Exception:
                if claims or kept.token is None or self.clock() >= kept.token.expires_on:
                    raise
                kept.due_at = self.clock() + TRY_AGAIN_SECONDS
                return kept.token
            kept.token, kept.due_at = fresh, self._due_at(fresh)
            return fresh
        finally:
            kept.turn.release()

    def _ask(
        self, scopes: tuple[str, ...], claims: str | None, tenant_id: str | None, *, enable_cae: bool, **kwargs: Any
    ) -> Any:
        from azure.core.credentials import AccessTokenInfo

        given: dict[str, Any] = {"claims": claims, "tenant_id": tenant_id, "enable_cae": enable_cae}
        given = {name: value for name, value in given.items() if value}
        if hasattr(self.source, "get_token_info"):
            return self.source.get_token_info(*scopes, options=given)
        token = self.source.get_token(*scopes, **given, **kwargs)
        return AccessTokenInfo(token.token, int(token.expires_on))

    def _due_at(self, token: Any) -> float:
        now = float(self.clock())
        lifetime = max(0.0, token.expires_on - now)
        # A token of a few minutes would never be fresh by the threshold alone.
        due = token.expires_on - min(RENEW_BEFORE_SECONDS, lifetime / 4)
        refresh_on = getattr(token, "refresh_on", None)
        return min(due, max(float(refresh_on), now)) if refresh_on else due

    def close(self) -> None:
        """Keep the connections: others use them, too."""

    def __enter__(self) -> Self:
        """Return the credential."""
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the connections: others use them, too."""


class AsyncSharedTokenCredential:
    """The `AsyncTokenCredential` of a `SharedTokenCredential`: the same tokens, for any event loop.

    A new token is asked for in a thread, so nothing of it belongs to an event loop.
    """

    def __init__(self, shared: SharedTokenCredential) -> None:
        """Use the tokens of a credential.

        Args:
            shared: The credential.
        """
        self.shared = shared

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        """Get a token, as `SharedTokenCredential.get_token`."""
        from azure.core.credentials import AccessToken

        given = {"claims": claims, "tenant_id": tenant_id, "enable_cae": enable_cae, **kwargs}
        token = await self.get_token_info(*scopes, options=given)
        return AccessToken(token.token, int(token.expires_on))

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """Get a token with what is known about it, as `SharedTokenCredential.get_token_info`."""
        import functools

        import anyio.to_thread

        given = dict(options or {})
        if not given.get("claims"):
            kept = self.shared.kept_token(scopes, given.get("tenant_id"), enable_cae=bool(given.get("enable_cae")))
            if kept is not None:
                return kept
        return await anyio.to_thread.run_sync(functools.partial(self.shared.get_token_info, *scopes, options=given))

    async def close(self) -> None:
        """Keep the connections: others use them, too."""

    async def __aenter__(self) -> Self:
        """Return the credential."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Keep the connections: others use them, too."""


def is_async(credential: Any) -> bool:
    """Say whether a credential of the user's own is an `AsyncTokenCredential`."""
    return any(inspect.iscoroutinefunction(getattr(credential, name, None)) for name in ("get_token", "get_token_info"))
