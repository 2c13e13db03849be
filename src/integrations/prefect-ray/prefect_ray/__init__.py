"""Run the tasks of Prefect flows on Ray."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

if TYPE_CHECKING:
    from .task_runners import RayTaskRunner

__version__ = version("prefect-ray")

__all__ = ["RayTaskRunner"]

# Prefect imports every installed collection before a flow run starts, so Ray is loaded by those who ask for a name.
__getattr__, __dir__ = late_names(
    __name__,
    {
        "RayTaskRunner": ".task_runners",
    },
)
