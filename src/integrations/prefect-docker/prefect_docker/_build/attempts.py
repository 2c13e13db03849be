"""Failures of builds and pushes that may pass: a registry or the way to it had one, so the same is tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prefect_integration_kit.logs import Log
from prefect_docker.errors import ImageBuildFailed, ImagePushDenied, ImagePushFailed
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, retry

T = TypeVar("T")

_PASSING = (
    "429 too many requests",
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "504 gateway time",
    "toomanyrequests",
    "i/o timeout",
    "tls handshake timeout",
    "connection reset",
    "unexpected eof",
    "broken pipe",
    "temporary failure in name resolution",
    "context deadline exceeded",
)
# As often as Prefect's own builds; the builds themselves may take their time.
_BACKOFF = Backoff(initial_seconds=2.0, deadline_seconds=4 * 3600, max_attempts=4)
_clock: Clock = SYSTEM_CLOCK


def repeated(call: Callable[[], T], logger: Log) -> T:
    """Build or push, again while it fails for reasons that may pass.

    Args:
        call: What to do.
        logger: Is told about failures.

    Raises:
        DockerError: The last failure.
    """

    def tell(error: Exception, delay_seconds: float) -> None:
        logger.warning("%s It is tried again in %.1f seconds.", error, delay_seconds)

    return retry(call, is_transient=_may_pass, backoff=_BACKOFF, on_retry=tell, clock=_clock)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, ImagePushDenied) or not isinstance(error, ImageBuildFailed | ImagePushFailed):
        return False
    return any(words in error.reason.lower() for words in _PASSING)
