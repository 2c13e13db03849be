"""What a workflow that a tag has started must know: whether the tag is right, and how to test what it releases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from scripts import workspace
from scripts.interface import published, snapshot
from scripts.matrix import known_pythons, needs_of
from scripts.releases import changelog, fragments, versions
from scripts.releases.errors import ReleaseError
from scripts.releases.plan import find
from scripts.workspace import Package


def checked(tag: str, members: Sequence[Package]) -> Package:
    """Find the package that a tag releases, and check that it is ready.

    Raises:
        WorkspaceError: If the tag disagrees with the package, or the changelog does not tell of the version, or there
            are fragments that it does not tell of, or names that the version offers are not among those that stay.
    """
    package = find(workspace.release(tag, list(members)).name, members)
    notes(package)
    if left := fragments.files(package.path):
        names = ", ".join(path.name for path in left)
        raise ReleaseError(
            f"{tag}: {package.name} has news that its changelog lacks, {names}; run `just release` before the tag"
        )
    _check_names(tag, package)
    return package


def _check_names(tag: str, package: Package) -> None:
    """Refuse a release whose names nobody would miss if they went, because no test knows of them."""
    interface, names = snapshot.path_of(package.path), published.path_of(package.path)
    if interface.is_file() and names.is_file():
        text = names.read_text(encoding="utf-8")
        if published.with_release(text, interface.read_text(encoding="utf-8")) != text:
            raise ReleaseError(
                f"{tag}: {package.name}'s {published.FILE} lacks names that this version offers; run `just interface"
                f" published {package.name}` before the tag"
            )


def notes(package: Package) -> str:
    """What the changelog says of the version that a package has.

    Raises:
        ReleaseError: If it says nothing.
    """
    log = package.path / changelog.NAME
    version = versions.parse(package.version)
    text = changelog.section(log.read_text(encoding="utf-8"), version) if log.is_file() else None
    if not text:
        raise ReleaseError(f"{package.name}'s {changelog.NAME} says nothing of {package.version}")
    return text


def cells(package: Package, root: Path) -> list[dict[str, str]]:
    """Where to test a wheel: the lowest versions that it admits on the oldest Python, and the newest on both ends.

    The lowest versions are not tried on the newest Python, for which many of them have no wheels.

    Raises:
        WorkspaceError: If the package admits no Python that we test with.
    """
    pythons = needs_of(package, known_pythons(root)).pythons
    ends = dict.fromkeys([pythons[0], pythons[-1]])
    return [
        {"python": pythons[0], "resolution": "lowest-direct"},
        *({"python": python, "resolution": "highest"} for python in ends),
    ]


def outputs(package: Package, root: Path) -> str:
    """The package and where to test it, as lines for a workflow's `$GITHUB_OUTPUT`."""
    return f"package={package.name}\nversion={package.version}\ncells={json.dumps(cells(package, root))}"
