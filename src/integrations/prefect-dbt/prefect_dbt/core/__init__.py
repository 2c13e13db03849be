"""Run dbt Core: the runner, the orchestrator, and what they share."""

from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

if TYPE_CHECKING:
    from ._hooks import DbtHookContext
    from .orchestrator import PrefectDbtOrchestrator as PrefectDbtOrchestrator
    from .runner import PrefectDbtRunner
    from .settings import PrefectDbtSettings

__all__ = ["DbtHookContext", "PrefectDbtRunner", "PrefectDbtSettings"]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "DbtHookContext": "._hooks",
        "PrefectDbtOrchestrator": ".orchestrator",
        "PrefectDbtRunner": ".runner",
        "PrefectDbtSettings": ".settings",
    },
)
