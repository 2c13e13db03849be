"""Read both outputs of a process at once, so that neither can fill up and block it."""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import threading
from collections.abc import Mapping
from typing import IO, Protocol

from prefect_shell._output import Stream

# Linux gives a pipe 64 KiB (pipe(7)): one read empties it.
_CHUNK_BYTES = 65_536


class Pipes(Protocol):
    """The open outputs of a process."""

    @property
    def is_open(self) -> bool:
        """Whether anything can still come."""
        ...

    def read(self, timeout_seconds: float | None) -> list[tuple[Stream, bytes]]:
        """Wait for output, an end (empty bytes), a call of `wake`, or the time-out; return what came."""
        ...

    def wake(self) -> None:
        """End a `read` that waits in another thread."""
        ...

    def close(self) -> None:
        """Give up what is still open."""
        ...


class SelectorPipes:
    """Pipes where the system can wait for several at once: one thread serves them."""

    def __init__(self, sources: Mapping[Stream, IO[bytes]]) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        for stream, file in sources.items():
            self._selector.register(file, selectors.EVENT_READ, stream)
        self._open = len(sources)
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        """Whether anything can still come."""
        return self._open > 0

    def read(self, timeout_seconds: float | None) -> list[tuple[Stream, bytes]]:
        """Wait for output, an end (empty bytes), a call of `wake`, or the time-out; return what came."""
        came: list[tuple[Stream, bytes]] = []
        for key, _ in self._selector.select(timeout_seconds):
            data = os.read(key.fd, _CHUNK_BYTES)
            if key.data is None:
                continue
            if not data:
                self._drop(key)
            came.append((key.data, data))
        return came

    def _drop(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fileobj)
        with contextlib.suppress(OSError):
            key.fileobj.close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        self._open -= 1

    def wake(self) -> None:
        """End a `read` that waits in another thread."""
        with self._lock:
            if not self._is_closed:
                with contextlib.suppress(BlockingIOError):  # full of calls that were not yet seen
                    os.write(self._wake_write, b"\0")

    def close(self) -> None:
        """Give up what is still open."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            for key in list(self._selector.get_map().values()):
                if key.data is not None:
                    self._drop(key)
            self._selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)


class ThreadedPipes:
    """Pipes where the system waits for one at a time (Windows): each has a thread."""

    def __init__(self, sources: Mapping[Stream, IO[bytes]]) -> None:
        # Bounded, so that a reader that is ahead of the log waits and the process with it.
        self._queue: queue.Queue[tuple[Stream, bytes] | None] = queue.Queue(maxsize=16)
        self._open = len(sources)
        self._is_closed = False
        for stream, file in sources.items():
            threading.Thread(
                target=self._pump, args=(stream, file), name=f"prefect-shell-{stream.name}", daemon=True
            ).start()

    @property
    def is_open(self) -> bool:
        """Whether anything can still come."""
        return self._open > 0

    def _pump(self, stream: Stream, file: IO[bytes]) -> None:
        with file:
            data = b"\0"
            while data and not self._is_closed:
                try:
                    data = os.read(file.fileno(), _CHUNK_BYTES)
                except OSError:  # Windows: the pipe was broken
                    data = b""
                self._queue.put((stream, data))

    def read(self, timeout_seconds: float | None) -> list[tuple[Stream, bytes]]:
        """Wait for output, an end (empty bytes), a call of `wake`, or the time-out; return what came."""
        try:
            item = self._queue.get(timeout=timeout_seconds)
        except queue.Empty:
            return []
        if item is None:
            return []
        if not item[1]:
            self._open -= 1
        return [item]

    def wake(self) -> None:
        """End a `read` that waits in another thread."""
        with contextlib.suppress(queue.Full):  # then it does not wait
            self._queue.put_nowait(None)

    def close(self) -> None:
        """Give up what is still open."""
        self._is_closed = True
        self._open = 0
        # A reader that waits for room in the queue gets it, sees the mark and ends.
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()


def open_pipes(sources: Mapping[Stream, IO[bytes]]) -> Pipes:
    """Read `sources` in the way that suits the platform."""
    return ThreadedPipes(sources) if os.name == "nt" else SelectorPipes(sources)
