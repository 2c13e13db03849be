"""The memory of a process with all that it has started, seen from outside."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_EVERY_SECONDS = 0.02


class TreeWatch:
    """Looks fifty times a second at how much memory the descendants of a process hold.

    Pages that several of them share count once for each. What comes and goes between two looks is missed.

    Args:
        pid: The process that has started them, which does not count itself.

    Attributes:
        peak_mib: The largest sum of resident memory so far, in MiB.
    """

    def __init__(self, pid: int) -> None:
        self.peak_mib = 0.0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreeWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            held = sum(_resident_bytes(pid) for pid in _tree(self._pid)[1:])
            self.peak_mib = max(self.peak_mib, held / 2**20)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        found += _children(parent)
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
