"""Time in a local server: that of the machine, until a test moves it on."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timezone


class Clock:
    """Says what time it is, and does things later. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start with the machine's time; the thread comes with the first thing to be done later."""
        self._condition = threading.Condition()
        self._ahead = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None
        self._is_open = True

    def seconds(self) -> float:
        """Seconds since the epoch."""
        with self._condition:
            return time.time() + self._ahead

    @property
    def ahead_seconds(self) -> float:
        """How far it is ahead of the machine's time."""
        with self._condition:
            return self._ahead

    def text(self) -> str:
        """The time as cloud APIs write it: `2026-05-04T03:02:01.123456Z`."""
        return stamp(self.seconds())

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something some seconds later; at once, in this thread, when the time is 0."""
        if seconds <= 0:
            act()
            return
        with self._condition:
            heapq.heappush(self._due, (time.time() + self._ahead + seconds, next(self._order), act))
            if self._thread is None and self._is_open:
                self._thread = threading.Thread(target=self._run, name="server-clock", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def advance(self, seconds: float) -> None:
        """Let time pass at once: what is due by then is done, in order, when this returns."""
        with self._condition:
            end = time.time() + self._ahead + seconds
        while True:
            with self._condition:
                if not self._due or self._due[0][0] > end:
                    self._ahead = max(self._ahead, end - time.time())
                    self._condition.notify_all()
                    return
                at, _, act = heapq.heappop(self._due)
                self._ahead = max(self._ahead, at - time.time())
            act()

    def reset(self) -> None:
        """Forget what was to be done, and go back to the machine's time."""
        with self._condition:
            self._due.clear()
            self._ahead = 0.0

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            self._is_open = False
            self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._is_open:
                    return
                wait = self._due[0][0] - time.time() - self._ahead if self._due else None
                if wait is None or wait > 0:
                    self._condition.wait(wait)
                    continue
                act = heapq.heappop(self._due)[2]
            try:
                act()
            except Exception:  # noqa: BLE001 - one that fails must not keep the others from being done
                traceback.print_exc()


def stamp(seconds: float) -> str:
    """Write a time as cloud APIs do, in UTC with microseconds."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
