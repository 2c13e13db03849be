"""One pull into a folder at a time, over threads and processes. The lock goes with the process that holds it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

_LOOK_SECONDS = 0.05


@contextlib.contextmanager
def folder_lock(folder: Path, check_time: Callable[[], None]) -> Generator[None, None, None]:
    """Hold the lock of a folder.

    Args:
        folder: An existing folder. Nothing is written to it.
        check_time: Called while waiting; what it raises ends the wait.
    """
    descriptor = _open(folder)
    try:
        while not _try_lock(descriptor):
            check_time()
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _open(folder: Path) -> int:
        return _open_beside(folder)

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _open(folder: Path) -> int:
        """Open the folder itself, or, where folders cannot be locked (NFS), a file of its name elsewhere."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        except BlockingIOError:
            return descriptor
        except OSError:
            os.close(descriptor)
            return _open_beside(folder)
        return descriptor

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _open_beside(folder: Path) -> int:
    name = hashlib.sha256(os.path.realpath(folder).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return os.open(Path(tempfile.gettempdir()) / f"prefect-git-{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
