"""Run the tasks of Prefect flows on Dask."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import PrefectDaskClient
    from .task_runners import DaskTaskRunner
    from .utils import get_async_dask_client, get_dask_client

__version__ = version("prefect-dask")

__all__ = ["DaskTaskRunner", "PrefectDaskClient", "get_async_dask_client", "get_dask_client"]

# Prefect imports every installed collection before a flow run starts, so Dask is loaded by those who ask for a name.
_MODULES = {
    "DaskTaskRunner": "task_runners",
    "PrefectDaskClient": "client",
    "get_async_dask_client": "utils",
    "get_dask_client": "utils",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
