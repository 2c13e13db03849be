"""Builds wheels and source distributions, of all packages or of one folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.workspace import ROOT, Package

UV = os.environ.get("UV", "uv")
_OWN_TO_A_PROJECT = frozenset({"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"})


class BuildError(Exception):
    """A distribution could not be built; the message holds what the builder said."""


@dataclass(frozen=True)
class Built:
    """What was built of one package.

    Attributes:
        package: The package.
        wheel: Its wheel, made from its source distribution.
        sdist: Its source distribution.
        direct: Its wheel, made from its folder.
    """

    package: Package
    wheel: Path
    sdist: Path
    direct: Path


def uv(*arguments: str | Path, cwd: Path = ROOT) -> str:
    """Run uv and return what it prints.

    Args:
        arguments: Its arguments.
        cwd: Where to run it; in the workspace, its resolution is kept to the workspace's date.

    Raises:
        BuildError: If it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _OWN_TO_A_PROJECT}
    command = [UV, *map(str, arguments)]
    answer = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise BuildError(f"{' '.join(command)} failed:\n{answer.stderr.strip()}")
    return answer.stdout


def build_all(out: Path) -> None:
    """Build every package as `just build` does, which makes wheels from source distributions, and wheels directly.

    Args:
        out: A folder; it gets `dist`, with both kinds, and `direct`, with wheels only.

    Raises:
        BuildError: If one cannot be built.
    """
    # This environment has the build back end; one of its own for each build would take most of the time.
    options = ["--quiet", "--all-packages", "--no-build-isolation", "--python", sys.executable]
    uv("build", *options, "--out-dir", out / "dist")
    uv("build", *options, "--wheel", "--out-dir", out / "direct")


def built(out: Path, members: Iterable[Package]) -> list[Built]:
    """Name the files that `build_all` has made.

    Args:
        out: The folder it was given.
        members: The packages of the workspace.
    """
    found: list[Built] = []
    for package in members:
        stem = f"{package.module}-{package.version}"
        wheel = f"{stem}-py3-none-any.whl"
        found.append(
            Built(package, out / "dist" / wheel, out / "dist" / f"{stem}.tar.gz", out / "direct" / wheel),
        )
    return found
