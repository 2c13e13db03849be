"""What a check of a work pool, or of anything else, has found, and how it is printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple


class Level(str, Enum):
    """How bad it is."""

    ok = "ok"
    warning = "warning"
    failed = "failed"


_MARKS = {Level.ok: "✓", Level.warning: "!", Level.failed: "✗"}
_SUBJECT_COLUMNS = 17


class Finding(NamedTuple):
    """The result of one check: what was looked at, how bad it is, and what to do."""

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


def show(findings: Iterable[Finding], echo: Callable[[str], object], *, as_json: bool = False) -> bool:
    """Print findings as they come, or all together as JSON.

    Args:
        findings: What was found; it may be found while it is printed.
        echo: Prints a line.
        as_json: Whether to print a list of objects with `check`, `level` and `message`.

    Returns:
        Whether nothing has failed.
    """
    seen: list[Finding] = []
    for finding in findings:
        seen.append(finding)
        if not as_json:
            indented = finding.message.replace("\n", "\n" + " " * (_SUBJECT_COLUMNS + 3)).rstrip()
            echo(f"{_MARKS[finding.level]} {finding.check:{_SUBJECT_COLUMNS}} {indented}")
    if as_json:
        echo(json.dumps([finding._asdict() for finding in seen], indent=2))
    return not any(finding.level is Level.failed for finding in seen)
