"""What a check found, and how it is printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

import typer

from ..errors import AwsAccessDenied, AwsConnectionFailed, AwsError, AwsThrottled, AwsUnavailable
from .failures import describe


class Level(str, Enum):
    """How bad it is."""

    ok = "ok"
    warning = "warning"
    failed = "failed"


class Finding(NamedTuple):
    """The result of one check."""

    check: str
    level: Level
    message: str


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, Level.ok, message)


def warning(check: str, message: str) -> Finding:
    """It may work, or could not be looked at."""
    return Finding(check, Level.warning, message)


def failed(check: str, message: str) -> Finding:
    """It cannot work."""
    return Finding(check, Level.failed, message)


def guarded(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on. What may not be looked at is a warning: the worker may have other permissions."""
    try:
        yield from findings
    except (AwsAccessDenied, AwsThrottled, AwsUnavailable, AwsConnectionFailed) as exc:
        yield warning(check, f"Could not be checked: {describe(exc)}")
    except (AwsError, ValueError) as exc:
        yield failed(check, describe(exc))


def print_findings(findings: Iterable[Finding], *, as_json: bool) -> bool:
    """Print findings as they come, or all together as JSON.

    Returns:
        Whether nothing has failed.
    """
    seen: list[Finding] = []
    for finding in findings:
        seen.append(finding)
        if not as_json:
            typer.echo(f"{finding.level.value:8} {finding.check:16} {finding.message}")
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in seen], indent=2))
    return not any(finding.level is Level.failed for finding in seen)
