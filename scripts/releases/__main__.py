"""Command line of the releases.

python -m scripts.releases news aws fixed "A sentence."    write a fragment
python -m scripts.releases check                           check every fragment
python -m scripts.releases release aws minor               give a package its next version
python -m scripts.releases unreleased [--json]             list packages with unreleased changes
python -m scripts.releases verify TAG                      check a tag; print what a workflow must know
python -m scripts.releases notes TAG                       print what the changelog says of it
python -m scripts.releases test-wheel aws dist highest     run a package's tests with its wheel
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date, datetime, timezone
from pathlib import Path

from scripts import workspace
from scripts.releases import fragments, tagged, wheels
from scripts.releases.errors import ReleaseError
from scripts.releases.history import History
from scripts.releases.plan import carry_out, commands, find, plan, published
from scripts.releases.unreleased import as_objects, table, unreleased
from scripts.workspace import Package, WorkspaceError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="releases", description="Versions, changelogs and releases of the packages.")
    subparsers = parser.add_subparsers(dest="command", required=True)

    news = subparsers.add_parser("news", help="write a news fragment")
    news.add_argument("package")
    news.add_argument("type", choices=list(fragments.TYPES))
    news.add_argument("text", help="what a user will notice, in whole sentences")
    news.add_argument("--issue", type=int, help="number of the issue that the change closes")

    subparsers.add_parser("check", help="check every news fragment")

    release = subparsers.add_parser("release", help="give a package its next version, and its news to the changelog")
    release.add_argument("package")
    release.add_argument("step", help="patch, minor, major, a version, or current: the one it has")
    release.add_argument("--date", type=date.fromisoformat, help="day of the release; today (UTC) when not given")
    release.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    listing = subparsers.add_parser("unreleased", help="list packages with unreleased changes")
    listing.add_argument("--json", action="store_true", help="print JSON")

    for command, what in (
        ("verify", "check a tag, and print lines for a workflow's $GITHUB_OUTPUT"),
        ("notes", "print what the changelog says of a tag"),
    ):
        subparsers.add_parser(command, help=what).add_argument("tag")

    test = subparsers.add_parser("test-wheel", help="run a package's tests with its wheel; more arguments are pytest's")
    test.add_argument("package")
    test.add_argument("folder", type=Path, help="where the wheel is, and wheels it may need that no index has")
    test.add_argument("resolution", choices=wheels.RESOLUTIONS)
    return parser


def _check(members: list[Package]) -> None:
    problems = [problem for package in published(members) for problem in fragments.look(package.path)[1]]
    if problems:
        raise ReleaseError("\n".join(problems))


def _release(options: argparse.Namespace, members: list[Package], root: Path) -> None:
    package = find(options.package, members)
    on = options.date or datetime.now(timezone.utc).date()
    prepared = plan(package, options.step, members, History(root), on)
    if not options.dry_run:
        carry_out(prepared)
    for note in prepared.notes:
        print(f"note: {note}", file=sys.stderr)
    if str(prepared.version) == package.version:
        what = f"{'would be' if options.dry_run else 'is'} ready to be released"
    else:
        what = f"{'would become' if options.dry_run else 'becomes'} {prepared.version}"
    print(f"{package.name} {package.version} {what}, {len(prepared.fragments)} news moved.")
    if prepared.writes:
        print("".join(f"  {path.relative_to(root).as_posix()}\n" for path in prepared.writes), end="")
    print(f"Tag to push: {prepared.tag}\n")
    print("\n".join(commands(prepared, root)))


def main(arguments: list[str] | None = None, root: Path = workspace.ROOT) -> int:
    """Run one of the commands that the module's docstring lists.

    Args:
        arguments: The command line, without the program.
        root: The workspace.

    Returns:
        The exit code: 2 after an error, whose message is printed.
    """
    options, more = _parser().parse_known_args(arguments)
    if more and options.command != "test-wheel":
        _parser().error(f"unknown arguments: {' '.join(more)}")
    try:
        members = workspace.packages(root)
        if options.command == "news":
            package = find(options.package, members)
            print(fragments.write(package.path, options.type, options.text, options.issue).relative_to(root).as_posix())
        elif options.command == "check":
            _check(members)
        elif options.command == "release":
            _release(options, members, root)
        elif options.command == "unreleased":
            states = unreleased(members, History(root))
            print(json.dumps(as_objects(states), indent=2) if options.json else table(states))
        elif options.command == "verify":
            print(tagged.outputs(tagged.checked(options.tag, members), root))
        elif options.command == "notes":
            print(tagged.notes(workspace.release(options.tag, members)))
        else:
            package = find(options.package, members)
            return wheels.run(package, options.folder, options.resolution, more, members, root)
    except WorkspaceError as exc:
        for line in str(exc).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
