"""Time that passes as soon as nobody has anything to do: hours in seconds, for a whole process.

Waits of asyncio and `time.sleep` end when the clock gets there, and the clock is set forward whenever every loop waits
for nothing but time. While a request is under way the clock stands, so that a server in another process, whose time is
the usual one, is not found to be slow.
"""

import math
import selectors
import threading
import time
from collections.abc import Callable
from typing import Any

_REAL_MONOTONIC, _REAL_TIME, _REAL_SLEEP = time.monotonic, time.time, time.sleep
_LOOK_SECONDS = 0.001
_QUIET_LOOKS = 2


class Warp:
    """The clock of the process, once it is installed. Install it before anything else is imported."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0
        self._under_way = 0
        self._ends: dict[int, float] = {}
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds that only rise."""
        return _REAL_MONOTONIC() + self.ahead_seconds

    def time(self) -> float:
        """Seconds since the epoch."""
        return _REAL_TIME() + self.ahead_seconds

    def advance(self, seconds: float) -> None:
        """Set the clock forward."""
        with self._lock:
            self.ahead_seconds += seconds

    def begin(self) -> None:
        """A request is under way."""
        with self._lock:
            self._under_way += 1

    def end(self) -> None:
        """It is answered."""
        with self._lock:
            self._under_way -= 1

    def sleep(self, seconds: float) -> None:
        """Wait in a thread, until the clock is there."""
        self._wait(self.monotonic() + seconds, lambda: _REAL_SLEEP(_LOOK_SECONDS))

    def _wait(self, end: float, look: Callable[[], Any]) -> Any:
        """Look again and again until there is something, or the clock is there."""
        me, quiet = threading.get_ident(), 0
        self._ends[me] = end
        try:
            while self.monotonic() < end:
                if found := look():
                    return found
                quiet = quiet + 1 if self._under_way == 0 else 0
                if quiet >= _QUIET_LOOKS and end < math.inf:
                    self._forward(end)
            return None
        finally:
            self._ends.pop(me, None)

    def _forward(self, end: float) -> None:
        """Set the clock to the first end that any thread waits for, if it is this one."""
        with self._lock:
            if end <= min(list(self._ends.values()), default=end):
                self.ahead_seconds += max(0.0, end - self.monotonic())

    def install(self) -> None:
        """Make it the clock of this process."""
        warp = self
        select = selectors.EpollSelector.select
        time.monotonic, time.time, time.sleep = self.monotonic, self.time, self.sleep

        def warped(self: Any, timeout: float | None = None) -> Any:
            if timeout is not None and timeout <= 0:
                return select(self, timeout)
            end = math.inf if timeout is None else warp.monotonic() + timeout
            return warp._wait(end, lambda: select(self, _LOOK_SECONDS)) or []

        selectors.EpollSelector.select = warped  # type: ignore[method-assign]
