"""Names of a module that are imported when somebody asks for them.

Prefect imports every installed collection before a flow run starts, and each task, flow and settings class that is
made by then takes its time. What few use can wait.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def late_names(module: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the `__getattr__` and `__dir__` of a module (PEP 562).

    In a package, the modules named are attributes as well, as they are after an import of everything.

    Args:
        module: `__name__` of the module.
        names: Each name, and the module that has it, relative to the package: `{"fetch": ".tasks"}`.
    """
    here = sys.modules[module]
    package = here.__package__ or module
    submodules = {path for path in names.values() if path.count(".") == 1} if hasattr(here, "__path__") else set[str]()

    def get(name: str) -> Any:
        if f".{name}" in submodules:
            return import_module(f".{name}", package)
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(import_module(names[name], package), name)
        setattr(here, name, value)  # the next look finds it without us
        return value

    def list_names() -> list[str]:
        return sorted({*vars(here), *names})

    return get, list_names
