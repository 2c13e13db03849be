"""Refuse a change that breaks what users rely on, unless version and news tell of it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import tomli
from packaging.version import Version

from scripts import workspace
from scripts.interface import breaks, externals, reading, snapshot
from scripts.interface.breaks import Break
from scripts.interface.facts import Interface
from scripts.interface.history import Commit
from scripts.interface.reading import Library, Reading
from scripts.releases import changelog, fragments, versions
from scripts.releases.fragments import Fragment
from scripts.releases.history import History
from scripts.workspace import Package

TELLING = ("breaking", "removed")
"""Types of news that tell users of a break."""

_ADVICE = """\
  Best keep it working: a new parameter is a keyword with a default; what has moved stays importable from the old place.
  If it must go:"""


@dataclass
class Verdict:
    """What a change does to a package.

    Attributes:
        package: The package.
        breaks: What it breaks.
        missing: What must be done before it may.
    """

    package: Package
    breaks: list[Break]
    missing: list[str] = field(default_factory=list[str])


class Guard:
    """Compares the packages of a repository with what they were at a commit.

    Args:
        root: Folder of the repository.
        base: A branch or commit; what counts is the commit where the present branch left it.
    """

    def __init__(self, root: Path, base: str) -> None:
        self._root = root
        self._commit = Commit.of(root, base)
        self._history = History(root)
        self._members = workspace.packages(root)
        self._library = Library(self._members)
        self._temporary = tempfile.TemporaryDirectory(prefix="interface-")
        self._now: dict[str, Reading] = {}
        self._before: dict[str, Reading | None] = {}

    def close(self) -> None:
        """Remove what was written to disk."""
        self._temporary.cleanup()

    def verdicts(self) -> Iterator[Verdict]:
        """Yield the packages in which something breaks. One that is new, or gone as a whole, is not looked at."""
        for package in reading.published(self._members):
            old = self._old(package)
            if old is None:
                continue
            found = breaks.find(old, self._new(package), externals.inherits)
            if found:
                yield Verdict(package, found, list(self._missing(package)))

    def report(self, verdict: Verdict) -> str:
        """Say what breaks, where, and what to do."""
        package = verdict.package
        lines = [f"{package.name}: this change breaks what users of {self._released(package)} rely on:"]
        lines += [f"  {self._place(package, each)}: {each.path} {each.what}" for each in verdict.breaks]
        if verdict.missing:
            lines += [_ADVICE, *(f"  - {each}" for each in verdict.missing)]
        else:
            lines.append(f"  Version {package.version} and its news say so.")
        return "\n".join(lines)

    # --- interfaces ----------------------------------------------------------------------------------------------

    def _old(self, package: Package) -> Interface | None:
        file = snapshot.path_of(package.path)
        text = self._commit.read(file)
        if text is not None:
            return snapshot.parse(text, f"{file.name} at {self._commit.short}")
        earlier = self._read_before(package) if self._commit.read(package.path / "pyproject.toml") else None
        return None if earlier is None else earlier.interface

    def _new(self, package: Package) -> Interface:
        file = snapshot.path_of(package.path)
        if file.is_file():
            return snapshot.parse(file.read_text(encoding="utf-8"), self._relative(file))
        return self._read_now(package).interface

    def _read_now(self, package: Package) -> Reading:
        if package.name not in self._now:
            self._now[package.name] = reading.read([package], self._library)[0]
        return self._now[package.name]

    @cached_property
    def _earlier(self) -> tuple[list[Package], Library]:
        self._commit.extract(Path(self._temporary.name))
        members = workspace.packages(Path(self._temporary.name))
        return members, Library(members)

    def _read_before(self, package: Package) -> Reading | None:
        if package.name not in self._before:
            members, library = self._earlier
            found = [each for each in members if each.name == package.name]
            self._before[package.name] = next(iter(reading.read(found, library)), None)
        return self._before[package.name]

    # --- places --------------------------------------------------------------------------------------------------

    def _place(self, package: Package, each: Break) -> str:
        """Name file and line: of what is left, or of what there was."""
        if each.what == "is gone" and " " in each.path:
            return f"{self._relative(package.path / 'pyproject.toml')}:{self._line_of(package, each.path)}"
        path = each.path.partition("(")[0]
        now = self._read_now(package).places
        if each.remains in now and (path in now or each.remains != path.rpartition(".")[0]):
            return self._written(*now[each.remains])
        before = self._read_before(package)
        if before is not None and path in before.places:
            file, line = before.places[path]
            return f"{file.relative_to(self._temporary.name).as_posix()}:{line} at {self._commit.short}"
        return self._written(*now[each.remains]) if each.remains in now else self._relative(package.path)

    def _line_of(self, package: Package, offered: str) -> int:
        """Find the table of the `pyproject.toml` where something was offered."""
        table = {"extra": "project.optional-dependencies", "command": "project.scripts"}.get(
            offered.partition(" ")[0], "project.entry-points"
        )
        lines = (package.path / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        found = (number for number, line in enumerate(lines, 1) if re.match(rf"\[{re.escape(table)}\b", line))
        return next(found, 1)

    def _written(self, file: Path, line: int) -> str:
        return f"{self._relative(file)}:{line}"

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    # --- version and news ----------------------------------------------------------------------------------------

    def _released(self, package: Package) -> Version:
        """Give the version that users have: that of the last release, or, without any, the one of the base."""
        if tagged := self._history.released(package.name):
            return max(tagged)
        text = self._commit.read(package.path / "pyproject.toml")
        project = cast("dict[str, Any]", tomli.loads(text)["project"]) if text else {}
        return Version(str(project.get("version", package.version)))

    def _missing(self, package: Package) -> Iterator[str]:
        released = self._released(package)
        needed = next_version(released)
        if Version(Version(package.version).base_version) < needed:
            file = self._relative(package.path / "pyproject.toml")
            yield f"raise the version in {file} from {package.version} to {needed}"
        if not any(map(self._is_told, fragments.look(package.path)[0])) and not self._is_in_changelog(package):
            short = package.name.removeprefix("prefect-integration-").removeprefix("prefect-")
            folder = self._relative(package.path / fragments.FOLDER)
            yield f'tell users what to change: `just news {short} breaking "…"`, or `removed`, writes it to {folder}/'

    def _is_told(self, fragment: Fragment) -> bool:
        """Whether a fragment tells of a break, and is of this change."""
        told = self._commit.read(fragment.path)
        return fragment.type in TELLING and (told is None or told.strip() != fragment.text)

    def _is_in_changelog(self, package: Package) -> bool:
        """Whether a release, made by this change too, has moved such a fragment into the changelog."""
        log = package.path / changelog.NAME
        version = Version(package.version)
        if not log.is_file() or changelog.section(self._commit.read(log) or "", version):
            return False
        text = changelog.section(log.read_text(encoding="utf-8"), version) or ""
        return any(f"### {fragments.TYPES[kind]}\n" in text for kind in TELLING)


def next_version(released: Version) -> Version:
    """Give the first version that may break what a release promised: the next major one, before 1.0 the next minor."""
    return versions.after(Version(released.base_version), versions.step_of_breaking(released))
