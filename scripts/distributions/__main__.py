"""Say what is wrong with wheels and source distributions, before they are published.

python -m scripts.distributions dist/*      each of these files
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from scripts.distributions.contents import problems
from scripts.workspace import Package, packages


def _strange(file: Path, package: Package | None) -> list[str]:
    """Say why a file cannot be compared with the workspace."""
    if package is None:
        return ["no package of this workspace"]
    version = (parse_wheel_filename if file.suffix == ".whl" else parse_sdist_filename)(file.name)[1]
    if version != Version(package.version):
        return [f"{package.name} is {package.version} here; `just build {package.name}` builds that"]
    return []


def main(arguments: list[str] | None = None) -> int:
    """Check the files that the command line names."""
    parser = argparse.ArgumentParser(prog="scripts.distributions", description="Check wheels and source distributions.")
    parser.add_argument("files", nargs="+", type=Path, metavar="file")
    options = parser.parse_args(arguments)
    by_module = {package.module: package for package in packages()}
    status = 0
    for file in options.files:
        package = by_module.get(file.name.partition("-")[0])
        found = _strange(file, package) or (problems(file, package) if package else [])
        for problem in found:
            print(f"{file.name}: {problem}", file=sys.stderr)
            status = 1
        if not found:
            print(f"{file.name}: right")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
