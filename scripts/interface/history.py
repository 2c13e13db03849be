"""What the repository held at an earlier commit."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from scripts.workspace import WorkspaceError


@dataclass(frozen=True)
class Commit:
    """A commit of a repository.

    Attributes:
        root: Folder of the repository.
        sha: The commit.
    """

    root: Path
    sha: str

    @classmethod
    def of(cls, root: Path, base: str) -> Commit:
        """Find the commit where the present branch left another.

        Args:
            root: Folder of the repository.
            base: A branch or commit.

        Raises:
            WorkspaceError: If there is no such commit here.
        """
        if not base.strip("0"):  # what a push of a new branch gives as the commit before it
            raise WorkspaceError(f"--base {base!r}: name a commit to compare with")
        answer = _git(root, "merge-base", "--end-of-options", base, "HEAD")
        if answer.returncode:
            said = answer.stderr.decode(errors="replace").strip() or "it has no commit in common with HEAD"
            raise WorkspaceError(f"--base {base}: {said}; fetch the whole history (`git fetch --unshallow`)")
        return cls(root, answer.stdout.decode().strip())

    @property
    def short(self) -> str:
        """The commit as people write it."""
        return self.sha[:10]

    def read(self, path: Path) -> str | None:
        """Read a file as it was, or give None when there was none.

        Args:
            path: The file, in the present tree.
        """
        answer = _git(self.root, "show", f"{self.sha}:{path.relative_to(self.root).as_posix()}")
        return None if answer.returncode else answer.stdout.decode("utf-8")

    def extract(self, folder: Path) -> None:
        """Write the packages as they were below a folder."""
        answer = _git(self.root, "archive", "--format=tar", self.sha, "--", "pyproject.toml", "src")
        if answer.returncode:
            raise WorkspaceError(f"{self.short}: {answer.stderr.decode(errors='replace').strip()}")
        with tarfile.open(fileobj=io.BytesIO(answer.stdout)) as archive:
            archive.extractall(folder, filter="data")


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
