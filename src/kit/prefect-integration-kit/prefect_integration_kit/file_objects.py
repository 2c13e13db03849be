"""Open files that a caller hands over, as an SDK may use them: from where they stand, and told to stop."""

from __future__ import annotations

import io
import threading
from typing import Any, BinaryIO

from prefect_integration_kit.transfer import TransferStopped


def require_binary(file: object) -> None:
    """Refuse a file that is open in text mode.

    Raises:
        TypeError: If it is.
    """
    if isinstance(file, io.TextIOBase) or isinstance(getattr(file, "encoding", None), str):
        raise TypeError("The file object is open in text mode. Open it in binary mode: 'rb' or 'wb'.")


def size_from_here(file: Any) -> int | None:
    """Measure what a file holds from its position on; `None` when it cannot be told, as of a pipe or a socket."""
    try:
        if not file.seekable():
            return None
        here = file.tell()
        end = file.seek(0, io.SEEK_END)
        file.seek(here)
    except (AttributeError, OSError, ValueError):
        return None
    return None if end is None else max(0, end - here)


def check_stop(stop: threading.Event) -> None:
    """Raise `TransferStopped` if `stop` is set."""
    if stop.is_set():
        raise TransferStopped("The transfer was stopped.")


class StoppableSource:
    """A file to read from its position on, once, until it is told to stop. It seems not to be seekable."""

    def __init__(self, file: BinaryIO, stop: threading.Event) -> None:
        """Read on from where the file stands.

        Args:
            file: A file open for reading in binary mode.
            stop: Makes reading raise `TransferStopped` when it is set.
        """
        self._file = file
        self._stop = stop

    def seekable(self) -> bool:
        """Say that it cannot go back."""
        return False

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end: a pipe gives what it has, which an SDK takes for the end."""
        parts: list[bytes] = []
        left = -1 if size < 0 else size
        while left:
            check_stop(self._stop)
            part: bytes | None = self._file.read(left)
            if not part:
                break
            parts.append(part)
            left = left - len(part) if size >= 0 else left
        return parts[0] if len(parts) == 1 else b"".join(parts)


class StoppableTarget:
    """A file to write to, until it is told to stop."""

    def __init__(self, file: BinaryIO, stop: threading.Event) -> None:
        """Write on from where the file stands.

        Args:
            file: A file open for writing in binary mode.
            stop: Makes writing raise `TransferStopped` when it is set.
        """
        self._file = file
        self._stop = stop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        """Write, or raise `TransferStopped`."""
        check_stop(self._stop)
        return self._file.write(content)
