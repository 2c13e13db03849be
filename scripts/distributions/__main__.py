"""Say what is wrong with wheels and source distributions, before they are published.

python -m scripts.distributions dist/*      each of these files
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.distributions.contents import problems
from scripts.workspace import packages


def main(arguments: list[str] | None = None) -> int:
    """Check the files that the command line names."""
    parser = argparse.ArgumentParser(prog="scripts.distributions", description="Check wheels and source distributions.")
    parser.add_argument("files", nargs="+", type=Path, metavar="file")
    options = parser.parse_args(arguments)
    by_module = {package.module: package for package in packages()}
    status = 0
    for file in options.files:
        package = by_module.get(file.name.partition("-")[0])
        found = problems(file, package) if package else ["no package of this workspace"]
        for problem in found:
            print(f"{file.name}: {problem}", file=sys.stderr)
            status = 1
        if not found:
            print(f"{file.name}: right")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
