"""Copy what containers print to the worker's own output, without a thread for each.

Where the stream breaks it is taken up again a little before its last line, and what was copied already is passed over:
nothing is lost, nothing is said twice.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prefect_integration_kit.logs import Log

from ..errors import DockerError, docker_errors
from .times import as_since, nanoseconds

if TYPE_CHECKING:
    from ..settings import DockerWorkerSettings
    from .engine import Engine
    from .wire import Wire


# pyright: reportUnknownMemberType=false

_OVERLAP_NANOSECONDS = 1_000_000_000
"""How far back a broken stream is taken up. The engine's log has lines of the two streams slightly out of order."""

_RECONNECT_SECONDS = 0.5
_MOST_RECONNECT_SECONDS = 15.0


class Copied:
    """What has been copied of a container's output lately."""

    def __init__(self, latest: int = 0) -> None:
        """Begin with nothing.

        Args:
            latest: Nanoseconds since the epoch; what was printed before is not wanted. Everything is when 0.
        """
        self._first = latest
        self._latest = latest
        self._recent: deque[tuple[int, tuple[int, bytes, int]]] = deque()
        self._counts: Counter[tuple[int, bytes, int]] = Counter()
        self._to_pass: Counter[tuple[int, bytes, int]] = Counter()

    @property
    def since(self) -> str:
        """From when on to read."""
        return as_since(max(self._first, self._latest - _OVERLAP_NANOSECONDS))

    def taken_up(self) -> None:
        """The output is read again from `since` on: what was copied comes once more."""
        self._to_pass = Counter(self._counts)

    def new_text(self, stream: int, entry: bytes) -> bytes | None:
        """Take the time off an entry of the log; `None` when it has been copied before."""
        stamp, _, text = entry.partition(b" ")
        moment = nanoseconds(stamp.decode("ascii", errors="replace"))
        if moment is None:
            return entry
        key = (stream, stamp, hash(text))
        if self._to_pass[key] > 0:
            self._to_pass[key] -= 1
            return None
        self._recent.append((moment, key))
        self._counts[key] += 1
        self._latest = max(self._latest, moment)
        while self._recent and self._recent[0][0] < self._latest - _OVERLAP_NANOSECONDS:
            _, old = self._recent.popleft()
            self._counts[old] -= 1
            if not self._counts[old]:
                del self._counts[old]
        return text


def to_standard_output(line: bytes) -> None:
    """Print one line of a container."""
    sys.stdout.write(line.rstrip(b"\r").decode("utf-8", errors="replace") + "\n")
    sys.stdout.flush()


class OutputCopy:
    """Copies the output of one container until it ends."""

    def __init__(
        self,
        engine: Engine,
        container_id: str,
        settings: DockerWorkerSettings,
        logger: Log,
        *,
        is_tty: bool = False,
        from_now: bool = False,
        write: Callable[[bytes], None] = to_standard_output,
    ) -> None:
        self._engine = engine
        self._container_id = container_id
        self._settings = settings
        self._logger = logger
        self._is_tty = is_tty
        self._write = write
        # Another worker has copied what came before.
        self._copied = Copied(time.time_ns() if from_now else 0)
        self._rests: dict[int, bytes] = {}
        self._has_ended = asyncio.Event()

    def ended(self) -> None:
        """The container has ended: one more read to its end is enough."""
        self._has_ended.set()

    async def copy(self) -> None:
        """Copy until the container has ended and all it printed is copied. Errors are logged, not raised."""
        try:
            if self._engine.wire is None:
                await self._poll()
            else:
                await self._follow(self._engine.wire)
        except DockerError as exc:
            self._logger.warning("The output of container %s cannot be copied: %s", self._container_id[:12], exc)
        for rest in self._rests.values():
            if rest:
                self._write(rest)

    async def _follow(self, wire: Wire) -> None:
        import httpx

        from .wire import WireError

        delay = _RECONNECT_SECONDS
        while True:
            is_last = self._has_ended.is_set()
            try:
                self._copied.taken_up()
                async with wire.logs(self._container_id, since=self._copied.since, is_tty=self._is_tty) as entries:
                    async for stream, entry in entries:
                        delay = _RECONNECT_SECONDS
                        self._take(stream, entry)
            except WireError as exc:
                if exc.status != 404:  # else the container is gone, and its output with it
                    self._logger.warning(
                        "The output of container %s cannot be copied: %s. See `log_config`, or set `stream_output` to "
                        "false.",
                        self._container_id[:12],
                        exc,
                    )
                return
            except (httpx.HTTPError, ValueError) as exc:
                self._logger.debug("The output of container %s broke off: %s", self._container_id[:12], exc)
            else:
                if is_last:
                    return
            # The stream ends with the container, or was broken: the watch knows which.
            if await self._pause(delay):
                continue
            delay = min(delay * 2, _MOST_RECONNECT_SECONDS)

    async def _poll(self) -> None:
        while True:
            is_last = self._has_ended.is_set()
            self._copied.taken_up()
            for stream, line in await self._engine.threads.call(self._read):
                self._take(stream, line)
            if is_last:
                return
            await self._pause(self._settings.poll_interval_seconds)

    def _read(self) -> Iterable[tuple[int, bytes]]:
        since = float(self._copied.since) or None  # the SDK refuses 0
        found: list[tuple[int, bytes]] = []
        with docker_errors(f"Output of container {self._container_id[:12]}"):
            for stream in (1, 2):
                raw: bytes = self._engine.client.api.logs(
                    self._container_id, stdout=stream == 1, stderr=stream == 2, timestamps=True, since=since
                )
                found += [(stream, line) for line in raw.splitlines(keepends=True)]
        return sorted(found, key=lambda item: item[1].partition(b" ")[0])

    async def _pause(self, seconds: float) -> bool:
        """Wait a while, or until the container has ended; say whether it has."""
        try:
            await asyncio.wait_for(self._has_ended.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    def _take(self, stream: int, entry: bytes) -> None:
        text = self._copied.new_text(stream, entry)
        if text is None:
            return
        *whole, self._rests[stream] = (self._rests.get(stream, b"") + text).split(b"\n")
        for line in whole:
            self._write(line)
