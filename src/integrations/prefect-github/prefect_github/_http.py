"""Requests over HTTP to GitHub, in both faces: certificates, failures of the network, and how long to go on trying."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from prefect_integration_kit.kept import changed_at
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.network_errors import no_answer
from prefect_integration_kit.redact import Secret
from prefect_integration_kit.sdk_errors import mask_secrets
from prefect_integration_kit.tls import tls_context
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, aretry, retry

from .errors import (
    GitHubCertificateError,
    GitHubCredentialsError,
    GitHubRateLimited,
    GitHubUnavailable,
    GitHubUncertain,
    is_transient,
)

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")

clock: Clock = SYSTEM_CLOCK
"""Time between attempts."""

BACKOFF = Backoff()
"""How long a request is repeated that fails for a moment."""

TIMEOUT_SECONDS = 60.0
"""How long one answer may take: without, a server that does not answer would be waited for without an end."""

_CONNECT_SECONDS = 15.0
USER_AGENT = "prefect-github"
"""GitHub wants one: https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent."""


class Reach(Protocol):
    """How to reach a GitHub; both blocks of credentials say it."""

    ca_bundle: str | None
    verify: bool
    rate_limit_wait_seconds: float


@lru_cache(maxsize=16)
def _context(ca_bundle: str | None, _changed: tuple[int, ...]) -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context() if ca_bundle is None else tls_context(ca_bundle)


def certificates(reach: Reach) -> ssl.SSLContext | bool:
    """Say whom to trust. A context takes tens of milliseconds to make, hence each is kept.

    Raises:
        GitHubCredentialsError: If `ca_bundle` is no certificate.
    """
    if not reach.verify:
        return False
    bundle = reach.ca_bundle or None
    is_file = bundle is not None and "-----BEGIN" not in bundle
    try:
        return _context(bundle, tuple(changed_at([Path(bundle or "")])) if is_file else ())
    except ValueError as exc:
        raise GitHubCredentialsError(str(exc)) from exc


def client_options(reach: Reach) -> dict[str, Any]:
    """List what a client of httpx is opened with."""
    import httpx

    return {
        "verify": certificates(reach),
        "timeout": httpx.Timeout(TIMEOUT_SECONDS, connect=_CONNECT_SECONDS),
        "headers": {"User-Agent": USER_AGENT},
    }


@contextlib.contextmanager
def network_errors(subject: str, secrets: Iterable[Secret], *, changes: bool) -> Generator[None, None, None]:
    """Raise failures of the network as this package's errors.

    Args:
        subject: What the request is about.
        secrets: What must not be said.
        changes: Whether the request changes something.

    Raises:
        GitHubError: In place of an error of httpx.
    """
    import httpx

    try:
        yield
    except httpx.HTTPError as exc:
        mask_secrets(exc, secrets)
        # In these cases there never was a connection that the request could have gone over.
        was_not_sent = isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError)
        if was_not_sent and "CERTIFICATE_VERIFY_FAILED" in str(exc):
            cls = GitHubCertificateError
        else:
            cls = GitHubUncertain if changes and not was_not_sent else GitHubUnavailable
        raise cls(f"{subject}: {no_answer(exc)}. {cls.remedy}", subject=subject) from exc


@dataclass(frozen=True)
class _Patience(Backoff):
    """Waits for rate limits as long as is allowed, and for all else as `BACKOFF` says; both have their own time."""

    limit_seconds: float = 0.0
    waits: list[float] = field(default_factory=list[float], repr=False, compare=False)
    limited: list[bool] = field(default_factory=lambda: [False], repr=False, compare=False)

    def verdict(self, error: Exception) -> bool | float:
        """Say whether an error passes, and remember whether it is a rate limit."""
        self.limited[0] = isinstance(error, GitHubRateLimited)
        return is_transient(error)

    def next_delay(
        self, attempt: int, elapsed_seconds: float, retry_after_seconds: float | None = None
    ) -> float | None:
        """Seconds to wait before the next attempt; `None` when there must be no other."""
        if not self.limited[0]:
            return BACKOFF.next_delay(attempt, max(0.0, elapsed_seconds - sum(self.waits)), retry_after_seconds)
        delay = (retry_after_seconds or 0.0) + self.initial_seconds * self.random()
        if sum(self.waits) + (retry_after_seconds or 0.0) > self.limit_seconds:
            return None
        self.waits.append(delay)
        return delay


def repeat(send: Callable[[], T], reach: Reach) -> T:
    """Send, and again while it fails for a moment or a rate limit is in the way.

    Args:
        send: One attempt.
        reach: Says how long rate limits may be waited for.
    """
    patience = _Patience(limit_seconds=reach.rate_limit_wait_seconds)
    return retry(send, is_transient=patience.verdict, backoff=patience, on_retry=_say_retry, clock=clock)


async def arepeat(send: Callable[[], Awaitable[T]], reach: Reach) -> T:
    """Async form of `repeat`."""
    patience = _Patience(limit_seconds=reach.rate_limit_wait_seconds)
    return await aretry(send, is_transient=patience.verdict, backoff=patience, on_retry=_say_retry, clock=clock)


def _say_retry(exc: Exception, delay: float) -> None:
    run_logger(__name__).warning("%s Trying again in %.1f seconds.", exc, delay)
