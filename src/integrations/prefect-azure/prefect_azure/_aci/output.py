"""Print what containers print, while they run: each line once and in order, however many come between two looks.

Azure gives the last lines of a log, or all of it up to 4 MB
(https://learn.microsoft.com/rest/api/container-instances/containers/list-logs). A look reads the last ones; where the
last line that was printed is not among them, it reads all.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect_integration_kit.background import end
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ..errors import AzureError, AzureNotFound, is_transient

Logger = logging.Logger | logging.LoggerAdapter[Any]
Read = Callable[[int | None], Awaitable[str]]
"""Reads the last lines of a log, as many as the number says, or all of it. Each has the time in front."""

_REMEMBERED_LINES = 64
_MOST_TAIL_LINES = 20_000
_FINISH_SECONDS = 60.0
_GONE_AFTER_LOOKS = 3
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")


def print_lines(lines: Sequence[str]) -> None:
    """Write lines to standard error."""
    if lines:
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()


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


@dataclass
class _Stream:
    """The output of one container group."""

    tail_lines: int
    seen: SeenLines = field(default_factory=SeenLines)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Outputs:
    """The output of a worker's container groups that are to be printed.

    Args:
        interval_seconds: Seconds between two looks at one log.
        tail_lines: How many lines to ask for at a look.
        logger: Told when output cannot be had.
        write: Gets new lines.
        clock: Time.
    """

    def __init__(
        self,
        *,
        interval_seconds: float,
        tail_lines: int,
        logger: Logger,
        write: Callable[[Sequence[str]], None] = print_lines,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._interval_seconds = interval_seconds
        self._tail_lines = tail_lines
        self._logger = logger
        self._write = write
        self._clock = clock
        self._streams: dict[str, _Stream] = {}

    def start(self, name: str, read: Read) -> None:
        """Print the output of a container group until it has ended.

        Args:
            name: Name of the group.
            read: Reads its log.
        """
        if name not in self._streams:
            stream = self._streams[name] = _Stream(self._tail_lines)
            stream.task = asyncio.create_task(self._follow(name, stream, read))

    def has_ended(self, name: str) -> None:
        """A container group has ended: what is left of its output is printed at once."""
        if (stream := self._streams.get(name)) is not None:
            stream.ended.set()

    async def finish(self, name: str) -> None:
        """Wait until all output of a container group that has ended is printed, for a minute at most."""
        if (stream := self._streams.get(name)) is None or stream.task is None:
            return
        stream.ended.set()
        done, _ = await asyncio.wait([stream.task], timeout=_FINISH_SECONDS)
        if not done:
            self._logger.warning("The output of container group '%s' could not be read to its end in time.", name)
            await end([stream.task])

    async def close(self) -> None:
        """Print nothing more."""
        streams, self._streams = self._streams, {}
        await end([stream.task for stream in streams.values() if stream.task is not None])

    async def _follow(self, name: str, stream: _Stream, read: Read) -> None:
        in_trouble, misses = False, 0
        try:
            while True:
                is_last = await self._pause(stream)
                try:
                    await self._look(stream, read, is_last=is_last)
                except AzureNotFound:
                    misses += 1
                    if is_last or misses >= _GONE_AFTER_LOOKS:
                        return
                except AzureError as exc:
                    if is_last or (not is_transient(exc)):
                        raise
                    if not in_trouble:
                        self._logger.warning("Output of container group '%s' cannot be read at present: %s", name, exc)
                    in_trouble = True
                else:
                    in_trouble, misses = False, 0
                if is_last:
                    return
        except Exception as exc:  # noqa: BLE001 - the run does not depend on it
            self._logger.warning("The output of container group '%s' cannot be printed any more: %s", name, exc)
        finally:
            if self._streams.get(name) is stream:
                del self._streams[name]

    async def _pause(self, stream: _Stream) -> bool:
        """Wait until the next look; whether it is the last."""
        ended = asyncio.ensure_future(stream.ended.wait())
        pause = asyncio.ensure_future(self._clock.asleep(self._interval_seconds))
        try:
            await asyncio.wait([ended, pause], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([ended, pause])
        return stream.ended.is_set()

    async def _look(self, stream: _Stream, read: Read, *, is_last: bool) -> None:
        asked = stream.tail_lines
        new = stream.seen.unseen(await read(asked), asked=asked, is_last=is_last)
        if new is None:
            new = stream.seen.unseen(await read(None), asked=None, is_last=is_last) or []
        # Who has printed much will print much.
        stream.tail_lines = max(self._tail_lines, min(2 * len(new), _MOST_TAIL_LINES))
        self._write([without_time(line) for line in new])
