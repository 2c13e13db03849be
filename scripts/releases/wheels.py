"""Test a wheel rather than the source tree: in a fresh environment, with the lowest or the newest versions it admits.

What the wheel needs comes from the index, or from the folder of the wheel, never from the source tree: so a wheel that
relies on changes of the kit that are not released fails here, and not at its users. The tests, and what only they need
of the workspace, such as the suites that they inherit, are those of the source tree.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from scripts import workspace
from scripts.releases import installed
from scripts.releases.errors import ReleaseError
from scripts.releases.versions import parse
from scripts.workspace import Package

RESOLUTIONS = ("lowest-direct", "highest")
_NEVER = "9999-01-01"


def find_wheel(folder: Path, package: Package) -> Path:
    """Find the wheel of a package's present version.

    Raises:
        ReleaseError: If the folder holds none, or several.
    """
    found: list[Path] = []
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, *_ = parse_wheel_filename(path.name)
        except InvalidWheelFilename as exc:
            raise ReleaseError(f"{path}: {exc}") from exc
        if name == canonicalize_name(package.name) and version == parse(package.version):
            found.append(path.resolve())
    if len(found) != 1:
        what = "no wheel" if not found else f"{len(found)} wheels"
        raise ReleaseError(
            f"{folder} holds {what} of {package.name} {package.version}; run `just build {package.name}`"
        )
    return found[0]


@dataclass(frozen=True)
class Requirements:
    """What an environment to test a wheel in needs, beside the wheel.

    Attributes:
        extras: Extras of the package that its group `dev` names.
        constraints: The root's constraints, and its bounds of what the group `dev` names without any.
        overrides: The root's overrides.
        tools: Canonical names of what the group `dev` names and users do not install with the package.
    """

    extras: list[str]
    constraints: list[str]
    overrides: list[str]
    tools: frozenset[str]


def requirements(package: Package, root: Path) -> Requirements:
    """Read what an environment for a package needs from its `pyproject.toml` and the root's."""
    own = workspace.read_toml(package.path / "pyproject.toml")
    shared = workspace.read_toml(root / "pyproject.toml")
    settings: dict[str, Any] = shared.get("tool", {}).get("uv", {})
    name = canonicalize_name(package.name)
    group = _requirements(own.get("dependency-groups", {}).get("dev", []))
    extras = sorted({extra for need in group if canonicalize_name(need.name) == name for extra in need.extras})
    unbounded = {canonicalize_name(need.name) for need in group if not need.specifier}
    constraints: list[str] = []
    for need in _requirements(shared.get("dependency-groups", {}).get("dev", [])):
        if need.specifier and canonicalize_name(need.name) in unbounded:
            need.extras = set()  # a constraint has none
            constraints.append(str(need))
    installed_with_it = {canonicalize_name(need.name) for need in _requirements(own["project"].get("dependencies", []))}
    return Requirements(
        extras=extras,
        constraints=[*constraints, *settings.get("constraint-dependencies", [])],
        overrides=list(settings.get("override-dependencies", [])),
        tools=frozenset(canonicalize_name(need.name) for need in group) - installed_with_it - {name},
    )


def _requirements(lines: Sequence[object]) -> list[Requirement]:
    return [Requirement(line) for line in lines if isinstance(line, str)]


def install_command(
    package: Package,
    wheels: Sequence[Path],
    resolution: str,
    *,
    uv: str,
    python: Path,
    needs: Requirements,
    lists: Path,
    members: Sequence[Package],
) -> list[str]:
    """Make the command that fills an environment.

    What the package requires is named beside the wheel, so that it counts as direct: its lowest versions are chosen,
    and not those of all that these require in turn.

    Args:
        package: The package.
        wheels: Its wheel, and those of what only its tests need of the workspace.
        resolution: One of `RESOLUTIONS`.
        uv: The program.
        python: The environment's interpreter.
        needs: What the environment needs.
        lists: A folder with `constraints.txt` and `overrides.txt`.
        members: The packages of the workspace. Those that were released a minute ago count, whatever date the root
            pins.
    """
    project = package.path / "pyproject.toml"
    return [
        *(uv, "pip", "install", "--quiet", "--python", str(python), "--no-sources", "--resolution", resolution),
        *("--find-links", str(wheels[0].parent)),
        *("--constraints", str(lists / "constraints.txt"), "--overrides", str(lists / "overrides.txt")),
        *(part for member in members for part in ("--exclude-newer-package", f"{member.name}={_NEVER}")),
        # A wheel that was built anew under the same name would otherwise come from uv's cache, as it was.
        *(part for member in members for part in ("--refresh-package", member.name)),
        *("--requirements", str(project)),
        *(part for extra in needs.extras for part in ("--extra", extra)),
        *("--group", f"{project}:dev"),
        *map(str, wheels),
    ]


def test_command(package: Package, python: Path, arguments: Sequence[str]) -> list[str]:
    """Make the command that runs a package's tests, and fails if they import anything but the wheel's modules."""
    return [
        *(str(python), "-m", "pytest", "-p", installed.__name__, "-n", "auto", "--maxprocesses", "4"),
        *("--dist", "loadgroup", str(package.path / "tests"), "-m", "not slow", *arguments),
    ]


def run(
    package: Package, folder: Path, resolution: str, arguments: Sequence[str], members: Sequence[Package], root: Path
) -> int:
    """Run a package's tests with its wheel.

    `UV_PYTHON` names the Python to use.

    Args:
        package: The package.
        folder: Where its wheel is. Wheels beside it may meet its needs.
        resolution: One of `RESOLUTIONS`.
        arguments: More arguments for pytest.
        members: The packages of the workspace.
        root: The workspace.

    Returns:
        The exit code: 0 when the environment could be made and no test failed.

    Raises:
        ReleaseError: If there is no such wheel.
    """
    wheel = find_wheel(folder, package)
    uv = os.environ.get("UV", "uv")
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    with tempfile.TemporaryDirectory(prefix="wheel-", ignore_cleanup_errors=True) as work:
        lists = Path(work)
        needs = requirements(package, root)
        (lists / "constraints.txt").write_text("\n".join(needs.constraints) + "\n", encoding="utf-8")
        (lists / "overrides.txt").write_text("\n".join(needs.overrides) + "\n", encoding="utf-8")
        python = lists / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        wheels = [wheel]
        steps: list[list[str]] = []
        for member in members:
            if canonicalize_name(member.name) in needs.tools:
                built = lists / member.name
                steps.append([uv, "build", "--quiet", "--wheel", "--package", member.name, "--out-dir", str(built)])
                wheels.append(built / f"{member.module}-{parse(member.version)}-py3-none-any.whl")
        steps.append([uv, "venv", "--quiet", str(lists / "venv")])
        steps.append(
            install_command(
                package, wheels, resolution, uv=uv, python=python, needs=needs, lists=lists, members=members
            )
        )
        steps.append(test_command(package, python, arguments))
        environment[installed.WHEEL] = str(wheel)
        environment[installed.MODULE] = package.module
        # Tests also run the programs that are installed, such as `prefect`.
        environment["PATH"] = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        for step in steps:
            if code := subprocess.run(step, cwd=root, env=environment).returncode:
                return code
    return 0
