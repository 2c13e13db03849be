"""Which extras of Prefect stand for packages of this workspace, by the metadata of the Prefect that is installed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.workspace import Package, read_toml


def extras_of_prefect(members: Iterable[Package]) -> dict[str, Package]:
    """Find the package that each extra brings; extras that bring none of ours, such as `otel`, are left out.

    Args:
        members: The packages of the workspace.
    """
    by_name = {canonicalize_name(package.name): package for package in members if package.is_integration}
    prefect = distribution("prefect")
    needs = [Requirement(line) for line in prefect.requires or ()]
    found: dict[str, Package] = {}
    for extra in prefect.metadata.get_all("Provides-Extra") or ():
        for need in needs:
            is_of_extra = need.marker and need.marker.evaluate({"extra": extra}) and not need.marker.evaluate()
            if is_of_extra and (package := by_name.get(canonicalize_name(need.name))) is not None:
                found[extra] = package
    return found


def requirement_of(extra: str, package: Package) -> Requirement:
    """The line of Prefect's metadata by which an extra brings a package."""
    lines = [Requirement(line) for line in distribution("prefect").requires or ()]
    return next(
        line
        for line in lines
        if canonicalize_name(line.name) == package.name and line.marker and line.marker.evaluate({"extra": extra})
    )


def needs_of_others(package: Package, members: Iterable[Package]) -> list[str]:
    """The requirements of a package and of those of ours that it needs, without ours."""
    by_name = {canonicalize_name(member.name): member for member in members}
    found: dict[str, None] = {}
    seen = {package.name}
    waiting = [package]
    while waiting:
        project = read_toml(waiting.pop().path / "pyproject.toml")["project"]
        for line in project.get("dependencies", []):
            name = canonicalize_name(Requirement(line).name)
            if name not in by_name:
                found[line] = None
            elif name not in seen:
                seen.add(name)
                waiting.append(by_name[name])
    return list(found)
