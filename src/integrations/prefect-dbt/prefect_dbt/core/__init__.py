"""Run dbt Core: the runner, the orchestrator, and what they share."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._hooks import DbtHookContext
    from .orchestrator import PrefectDbtOrchestrator as PrefectDbtOrchestrator
    from .runner import PrefectDbtRunner
    from .settings import PrefectDbtSettings

__all__ = ["DbtHookContext", "PrefectDbtRunner", "PrefectDbtSettings"]

_LAZY = {
    "DbtHookContext": "._hooks",
    "PrefectDbtOrchestrator": ".orchestrator",
    "PrefectDbtRunner": ".runner",
    "PrefectDbtSettings": ".settings",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
