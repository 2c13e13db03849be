"""Which packages are tested with what, and what a machine must have for it: all from metadata, so no workflow says it.

    python -m scripts.matrix                      every package, as a line for a workflow's outputs
    python -m scripts.matrix --base origin/main   those that a change reaches
    python -m scripts.matrix --newest             every package, with the newest releases of all that it needs
    python -m scripts.matrix --images ''          every image; with a tag in place of '', those that the tag releases

A package is tested on each Python of the root's `[tool.prefect-integrations]` that its `requires-python` and
classifiers admit, with the newest versions of what it needs (up to the date that pins them), and on the oldest of these
Pythons with the lowest versions that it admits. Its own `[tool.prefect-integrations]` says what neither tells:

    [tool.prefect-integrations]
    apt = ["redis-server"]                    # Debian packages that its tests use
    cluster = true                            # a Kubernetes cluster, too
    without = { "3.14" = "ray has no wheel" } # Pythons that it does not run on yet, and why
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from scripts import workspace
from scripts.changed import all_tags, changed_paths, is_known, reached
from scripts.images.names import DEFAULT_PYTHON, EXTRAS
from scripts.workspace import Package, WorkspaceError, read_toml

_TABLE = "prefect-integrations"
_CLAIM = re.compile(r"Programming Language :: Python :: (3\.\d+)")
_VERSION = re.compile(r"\d+(\.\d+)*")  # of a release that is no pre-release
_MAX_JOBS = 256  # https://docs.github.com/en/actions/reference/limits


@dataclass(frozen=True)
class Needs:
    """What the tests of one package need.

    Attributes:
        package: Name of the distribution.
        pythons: Versions of Python that it is tested on, oldest first.
        apt: Debian packages that the machine must have.
        cluster: Whether they need a Kubernetes cluster.
        without: Pythons of the workspace that it does not run on yet, and why.
        claimed: Pythons that its classifiers name.
    """

    package: str
    pythons: tuple[str, ...]
    apt: tuple[str, ...] = ()
    cluster: bool = False
    without: Mapping[str, str] | None = None
    claimed: frozenset[str] = frozenset()

    def jobs(self) -> list[dict[str, str]]:
        """One job for each Python, and one with the lowest versions on the oldest."""
        columns = [(python, "highest") for python in self.pythons] + [(self.pythons[0], "lowest-direct")]
        return [self._job(python, resolution) for python, resolution in columns]

    def newest_job(self) -> dict[str, str]:
        """The job that finds out whether the newest releases do, on the newest Python."""
        return self._job(self.pythons[-1], "newest")

    def _job(self, python: str, resolution: str) -> dict[str, str]:
        return {"package": self.package, "python": python, "resolution": resolution}


def known_pythons(root: Path = workspace.ROOT) -> tuple[str, ...]:
    """Return the Pythons that this workspace is tested on, oldest first.

    Raises:
        WorkspaceError: If the root's `pyproject.toml` names none.
    """
    named = _table(root / "pyproject.toml", {"python": list}).get("python")
    if not named:
        raise WorkspaceError(f'{root / "pyproject.toml"}: [tool.{_TABLE}] must say python = ["3.10", ...]')
    return tuple(sorted(named, key=Version))


def needs_of(member: Package, known: tuple[str, ...]) -> Needs:
    """Read what a package's tests need from its `pyproject.toml`.

    Args:
        member: The package.
        known: The Pythons that there are.

    Raises:
        WorkspaceError: If the table says something else than the module's docstring lists, or no Python is left.
    """
    file = member.path / "pyproject.toml"
    own = _table(file, {"apt": list, "cluster": bool, "without": dict})
    project = read_toml(file)["project"]
    without: dict[str, str] = own.get("without", {})
    if unknown := [python for python in without if python not in known]:
        raise WorkspaceError(f"{file}: `without` names Python {unknown[0]}; there are: {', '.join(known)}")
    # Any patch release will do: `>=3.10.2` admits Python 3.10.
    admitted = SpecifierSet(project.get("requires-python", ""))
    claimed = frozenset(match[1] for line in project.get("classifiers", []) if (match := _CLAIM.fullmatch(line)))
    pythons = tuple(
        python
        for python in known
        if admitted.contains(f"{python}.99") and python not in without and (python in claimed or not claimed)
    )
    if not pythons:
        raise WorkspaceError(f"{file}: `requires-python`, classifiers and `without` leave none of {', '.join(known)}")
    return Needs(
        package=member.name,
        pythons=pythons,
        apt=tuple(own.get("apt", ())),
        cluster=own.get("cluster", False),
        without=without,
        claimed=claimed,
    )


def all_needs(root: Path = workspace.ROOT) -> list[Needs]:
    """Read what the tests of every package need, in the workspace's order."""
    known = known_pythons(root)
    return [needs_of(member, known) for member in workspace.packages(root)]


def plan(tests: Iterable[Needs], names: Iterable[str]) -> list[dict[str, str]]:
    """List the jobs of the packages that are named.

    Raises:
        WorkspaceError: If there are more than one matrix may have.
    """
    wanted = set(names)
    jobs = [job for each in tests if each.package in wanted for job in each.jobs()]
    if len(jobs) > _MAX_JOBS:
        raise WorkspaceError(f"{len(jobs)} jobs are more than one matrix may have, {_MAX_JOBS}: split it in two")
    return jobs


def images(needs: Iterable[Needs], tag: str, tags: Iterable[str]) -> list[dict[str, str]]:
    """List the images to build: each on one Python, or for a tag, those of the package that it releases, on all.

    Args:
        needs: What the tests of all packages need.
        tag: A tag that releases a package, or nothing.
        tags: All tags. Images are the latest if none of them releases a newer version.

    Raises:
        WorkspaceError: If the tag releases no package.
    """
    if not tag:
        return [{"package": name, "python": DEFAULT_PYTHON} for name in EXTRAS]
    package = workspace.release(tag, workspace.packages())
    if package.name not in EXTRAS:
        return []
    own = Version(package.version)
    prefix = f"{package.name}-"
    older = [each.removeprefix(prefix) for each in tags if each.startswith(prefix)]
    is_latest = not own.is_prerelease and all(Version(each) <= own for each in older if _VERSION.fullmatch(each))
    pythons = next(each.pythons for each in needs if each.package == package.name)
    latest = {"latest": "--latest"} if is_latest else {}
    return [{"package": package.name, "python": python, **latest} for python in pythons]


def _table(file: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    table = cast("dict[str, Any]", read_toml(file).get("tool", {}).get(_TABLE, {}))
    for key, value in table.items():
        if key not in kinds:
            raise WorkspaceError(f"{file}: [tool.{_TABLE}] has no key {key!r}; there are: {', '.join(kinds)}")
        if not isinstance(value, kinds[key]) or not all(isinstance(part, str) for part in _parts(value)):
            kind = "true or false" if kinds[key] is bool else f"a {kinds[key].__name__} of strings"
            raise WorkspaceError(f"{file}: [tool.{_TABLE}] {key} must be {kind}")
    return table


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def main(arguments: list[str] | None = None) -> int:
    """Print the jobs."""
    parser = argparse.ArgumentParser(prog="matrix.py", description="Print the jobs that a workflow is to run.")
    parser.add_argument("--base", default="", help="branch or commit to compare with; nothing means every package")
    parser.add_argument("--newest", action="store_true", help="every package, with the newest releases")
    parser.add_argument("--images", metavar="TAG", help="images instead of tests; those of a tag, or '' for all")
    options = parser.parse_args(arguments)
    try:
        tests = all_needs()
        if options.images is not None:
            jobs = images(tests, options.images, all_tags())
        elif options.newest:
            jobs = [each.newest_job() for each in tests]
        # The first push of a branch has no commit before it, and a forced push one that is gone.
        elif is_known(options.base):
            jobs = plan(tests, reached(changed_paths(options.base), workspace.packages()))
        else:
            jobs = plan(tests, [each.package for each in tests])
    except WorkspaceError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    print(f"jobs={json.dumps(jobs)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
