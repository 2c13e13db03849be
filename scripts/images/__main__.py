"""Build the images of the workers.

python -m scripts.images list                    the packages that have an image
python -m scripts.images tags aws                its tags
python -m scripts.images build aws               build it on the engine that `docker` talks to
python -m scripts.images context aws FOLDER      only make the folder that it is built in
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path

from scripts.images import context, engine
from scripts.images.names import DEFAULT_PYTHON, EXTRAS, NAMESPACE, PLATFORMS, ImageError, image, own_platform
from scripts.workspace import ROOT, packages


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    versions = argparse.ArgumentParser(add_help=False)
    versions.add_argument("package", help="such as aws or prefect-aws")
    versions.add_argument("--python", default=DEFAULT_PYTHON, metavar="X.Y", help="minor version; default: %(default)s")
    versions.add_argument("--prefect", default=version("prefect"), metavar="X.Y.Z", help="default: %(default)s")
    names = argparse.ArgumentParser(add_help=False)
    names.add_argument("--latest", action="store_true", help="it is the newest release: add the tags that say so")
    names.add_argument("--namespace", default=NAMESPACE, help="what stands before its name; default: %(default)s")
    platforms = argparse.ArgumentParser(add_help=False)
    platforms.add_argument(
        "--platform",
        action="append",
        choices=PLATFORMS,
        help="may be given more than once; default: that of this machine",
    )
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="python -m scripts.images", description=__doc__, formatter_class=raw)
    every = top.add_subparsers(dest="command", required=True)
    every.add_parser("list", help="the packages that have an image")
    every.add_parser("tags", parents=[versions, names], help="print the tags of an image")
    folder = every.add_parser("context", parents=[versions, platforms], help="make the folder that it is built in")
    folder.add_argument("folder", type=Path)
    build = every.add_parser("build", parents=[versions, names, platforms], help="build an image")
    build.add_argument("--base", help="image to start from; default: python:X.Y-slim")
    build.add_argument(
        "--system-packages", default="git", help="packages of Debian to add, or '' for none; default: %(default)s"
    )
    build.add_argument("--push", action="store_true", help="send it to the registry")
    return top


def perform(options: argparse.Namespace) -> None:
    """Do what the command line says.

    Args:
        options: The parsed command line.

    Raises:
        ImageError: If it cannot be done.
    """
    if options.command == "list":
        print("\n".join(EXTRAS))
        return
    members = packages()
    wanted = image(options.package, members, python=options.python, prefect=options.prefect)
    if options.command == "context":
        print(context.prepare(wanted, members, options.platform or [own_platform()], options.folder.resolve()))
        return
    tags = wanted.tags(is_latest=options.latest, namespace=options.namespace)
    if options.command == "build":
        how = engine.Options(
            tags, options.platform or [own_platform()], options.base, options.system_packages, options.push
        )
        arguments = engine.build_arguments(wanted, how, engine.labels())
        folder = ROOT / "build" / "images" / wanted.package.name
        commands = engine.commands(folder, how, arguments)
        context.prepare(wanted, members, how.platforms, folder)
        for command in commands:
            engine.execute(command)
    print("\n".join(tags))


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands that the module's docstring lists.

    Args:
        arguments: The command line; that of the process by default.
    """
    try:
        perform(parser().parse_args(arguments))
    except ImageError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
