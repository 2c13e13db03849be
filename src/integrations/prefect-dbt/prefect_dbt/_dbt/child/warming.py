"""What dbt makes of its classes when it first uses them: schemas to validate by, and code to read and write by.

It depends on the classes alone, and takes longer than a small project. Done before a fork, nobody does it again. A
version of dbt that calls something otherwise does it when it needs it, as ever.
"""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from typing import Any

_VALIDATED = {
    "dbt.contracts.project": ("Configuration", "PackageConfig", "ProfileConfig", "Project", "ProjectFlags"),
    "dbt.contracts.selection": ("SelectorFile",),
}
_READ_AND_WRITTEN = {
    "dbt.contracts.graph.nodes": ("GenericTestNode", "Macro", "ModelNode", "SeedNode"),
    "dbt.artifacts.resources": ("GenericTest", "Macro", "Model", "ModelConfig", "Seed", "SeedConfig", "TestConfig"),
    "dbt.artifacts.schemas.manifest": ("WritableManifest",),
    "dbt.contracts.files": ("SchemaSourceFile",),
}


def warm() -> None:
    """Make it for what nearly every invocation needs, and for the adapters that are imported."""
    for found in _classes(_VALIDATED):
        with contextlib.suppress(Exception):
            found.json_schema()
    for name in tuple(sys.modules):
        if name.startswith("dbt.adapters.") and name.count(".") == 2:
            with contextlib.suppress(Exception):
                sys.modules[name].Plugin.credentials.json_schema()
    for found in _classes(_READ_AND_WRITTEN):
        # The code is made on the way to reading nothing, and to writing an object that has nothing.
        with contextlib.suppress(Exception):
            found.from_dict(None)
        with contextlib.suppress(Exception):
            object.__new__(found).to_dict()
    with contextlib.suppress(Exception):
        import_module("dbt.contracts.graph.manifest").Manifest.from_msgpack(b"\xc0")


def _classes(names: dict[str, tuple[str, ...]]) -> list[Any]:
    found: list[Any] = []
    for module, members in names.items():
        with contextlib.suppress(Exception):
            found += [each for name in members if (each := getattr(import_module(module), name, None)) is not None]
    return found
