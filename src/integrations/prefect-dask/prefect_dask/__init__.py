"""Run the tasks of Prefect flows on Dask."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

if TYPE_CHECKING:
    from .client import PrefectDaskClient
    from .task_runners import DaskTaskRunner
    from .utils import get_async_dask_client, get_dask_client

__version__ = version("prefect-dask")

__all__ = ["DaskTaskRunner", "PrefectDaskClient", "get_async_dask_client", "get_dask_client"]

# Prefect imports every installed collection before a flow run starts, so Dask is loaded by those who ask for a name.
__getattr__, __dir__ = late_names(
    __name__,
    {
        "DaskTaskRunner": ".task_runners",
        "PrefectDaskClient": ".client",
        "get_async_dask_client": ".utils",
        "get_dask_client": ".utils",
    },
)
