"""Show how a transfer gets on: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .logs import Log

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


_SCREEN = threading.Lock()


def readable_size(size_bytes: int) -> str:
    """Write a size for people: `0 B`, `1.5 KiB`, `2.0 GiB`."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


class Progress:
    """Tells one observer about one transfer; safe to call from many threads."""

    def __init__(
        self,
        logger: Log,
        *,
        interval_seconds: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
        terminal: bool | None = None,
    ) -> None:
        """Choose the display.

        Args:
            logger: Who gets the log lines.
            interval_seconds: Seconds between two lines while the transfer runs.
            clock: Time.
            terminal: Whether to draw a bar; by default when standard error is a terminal.
        """
        self._logger = logger
        self._interval = interval_seconds
        self._clock = clock
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._lock = threading.Lock()
        self._bar: tuple[RichProgress, TaskID] | None = None
        self._subject = ""
        self.files = 0
        self.size_bytes = 0

    @contextlib.contextmanager
    def over(self, subject: str, total_files: int | None) -> Generator[None, None, None]:
        """Watch one transfer from its begin to its end.

        Args:
            subject: What moves, as a phrase after a verb: `files to s3://bucket/folder`.
            total_files: How many files there are, `None` while unknown.
        """
        self._subject, start = subject, self._clock.monotonic()
        self._next_line = start + self._interval
        with self._drawing(subject, total_files):
            yield
        seconds = self._clock.monotonic() - start
        self._logger.info(
            "Transferred %d %s (%s) in %.1f seconds",
            self.files,
            subject,
            readable_size(self.size_bytes),
            seconds,
        )

    @contextlib.contextmanager
    def _drawing(self, subject: str, total_files: int | None) -> Generator[None, None, None]:
        # Two bars at once would overwrite each other, so the second transfer writes lines.
        if not self._terminal or total_files == 0 or not _SCREEN.acquire(blocking=False):
            yield
            return
        try:
            from rich.console import Console
            from rich.markup import escape
            from rich.progress import Progress as RichProgress

            with RichProgress(console=Console(stderr=True), transient=True) as bar:
                self._bar = (bar, bar.add_task(escape(subject), total=total_files))
                try:
                    yield
                finally:
                    self._bar = None
        finally:
            _SCREEN.release()

    def advance(self, size_bytes: int) -> None:
        """Count one more file of `size_bytes`."""
        with self._lock:
            self.files += 1
            self.size_bytes += size_bytes
            bar, now = self._bar, self._clock.monotonic()
            due = bar is None and now >= self._next_line
            if due:
                self._next_line = now + self._interval
            files, size = self.files, self.size_bytes
        if bar is not None:
            bar[0].advance(bar[1])
        elif due:
            self._logger.info("%d %s so far (%s)", files, self._subject, readable_size(size))
