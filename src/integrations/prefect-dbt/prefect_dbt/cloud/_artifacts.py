"""Read artifacts of runs and jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from ._http import read_data, read_json

if TYPE_CHECKING:
    from .clients import DbtCloudAdministrativeClient


async def read_artifact(client: DbtCloudAdministrativeClient, run_id: int, path: str, step: int | None = None) -> Any:
    """Get an artifact of a run: what it means if its name ends in `.json`, otherwise its text.

    Raises:
        httpx.HTTPError: If it could not be had, or should be JSON and is not.
    """
    response = await client.get_run_artifact(run_id, path, step)
    return await read_json(response) if path.endswith(".json") else response.text


async def read_artifact_if_any(
    client: DbtCloudAdministrativeClient, run_id: int, path: str, step: int | None = None
) -> Any:
    """Get an artifact as `read_artifact` does, or `None` if the run or the step has none of this name."""
    try:
        return await read_artifact(client, run_id, path, step)
    except httpx.HTTPStatusError as exc:
        if exc.response.status_code != 404:
            raise
        return None


async def artifact_paths(client: DbtCloudAdministrativeClient, run_id: int, step: int | None = None) -> list[str]:
    """List the artifacts of a run, or of one of its steps.

    Raises:
        httpx.HTTPError: If they could not be had.
    """
    data = await read_data(await client.list_run_artifacts(run_id, step))
    return list(data or [])
