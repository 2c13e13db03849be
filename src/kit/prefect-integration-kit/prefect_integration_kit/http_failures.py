"""Failures of requests that httpx sends: which may pass, and which certainly had no effect."""

from __future__ import annotations

import httpx

from prefect_integration_kit.waiting import Verdict, retry_after_seconds

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods whose second request does nothing more than the first, https://httpwg.org/specs/rfc9110.html#idempotent.methods."""

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 530})
"""Statuses that say nothing of the request itself; those from 520 on are of proxies."""


class GarbledAnswer(httpx.HTTPError):
    """An answer that should be JSON and is not, such as the page of a proxy."""


def passing(exc: BaseException) -> Verdict:
    """Say whether the same request may succeed later; a number of seconds is the server's Retry-After.

    Args:
        exc: What the request raised.
    """
    if isinstance(exc, httpx.HTTPStatusError):
        if exc.response.status_code not in PASSING_STATUSES:
            return False
        asked = retry_after_seconds(exc.response.headers.get("Retry-After"))
        return True if asked is None else asked
    if isinstance(exc, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return False
    if isinstance(exc, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(exc):
        return False
    return isinstance(exc, httpx.TransportError | GarbledAnswer)


def had_no_effect(exc: BaseException) -> bool:
    """Say whether a failed request certainly did nothing: it never arrived, or was refused.

    Args:
        exc: What the request raised.
    """
    if isinstance(exc, httpx.HTTPStatusError):
        return exc.response.status_code < 500 and exc.response.status_code != 408
    return isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol)


def repeatable_if_refused(exc: BaseException) -> Verdict:
    """As `passing`, for requests that must not be done twice.

    Args:
        exc: What the request raised.
    """
    return passing(exc) if had_no_effect(exc) else False
