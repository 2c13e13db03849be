"""Tasks, flows and a block for dbt Cloud jobs."""

from __future__ import annotations

from typing import Any, Literal

from prefect_integration_kit.awaitables import AwaitableDict
from prefect_integration_kit.flow_faces import async_flow

from ._commands import ASSET_MATERIALIZATION_COMMANDS, EXE_COMMANDS, SUCCESSFUL_DBT_NODE_STATUSES
from ._job_block import DbtCloudJob, DbtCloudJobRun
from ._job_tasks import (
    create_dbt_cloud_job,
    delete_dbt_cloud_job,
    get_dbt_cloud_job_info,
    get_run_id,
    trigger_dbt_cloud_job_run,
)
from ._links import announce
from ._opening import open_client
from ._rounds import Rounds, check_success, retry_failed, with_artifact_paths
from ._triggering import trigger, watched_start
from ._watching import Patience, watch
from .credentials import DbtCloudCredentials
from .exceptions import (
    DbtCloudCreateJobFailed,
    DbtCloudDeleteJobFailed,
    DbtCloudGetJobFailed,
    DbtCloudGetRunArtifactFailed,
    DbtCloudGetRunFailed,
    DbtCloudJobRunCancelled,
    DbtCloudJobRunFailed,
    DbtCloudJobRunIncomplete,
    DbtCloudJobRunTimedOut,
    DbtCloudJobRunTriggerFailed,
    DbtCloudListRunArtifactsFailed,
)
from .models import TriggerJobRunOptions
from .runs import (
    DbtCloudJobRunStatus,
    get_dbt_cloud_run_artifact,
    get_dbt_cloud_run_info,
    list_dbt_cloud_run_artifacts,
    wait_for_dbt_cloud_job_run,
)
from .utils import extract_user_message

__all__ = [
    "ASSET_MATERIALIZATION_COMMANDS",
    "EXE_COMMANDS",
    "SUCCESSFUL_DBT_NODE_STATUSES",
    "DbtCloudCreateJobFailed",
    "DbtCloudCredentials",
    "DbtCloudDeleteJobFailed",
    "DbtCloudGetJobFailed",
    "DbtCloudGetRunArtifactFailed",
    "DbtCloudGetRunFailed",
    "DbtCloudJob",
    "DbtCloudJobRun",
    "DbtCloudJobRunCancelled",
    "DbtCloudJobRunFailed",
    "DbtCloudJobRunIncomplete",
    "DbtCloudJobRunStatus",
    "DbtCloudJobRunTimedOut",
    "DbtCloudJobRunTriggerFailed",
    "DbtCloudListRunArtifactsFailed",
    "TriggerJobRunOptions",
    "create_dbt_cloud_job",
    "delete_dbt_cloud_job",
    "extract_user_message",
    "get_dbt_cloud_job_info",
    "get_dbt_cloud_run_artifact",
    "get_dbt_cloud_run_info",
    "get_run_id",
    "list_dbt_cloud_run_artifacts",
    "retry_dbt_cloud_job_run_subset_and_wait_for_completion",
    "run_dbt_cloud_job",
    "trigger_dbt_cloud_job_run",
    "trigger_dbt_cloud_job_run_and_wait_for_completion",
    "wait_for_dbt_cloud_job_run",
]


@async_flow(name="Trigger dbt Cloud job run and wait for completion")
async def trigger_dbt_cloud_job_run_and_wait_for_completion(
    dbt_cloud_credentials: DbtCloudCredentials,
    job_id: int,
    trigger_job_run_options: TriggerJobRunOptions | None = None,
    max_wait_seconds: int = 900,
    poll_frequency_seconds: int = 10,
    retry_filtered_models_attempts: int = 3,
    stop_on_cancel: bool = True,
    retry_mode: Literal["failed", "full"] = "failed",
) -> dict[str, Any]:
    """Trigger a job and wait until a run of it has succeeded; what fails is run again.

    When Prefect retries the flow, or the flow or task that calls it, after a run that failed, dbt Cloud retries that
    run from where it failed; a run that still goes on is waited for.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        job_id: ID of the job.
        trigger_job_run_options: What the run does differently from its job.
        max_wait_seconds: Seconds until which a run must have ended.
        poll_frequency_seconds: Seconds between two looks.
        retry_filtered_models_attempts: How often the nodes and steps without success are run again.
        stop_on_cancel: Whether the run is cancelled when the flow is cancelled, interrupted or out of time.
        retry_mode: What a retry by Prefect does after a run that failed: `failed` runs what failed, `full` runs all.

    Returns:
        The run as the administrative API gives it, with the paths of its artifacts as `artifact_paths`.

    Raises:
        DbtCloudJobRunTriggerFailed: If the job could not be triggered.
        DbtCloudJobRunCancelled: If the run was cancelled in dbt Cloud.
        DbtCloudJobRunFailed: If the run failed, the last time, too. The message names steps and nodes.
        DbtCloudJobRunTimedOut: If a run did not end in time. The message says whether it goes on.
        RuntimeError: If the run ended in an unexpected state.

    Example:
        Trigger a job and wait:
        ```python
        import asyncio

        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import trigger_dbt_cloud_job_run_and_wait_for_completion

        asyncio.run(
            trigger_dbt_cloud_job_run_and_wait_for_completion(
                dbt_cloud_credentials=DbtCloudCredentials(api_key="my_api_key", account_id=123456789),
                job_id=1,
            )
        )
        ```

        Do it within a flow:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import trigger_dbt_cloud_job_run_and_wait_for_completion

        @flow
        def my_flow():
            run = trigger_dbt_cloud_job_run_and_wait_for_completion(
                dbt_cloud_credentials=DbtCloudCredentials.load("BLOCK_NAME"), job_id=1
            )
            return run["id"]
        ```

        Trigger a job with overrides:
        ```python
        import asyncio

        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import trigger_dbt_cloud_job_run_and_wait_for_completion
        from prefect_dbt.cloud.models import TriggerJobRunOptions

        asyncio.run(
            trigger_dbt_cloud_job_run_and_wait_for_completion(
                dbt_cloud_credentials=DbtCloudCredentials(api_key="my_api_key", account_id=123456789),
                job_id=1,
                trigger_job_run_options=TriggerJobRunOptions(
                    git_branch="staging",
                    schema_override="dbt_cloud_pr_123",
                    target_name_override="staging",
                    threads_override=8,
                    steps_override=["dbt seed", "dbt run --fail-fast", "dbt test --fail-fast"],
                ),
            )
        )
        ```
    """
    async with open_client(dbt_cloud_credentials) as client:

        async def start() -> dict[str, Any]:
            return await trigger_dbt_cloud_job_run(
                dbt_cloud_credentials=dbt_cloud_credentials, job_id=job_id, options=trigger_job_run_options
            )

        return await Rounds(
            credentials=dbt_cloud_credentials,
            client=client,
            job_id=job_id,
            options=trigger_job_run_options,
            patience=Patience(max_wait_seconds, poll_frequency_seconds, stop_on_cancel),
            retries=retry_filtered_models_attempts,
            retry_mode=retry_mode,
            start=start,
        ).play()


@async_flow(name="Retry subset of dbt Cloud job run and wait for completion")
async def retry_dbt_cloud_job_run_subset_and_wait_for_completion(
    dbt_cloud_credentials: DbtCloudCredentials,
    run_id: int,
    trigger_job_run_options: TriggerJobRunOptions | None = None,
    max_wait_seconds: int = 900,
    poll_frequency_seconds: int = 10,
    stop_on_cancel: bool = True,
) -> dict[str, Any]:
    """Run again what did not succeed in a run, once, and wait for it.

    Steps that execute nodes are narrowed to the nodes without success, by the `run_results.json` of the step; other
    steps without success are run as they are, and so are those that never began.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        run_id: ID of the run that failed.
        trigger_job_run_options: What the new run does differently from its job.
        max_wait_seconds: Seconds until which the new run must have ended.
        poll_frequency_seconds: Seconds between two looks.
        stop_on_cancel: Whether the new run is cancelled when the flow is cancelled, interrupted or out of time.

    Returns:
        The new run as the administrative API gives it, with the paths of its artifacts as `artifact_paths`.

    Raises:
        ValueError: If `trigger_job_run_options.steps_override` is set.
        DbtCloudGetRunFailed: If it cannot be found out what failed.
        DbtCloudJobRunTriggerFailed: If the job could not be triggered.
        DbtCloudJobRunCancelled: If the new run was cancelled in dbt Cloud.
        DbtCloudJobRunFailed: If the new run failed.
        DbtCloudJobRunTimedOut: If the new run did not end in time. The message says whether it goes on.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import retry_dbt_cloud_job_run_subset_and_wait_for_completion

        @flow
        def retry_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            retry_dbt_cloud_job_run_subset_and_wait_for_completion(
                dbt_cloud_credentials=credentials, run_id=88640123
            )
        ```
    """
    if trigger_job_run_options is not None and trigger_job_run_options.steps_override is not None:
        raise ValueError(
            "trigger_job_run_options.steps_override is set, but the steps are those that did not succeed in run "
            f"{run_id}. Leave it out, or trigger the job with it."
        )
    patience = Patience(max_wait_seconds, poll_frequency_seconds, stop_on_cancel)
    patience.check()
    async with open_client(dbt_cloud_credentials) as client:
        async with watched_start(client, stops=stop_on_cancel):
            run = await retry_failed(dbt_cloud_credentials, client, None, run_id, trigger_job_run_options)
        run = await watch(dbt_cloud_credentials, client, run["id"], patience)
        await check_success(dbt_cloud_credentials, client, run)
        return await with_artifact_paths(client, run)


@async_flow()
async def run_dbt_cloud_job(
    dbt_cloud_job: DbtCloudJob,
    targeted_retries: int = 3,
    create_assets: bool = False,
    retry_mode: Literal["failed", "full"] = "failed",
) -> dict[str, Any]:
    """Trigger a job and wait until a run of it has succeeded; what fails is run again.

    When Prefect retries the flow, or the flow or task that calls it, after a run that failed, dbt Cloud retries that
    run from where it failed; a run that still goes on is waited for.

    Args:
        dbt_cloud_job: The job, and how to wait for it.
        targeted_retries: How often the nodes and steps without success are run again; not at all if 0.
        create_assets: Whether the models, seeds and snapshots that were made are recorded as Prefect assets, with what
            they read.
        retry_mode: What a retry by Prefect does after a run that failed: `failed` runs what failed, `full` runs all.

    Returns:
        The run as the administrative API gives it, with the paths of its artifacts as `artifact_paths`.

    Raises:
        DbtCloudJobRunTriggerFailed: If the job could not be triggered.
        DbtCloudJobRunCancelled: If the run was cancelled in dbt Cloud.
        DbtCloudJobRunFailed: If the run failed, the last time, too. The message names steps and nodes.
        DbtCloudJobRunTimedOut: If a run did not end within the job's `timeout_seconds`. The message says whether it
            goes on.
        ValueError: If `targeted_retries` is negative.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
        from prefect_dbt.cloud.jobs import run_dbt_cloud_job

        @flow
        def run_dbt_cloud_job_flow():
            dbt_cloud_credentials = DbtCloudCredentials.load("BLOCK_NAME")
            dbt_cloud_job = DbtCloudJob(dbt_cloud_credentials=dbt_cloud_credentials, job_id=154217)
            return run_dbt_cloud_job(dbt_cloud_job=dbt_cloud_job)
        ```
    """
    credentials = dbt_cloud_job.dbt_cloud_credentials
    async with open_client(credentials) as client:

        async def start() -> dict[str, Any]:
            run = await trigger(client, dbt_cloud_job.job_id, dbt_cloud_job.trigger_job_run_options)
            await announce(credentials, run)
            return run

        async def record_assets(run: dict[str, Any]) -> None:
            if create_assets:
                from ._assets import record

                await record(client, run["id"])

        return AwaitableDict(
            await Rounds(
                credentials=credentials,
                client=client,
                job_id=dbt_cloud_job.job_id,
                options=dbt_cloud_job.trigger_job_run_options,
                patience=dbt_cloud_job.patience,
                retries=targeted_retries,
                retry_mode=retry_mode,
                start=start,
                on_end=record_assets,
            ).play()
        )
