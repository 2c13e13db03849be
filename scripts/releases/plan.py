"""A release of one package: what it would write and remove, and doing so, wholly or not at all."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts import workspace
from scripts.interface import published as names
from scripts.interface import snapshot
from scripts.releases import changelog, fragments, versions
from scripts.releases.errors import ReleaseError
from scripts.releases.fragments import Fragment
from scripts.releases.history import History, tag_of
from scripts.workspace import Package

CURRENT = "current"
"""Stands for the version that `pyproject.toml` says, if that was never released."""


@dataclass(frozen=True)
class Plan:
    """What a release changes.

    Attributes:
        package: The package, as it is before.
        version: The version to be released.
        fragments: What moves into the changelog.
        writes: Files to write, with their new text.
        removes: Files to remove.
        notes: What whoever releases should know.
    """

    package: Package
    version: Version
    fragments: tuple[Fragment, ...]
    writes: dict[Path, str]
    removes: tuple[Path, ...]
    notes: list[str] = field(default_factory=list[str])

    @property
    def tag(self) -> str:
        """The tag to push."""
        return tag_of(self.package.name, self.version)


def published(members: Sequence[Package]) -> list[Package]:
    """The packages that are released. The template is in a folder of another name, and is none of them."""
    return [member for member in members if member.path.name == member.name]


def find(name: str, members: Sequence[Package]) -> Package:
    """Find a package that is released.

    Raises:
        WorkspaceError: If there is none of that name.
    """
    package = workspace.find(name, list(members))
    if package not in published(members):
        raise ReleaseError(f"{package.name} is the template of new packages; it is not released")
    return package


def plan(package: Package, step: str, members: Sequence[Package], history: History, on: date) -> Plan:
    """Find out what a release of a package changes.

    Args:
        package: The package.
        step: `"patch"`, `"minor"`, `"major"`, a version, or `"current"`, the version that the package says it has.
        members: All packages of the workspace.
        history: The repository.
        on: The day of the release.

    Raises:
        ReleaseError: If it must not be released so.
    """
    readme = history.root / "README.md"
    if dirty := history.dirty(package.path, readme):
        raise ReleaseError(f"commit these first, or put them aside: {', '.join(dirty)}")
    released = list(history.released(package.name))
    version = next_version(package, step, released)
    news = fragments.read(package.path)
    log = package.path / changelog.NAME
    if not log.is_file():
        raise ReleaseError(f"{package.name} has no {changelog.NAME}")
    before = log.read_text(encoding="utf-8")
    if not news and not changelog.section(before, version):
        raise ReleaseError(
            f"{package.name} has no news: write a fragment for each change since"
            f' {released[-1] if released else "the beginning"}, `just news {_short(package)} fixed "What was wrong."`'
        )
    _check_breaking(package, version, news, released)
    _check_needs(package, members, history)

    init = package.path / package.module / "__init__.py"
    texts: dict[Path, Callable[[str], str]] = {
        package.path / "pyproject.toml": lambda text: versions.with_version(text, version),
        log: lambda text: changelog.with_release(text, version, on, news),
        init: lambda text: versions.with_constant(text, version),
        readme: lambda text: versions.with_row(text, package.name, version),
    }
    interface = snapshot.path_of(package.path)
    if interface.is_file():
        offered = interface.read_text(encoding="utf-8")
        texts[names.path_of(package.path)] = lambda text: names.with_release(text, offered)
    writes: dict[Path, str] = {}
    for path, edit in texts.items():
        if path.is_file():
            old = path.read_text(encoding="utf-8")
            if (new := edit(old)) != old:
                writes[path] = new
    return Plan(
        package=package,
        version=version,
        fragments=tuple(news),
        writes=writes,
        removes=tuple(fragment.path for fragment in news),
        notes=_notes(package, members, history),
    )


def next_version(package: Package, step: str, released: Sequence[Version]) -> Version:
    """Find the version that a step leads to.

    Args:
        package: The package, with the version that it has now.
        step: As for `plan`.
        released: The versions that have a tag, the oldest first.

    Raises:
        ReleaseError: If the step leads nowhere, or backwards.
    """
    now = versions.parse(package.version)
    last = released[-1] if released else None
    pending = now not in released
    if step == CURRENT:
        version = now
    elif step in versions.STEPS:
        if pending:
            raise ReleaseError(
                f"{package.name} {now} was never released, there is no tag {tag_of(package.name, now)}. Release it by"
                f" `just release {_short(package)} current`, or name another version. If the tag is elsewhere,"
                " `git fetch --tags` gets it"
            )
        version = versions.after(now, step)
    else:
        version = versions.parse(step)
    if version in released:
        raise ReleaseError(f"{package.name} {version} is released already, by the tag {tag_of(package.name, version)}")
    if version < now:
        raise ReleaseError(f"{version} is not larger than {now}, the version that {package.name} has now")
    if last is not None and version < last:
        raise ReleaseError(f"{version} is not larger than {last}, the last version of {package.name} that has a tag")
    if version.local:
        raise ReleaseError(f"{version} is a local version; no index takes it")
    return version


def _check_breaking(package: Package, version: Version, news: Sequence[Fragment], released: Sequence[Version]) -> None:
    breaking = [fragment for fragment in news if fragment.type == "breaking"]
    now = versions.parse(package.version)
    if released:
        old = released[-1]
    elif version != now:
        old = now
    else:
        return  # the first release breaks nothing
    needed = versions.step_of_breaking(old)
    step = versions.step_between(old, version)
    if breaking and versions.STEPS.index(step) < versions.STEPS.index(needed):
        names = ", ".join(fragment.path.name for fragment in breaking)
        raise ReleaseError(
            f"{package.name} {version} after {old} is a {step} release, but something breaks ({names}): make it a"
            f" {needed} release, {versions.after(Version(old.base_version), needed)}"
        )


def _needs(package: Package, members: Sequence[Package]) -> list[tuple[Package, Requirement]]:
    """What users of a package install with it, or with an extra, of the workspace."""
    project = workspace.read_toml(package.path / "pyproject.toml")["project"]
    lines: list[str] = [
        *project.get("dependencies", []),
        *(line for extra in project.get("optional-dependencies", {}).values() for line in extra),
    ]
    by_name = {canonicalize_name(member.name): member for member in published(members) if member.name != package.name}
    requirements = [Requirement(line) for line in lines]
    pairs = [(by_name.get(canonicalize_name(need.name)), need) for need in requirements]
    return [(member, need) for member, need in pairs if member is not None]


def _check_needs(package: Package, members: Sequence[Package], history: History) -> None:
    problems: list[str] = []
    for member, need in _needs(package, members):
        released = list(history.released(member.name))
        if not any(need.specifier.contains(version, prereleases=True) for version in released):
            last = f"the last release is {released[-1]}" if released else "it was never released"
            step = "minor" if versions.parse(member.version) in released else CURRENT
            problems.append(
                f"{package.name} needs {need}, and {last}: release it first, `just release {_short(member)} {step}`"
            )
    if problems:
        raise ReleaseError("\n".join(dict.fromkeys(problems)))


def _notes(package: Package, members: Sequence[Package], history: History) -> list[str]:
    notes: dict[str, None] = {}
    for member, _ in _needs(package, members):
        released = history.released(member.name)
        tag = released[max(released)]
        if any(shipped(path, member, history.root) for path in history.changed(tag, member.path)):
            note = (
                f"{member.name} has changed since {tag}. Users get what is released: if this release relies on the"
                f" change, release {member.name} first and require it."
            )
            notes[note] = None
    return list(notes)


def shipped(path: str, package: Package, root: Path) -> bool:
    """Whether a file, relative to the root, is part of what users get: neither a test nor news."""
    inside = Path(path).relative_to(package.path.relative_to(root))
    return inside.parts[0] not in ("tests", fragments.FOLDER, changelog.NAME, "interface.txt")


def _short(package: Package) -> str:
    return package.name.removeprefix("prefect-integration-").removeprefix("prefect-")


def carry_out(plan: Plan) -> None:
    """Write and remove what a plan says: all of it, or, if something fails, none.

    Raises:
        OSError: If a file cannot be written or removed. Everything is then as it was.
    """
    originals = {path: path.read_bytes() for path in [*plan.writes, *plan.removes]}
    ready: dict[Path, Path] = {}
    try:
        for path, text in plan.writes.items():
            ready[path] = _beside(path, text.encode())
        for path, new in ready.items():
            new.replace(path)
        for path in plan.removes:
            path.unlink()
    except BaseException:
        for new in ready.values():
            new.unlink(missing_ok=True)
        for path, content in originals.items():
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
        raise
    for folder in {path.parent for path in plan.removes}:
        if not any(folder.iterdir()):
            folder.rmdir()


def _beside(path: Path, content: bytes) -> Path:
    """Write a new file next to another, with the same permissions, to be put in its place."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(number, "wb") as file:
        file.write(content)
    new = Path(name)
    new.chmod(path.stat().st_mode & 0o7777)
    return new


def commands(plan: Plan, root: Path) -> list[str]:
    """What to do after the plan was carried out, as commands of a shell."""
    paths = [path.relative_to(root).as_posix() for path in plan.writes]
    if plan.removes:
        paths.append(plan.removes[0].parent.relative_to(root).as_posix())
    steps: list[str] = []
    if paths:
        steps += [
            f"git switch --create release-{plan.tag}",
            f"git commit --message 'Release {plan.package.name} {plan.version}' -- {shlex.join(paths)}",
            "# merge it; then, on the main branch:",
        ]
    return [*steps, f"git tag {plan.tag}", f"git push origin {plan.tag}"]
