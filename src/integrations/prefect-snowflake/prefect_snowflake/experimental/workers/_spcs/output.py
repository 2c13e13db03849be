"""Print what containers print, while they run: each line once and in order.

Snowflake gives the last lines of a container, as many as asked for, up to 100 KB, each with its time in front
(https://docs.snowflake.com/en/sql-reference/functions/system_get_service_logs). Times go up, so what is new is what
comes after the last line that was printed.
"""

from __future__ import annotations

from prefect_integration_kit.output_streams import OutputStreams

from ....errors import SnowflakeError, SnowflakeObjectNotFound, is_transient


class SeenLines:
    """How much of a container's output was seen: up to which time, and how many lines of that very time."""

    def __init__(self) -> None:
        self._time = ""
        self._count = 0

    def unseen(self, content: str, *, asked: int | None) -> list[str] | None:
        """Take what is new, and remember it.

        Args:
            content: The last lines.
            asked: How many lines were asked for; `None` for as many as there are to be had.

        Returns:
            New lines without their times; `None` when there may be others before them: ask for more then.
        """
        lines = [line.partition(" ") for line in content.split("\n") if line.strip()]
        skip = self._count
        new: list[tuple[str, str]] = []
        for time, _, text in lines:
            if time < self._time:
                continue
            if time == self._time and skip:
                skip -= 1
                continue
            new.append((time, text.rstrip("\r")))
        if asked is not None and len(new) == len(lines) >= asked:
            return None
        for time, _ in new:
            self._count = self._count + 1 if time == self._time else 1
            self._time = time
        return [text for _, text in new]


class Outputs(OutputStreams[SeenLines]):
    """The output of a worker's jobs that is to be printed."""

    subject = "Snowpark job"

    def nothing_seen(self) -> SeenLines:
        return SeenLines()

    def unseen(self, seen: SeenLines, content: str, *, asked: int | None, is_last: bool) -> list[str] | None:
        return seen.unseen(content, asked=asked)

    def is_missing(self, error: Exception) -> bool:
        return isinstance(error, SnowflakeObjectNotFound)

    def is_passing(self, error: Exception) -> bool:
        return isinstance(error, SnowflakeError) and bool(is_transient(error))
