"""dbt Cloud: credentials, jobs, runs and their artifacts. Nothing of dbt Core is loaded."""

from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from ._job_block import DbtCloudJob  # not by `.jobs`: its flows take a third of a second to define
from .credentials import DbtCloudCredentials

if TYPE_CHECKING:
    from ._executor import DbtCloudExecutor as DbtCloudExecutor

__all__ = ["DbtCloudCredentials", "DbtCloudExecutor", "DbtCloudJob"]


__getattr__, __dir__ = late_names(
    __name__,
    {
        "DbtCloudExecutor": "._executor",
    },
)
