"""Write the page that says what becomes of each fault, from each package's `tests/faults.toml`.

python -m scripts.faults            rewrite the page
python -m scripts.faults --check    exit 1 when it is stale; mistakes are told in either case
python -m scripts.faults tests X    the tests of package X that the matrix names, for pytest
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts import workspace
from scripts.faults.matrix import read, read_all
from scripts.faults.page import render
from scripts.workspace import WorkspaceError

PAGE = workspace.ROOT / "docs" / "integrations" / "failures.mdx"


def main(arguments: list[str] | None = None, page: Path = PAGE) -> int:
    """Rewrite or check the page, or list tests."""
    parser = argparse.ArgumentParser(description="Write the page of the fault matrix.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    parser.add_argument("command", nargs="?", choices=["tests"], help="list the tests that the matrix names")
    parser.add_argument("package", nargs="?", help="of which package")
    options = parser.parse_args(arguments)
    try:
        if options.command:
            return _list(options.package or "")
        after = render(read_all())
    except WorkspaceError as exc:
        for line in str(exc).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 1
    before = page.read_text(encoding="utf-8") if page.is_file() else ""
    if before == after:
        return 0
    if options.check:
        print(f"error: docs/integrations/{page.name} is stale; run `just faults`", file=sys.stderr)
        return 1
    page.write_text(after, encoding="utf-8")
    return 0


def _list(package: str) -> int:
    member = next((each for each in workspace.packages() if package in (each.name, each.name[8:])), None)
    if member is None:
        raise WorkspaceError(f"there is no package {package!r}")
    subjects, wrong = read(member, workspace.ROOT)
    names = {name for subject in subjects for cell in subject.cells.values() for name in cell.tests}
    print(*(f"{member.path / 'tests'}/{name}" for name in sorted(names)), sep="\n")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
