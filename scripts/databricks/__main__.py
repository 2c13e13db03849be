"""Write everything that follows from the description of Databricks's API.

python -m scripts.databricks            write it
python -m scripts.databricks --check    exit 1 when something is stale
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.databricks import models, tasks
from scripts.databricks.schema import PACKAGE, SCHEMA, plain, read
from scripts.github.__main__ import formatted
from scripts.workspace import ROOT


def files() -> Iterator[tuple[Path, bytes]]:
    """Go through the files and what they are to hold."""
    document = read()
    yield SCHEMA.parent / "original" / SCHEMA.name, plain(document).encode()
    for path, source in (
        (PACKAGE / "models" / "jobs.py", models.module_source(document)),
        (PACKAGE / "jobs.py", tasks.module_source(document)),
    ):
        yield path, formatted(source, path).encode()


def stale() -> list[Path]:
    """Name the files that do not hold what they should."""
    return [path for path, content in files() if not path.exists() or path.read_bytes() != content]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args().check:
        for path in (old := stale()):
            print(f"{path.relative_to(ROOT)} is stale: run python -m scripts.databricks")
        return 1 if old else 0
    for path, content in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
