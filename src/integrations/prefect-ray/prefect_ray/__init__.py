"""Run the tasks of Prefect flows on Ray."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .task_runners import RayTaskRunner

__version__ = version("prefect-ray")

__all__ = ["RayTaskRunner"]

# Prefect imports every installed collection before a flow run starts, so Ray is loaded by those who ask for a name.
_MODULES = {"RayTaskRunner": "task_runners"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
