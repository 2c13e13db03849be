"""Times of a task: boto3 gives datetimes, events give ISO 8601 text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any


def time_of(task: Mapping[str, Any], *fields: str) -> datetime | None:
    """Read the first of some times that a task has.

    Args:
        task: A task, as DescribeTasks or an event gives it.
        fields: Names such as `stoppedAt`, in order of preference.

    Returns:
        The time, with its zone; `None` if none of them is there and readable.
    """
    return next((time for field in fields if (time := _read(task.get(field))) is not None), None)


def _read(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            # Python 3.10 reads neither `Z` nor more or less than three or six digits after the point.
            whole, point, rest = value.strip().replace("Z", "+00:00").partition(".")
            digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
            value = datetime.fromisoformat(f"{whole}.{digits[:6]:0<6}{rest[len(digits) :]}" if point else whole)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
