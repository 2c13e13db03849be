"""Print what containers print, while they run, where their service shows no more than the last lines of a log.

A package says how it tells new lines from those that were seen, and what its errors mean. When a look at the last lines
does not show where the last look ended, all that the service gives is read.
"""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from prefect_integration_kit.background import end
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .logs import Log

S = TypeVar("S")

Read = Callable[[int | None], Awaitable[str]]
"""Reads the last lines of a log, as many as the number says, or as many as are to be had."""

MOST_TAIL_LINES = 20_000
_FINISH_SECONDS = 60.0


def print_lines(lines: Sequence[str]) -> None:
    """Write lines to standard error."""
    if lines:
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()


@dataclass
class _Stream(Generic[S]):
    """The output of one job."""

    seen: S
    tail_lines: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class OutputStreams(ABC, Generic[S]):
    """The output of a worker's jobs that is to be printed.

    Args:
        interval_seconds: Seconds between two looks at one log.
        tail_lines: How many lines to ask for at a look.
        logger: Told when output cannot be had.
        write: Gets new lines.
        clock: Time.
    """

    subject: ClassVar[str]
    """What prints, for the log: "container group"."""

    gone_after_looks: ClassVar[float] = float("inf")
    """After how many looks in a row that find no log there is none to come."""

    def __init__(
        self,
        *,
        interval_seconds: float,
        tail_lines: int,
        logger: Log,
        write: Callable[[Sequence[str]], None] = print_lines,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._interval_seconds = interval_seconds
        self._tail_lines = tail_lines
        self._logger = logger
        self._write = write
        self._clock = clock
        self._streams: dict[str, _Stream[S]] = {}

    @abstractmethod
    def nothing_seen(self) -> S:
        """Make what remembers how much of a log was seen."""

    @abstractmethod
    def unseen(self, seen: S, content: str, *, asked: int | None, is_last: bool) -> list[str] | None:
        """Take what is new, and remember it.

        Args:
            seen: How much was seen.
            content: The log, or its last lines.
            asked: How many lines were asked for; `None` for as many as there are to be had.
            is_last: Whether nothing follows.

        Returns:
            New lines, as they are printed; `None` when the content does not say what is new: more is read then.
        """

    @abstractmethod
    def is_missing(self, error: Exception) -> bool:
        """Say whether there is no log, or not yet."""

    @abstractmethod
    def is_passing(self, error: Exception) -> bool:
        """Say whether another look may succeed."""

    def start(self, name: str, read: Read) -> None:
        """Print the output of a job until it has ended.

        Args:
            name: Name of the job.
            read: Reads its log.
        """
        if name not in self._streams:
            stream = self._streams[name] = _Stream(self.nothing_seen(), self._tail_lines)
            stream.task = asyncio.create_task(self._follow(name, stream, read))

    def has_ended(self, name: str) -> None:
        """A job has ended: what is left of its output is printed at once."""
        if (stream := self._streams.get(name)) is not None:
            stream.ended.set()

    async def finish(self, name: str) -> None:
        """Wait until all output of a job that has ended is printed, for a minute at most."""
        if (stream := self._streams.get(name)) is None or stream.task is None:
            return
        stream.ended.set()
        done, _ = await asyncio.wait([stream.task], timeout=_FINISH_SECONDS)
        if not done:
            self._logger.warning("The output of %s '%s' could not be read to its end in time.", self.subject, name)
            await end([stream.task])

    async def close(self) -> None:
        """Print nothing more."""
        streams, self._streams = self._streams, {}
        await end([stream.task for stream in streams.values() if stream.task is not None])

    async def _follow(self, name: str, stream: _Stream[S], read: Read) -> None:
        in_trouble, misses = False, 0
        try:
            while True:
                is_last = await self._pause(stream)
                try:
                    await self._look(stream, read, is_last=is_last)
                except Exception as exc:
                    if self.is_missing(exc):
                        misses += 1
                        if misses >= self.gone_after_looks:
                            return
                    elif is_last or not self.is_passing(exc):
                        raise
                    else:
                        if not in_trouble:
                            text = "Output of %s '%s' cannot be read at present: %s"
                            self._logger.warning(text, self.subject, name, exc)
                        in_trouble = True
                else:
                    in_trouble, misses = False, 0
                if is_last:
                    return
        except Exception as exc:  # noqa: BLE001 - the run does not depend on it
            self._logger.warning("The output of %s '%s' cannot be printed any more: %s", self.subject, name, exc)
        finally:
            if self._streams.get(name) is stream:
                del self._streams[name]

    async def _pause(self, stream: _Stream[S]) -> bool:
        """Wait until the next look; whether it is the last."""
        ended = asyncio.ensure_future(stream.ended.wait())
        pause = asyncio.ensure_future(self._clock.asleep(self._interval_seconds))
        try:
            await asyncio.wait([ended, pause], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([ended, pause])
        return stream.ended.is_set()

    async def _look(self, stream: _Stream[S], read: Read, *, is_last: bool) -> None:
        asked = stream.tail_lines
        new = self.unseen(stream.seen, await read(asked), asked=asked, is_last=is_last)
        if new is None:
            new = self.unseen(stream.seen, await read(None), asked=None, is_last=is_last) or []
        # Who has printed much will print much.
        stream.tail_lines = max(self._tail_lines, min(2 * len(new), MOST_TAIL_LINES))
        self._write(new)
