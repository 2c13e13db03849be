"""dbt Cloud: credentials, jobs, runs and their artifacts. Nothing of dbt Core is loaded."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._job_block import DbtCloudJob  # not by `.jobs`: its flows take a third of a second to define
from .credentials import DbtCloudCredentials

if TYPE_CHECKING:
    from ._executor import DbtCloudExecutor as DbtCloudExecutor

__all__ = ["DbtCloudCredentials", "DbtCloudExecutor", "DbtCloudJob"]


def __getattr__(name: str) -> Any:
    if name != "DbtCloudExecutor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = import_module("._executor", __name__).DbtCloudExecutor
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), "DbtCloudExecutor"})
