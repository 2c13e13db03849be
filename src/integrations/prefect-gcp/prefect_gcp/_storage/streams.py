"""Files as Google's client wants them: stoppable, from where they stand, and checked as they are written."""

from __future__ import annotations

import base64
import io
import threading
from pathlib import Path
from typing import Any

from prefect_gcp._storage.options import Corrupted
from prefect_integration_kit.file_objects import StoppableSource, check_stop, size_from_here

_READ_BYTES = 1024 * 1024


class Source:
    """A file to upload, which seems to begin at its position.

    The client wants to begin at zero, and to go back by at most a chunk to send that again. So the last chunk of a file
    that cannot seek is kept.
    """

    def __init__(self, file: Any, stop: threading.Event) -> None:
        """Read on from where the file stands.

        Args:
            file: A file open for reading in binary mode.
            stop: Makes reading raise `TransferStopped` when it is set.
        """
        self._file = file
        self._ahead = StoppableSource(file, stop)
        self._stop = stop
        self._at = 0
        self._start: int | None = file.tell() if size_from_here(file) is not None else None
        self._kept: bytes = b""
        self._kept_at: int = 0

    def tell(self) -> int:
        """Say how much was read."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, fewer only at the end."""
        check_stop(self._stop)
        again = b""
        if self._start is None and self._at < self._kept_at + len(self._kept):
            begin = self._at - self._kept_at
            again = self._kept[begin:] if size < 0 else self._kept[begin : begin + size]
            self._at += len(again)
            if len(again) == size:
                return again
        fresh = self._ahead.read(-1 if size < 0 else size - len(again))
        if self._start is None:
            self._kept, self._kept_at = again + fresh, self._at - len(again)
        self._at += len(fresh)
        return again + fresh

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position that the client has been at.

        Raises:
            io.UnsupportedOperation: If it is no longer known.
        """
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("seek")
        if self._start is not None:
            self._file.seek(self._start + position)
        elif not self._kept_at <= position <= self._kept_at + len(self._kept):
            raise io.UnsupportedOperation("seek")
        self._at = position
        return position


class Summed:
    """A file that sums up what is written to it by CRC32C."""

    def __init__(self, file: Any) -> None:
        import google_crc32c

        sums: Any = google_crc32c  # untyped
        self._file = file
        self._sum: Any = sums.Checksum()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        """Write and sum up."""
        self._sum.update(content)
        return self._file.write(content)

    def require(self, crc32c: str) -> None:
        """Compare with the sum that Cloud Storage has.

        Raises:
            Corrupted: If it is another.
        """
        own = base64.b64encode(self._sum.digest()).decode()
        if own != crc32c:
            raise Corrupted(f"CRC32C is {own}, not {crc32c}")


def crc32c_of(path: Path) -> str:
    """Sum up a file by CRC32C, in base64 as Cloud Storage gives it."""
    import google_crc32c

    sums: Any = google_crc32c
    checksum: Any = sums.Checksum()
    with path.open("rb", buffering=0) as file:
        while content := file.read(_READ_BYTES):
            checksum.update(content)
    return base64.b64encode(checksum.digest()).decode()
