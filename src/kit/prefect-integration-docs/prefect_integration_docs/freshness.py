"""Find out quickly whether anything changed since pages were last written.

This module loads nothing but a few small modules of the standard library, since on an unchanged tree it is all that
runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SKIPPED = frozenset({"__pycache__", "node_modules"})


def _files(folder: str, suffixes: tuple[str, ...], found: list[str]) -> None:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        if entry.is_dir():
            _files(entry.path, suffixes, found)
        elif entry.name.endswith(suffixes):
            found.append(entry.path)


def content_hash(content: bytes) -> str:
    """Hash the content of a file."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class Hashes:
    """Hashes of files, each read once in a run."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Hash the content of a file; empty when it cannot be read."""
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = _hash(path)
        return known

    def forget(self, path: str) -> None:
        """Read a file again when it is asked for, since it was written or removed."""
        self._known.pop(path, None)

    def total(
        self, folders: Iterable[tuple[str, tuple[str, ...]]], files: Iterable[str], listings: Iterable[str] = ()
    ) -> str:
        """Hash names and contents of many files.

        Args:
            folders: Folders, each with the suffixes of the files below it that count.
            files: Single files; one that is missing counts as such.
            listings: Folders of which only the names of what they hold count.
        """
        paths = list(files)
        for folder, suffixes in folders:
            _files(folder, tuple(suffixes), paths)
        parts = [f"{path}\0{self.of(path)}" for path in sorted(set(paths))]
        for folder in listings:
            names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208 - no pathlib
            parts += [folder, *names]
        return content_hash("\0\0".join(parts).encode())


def _hash(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return ""
    try:
        content = os.read(descriptor, os.fstat(descriptor).st_size + 1)
    finally:
        os.close(descriptor)
    return content_hash(content)


def _key() -> list[str]:
    return [sys.version, sys.prefix]


class Snapshot:
    """What was there when pages were last found to be right, and what was wrong then.

    Args:
        path: The file that keeps it.
        hashes: Those of the files.
    """

    def __init__(self, path: str, hashes: Hashes) -> None:
        self._path = path
        self._hashes = hashes

    def recall(self) -> list[tuple[str, bool]] | None:
        """Say what was wrong, if nothing changed since: each line, and whether it is fatal; None if anything did."""
        try:
            with open(self._path, encoding="utf-8") as file:  # noqa: PTH123 - no pathlib here
                kept = json.load(file)
            if kept["key"] != _key():
                return None
            folders = [(folder, tuple(suffixes)) for folder, suffixes in kept["folders"]]
            if kept["digest"] != self._hashes.total(folders, kept["files"], kept["listings"]):
                return None
            return [(str(line), bool(fatal)) for line, fatal in kept["problems"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(
        self,
        folders: list[tuple[str, tuple[str, ...]]],
        files: list[str],
        listings: list[str],
        problems: list[tuple[str, bool]],
    ) -> None:
        """Write down what is there now. Nothing is kept where that is not possible."""
        kept = {
            "key": _key(),
            "folders": folders,
            "files": files,
            "listings": listings,
            "problems": problems,
            "digest": self._hashes.total(folders, files, listings),
        }
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)  # noqa: PTH103, PTH120 - no pathlib here
            with open(self._path, "w", encoding="utf-8") as file:  # noqa: PTH123 - no pathlib here
                json.dump(kept, file)
        except OSError:
            return
