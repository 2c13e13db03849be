"""Prefect's plugin hooks, from wherever the installed Prefect keeps them.

They moved from `prefect._experimental.plugins`, which warns since, to `prefect.plugins`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, cast

__all__ = ["register_hook"]

F = TypeVar("F", bound=Callable[..., Any])


def _find_marker() -> Callable[[Any], Any]:
    for module in ("prefect.plugins", "prefect._experimental.plugins"):
        marker = getattr(import_module(module), "register_hook", None)
        if marker is not None:
            return cast("Callable[[Any], Any]", marker)
    raise ImportError("This version of Prefect has no plugin hooks. Install prefect>=3.8.4.")


def register_hook(function: F) -> F:
    """Mark a function as a Prefect plugin hook; its name says which.

    Args:
        function: The hook, such as `set_database_connection_params`, in a module that the entry point group
            `prefect.plugins` names.
    """
    return cast("F", _find_marker()(function))
