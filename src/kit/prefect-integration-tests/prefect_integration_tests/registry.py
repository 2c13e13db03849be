"""Find block classes through Prefect's registry, so that none is forgotten."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from abc import ABC
from functools import lru_cache
from typing import TYPE_CHECKING

from .public import import_quietly

if TYPE_CHECKING:
    from prefect.blocks.core import Block

_SCRIPT = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
from prefect_integration_tests.registry import registered_blocks

def known():
    return [f"{cls.__module__}.{cls.__qualname__}" for cls in registered_blocks(sys.argv[1])]

at_once = known()
for name in sys.argv[2:]:
    importlib.import_module(name)
sys.__stdout__.write("\\n@" + json.dumps([at_once, known()]))
"""


def _descendants(cls: type[Block]) -> list[type[Block]]:
    found: dict[type[Block], None] = {}
    for child in cls.__subclasses__():
        found[child] = None
        found.update(dict.fromkeys(_descendants(child)))
    return list(found)


def registered_blocks(package: str) -> list[type[Block]]:
    """List the concrete block classes that a package has made known to Prefect, by name.

    Both the registry and the class tree are asked: a class whose slug another one has taken is
    still found.

    Args:
        package: Name of the import package.
    """
    from prefect.blocks.core import Block
    from prefect.utilities.dispatch import get_registry_for_type

    import_quietly(package)
    known = [*(get_registry_for_type(Block) or {}).values(), *_descendants(Block)]
    own = {
        cls
        for cls in known
        if cls.__module__.partition(".")[0] == package
        and not inspect.isabstract(cls)
        and ABC not in cls.__bases__  # Prefect does not register these either
        and not cls.__name__.startswith("_")
        and "[" not in cls.__name__  # pydantic's parametrised generics
    }
    return sorted(own, key=lambda cls: (cls.__name__, cls.__module__))


@lru_cache(maxsize=32)
def blocks_after_import(package: str, *modules: str) -> tuple[frozenset[str], frozenset[str]]:
    """List the blocks of a package behind its import, and then behind further imports, in a process of its own.

    Args:
        package: Name of the import package.
        modules: What else to import.

    Returns:
        Dotted names of those that its import alone makes known, and of all that are known in the end.

    Raises:
        RuntimeError: If an import fails; the message holds its standard error.
    """
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, package, *modules],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    if done.returncode:
        raise RuntimeError(f"Importing {', '.join((package, *modules))} failed:\n{done.stderr}")
    at_once, in_the_end = json.loads(done.stdout.rpartition("\n@")[2])
    return frozenset(at_once), frozenset(in_the_end)
