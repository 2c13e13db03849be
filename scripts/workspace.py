"""What the workspace holds: its packages, what they need of each other, and how people call them.

python -m scripts.workspace list                 every package, one a line
python -m scripts.workspace path aws             the folder of a package, by short or full name
python -m scripts.workspace name aws             its full name
python -m scripts.workspace release TAG          check a release tag and print the package's name
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parent.parent

_PREFIXES = ("", "prefect-", "prefect-integration-")
_TAG = re.compile(r"^(?P<name>[a-z][a-z0-9-]*?)-(?P<version>\d[^-]*)$")


class WorkspaceError(Exception):
    """A name, tag or file of the workspace is not what it should be."""


@dataclass(frozen=True)
class Package:
    """One member of the workspace.

    Attributes:
        name: Name of the distribution.
        path: Its folder.
        version: The version that its `pyproject.toml` says.
        description: The one line that its `pyproject.toml` says.
        needs: Distributions that it, its extras and its groups require, by canonical name.
    """

    name: str
    path: Path
    version: str
    description: str
    needs: frozenset[str]

    @property
    def module(self) -> str:
        """Name under which the package is imported."""
        return self.name.replace("-", "_")

    @property
    def is_integration(self) -> bool:
        """Whether users install it, rather than those who write integrations."""
        return self.path.parent.name == "integrations"


def _requirements(metadata: dict[str, Any]) -> frozenset[str]:
    project = metadata["project"]
    lists = [
        project.get("dependencies", []),
        *project.get("optional-dependencies", {}).values(),
        *metadata.get("dependency-groups", {}).values(),
    ]
    # A group may also hold tables (`include-group`); only strings are requirements.
    lines = [line for lines in lists for line in lines if isinstance(line, str)]
    return frozenset(canonicalize_name(Requirement(line).name) for line in lines)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        WorkspaceError: If the file is no valid TOML; the message names file and position.
    """
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except tomli.TOMLDecodeError as exc:
        raise WorkspaceError(f"{path}: {exc}") from exc


def packages(root: Path = ROOT) -> list[Package]:
    """List the members of the workspace, integrations first, each kind by name."""
    patterns = read_toml(root / "pyproject.toml")["tool"]["uv"]["workspace"]["members"]
    folders = sorted({file.parent for glob in patterns for file in root.glob(f"{glob}/pyproject.toml")})
    members: list[Package] = []
    for folder in folders:
        metadata = read_toml(folder / "pyproject.toml")
        project = metadata["project"]
        members.append(
            Package(
                name=project["name"],
                path=folder,
                version=project["version"],
                description=project["description"],
                needs=_requirements(metadata),
            )
        )
    return sorted(members, key=lambda member: (not member.is_integration, member.name))


def find(name: str, members: list[Package]) -> Package:
    """Find a package by its full name, or by what follows `prefect-` or `prefect-integration-`.

    Raises:
        WorkspaceError: If no package has that name; the message lists those there are.
    """
    by_name = {member.name: member for member in members}
    wanted = canonicalize_name(name)
    for prefix in _PREFIXES:
        if (found := by_name.get(f"{prefix}{wanted}")) is not None:
            return found
    known = ", ".join(by_name)
    raise WorkspaceError(f"no package is named {name!r}; there are: {known}")


def release(tag: str, members: list[Package]) -> Package:
    """Find the package that a tag such as `prefect-aws-0.8.0` releases.

    Raises:
        WorkspaceError: If the tag has another form, names no package, or another version than the package's
            `pyproject.toml`.
    """
    match = _TAG.match(tag)
    if match is None:
        raise WorkspaceError(f"tag {tag!r} is not of the form prefect-NAME-X.Y.Z")
    package = find(match["name"], members)
    if package.name != match["name"]:
        raise WorkspaceError(f"tag {tag!r} must begin with the full name, {package.name}")
    try:
        agrees = Version(match["version"]) == Version(package.version)
    except InvalidVersion as exc:
        raise WorkspaceError(f"tag {tag!r}: {exc}") from exc
    if not agrees:
        raise WorkspaceError(
            f"tag {tag!r} says {match['version']}, but {package.name}'s pyproject.toml says"
            f" {package.version}; change one of the two"
        )
    return package


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands that the module's docstring lists."""
    parser = argparse.ArgumentParser(prog="workspace.py", description="Ask the workspace.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    for command in ("path", "name"):
        commands.add_parser(command).add_argument("package")
    commands.add_parser("release").add_argument("tag")
    options = parser.parse_args(arguments)
    members = packages()
    try:
        if options.command == "list":
            print("\n".join(member.name for member in members))
        elif options.command == "release":
            print(release(options.tag, members).name)
        elif options.command == "path":
            print(find(options.package, members).path.relative_to(ROOT).as_posix())
        else:
            print(find(options.package, members).name)
    except WorkspaceError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
