"""The thread that sends: it gathers what was put, encodes it and writes one frame."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from . import frames

_GATHER_SECONDS = 0.02
"""Events come in bursts; one frame for each burst costs dbt's threads less than one for each event."""

_LARGEST_BATCH = 1000


class Writer:
    """A queue in front of the pipe. `put` costs dbt's threads about a microsecond."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._done = threading.Event()
        self.encode: Callable[[Any], list[frames.Message]] = lambda item: [item]
        self.put = self._queue.put
        self._hurry = threading.Event()

    def run(self) -> None:
        """Send until `close`."""
        broken = False
        while True:
            item = self._queue.get()
            self._hurry.wait(_GATHER_SECONDS)
            messages: list[frames.Message] = []
            ends = False
            while True:
                if item is None:
                    ends = True
                    break
                messages += self.encode(item)
                if len(messages) >= _LARGEST_BATCH:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    self._hurry.clear()
                    break
            if messages and not broken:
                try:
                    frames.write_frame(self._fd, messages)
                except OSError:
                    broken = True  # the parent is gone; the queue is still emptied
            if ends:
                self._done.set()
                return

    def put_last(self, item: Any) -> None:
        """Put what is waited for: it is sent at once, behind everything else."""
        self._hurry.set()
        self.put(item)

    def close(self) -> None:
        """Send the rest and close the pipe."""
        self._hurry.set()
        self.put(None)
        self._done.wait(10)
        os.close(self._fd)
