"""A job of dbt Cloud as it is defined there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._failures import cloud_errors
from ._http import read_data
from ._opening import open_client
from .exceptions import DbtCloudGetJobFailed

if TYPE_CHECKING:
    from .credentials import DbtCloudCredentials


async def job_info(credentials: DbtCloudCredentials, job_id: int, order_by: str | None) -> dict[str, Any]:
    """Get a job; see `get_dbt_cloud_job_info`."""
    with cloud_errors(DbtCloudGetJobFailed, f"dbt Cloud job {job_id} could not be read", credentials):
        async with open_client(credentials) as client:
            return await read_data(await client.get_job(job_id, order_by))
