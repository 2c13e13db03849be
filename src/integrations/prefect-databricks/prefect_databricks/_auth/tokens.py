"""Tokens that end: each is asked for once, however many threads and event loops need it, and renewed before its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from prefect.logging import get_logger

from prefect_integration_kit.dispatch import run_sync_in_worker_thread

from .. import _time

RENEW_BEFORE_SECONDS = 300.0
"""How long before its end a token is renewed: longer than a request takes, and clocks differ."""

_ASK_AGAIN_SECONDS = 15.0
"""After a renewal has failed, how long a token that is still good is used before the next try."""


@dataclass(frozen=True)
class Token:
    """What proves who asks.

    Attributes:
        value: The token.
        ends_at: When it ends, in seconds since the epoch; `None` if that is not known.
    """

    value: str = field(repr=False)
    ends_at: float | None = None


class TokenKeeper:
    """Keeps one token and renews it.

    Args:
        fetch: Asks for a token. It blocks, and is never called by two threads at a time.
    """

    def __init__(self, fetch: Callable[[], Token]) -> None:
        self._fetch = fetch
        self._turn = threading.Lock()
        self._token: Token | None = None
        self._renew_at: float | None = None

    def get(self) -> str:
        """Give a token that is good for some minutes; asks for one if need be, and blocks meanwhile.

        Raises:
            DatabricksError: If there is none to be had.
        """
        if (fresh := self._fresh()) is not None:
            return fresh
        with self._turn:
            if (fresh := self._fresh()) is not None:
                return fresh
            try:
                token = self._fetch()
            except Exception as exc:
                if self._token is None or self._token.ends_at is None or self._token.ends_at <= _time.now():
                    raise
                # It still has minutes, and who issues tokens may be back by then.
                self._renew_at = _time.now() + _ASK_AGAIN_SECONDS
                get_logger(__name__).debug("The token could not be renewed yet (%s)", type(exc).__name__)
                return self._token.value
            self._keep(token)
            return token.value

    async def aget(self) -> str:
        """Async form of `get`: another thread asks."""
        return self._fresh() or await run_sync_in_worker_thread(self.get)

    def forget(self, value: str) -> None:
        """Drop a token that was refused, unless it has been replaced.

        Args:
            value: The token that was refused.
        """
        with self._turn:
            if self._token is not None and self._token.value == value:
                self._token = None

    def _fresh(self) -> str | None:
        token, renew_at = self._token, self._renew_at
        if token is None or (renew_at is not None and _time.now() >= renew_at):
            return None
        return token.value

    def _keep(self, token: Token) -> None:
        if token.ends_at is None:
            self._renew_at = None
        else:
            lifetime = token.ends_at - _time.now()
            # A token of a few minutes would never be fresh by the threshold alone.
            self._renew_at = token.ends_at - min(RENEW_BEFORE_SECONDS, lifetime / 4)
        self._token = token
