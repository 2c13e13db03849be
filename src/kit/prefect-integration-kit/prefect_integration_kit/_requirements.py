"""Which of a list of requirements this environment does not meet."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement


def unmet(requirements: str) -> list[str]:
    """List the requirements that are not installed in the version that they ask for.

    What cannot be told is listed too: a requirement by URL, an option of pip.

    Args:
        requirements: One requirement on each line, as `pip freeze` prints them.
    """
    lines = (line.strip() for line in requirements.splitlines())
    return [line for line in lines if line and not line.startswith("#") and not _is_met(line)]


def _is_met(line: str) -> bool:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return False
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    if requirement.url is not None:
        return False
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
