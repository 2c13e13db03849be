"""A brake for work in threads: stop it, or slow it down so that an event loop gets its turn."""

from __future__ import annotations

import threading

LOWEST = 4
"""Workers that are always let through: a slow machine must not end in one transfer after the other."""

_CALM_SECONDS, _LATE_SECONDS = 0.01, 0.02
_CALM_SAMPLES = 4


class Brake(threading.Event):
    """Stops work when it is set, and says how many workers may run meanwhile.

    Threads that compute in Python keep an event loop in the same process waiting, the longer the more they are. The
    loop's side calls `heard` with the delay that it saw: the limit is halved when the loop is late and grows while it
    is on time. Workers that mostly wait for the network hardly delay a loop, so with a distant server nearly all run;
    with a near one a few suffice to keep the processor busy.
    """

    def __init__(self) -> None:
        super().__init__()
        self.limit = LOWEST  # a short transfer is over before there is much to hear
        self._calm = 0
        self._changed = threading.Condition()

    def heard(self, delay_seconds: float) -> None:
        """Adapt the limit to how late the event loop was."""
        before = self.limit
        if delay_seconds > _LATE_SECONDS:
            self._calm, self.limit = 0, max(LOWEST, self.limit // 2)
        elif delay_seconds <= _CALM_SECONDS:
            self._calm += 1
            if self._calm % _CALM_SAMPLES == 0:
                self.limit += 2
        if self.limit > before:
            self.release()

    def admit(self, number: int, is_over: threading.Event) -> None:
        """Hold worker `number` (the first is 0) back until the limit lets it run or the work is over."""
        if number < self.limit:
            return
        with self._changed:
            self._changed.wait_for(lambda: number < self.limit or is_over.is_set() or self.is_set())

    def set(self) -> None:
        """Stop the work."""
        super().set()
        self.release()

    def release(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()
