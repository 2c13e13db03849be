"""Say which packages a change reaches, as a JSON list for a workflow's matrix.

    python -m scripts.changed --base origin/main

A package is reached by a change in its folder, in its guide, whose code its tests run, or in a package that it needs,
however far away. A change of what all share (root settings, scripts, workflows) reaches every package.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import PurePosixPath

from scripts import workspace
from scripts.workspace import Package

# Pages outside of guides are tested with the package whose code they show.
_SHOWN_WITH = {"docs/index.mdx": "prefect-aws", "docs/integrations/use-integrations.mdx": "prefect-aws"}
# Nothing else below these is tested with a package: the checks of the whole repository look at them.
_APART = ("docs/", "examples/", "benches/", "scripts/", "LICENSE")


def reached(paths: list[str], members: list[Package]) -> list[str]:
    """Name the packages whose tests a change can alter, in the order of `members`.

    Args:
        paths: Changed files, relative to the root, with forward slashes.
        members: The packages of the workspace.
    """
    folders = {member.path.relative_to(workspace.ROOT).as_posix(): member.name for member in members}
    folders |= {f"docs/integrations/{member.name}": member.name for member in members}
    found: set[str] = set()
    for path in paths:
        parents = {parent.as_posix() for parent in PurePosixPath(path).parents}
        owners = {name for folder, name in folders.items() if folder in parents and "api-ref" not in path}
        if path in _SHOWN_WITH:
            owners.add(_SHOWN_WITH[path])
        if owners:
            found |= owners
        elif not path.startswith(_APART) and not ("/" not in path and path.endswith(".md")):
            return [member.name for member in members]
    while True:
        more = {m.name for m in members if m.name not in found and m.needs & found}
        if not more:
            return [member.name for member in members if member.name in found]
        found |= more


def changed_paths(base: str) -> list[str]:
    """List the files that differ from the commit where this branch left `base`."""
    answer = subprocess.run(
        ["git", "diff", "--name-only", "-z", "--no-renames", f"{base}...HEAD"],
        cwd=workspace.ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [path for path in answer.stdout.split("\0") if path]


def main() -> None:
    """Print the packages that the change since `--base` reaches."""
    parser = argparse.ArgumentParser(description="Print the packages that a change reaches.")
    parser.add_argument("--base", required=True, help="branch or commit to compare with")
    options = parser.parse_args()
    print(json.dumps(reached(changed_paths(options.base), workspace.packages())))


if __name__ == "__main__":
    main()
