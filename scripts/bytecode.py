"""Let an environment have the bytecode that another one has: what is compiled once need not be compiled again.

    python -m scripts.bytecode .venv .venvs/prefect-shell

uv links each file of a distribution into the environments from its cache, so they have the same file. Bytecode names
the time of change and the size of its source (https://docs.python.org/3/reference/import.html#cached-bytecode-invalidation)
and so fits every link. Without it each environment of a package compiles some three thousand modules, in several
processes at a time. Where files are copies, nothing is shared, and nothing is lost.
"""

from __future__ import annotations

import os
import sys
from importlib.util import source_from_cache
from pathlib import Path


def share(source: Path, target: Path) -> int:
    """Link bytecode from one environment into another, where both have the same module and the other has none.

    Args:
        source: The environment that has it.
        target: The environment to give it to.

    Returns:
        How many files were linked.
    """
    count = 0
    for place, _, names in os.walk(source / "lib"):
        folder = Path(place)
        if folder.name != "__pycache__":
            continue
        there = target / folder.relative_to(source)
        if not there.parent.is_dir():
            continue
        there.mkdir(exist_ok=True)
        count += sum(_link(folder / name, there / name) for name in names)
    return count


def _link(compiled: Path, target: Path) -> bool:
    """Link one file, and say whether that was right and possible."""
    try:
        module = Path(source_from_cache(compiled)).name
        if not (compiled.parent.parent / module).samefile(target.parent.parent / module):
            return False
        target.hardlink_to(compiled)
    except (OSError, ValueError):  # it is there already, or lies elsewhere, or is no module's
        return False
    return True


if __name__ == "__main__":
    share(Path(sys.argv[1]), Path(sys.argv[2]))
