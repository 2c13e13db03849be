"""The processes of one command: a process group on POSIX, a job object on Windows.

A process that leaves the group on purpose (`setsid`) is out of reach, as it is for a terminal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol


class ProcessGroup(Protocol):
    """All processes that a command started, ended together."""

    def press_ctrl_c(self) -> None:
        """Send what Ctrl+C in a terminal sends."""
        ...

    def interrupt(self) -> None:
        """Ask them to end."""
        ...

    def kill(self) -> None:
        """End them."""
        ...

    def is_alive(self) -> bool:
        """Say whether any of them may still run."""
        ...

    def leader_was_reaped(self) -> None:
        """Take note that the leader's exit code was collected, so its id may be given to another process."""
        ...


class SingleProcess:
    """A process that leads no group of its own: it is ended alone, lest its siblings end with it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def press_ctrl_c(self) -> None:
        """Send SIGINT."""
        self._process.send_signal(signal.SIGINT)

    def interrupt(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def is_alive(self) -> bool:
        """Say whether it runs."""
        return self._process.poll() is None

    def leader_was_reaped(self) -> None:
        """Do nothing: `Popen` itself knows."""


if sys.platform == "win32":
    from prefect_shell._windows import JobObject

    def group_options(open_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments of `Popen` that give the command a group."""
        flags = open_kwargs.get("creationflags", 0) | subprocess.CREATE_NEW_PROCESS_GROUP
        return {**open_kwargs, "creationflags": flags}

    def group_of(process: subprocess.Popen[bytes]) -> ProcessGroup:
        """Take hold of all processes of a command that has just been started."""
        return JobObject(process)

else:

    def _has_running_member(group: int) -> bool:
        """Tell zombies from processes where the system shows them (Linux), else take all for processes.

        In a container whose first process collects no orphans, the zombies of a group that was ended stay for ever.
        """
        try:
            processes = [entry for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208
        except OSError:
            return True
        is_shown = False
        for entry in processes:
            with contextlib.suppress(OSError, ValueError, IndexError):
                # proc(5): pid (name) state ppid pgrp …; the name may hold spaces and brackets
                state, _, member_of = Path(f"/proc/{entry}/stat").read_text("latin-1").rpartition(")")[2].split()[:3]
                is_shown = True
                if int(member_of) == group and state not in "ZX":
                    return True
        return not is_shown

    class PosixGroup:
        """A process group, named by the id of its leader."""

        def __init__(self, leader: int) -> None:
            self._id = leader
            self._is_gone = False

        def press_ctrl_c(self) -> None:
            """Send SIGINT."""
            self._send(signal.SIGINT)

        def interrupt(self) -> None:
            """Send SIGTERM."""
            self._send(signal.SIGTERM)

        def kill(self) -> None:
            """Send SIGKILL."""
            self._send(signal.SIGKILL)

        def is_alive(self) -> bool:
            """Say whether any member is left."""
            self._send(0)
            return not self._is_gone and _has_running_member(self._id)

        def leader_was_reaped(self) -> None:
            """Look whether members are left: while one is, the system gives the id to nobody else."""
            self._send(0)

        def _send(self, number: int) -> None:
            if self._is_gone:
                return
            try:
                os.killpg(self._id, number)
            except ProcessLookupError:
                self._is_gone = True
            except PermissionError:
                # macOS answers so when only zombies are left, others when all members run as somebody else.
                self._is_gone = True

    def group_options(open_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments of `Popen` that give the command a group."""
        return {**open_kwargs, "start_new_session": True}

    def group_of(process: subprocess.Popen[bytes]) -> ProcessGroup:
        """Take hold of all processes of a command, or of it alone when it is in a group of others."""
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) != process.pid:
                return SingleProcess(process)
        return PosixGroup(process.pid)
