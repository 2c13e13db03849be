"""A server that all processes of one user share: the first one has it started, and it ends with the last one.

A process of its own, the keeper, holds the server. Whoever uses it holds a shared lock on a file; the operating system
gives that back however a user ends, so no server outlives its last user.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO

from .processes import ServerError

READY = "ready"
"""File that a keeper makes in its folder when the server can be used."""


def meeting_place(name: str) -> Path:
    """Return the folder that all processes of this user meet in.

    Args:
        name: What they share.

    Raises:
        ServerError: If somebody else made a folder of that name.
    """
    folder = Path(tempfile.gettempdir()) / f"prefect-tests-{name}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ServerError(f"{folder} belongs to somebody else. Remove it, or set TMPDIR.")
    return folder


@contextlib.contextmanager
def file_lock(path: Path) -> Generator[None]:
    """Let one process at a time do what is inside."""
    import fcntl  # not on Windows, where this module is imported all the same

    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Shared:
    """Finds the server that others have started, or has a keeper start one."""

    def __init__(
        self, name: str, keeper: str, is_alive: Callable[[Path], bool], *, start_seconds: float, stop_seconds: float
    ) -> None:
        """Describe what is shared; nothing is started.

        Args:
            name: What it is, for the folder to meet in and for messages.
            keeper: Module to run as the keeper. Its arguments are a folder of its own, which it removes at the end,
                the file whose lock tells of users, and those of `join`.
            is_alive: Says whether the server of a keeper's folder can be used.
            start_seconds: How long a start may take.
            stop_seconds: How long to wait for the end.
        """
        self.name = name
        self._keeper = keeper
        self._is_alive = is_alive
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds

    @property
    def place(self) -> Path:
        """The folder to meet in."""
        return meeting_place(self.name)

    @property
    def is_running(self) -> bool:
        """Whether somebody uses the server at this moment."""
        return self._current(self.place) is not None

    @contextlib.contextmanager
    def _turn(self) -> Generator[Path]:
        place = self.place
        with file_lock(place / "turn.lock"):
            yield place

    def join(self, *arguments: str) -> tuple[Path, IO[str]]:
        """Use the server.

        Args:
            arguments: Further arguments of the keeper, if one must be started.

        Returns:
            The keeper's folder, and the lock to `leave` with.

        Raises:
            ServerError: If it does not start. The message holds what the keeper said.
        """
        import fcntl

        with self._turn() as place:
            users = (place / "users.lock").open("a")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is about to end
                return self._current(place) or self._start(place, arguments), users
            except BaseException:
                users.close()
                raise

    def leave(self, users: IO[str]) -> None:
        """Stop using the server. If this was the last user, wait for its end, so that nothing runs on behind us."""
        import fcntl

        with self._turn() as place:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                others = True
            else:
                others = False
            users.close()
            if not others:
                self._wait_for_end(place)

    def _current(self, place: Path) -> Path | None:
        try:
            folder = Path((place / "current").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return folder if self._is_alive(folder) else None

    def _start(self, place: Path, arguments: tuple[str, ...]) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="", dir=place))
        log = place / "keeper.log"
        with log.open("wb") as output:
            keeper = subprocess.Popen(
                [sys.executable, "-m", self._keeper, str(folder), str(place / "users.lock"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + self._start_seconds
        while not (folder / READY).exists():
            if keeper.poll() is not None:
                said = log.read_text(encoding="utf-8", errors="replace")
                raise ServerError(f"{self.name} did not start:\n{said}")
            if time.monotonic() > deadline:
                keeper.terminate()
                raise ServerError(f"{self.name} was not ready after {self._start_seconds:g} seconds.")
            time.sleep(0.02)
        (place / "current").write_text(str(folder), encoding="utf-8")
        return folder

    def _wait_for_end(self, place: Path) -> None:
        current = place / "current"
        if not current.exists():
            return
        folder = Path(current.read_text(encoding="utf-8"))
        deadline = time.monotonic() + self._stop_seconds
        while folder.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        current.unlink(missing_ok=True)
