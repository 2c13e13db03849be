"""The command `prefect-integration-docs`."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from prefect_integration_docs.freshness import Hashes
    from prefect_integration_docs.problems import Problem

CACHE = ".cache/prefect-integration-docs"


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows its name on the command line.

    Returns:
        0 when all is well, 1 when a page is not current or a source is wrong, 2 when the command cannot be run.
    """
    from prefect_integration_docs.freshness import Hashes

    given, hashes = sys.argv[1:] if arguments is None else arguments, Hashes()
    quick = _answer_quickly(given, hashes)
    return quick if quick is not None else _run(given, hashes)


def _answer_quickly(given: list[str], hashes: Hashes) -> int | None:
    """Answer the calls that come most often, `generate` and `generate --check`, when nothing changed."""
    root, options = os.getcwd(), given[1:]  # noqa: PTH109 - no pathlib here
    if "--root" in options[:-1]:
        position = options.index("--root")
        root, options = options[position + 1], options[:position] + options[position + 2 :]
    if given[:1] != ["generate"] or options not in ([], ["--check"]):
        return None
    from prefect_integration_docs.freshness import Snapshot

    kept = Snapshot(os.path.join(root, CACHE, "snapshot.json"), hashes).recall()  # noqa: PTH118 - no pathlib here
    return None if kept is None else _report(kept)


def _report(problems: list[tuple[str, bool]]) -> int:
    for line, _ in problems:
        print(line, file=sys.stderr)
    return 1 if any(fatal for _, fatal in problems) else 0


def _run(given: list[str], hashes: Hashes) -> int:
    import argparse
    import gc
    from pathlib import Path

    from prefect_integration_docs.configuration import ConfigurationError
    from prefect_integration_docs.discovery import DiscoveryError

    gc.disable()  # syntax trees are large and hold no cycles that matter; collecting them doubles the time

    parser = argparse.ArgumentParser(prog="prefect-integration-docs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    generate = commands.add_parser(
        "generate",
        help="write the pages of a repository, or of any package",
        description="Write reference and example pages, navigation and llms.txt of a repository, as its "
        "[tool.prefect-integration-docs] says; or, with --out, the reference of any one package.",
    )
    generate.add_argument(
        "packages",
        nargs="*",
        metavar="PACKAGE",
        help="distributions of the repository; with --out, a folder or the name of an installed package",
    )
    generate.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is not current")
    generate.add_argument("--root", type=Path, default=Path.cwd(), help="folder of the repository")
    generate.add_argument("--no-cache", action="store_true", help="neither use nor write the cache")
    generate.add_argument("--out", type=Path, help="folder for the pages of any one package")
    generate.add_argument("--url", default="", help="with --out: address of that folder on the site")
    generate.add_argument("--source", default="", help="with --out: address of the folder that holds the package")
    generate.add_argument("--navigation", type=Path, help="with --out: file for the navigation, as JSON")
    options = parser.parse_args(given)
    options.root = options.root.resolve()
    try:
        return _one_package(options) if options.out is not None else _repository(options, hashes)
    except (ConfigurationError, DiscoveryError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2


def _lines(problems: list[Problem], root: Path) -> list[tuple[str, bool]]:
    return [(problem.within(root), problem.fatal) for problem in problems]


def _repository(options: Namespace, hashes: Hashes) -> int:
    from prefect_integration_docs import configuration
    from prefect_integration_docs.freshness import Snapshot
    from prefect_integration_docs.generate import Generator

    root: Path = options.root
    cache = None if options.no_cache else root / CACHE
    generator = Generator(
        configuration.read(root), cache=cache, names=tuple(options.packages), write=not options.check, hashes=hashes
    )
    outcome = generator.run()
    said = "stale" if options.check else "wrote"
    for path in sorted([*outcome.stale, *outcome.missing]):
        word = "missing" if options.check and path in outcome.missing else said
        print(f"{word}: {path.relative_to(root).as_posix()}")
    for path in outcome.orphaned:
        print(f"{'orphaned' if options.check else 'removed'}: {path.relative_to(root).as_posix()}")
    problems = _lines(outcome.problems, root)
    if cache is not None and not options.packages and (outcome.is_current or not options.check):
        Snapshot(str(cache / "snapshot.json"), hashes).keep(*generator.inputs(), problems)
    status = _report(problems)
    if options.check and not outcome.is_current:
        print("error: generated pages are not current; run `prefect-integration-docs generate`", file=sys.stderr)
        return 1
    return status


def _one_package(options: Namespace) -> int:
    from prefect_integration_docs.standalone import document

    return _report(_lines(document(options), options.root))
