"""Optional dependencies, imported when first needed."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType


def require_extra(module: str, *, distribution: str, extra: str) -> ModuleType:
    """Import an optional module, or say what to install.

    Args:
        module: Dotted name of the module.
        distribution: The integration that needs it, such as `prefect-aws`.
        extra: The extra of `distribution` that brings it.

    Raises:
        ImportError: If the module is not installed. The message is the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name is not None and not f"{module}.".startswith(f"{exc.name}."):
            raise  # the module is there, one of its own dependencies is not
        raise ImportError(
            f'{distribution} needs `{module}` for this. Install it: pip install "{distribution}[{extra}]"',
            name=module,
        ) from exc


def is_installed(module: str) -> bool:
    """Say whether a top-level module can be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
