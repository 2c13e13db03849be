"""Folders that only this user can read, for as long as a block of code runs. What a killed process left is swept.

A folder is locked by the process that uses it. The lock goes with the process, however it ends, and over all containers
that share the temporary folder, where ids of processes would tell nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

_PREFIX = "prefect-dbt-profiles-"
_LOCK = ".in-use"
# A folder this young may be about to be locked.
_SETTLED_SECONDS = 60.0


@contextlib.contextmanager
def private_folder() -> Generator[Path]:
    """Make a folder with mode 0700 in the temporary folder, and remove it in the end with all that it holds."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try_lock(descriptor)
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def write_private(path: Path, content: str) -> None:
    """Write a file with mode 0600 so that it is there completely or not at all; one that exists is replaced.

    Args:
        path: The file. Its folder must exist. A link is followed: what it points to is replaced.
        content: The text, written as UTF-8.
    """
    path = Path(os.path.realpath(path))
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sweep() -> None:
    """Remove the folders of processes that have ended without doing so."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or time.time() - found.st_mtime < _SETTLED_SECONDS:
                continue
            if (not hasattr(os, "getuid") or found.st_uid == os.getuid()) and _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file, if nobody has it."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file, if nobody has it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
