"""What an import loads, seen from a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache

BASELINE = (
    "from prefect import flow, task",
    "from prefect.blocks.core import Block",
    "from prefect.workers.base import BaseWorker",
)
"""What any process that runs flows has imported already."""

_SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
{baseline}
before = set(sys.modules)
{statements}
new = sorted(set(sys.modules) - before)
sys.__stdout__.write("\\n@" + json.dumps({{"before": sorted(before), "new": new}}))
"""


@lru_cache(maxsize=32)
def modules_loaded_by(*statements: str) -> tuple[frozenset[str], frozenset[str]]:
    """Run import statements in a fresh interpreter behind the baseline.

    Args:
        statements: The statements.

    Returns:
        The modules loaded before them, and those that they added.

    Raises:
        RuntimeError: If the interpreter fails; the message holds its standard error.
    """
    script = _SCRIPT.format(baseline="\n".join(BASELINE), statements="\n".join(statements))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=110)
    if done.returncode:
        raise RuntimeError(f"{'; '.join(statements)} failed:\n{done.stderr}")
    seen: dict[str, list[str]] = json.loads(done.stdout.rpartition("\n@")[2])
    return frozenset(seen["before"]), frozenset(seen["new"])


_HEAVY_PARTS = ("prefect.server", "prefect.cli", "prefect.testing")
"""Parts of Prefect that no flow run needs: the server alone doubles the time of `import prefect`."""


def _tops(modules: frozenset[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def heavy_modules(package: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    """List what `import <package>` loads without need.

    Allowed are the standard library, Prefect, the kit, the package itself, and whatever the modules
    of Prefect that it imports bring along (`prefect.filesystems` needs `fsspec`, for one).

    Args:
        package: Name of the import package.
        allowed: Further top-level modules that are fine.

    Returns:
        Top-level names of the others, sorted.
    """
    before, new = modules_loaded_by(f"import {package}")
    fine = {"prefect", "prefect_integration_kit", package, *allowed, *sys.stdlib_module_names}
    parts = {part for part in _HEAVY_PARTS if part not in allowed and any(f"{m}.".startswith(f"{part}.") for m in new)}
    heavy = _tops(new) - fine - _tops(before)
    if not heavy or parts:
        return sorted(heavy | parts)
    own = sorted(module for module in new if module.startswith("prefect."))
    _, brought = modules_loaded_by(*(f"import {module}" for module in own))
    return sorted(heavy - _tops(brought))
