"""What git knows: which versions are tagged, what changed since, and what is not committed."""

from __future__ import annotations

import subprocess
from functools import cached_property
from pathlib import Path

from packaging.version import InvalidVersion, Version

from scripts.releases.errors import ReleaseError


def tag_of(name: str, version: Version) -> str:
    """The tag that releases a version; `scripts.workspace.release` reads it back."""
    return f"{name}-{version}"


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


class History:
    """The git repository of a workspace.

    Attributes:
        root: Its top folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _git(self, *arguments: str) -> list[str]:
        try:
            answer = subprocess.run(
                ["git", *arguments], cwd=self.root, check=True, capture_output=True, encoding="utf-8"
            )
        except FileNotFoundError:
            raise ReleaseError("git is not installed") from None
        except subprocess.CalledProcessError as exc:
            raise ReleaseError(f"git {arguments[0]}: {exc.stderr.strip()}") from exc
        return [part for part in answer.stdout.split("\0") if part]

    @cached_property
    def tags(self) -> frozenset[str]:
        """All tags."""
        return frozenset("".join(self._git("tag", "--list")).splitlines())

    def released(self, name: str) -> dict[Version, str]:
        """Find the versions of a package that are tagged, the oldest first, and their tags.

        A tag is what it is, not what we would write: `1.0` and `1.0.0` are the same version.
        """
        prefix = f"{name}-"
        found = ((_version(tag.removeprefix(prefix)), tag) for tag in self.tags if tag.startswith(prefix))
        # What is no version belongs to a package whose name is longer.
        return dict(sorted((version, tag) for version, tag in found if version is not None))

    def dirty(self, *paths: Path) -> list[str]:
        """List the files below some paths that differ from the last commit, or are not in it."""
        # Each entry is two letters, a blank and a path: https://git-scm.com/docs/git-status#_short_format
        lines = self._git(
            "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *map(str, paths)
        )
        return [line[3:] for line in lines]

    def changed(self, tag: str, folder: Path) -> list[str]:
        """List the files below a folder that differ from those at a tag, in the working tree as it is."""
        differing = self._git("diff", "--name-only", "-z", "--no-renames", tag, "--", str(folder))
        new = self._git("ls-files", "-z", "--others", "--exclude-standard", "--full-name", "--", str(folder))
        return sorted({*differing, *new})
