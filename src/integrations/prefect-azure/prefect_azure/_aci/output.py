"""Print what containers print, while they run: each line once and in order, however many come between two looks.

Azure gives the last lines of a log, or all of it up to 4 MB
(https://learn.microsoft.com/rest/api/container-instances/containers/list-logs). A look reads the last ones; where the
last line that was printed is not among them, it reads all.
"""

from __future__ import annotations

import re
from collections import deque

from prefect_integration_kit.output_streams import OutputStreams

from ..errors import AzureError, AzureNotFound, is_transient

_REMEMBERED_LINES = 64
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")


class SeenLines:
    """How much of a log was seen."""

    def __init__(self) -> None:
        self._count = 0
        self._recent: deque[str] = deque(maxlen=_REMEMBERED_LINES)

    def unseen(self, content: str, *, asked: int | None, is_last: bool = False) -> list[str] | None:
        """Take what is new, and remember it.

        Args:
            content: The log, or its last lines.
            asked: How many lines were asked for; `None` for all of them.
            is_last: Whether nothing follows; otherwise a line that is not ended is left for the next time.

        Returns:
            New lines, as they stand in the log; `None` when the content does not say what is new: read all then.
        """
        lines = content.split("\n")
        if not lines[-1]:
            lines.pop()
        is_whole = asked is None or len(lines) < asked
        if not is_last and not content.endswith("\n") and lines:
            lines.pop()
        start = self._start(lines, is_whole=is_whole)
        if start is None:
            return None
        new = lines[start:]
        self._count = len(lines) if is_whole else self._count + len(new)
        self._recent.extend(new)
        return new

    def _start(self, lines: list[str], *, is_whole: bool) -> int | None:
        """Where what is new begins."""
        if not self._recent:
            return 0 if is_whole else None
        last = self._recent[-1]
        if is_whole and self._count <= len(lines) and lines[self._count - 1] == last:
            return self._count
        if not is_whole and not _TIME.match(last):
            return None  # lines without times are too easily mistaken for each other
        # Of a log above 4 MB the beginning is not given: its lines cannot be counted.
        places = [place for place, line in enumerate(lines) if line == last and self._fits(lines, place)]
        if not places:
            return 0 if is_whole else None
        return places[0] + 1

    def _fits(self, lines: list[str], place: int) -> bool:
        """Whether the lines up to a place are those that were seen last. The very first may be cut off."""
        length = min(len(self._recent), max(1, place))
        recent = list(self._recent)[-length:]
        return lines[place + 1 - length : place + 1] == recent


def without_time(line: str) -> str:
    """A line as the container printed it."""
    return _TIME.sub("", line, count=1).rstrip("\r")


class Outputs(OutputStreams[SeenLines]):
    """The output of a worker's container groups that are to be printed."""

    subject = "container group"
    gone_after_looks = 3

    def nothing_seen(self) -> SeenLines:
        return SeenLines()

    def unseen(self, seen: SeenLines, content: str, *, asked: int | None, is_last: bool) -> list[str] | None:
        new = seen.unseen(content, asked=asked, is_last=is_last)
        return None if new is None else [without_time(line) for line in new]

    def is_missing(self, error: Exception) -> bool:
        return isinstance(error, AzureNotFound)

    def is_passing(self, error: Exception) -> bool:
        return isinstance(error, AzureError) and bool(is_transient(error))
