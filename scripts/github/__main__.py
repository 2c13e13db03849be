"""Write everything that follows from GitHub's schema.

python -m scripts.github            write it
python -m scripts.github --check    exit 1 when something is stale
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.github import schema
from scripts.workspace import ROOT

PACKAGE = ROOT / "src/integrations/prefect-github/prefect_github"
SERVER = ROOT / "src/kit/prefect-integration-tests/prefect_integration_tests/backends/_github"


def formatted(source: str, path: Path) -> str:
    """Format Python as the workspace does.

    Args:
        source: A module.
        path: Where it is to stand, which decides the settings.
    """
    for command in (["check", "--fix-only", "--select", "I", "--quiet"], ["format", "--quiet"]):
        run = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        source = subprocess.run(run, input=source, capture_output=True, text=True, check=True).stdout
    return source


def files() -> Iterator[tuple[Path, bytes]]:
    """Go through the files and what they are to hold. The schema comes first: the rest is made with it."""
    yield PACKAGE / "schemas/graphql_schema.json", schema.compact().encode()
    for version in (schema.TODAY, schema.EARLIER):
        yield SERVER / f"schema-{version}.graphql.gz", schema.packed(schema.stripped(version))
    from scripts.github import tasks  # reads the schema that is written above

    for name, text in tasks.configs().items():
        yield PACKAGE / "configs" / name, text.encode()
    for name, each in tasks.modules().items():
        path = PACKAGE / f"{name}.py"
        yield path, formatted(tasks.module_source(name, each), path).encode()


def stale() -> list[Path]:
    """Name the files that do not hold what they should."""
    return [path for path, content in files() if not path.exists() or path.read_bytes() != content]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args().check:
        for path in (old := stale()):
            print(f"{path.relative_to(ROOT)} is stale: run python -m scripts.github")
        return 1 if old else 0
    for path, content in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
