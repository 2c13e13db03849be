"""Work at AWS that is waited for: the kit's `remote_work` with this package's errors."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from prefect_integration_kit import remote_work
from prefect_integration_kit.remote_work import START_BACKOFF, Failures, Patience, arun, await_end, run, wait
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, retry

from .errors import (
    AwsConnectionFailed,
    AwsError,
    AwsInvalidRequest,
    AwsThrottled,
    AwsUnavailable,
    AwsWaitTimeout,
)

__all__ = [
    "ASK_ONCE",
    "FAILURES",
    "START_BACKOFF",
    "Patience",
    "RemoteWork",
    "arun",
    "await_end",
    "is_passing",
    "perhaps_done",
    "persist",
    "run",
    "start_once",
    "wait",
    "was_refused",
]

ASK_ONCE: dict[str, Any] = {"retries": {"mode": "standard", "total_max_attempts": 1}}
"""botocore's `Config` for requests that start something and know no token; it would repeat one that got no answer."""

_UNREACHED = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"})
_SILENCE = frozenset({"ReadTimeoutError", "ConnectionClosedError", "ResponseStreamingError", "IncompleteReadError"})
_DOUBTFUL = frozenset({"504", "GatewayTimeout", "OperationTimeoutException"})
_FULL = frozenset({"ConcurrentRunsExceededException"})  # that lasts as long as the runs do
_ATTEMPTS = Backoff(initial_seconds=0.5, maximum_seconds=5.0, max_attempts=5)

R = TypeVar("R")


def is_passing(error: BaseException) -> bool:
    """Say whether the same request may succeed later: throttling, errors on AWS's side, lost connections."""
    return isinstance(error, AwsThrottled | AwsUnavailable | AwsConnectionFailed)


def was_refused(error: BaseException) -> bool:
    """Say whether a request was certainly not done, and may succeed later: AWS said no, or was never reached."""
    if isinstance(error, AwsThrottled | AwsUnavailable):
        return error.code not in _DOUBTFUL | _FULL
    return any(cls.__name__ in _UNREACHED for cls in type(error).__mro__)


FAILURES = Failures(base=AwsError, refused=AwsInvalidRequest, timed_out=AwsWaitTimeout, is_passing=is_passing)


def persist(call: Callable[[], R], clock: Clock = SYSTEM_CLOCK) -> R:
    """Make a request that is safe to repeat, again for up to a minute while it fails for a passing reason.

    Args:
        call: The request.
        clock: Time.
    """
    return FAILURES.persist(call, clock)


@contextmanager
def perhaps_done(what: str) -> Generator[None, None, None]:
    """Let an error say what may have happened when no answer came to a request that is not repeated.

    Args:
        what: A sentence.
    """
    try:
        yield
    except AwsError as exc:
        if exc.code in _DOUBTFUL | _SILENCE:
            exc.args = (f"{exc} {what}",)
        raise


def start_once(call: Callable[[], R], clock: Clock = SYSTEM_CLOCK) -> R:
    """Make a request that must not be done twice: again after a refusal, but never after silence.

    Args:
        call: The request, by a client that does not repeat it (`ASK_ONCE`).
        clock: Time.
    """
    return retry(call, is_transient=was_refused, backoff=_ATTEMPTS, clock=clock)


class RemoteWork(remote_work.RemoteWork[R]):
    """Something that AWS does for us; `start`, `look` and `settle` raise what `aws_errors` raises."""

    failures = FAILURES
