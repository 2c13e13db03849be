"""What a container has written, as Azure Container Instances shows it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone


class ContainerLog:
    """Lines and when they were written."""

    def __init__(self) -> None:
        """Start empty."""
        self.lines: list[tuple[int, str]] = []
        """Nanoseconds since the epoch, and the text."""

    def add(self, lines: Sequence[str], ahead_seconds: float = 0.0) -> None:
        """Add lines that are written now.

        Args:
            lines: Without line ends.
            ahead_seconds: How far the server's clock is ahead of the machine's.
        """
        now = time.time_ns() + int(ahead_seconds * 1e9)
        if self.lines:
            now = max(now, self.lines[-1][0] + 1)
        self.lines += [(now + index, line) for index, line in enumerate(lines)]

    def text(self, *, tail: int | None, timestamps: bool, limit_bytes: int) -> str:
        """Give the log as one text.

        Args:
            tail: How many of the last lines; `None` for all.
            timestamps: Begin each line with its time in UTC, to the nanosecond.
            limit_bytes: At most so much of its end.
        """
        lines = self.lines if tail is None else self.lines[-tail:] if tail > 0 else []
        shown: list[str] = []
        size = 0
        for at, line in reversed(lines):
            text = f"{stamp_of(at)} {line}\n" if timestamps else f"{line}\n"
            size += len(text.encode())
            if size > limit_bytes:
                break
            shown.append(text)
        return "".join(reversed(shown))


def stamp_of(nanoseconds: int) -> str:
    """Write a time in UTC to the nanosecond, as containers' logs do."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
