"""Work at AWS that is waited for: the kit's `remote_work` with this package's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prefect_integration_kit import remote_work
from prefect_integration_kit.remote_work import START_BACKOFF, Failures, Patience, arun, await_end, run, wait
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .errors import (
    AwsConnectionFailed,
    AwsError,
    AwsInvalidRequest,
    AwsThrottled,
    AwsUnavailable,
    AwsWaitTimeout,
)

__all__ = [
    "FAILURES",
    "START_BACKOFF",
    "Patience",
    "RemoteWork",
    "arun",
    "await_end",
    "is_passing",
    "persist",
    "run",
    "wait",
]

R = TypeVar("R")


def is_passing(error: BaseException) -> bool:
    """Say whether the same request may succeed later: throttling, errors on AWS's side, lost connections."""
    return isinstance(error, AwsThrottled | AwsUnavailable | AwsConnectionFailed)


FAILURES = Failures(base=AwsError, refused=AwsInvalidRequest, timed_out=AwsWaitTimeout, is_passing=is_passing)


def persist(call: Callable[[], R], clock: Clock = SYSTEM_CLOCK) -> R:
    """Make a request that is safe to repeat, again for up to a minute while it fails for a passing reason.

    Args:
        call: The request.
        clock: Time.
    """
    return FAILURES.persist(call, clock)


class RemoteWork(remote_work.RemoteWork[R]):
    """Something that AWS does for us; `start`, `look` and `settle` raise what `aws_errors` raises."""

    failures = FAILURES
