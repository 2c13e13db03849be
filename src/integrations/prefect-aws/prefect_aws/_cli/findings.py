"""What a check found when it could not look."""

from __future__ import annotations

from collections.abc import Iterator

from prefect_integration_kit.findings import Finding, failed, warning

from ..errors import AwsAccessDenied, AwsConnectionFailed, AwsError, AwsThrottled, AwsUnavailable
from .failures import describe


def guarded(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on. What may not be looked at is a warning: the worker may have other permissions."""
    try:
        yield from findings
    except (AwsAccessDenied, AwsThrottled, AwsUnavailable, AwsConnectionFailed) as exc:
        yield warning(check, f"Could not be checked: {describe(exc)}")
    except (AwsError, ValueError) as exc:
        yield failed(check, describe(exc))
