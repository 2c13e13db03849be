"""Say which packages a change reaches, as a JSON list.

    python -m scripts.changed --base origin/main

A package is reached by a change in its folder, in a page whose code its tests run, or in a package that it needs,
however far away. A change of what the tests of all share (root settings, the recipes, the workflow), or a package that
is gone, reaches every package. A file in a place that this module does not know is an error: neither all nor none would
be true.
"""

from __future__ import annotations

import argparse
import ast
import json
import posixpath
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts import workspace
from scripts.workspace import Package, WorkspaceError

_SHARED = (
    ".ci/",
    ".github/actions/",
    ".github/workflows/checks.yml",
    "justfile",
    "pyproject.toml",
    "scripts/bytecode.py",
    "scripts/changed.py",
    "scripts/matrix.py",
    "scripts/runner.py",
    "scripts/workspace.py",
)
# Not tested with a package: checks of the whole repository look at these.
_APART = (
    ".editorconfig",
    ".gitattributes",
    ".github/",
    ".gitignore",
    ".pre-commit-config.yaml",
    "LICENSE",
    "benches/",
    "docs/",
    "examples/",
    "fuzz/",
    "images/",
    "scripts/",
)


@dataclass(frozen=True)
class Change:
    """One changed file.

    Attributes:
        path: Where it is, relative to the root, with forward slashes.
        gone: Whether it was deleted. A file that got another name is gone, and a new one is there.
    """

    path: str
    gone: bool = False


def reached(changes: Iterable[Change], members: list[Package], root: Path = workspace.ROOT) -> list[str]:
    """Name the packages whose tests a change can alter, in the order of `members`.

    Args:
        changes: The changed files.
        members: The packages of the workspace.
        root: The repository.

    Raises:
        WorkspaceError: If a file lies where nobody has said whom it concerns.
    """
    everyone = [member.name for member in members]
    folders = {member.path.relative_to(root).as_posix(): member.name for member in members}
    shown = {page: member.name for member in members for page in _pages(member, root)}
    found: set[str] = set()
    for change in changes:  # all of them, whatever the first has reached: the last may lie in an unknown place
        parents = {parent.as_posix() for parent in PurePosixPath(change.path).parents}
        owners = {name for folder, name in folders.items() if folder in parents}
        owners |= {name for page, name in shown.items() if change.path == page or page in parents}
        if "api-ref" in PurePosixPath(change.path).parts and change.path.startswith("docs/"):
            continue  # generated from source, and compared with it by a check of its own
        if owners:
            found |= owners
        elif change.path.startswith(_SHARED):
            found |= set(everyone)
        elif change.path.startswith(_APART) or ("/" not in change.path and change.path.endswith(".md")):
            continue
        elif change.gone:
            found |= set(everyone)  # a package that is gone may have been needed by any
        else:
            raise WorkspaceError(
                f"{change.path} lies where nothing is known to lie. If it is a package, its folder needs a "
                "pyproject.toml; if not, say in scripts/changed.py whether the tests of packages depend on it."
            )
    while more := {m.name for m in members if m.name not in found and m.needs & found}:
        found |= more
    return [name for name in everyone if name in found]


def _pages(member: Package, root: Path) -> Iterator[str]:
    """Folders and pages whose code the tests of a package run: its guide, and what these tests call `more_pages`."""
    guide = f"docs/integrations/{member.name}"
    yield guide
    for file in sorted((root / member.path / "tests").glob("test_guide*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "more_pages" for t in targets):
                for page in ast.literal_eval(node.value):
                    yield posixpath.normpath(f"{guide}/{page}")


def changed_paths(base: str, root: Path = workspace.ROOT) -> list[Change]:
    """List the files that differ from the commit where this branch left `base`, committed or not."""
    answer = _git("merge-base", base, "HEAD", root=root)
    answer.check_returncode()
    answer = _git("diff", "--name-status", "-z", "--no-renames", answer.stdout.strip(), "--", root=root)
    answer.check_returncode()
    fields = answer.stdout.split("\0")[:-1]
    changed = [Change(path, gone=status == "D") for status, path in zip(fields[::2], fields[1::2], strict=True)]
    new = _git("ls-files", "-z", "--others", "--exclude-standard", root=root)
    new.check_returncode()
    return [*changed, *map(Change, new.stdout.split("\0")[:-1])]


def is_known(commit: str, root: Path = workspace.ROOT) -> bool:
    """Whether there is such a commit here to compare with."""
    return bool(commit) and _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", root=root).returncode == 0


def all_tags(root: Path = workspace.ROOT) -> list[str]:
    """List the repository's tags."""
    return _git("tag", "--list", root=root).stdout.split()


def _git(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)


def main() -> int:
    """Print the packages that the change since `--base` reaches."""
    parser = argparse.ArgumentParser(description="Print the packages that a change reaches.")
    parser.add_argument("--base", required=True, help="branch or commit to compare with")
    options = parser.parse_args()
    try:
        print(json.dumps(reached(changed_paths(options.base), workspace.packages())))
    except WorkspaceError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
