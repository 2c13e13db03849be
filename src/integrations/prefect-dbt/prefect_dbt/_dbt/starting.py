"""How a child is started: by an interpreter of its own, or as a fork of one that has imported dbt already."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SCRIPT = Path(__file__).parent / "child"
IMPORT_PATH = "PREFECT_DBT_CHILD_PATH"
"""Variable with the folders that the parent imports from."""

used_modules: set[str] = set()
"""What dbt has imported for this process, as far as it may be imported before a fork."""

_LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Place:
    """Where a child runs."""

    cwd: str | None
    env: Mapping[str, str]
    """The whole environment."""

    added: Mapping[str, str]
    """What of it is not this process's own."""

    @classmethod
    def here(cls, cwd: str | None, added: Mapping[str, str]) -> Place:
        """This process's own environment, and more."""
        return cls(cwd, {**os.environ, **added, IMPORT_PATH: import_path()}, added)


class Ends:
    """The child's ends of the pipes, until it has them."""

    def __init__(self, requests: int, events: int, output: int) -> None:
        self.requests = requests
        self.events = events
        self.output = output

    def close(self) -> None:
        """Close them, once."""
        for name in ("requests", "events", "output"):
            number, _ = getattr(self, name), setattr(self, name, -1)
            if number >= 0:
                os.close(number)


class Started(Protocol):
    """A child that was started. It leads a session of its own, so its id is also that of its group."""

    @property
    def pid(self) -> int:
        """Process id."""
        ...

    @property
    def returncode(self) -> int | None:
        """Exit code, or the number of a signal below zero; known after `reap`, unless nobody could tell."""
        ...

    def kill(self) -> None:
        """End its group by force; nothing happens once its id may be another's."""
        ...

    def await_end(self, seconds: float) -> None:
        """Wait for its end, but leave its id, and so the group's, nobody else's."""
        ...

    def reap(self, seconds: float) -> None:
        """Let it go, if it ends within this time."""
        ...


class Spawned:
    """A child with an interpreter of its own."""

    def __init__(self, place: Place, ends: Ends) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            stdin=ends.requests,
            stdout=ends.events,
            stderr=ends.output,
            cwd=place.cwd,
            env=dict(place.env),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which cancels
            bufsize=0,
        )
        self.pid = self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, or the number of a signal below zero."""
        return self._popen.returncode

    def kill(self) -> None:
        """End its group by force."""
        if self._popen.returncode is not None:
            return
        if hasattr(os, "killpg"):
            kill_group(self.pid)
        else:
            self._popen.kill()

    def await_end(self, seconds: float) -> None:
        """Wait for its end without reaping it."""
        if not hasattr(os, "waitid"):
            return
        deadline = time.monotonic() + seconds
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        with contextlib.suppress(ChildProcessError):
            while os.waitid(os.P_PID, self.pid, flags) is None and time.monotonic() < deadline:
                time.sleep(_LOOK_SECONDS)

    def reap(self, seconds: float) -> None:
        """Wait for it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)


def kill_group(leader: int) -> None:
    """End a group of processes by force."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def import_path() -> str:
    """What this process can import from and a fresh interpreter could not."""
    return os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry and Path(entry).exists())
