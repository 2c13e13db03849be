"""Tasks and flows for runs of dbt Cloud jobs."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

from prefect.cache_policies import NO_CACHE

from prefect_integration_kit.dispatch import async_task
from prefect_integration_kit.flow_faces import async_flow

from ._artifacts import artifact_paths, read_artifact
from ._failures import cloud_errors, retried, retried_if_passing
from ._http import read_data
from ._opening import open_client
from ._watching import Patience, watch
from .credentials import DbtCloudCredentials
from .exceptions import (
    DbtCloudGetRunArtifactFailed,
    DbtCloudGetRunFailed,
    DbtCloudJobRunTimedOut,
    DbtCloudListRunArtifactsFailed,
)
from .utils import extract_user_message

__all__ = [
    "DbtCloudCredentials",
    "DbtCloudGetRunArtifactFailed",
    "DbtCloudGetRunFailed",
    "DbtCloudJobRunStatus",
    "DbtCloudJobRunTimedOut",
    "DbtCloudListRunArtifactsFailed",
    "extract_user_message",
    "get_dbt_cloud_run_artifact",
    "get_dbt_cloud_run_info",
    "list_dbt_cloud_run_artifacts",
    "wait_for_dbt_cloud_job_run",
]


class DbtCloudJobRunStatus(Enum):
    """Statuses of runs, by their codes in dbt Cloud's API.

    See the [endpoint that gives a run](https://docs.getdbt.com/dbt-cloud/api-v2#/operations/Retrieve%20Run).
    """

    QUEUED = 1
    STARTING = 2
    RUNNING = 3
    SUCCESS = 10
    FAILED = 20
    CANCELLED = 30

    @classmethod
    def is_terminal_status_code(cls, status_code: Any) -> bool:
        """Say whether a run with this status code has ended.

        Args:
            status_code: The code, or a member of this enumeration.

        Returns:
            `True` for success, failure and cancellation; `False` for anything else.
        """
        if isinstance(status_code, cls):
            status_code = status_code.value
        return status_code in (cls.SUCCESS.value, cls.FAILED.value, cls.CANCELLED.value)


@async_task(
    name="Get dbt Cloud job run details",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=10,
    retry_condition_fn=retried(also=frozenset({404})),  # a run that was just triggered is not visible at once
)
async def get_dbt_cloud_run_info(
    dbt_cloud_credentials: DbtCloudCredentials,
    run_id: int,
    include_related: list[Literal["trigger", "job", "debug_logs", "run_steps"]] | None = None,
) -> dict[str, Any]:
    """Get a run.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        run_id: ID of the run.
        include_related: What else the answer holds: `trigger`, `job`, `run_steps`, `debug_logs`. Without the last, the
            debug logs of steps end after 1,000 lines.

    Returns:
        The run as the administrative API gives it.

    Raises:
        DbtCloudGetRunFailed: If it could not be had. The message holds what dbt Cloud says.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.runs import get_dbt_cloud_run_info

        @flow
        def get_run_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            return get_dbt_cloud_run_info(dbt_cloud_credentials=credentials, run_id=42)
        ```
    """
    subject = f"dbt Cloud run {run_id} could not be read"
    with cloud_errors(DbtCloudGetRunFailed, subject, dbt_cloud_credentials, run_id=run_id):
        async with open_client(dbt_cloud_credentials) as client:
            return await read_data(await client.get_run(run_id, include_related))


@async_task(
    name="List dbt Cloud job artifacts",
    retries=3,
    retry_delay_seconds=10,
    cache_policy=NO_CACHE,
    retry_condition_fn=retried_if_passing,
)
async def list_dbt_cloud_run_artifacts(
    dbt_cloud_credentials: DbtCloudCredentials, run_id: int, step: int | None = None
) -> list[str]:
    """List the artifacts of a run that has ended.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        run_id: ID of the run.
        step: Index of the step, beginning with 1; the last step by default.

    Returns:
        Paths of the artifacts, by which `get_dbt_cloud_run_artifact` gets them.

    Raises:
        DbtCloudListRunArtifactsFailed: If they could not be had. The message holds what dbt Cloud says.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.runs import list_dbt_cloud_run_artifacts

        @flow
        def list_artifacts_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            return list_dbt_cloud_run_artifacts(dbt_cloud_credentials=credentials, run_id=42)
        ```
    """
    subject = f"The artifacts of dbt Cloud run {run_id} could not be listed"
    with cloud_errors(DbtCloudListRunArtifactsFailed, subject, dbt_cloud_credentials, run_id=run_id):
        async with open_client(dbt_cloud_credentials) as client:
            return await artifact_paths(client, run_id, step)


@async_task(
    name="Get dbt Cloud job artifact",
    retries=3,
    retry_delay_seconds=10,
    cache_policy=NO_CACHE,
    retry_condition_fn=retried_if_passing,
)
async def get_dbt_cloud_run_artifact(
    dbt_cloud_credentials: DbtCloudCredentials, run_id: int, path: str, step: int | None = None
) -> dict[str, Any] | str:
    """Get an artifact of a run that has ended.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        run_id: ID of the run.
        path: Path of the artifact, such as `manifest.json`, `catalog.json`, `run_results.json`.
        step: Index of the step, beginning with 1; the last step by default.

    Returns:
        The content: a dictionary if the artifact is a JSON file, text otherwise.

    Raises:
        DbtCloudGetRunArtifactFailed: If it could not be had. The message holds what dbt Cloud says.
        ValueError: If `path` is empty or points upward.

    Example:
        Get an artifact:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.runs import get_dbt_cloud_run_artifact

        @flow
        def get_artifact_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            return get_dbt_cloud_run_artifact(
                dbt_cloud_credentials=credentials, run_id=42, path="manifest.json"
            )
        ```

        Get an artifact and write it to a file:
        ```python
        import json

        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.runs import get_dbt_cloud_run_artifact

        @flow
        def write_artifact_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            manifest = get_dbt_cloud_run_artifact(
                dbt_cloud_credentials=credentials, run_id=42, path="manifest.json"
            )
            with open("manifest.json", "w") as file:
                json.dump(manifest, file)
        ```
    """
    subject = f"The artifact {path} of dbt Cloud run {run_id} could not be read"
    with cloud_errors(DbtCloudGetRunArtifactFailed, subject, dbt_cloud_credentials, run_id=run_id):
        async with open_client(dbt_cloud_credentials) as client:
            return await read_artifact(client, run_id, path, step)


@async_flow(name="Wait for dbt Cloud job run")
async def wait_for_dbt_cloud_job_run(
    run_id: int,
    dbt_cloud_credentials: DbtCloudCredentials,
    max_wait_seconds: int = 900,
    poll_frequency_seconds: int = 10,
    stop_on_cancel: bool = True,
) -> tuple[DbtCloudJobRunStatus, dict[str, Any]]:
    """Wait for a run to end.

    Throttling, errors on dbt Cloud's side and lost connections are outlasted until the time is up; so is, for a minute,
    a run that is not visible yet.

    Args:
        run_id: ID of the run.
        dbt_cloud_credentials: Who we are at dbt Cloud.
        max_wait_seconds: Seconds until which the run must have ended.
        poll_frequency_seconds: Seconds between two looks.
        stop_on_cancel: Whether the run is cancelled when the wait is cancelled, interrupted or out of time.

    Returns:
        How the run ended, and the run as the administrative API gives it.

    Raises:
        DbtCloudJobRunTimedOut: If the run did not end in time. The message says whether it goes on.
        DbtCloudGetRunFailed: If dbt Cloud refuses to show the run.
        ValueError: If a number of seconds is negative.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.runs import wait_for_dbt_cloud_job_run

        @flow
        def wait_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            status, run = wait_for_dbt_cloud_job_run(run_id=42, dbt_cloud_credentials=credentials)
            return status.name
        ```
    """
    patience = Patience(max_wait_seconds, poll_frequency_seconds, stop_on_cancel)
    async with open_client(dbt_cloud_credentials) as client:
        run = await watch(dbt_cloud_credentials, client, run_id, patience)
    return DbtCloudJobRunStatus(run["status"]), run
