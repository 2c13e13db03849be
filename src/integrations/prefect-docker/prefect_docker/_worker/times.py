"""Times as the engine writes them."""

from __future__ import annotations

import calendar
import time


def nanoseconds(timestamp: str) -> int | None:
    """Read a time such as `2026-05-04T07:08:09.123456789Z`.

    Returns:
        Nanoseconds since the epoch; `None` when the text is no such time.
    """
    whole, _, rest = timestamp.partition(".")
    digits = rest.rstrip("Z")
    try:
        seconds = calendar.timegm(time.strptime(whole.rstrip("Z"), "%Y-%m-%dT%H:%M:%S"))
        return seconds * 1_000_000_000 + int(digits.ljust(9, "0")[:9])
    except ValueError:
        return None


def as_since(moment: int) -> str:
    """Write nanoseconds since the epoch as the engine's `since` takes them."""
    return f"{moment // 1_000_000_000}.{moment % 1_000_000_000:09d}"
