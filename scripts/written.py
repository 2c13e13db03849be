"""Files that programs of this repository write: formatted as the workspace is, written, or found to be stale."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.workspace import ROOT

Files = Callable[[], Iterator[tuple[Path, bytes]]]


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


def main(name: str, description: str | None, files: Files) -> int:
    """Write the files, or with `--check` say which are stale.

    Args:
        name: Name of the program, for `python -m`.
        description: What it does.
        files: Goes through the files and what each is to hold; one may be made of those before it.

    Returns:
        The exit code: 1 if `--check` has found one.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args().check:
        old = [path for path, content in files() if not path.exists() or path.read_bytes() != content]
        for path in old:
            print(f"{path.relative_to(ROOT)} is stale: run python -m {name}")
        return 1 if old else 0
    for path, content in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return 0
