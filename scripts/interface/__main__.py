"""Run one of the commands that the package's docstring lists."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

import scripts.interface
from scripts import workspace
from scripts.interface import published, reading, rendering, snapshot
from scripts.interface.guard import Guard
from scripts.interface.reading import Library
from scripts.interface.snapshot import SnapshotError
from scripts.workspace import Package, WorkspaceError

_SHOWN = 10
"""Lines of a difference that are shown; git shows them all, once the snapshot is written."""


def write(wanted: list[Package], members: list[Package], root: Path, *, check: bool) -> int:
    """Write the snapshots, or say which differ from the code, and how."""
    texts = rendering.snapshots(wanted, members)
    stale = 0
    for package in wanted:
        file, text = snapshot.path_of(package.path), texts[package.name]
        before = file.read_text(encoding="utf-8") if file.is_file() else ""
        if before == text:
            continue
        stale += 1
        if not check:
            file.write_text(text, encoding="utf-8")
            continue
        name = file.relative_to(root).as_posix()
        print(f"error: {name} is not what the code offers; run `just interface`, and commit the file", file=sys.stderr)
        changes = list(difflib.unified_diff(before.splitlines(), text.splitlines(), n=0, lineterm=""))[2:]
        changes = [line for line in changes if not line.startswith("@@")]
        for line in changes[:_SHOWN]:
            print(f"  {line[0]} {line[1:].strip()}", file=sys.stderr)
        if len(changes) > _SHOWN:
            print(f"  … and {len(changes) - _SHOWN} more lines", file=sys.stderr)
    return 1 if check and stale else 0


def guard(root: Path, base: str) -> int:
    """Compare with an earlier commit; a break that version and news do not tell is an error."""
    guarded = Guard(root, base)
    try:
        verdicts = list(guarded.verdicts())
        for verdict in verdicts:
            print(guarded.report(verdict))
        return 1 if any(verdict.missing for verdict in verdicts) else 0
    finally:
        guarded.close()


def publish(wanted: list[Package], members: list[Package]) -> int:
    """Add the present interfaces to what the packages have ever published."""
    for read in reading.read(wanted, Library(members)):
        folder = next(package.path for package in wanted if package.name == read.interface.name)
        file = published.path_of(folder)
        known = published.parse(file.read_text(encoding="utf-8")) if file.is_file() else {}
        names = published.merged(known, published.names_of(read.interface))
        file.parent.mkdir(exist_ok=True)
        file.write_text(published.render(read.interface.name, names), encoding="utf-8")
    return 0


def main(arguments: list[str] | None = None, root: Path = workspace.ROOT) -> int:
    """Run a command.

    Args:
        arguments: What follows the program's name.
        root: Folder of the repository.
    """
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="scripts.interface",
        description=scripts.interface.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a snapshot is stale")
    parser.add_argument("--base", help="guard: branch or commit to compare with")
    parser.add_argument("names", nargs="*", metavar="PACKAGE", help="packages, by short or full name; all by default")
    options = parser.parse_args(given)
    command = options.names.pop(0) if options.names[:1] in (["guard"], ["published"]) else ""
    try:
        if command == "guard":
            if options.base is None:
                parser.error("guard needs --base REV")
            return guard(root, options.base)
        members = workspace.packages(root)
        all_of_them = reading.published(members)
        wanted = [workspace.find(name, all_of_them) for name in options.names] or all_of_them
        if command == "published":
            return publish(wanted, members)
        return write(wanted, members, root, check=options.check)
    except (WorkspaceError, SnapshotError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
