"""What is wrong in one place of one file, said so that an editor can jump there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """Something wrong at one place of one file.

    Attributes:
        path: The file.
        line: The line, counted from 1.
        message: What is wrong and, where it is known, the remedy.
        fatal: Whether the command that found it must fail.
    """

    path: Path
    line: int
    message: str
    fatal: bool = True

    def within(self, root: Path) -> str:
        """Say it in one line, with the path relative to `root`."""
        path = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        kind = "" if self.fatal else "warning: "
        return f"{path.as_posix()}:{self.line}: {kind}{self.message}"
