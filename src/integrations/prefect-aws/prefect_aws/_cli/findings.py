"""What a check found when it could not look."""

from __future__ import annotations

from collections.abc import Iterator

from prefect_integration_kit import pool_checks
from prefect_integration_kit.findings import Finding

from ..errors import AwsAccessDenied, AwsConnectionFailed, AwsError, AwsThrottled, AwsUnavailable
from .failures import describe

_OPEN = (AwsAccessDenied, AwsThrottled, AwsUnavailable, AwsConnectionFailed)


def guarded(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on. What may not be looked at is a warning: the worker may have other permissions."""
    return pool_checks.guarded(
        check, findings, errors=AwsError, is_open=lambda exc: isinstance(exc, _OPEN), describe=describe
    )
