"""Credentials that many threads share: a token is renewed before it expires, and by one of them.

The SDK renews a token in every thread that finds it expired, so a hundred threads ask for a hundred tokens. Here one
asks and the others wait for it.
"""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import Any, ClassVar, TypeVar, cast

C = TypeVar("C")

RENEW_BEFORE_SECONDS = 225.0
"""How long before its end a token is renewed; the SDK's own threshold:
https://google-auth.readthedocs.io/en/latest/reference/google.auth.credentials.html"""


class SharedToken:
    """Joined with a credentials class of `google.auth`: the same credentials, renewed once.

    Attributes:
        clock: Seconds since the epoch; a test sets another.
    """

    clock: ClassVar[Any] = staticmethod(time.time)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.begin_sharing()

    def begin_sharing(self) -> None:
        """Set what the renewing needs; for instances that were made as the SDK's class."""
        # The long names do not meet those of the SDK's classes: `_lifetime` is one of theirs.
        self._shared_turn = threading.RLock()
        self._shared_ends_at: float | None = None
        self._shared_lifetime = 0.0
        self._shared_seen = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what belongs to threads."""
        return {name: value for name, value in vars(self).items() if name not in ("_shared_turn", "_shared_seen")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of another one; the token ends when it ends."""
        vars(self).update(state)
        self._shared_turn = threading.RLock()
        self._shared_seen = threading.local()

    @property
    def expired(self) -> bool:
        """Whether it is time for another token."""
        if self._shared_ends_at is None:
            return cast("bool", cast("Any", super()).expired)
        # A token of a few minutes would never be fresh by the threshold alone.
        return cast("float", self.clock()) >= self._shared_ends_at - min(
            RENEW_BEFORE_SECONDS, self._shared_lifetime / 4
        )

    @property
    def token_state(self) -> Any:
        """The state by this clock."""
        from google.auth.credentials import TokenState

        mine = cast("Any", self)
        if mine.token is None or (self._shared_ends_at is not None and self.clock() >= self._shared_ends_at):
            return TokenState.INVALID
        if self._shared_ends_at is None:
            return cast("Any", super()).token_state
        return TokenState.STALE if self.expired else TokenState.FRESH

    def refresh(self, request: Any) -> None:
        """Ask for another token, unless another thread has got one since this thread used the last.

        Raises:
            google.auth.exceptions.GoogleAuthError: If there is none to be had.
        """
        used = getattr(self._shared_seen, "token", None)
        mine = cast("Any", self)
        with self._shared_turn:
            if used is not None and used != mine.token and mine.valid:
                return
            self._renew(request)

    def renew_if_due(self, request: Any) -> None:
        """Ask for another token if it is time for that; one thread does, the others wait for it."""
        mine = cast("Any", self)
        if mine.valid:
            return
        with self._shared_turn:
            if not mine.valid:
                self._renew(request)

    def _renew(self, request: Any) -> None:
        from google.auth import _helpers

        statuses: list[int] = []

        def watched(*args: Any, **kwargs: Any) -> Any:
            response = request(*args, **kwargs)
            statuses.append(response.status)
            return response

        try:
            cast("Any", super()).refresh(watched)
        except Exception as exc:
            if statuses and statuses[-1] >= 400:
                # The SDK tells a 503 of the token endpoint from a refused key by words only.
                exc.http_status = statuses[-1]  # pyright: ignore[reportAttributeAccessIssue]
            raise
        expiry = cast("Any", self).expiry
        if expiry is None:
            self._shared_ends_at = None
            return
        self._shared_lifetime = max(0.0, (expiry - _helpers.utcnow()).total_seconds())
        self._shared_ends_at = self.clock() + self._shared_lifetime

    def before_request(self, request: Any, method: str, url: str, headers: Any) -> None:
        """Renew the token if it is time for that, and put it into the headers."""
        self.renew_if_due(request)
        cast("Any", super()).before_request(request, method, url, headers)

    def apply(self, headers: Any, token: str | None = None) -> None:
        """Put the token into the headers."""
        self._shared_seen.token = token or cast("Any", self).token
        cast("Any", super()).apply(headers, token)


@cache
def _shared_class(cls: type[Any]) -> type[Any]:
    return type(cls.__name__, (SharedToken, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__})


def share(credentials: C) -> C:
    """Make credentials of the SDK renew their token once for all threads.

    Args:
        credentials: Any of `google.auth`'s; it becomes an instance of a subclass of its own class.
    """
    from google.auth.credentials import Credentials

    cls = type(credentials)
    # By its type: a mock says that it is anything.
    if issubclass(cls, SharedToken) or not issubclass(cls, Credentials):
        return credentials
    credentials.__class__ = _shared_class(cls)
    cast("SharedToken", credentials).begin_sharing()
    return credentials
