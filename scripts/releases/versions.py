"""Versions: which comes next, how large a step is, and every place of a package that states its own."""

from __future__ import annotations

import re

import tomli
from packaging.version import InvalidVersion, Version

from scripts.releases.errors import ReleaseError

STEPS = ("patch", "minor", "major")
"""From the smallest to the largest."""

_TABLE = re.compile(r"^\[project\][ \t]*$(?P<body>.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
_VERSION = re.compile(r"^(?P<key>version[ \t]*=[ \t]*)([\"'])(?P<value>[^\"']*)\2", re.MULTILINE)
_CONSTANT = re.compile(r"^(?P<key>__version__[ \t]*(?::[ \t]*str[ \t]*)?=[ \t]*)\"(?P<value>[^\"]*)\"", re.MULTILINE)


def parse(text: str) -> Version:
    """Read a version.

    Raises:
        ReleaseError: If it is none by https://packaging.python.org/en/latest/specifications/version-specifiers/
    """
    try:
        return Version(text)
    except InvalidVersion:
        raise ReleaseError(
            f"{text!r} is no version; say patch, minor, major, current, or a version such as 1.2.3"
        ) from None


def after(version: Version, step: str) -> Version:
    """The version that comes after another.

    Args:
        version: A final version.
        step: One of `STEPS`.

    Raises:
        ReleaseError: If `version` is a pre-release, after which several may come.
    """
    if version.is_prerelease or version.is_postrelease:
        raise ReleaseError(f"{version} is no final version; say which comes after it, such as {version.base_version}")
    major, minor, micro = version.major, version.minor, version.micro
    if step == "major":
        return Version(f"{major + 1}.0.0")
    if step == "minor":
        return Version(f"{major}.{minor + 1}.0")
    return Version(f"{major}.{minor}.{micro + 1}")


def step_between(old: Version, new: Version) -> str:
    """How large the step from one version to a later one is: one of `STEPS`."""
    if new.major != old.major:
        return "major"
    return "minor" if new.minor != old.minor else "patch"


def step_of_breaking(version: Version) -> str:
    """The smallest step that may break something. Before 1.0, it is a minor one."""
    return "major" if version.major else "minor"


def with_version(pyproject: str, version: Version) -> str:
    """Set the version of a `pyproject.toml`, and change nothing else.

    Raises:
        ReleaseError: If its table `project` has no version in a line of its own.
    """
    table = _TABLE.search(pyproject)
    found = _VERSION.search(table["body"]) if table else None
    if table is None or found is None:
        raise ReleaseError('pyproject.toml has no line `version = "X.Y.Z"` in its table [project]')
    at = table.start("body")
    changed = f'{pyproject[: at + found.start()]}{found["key"]}"{version}"{pyproject[at + found.end() :]}'
    expected = tomli.loads(pyproject)
    expected["project"]["version"] = str(version)
    if tomli.loads(changed) != expected:
        raise ReleaseError("pyproject.toml: the version cannot be set without changing something else; set it by hand")
    return changed


def with_constant(module: str, version: Version) -> str:
    """Set `__version__` in the text of a module, where it is a literal."""
    return _CONSTANT.sub(lambda match: f'{match["key"]}"{version}"', module)


def with_row(readme: str, name: str, version: Version) -> str:
    """Set the version of a package in the README's table of integrations, where it has a row."""
    row = re.compile(rf"^(\| \[`{re.escape(name)}`\]\([^)]*\) \| )[^|]*?( \|)", re.MULTILINE)
    return row.sub(lambda match: f"{match[1]}{version}{match[2]}", readme)
