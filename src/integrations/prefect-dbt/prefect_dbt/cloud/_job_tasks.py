"""Tasks for dbt Cloud jobs."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from inspect import unwrap
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from prefect_integration_kit.dispatch import async_task
from prefect_integration_kit.logs import run_logger

from ._failures import cloud_errors, retried_if_passing, retried_if_refused
from ._job_details import job_info
from ._links import announce
from ._opening import open_client
from ._triggering import create_job, trigger
from .credentials import DbtCloudCredentials
from .exceptions import DbtCloudDeleteJobFailed
from .models import TriggerJobRunOptions


@async_task(
    name="Get dbt Cloud job details",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=10,
    retry_condition_fn=retried_if_passing,
)
async def get_dbt_cloud_job_info(
    dbt_cloud_credentials: DbtCloudCredentials, job_id: int, order_by: str | None = None
) -> dict[str, Any]:
    """Get a job.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        job_id: ID of the job.
        order_by: Field to order the result by; `-` in front of it reverses the order.

    Returns:
        The job as the administrative API gives it.

    Raises:
        DbtCloudGetJobFailed: If it could not be had. The message holds what dbt Cloud says.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import get_dbt_cloud_job_info

        @flow
        def get_job_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            return get_dbt_cloud_job_info(dbt_cloud_credentials=credentials, job_id=42)
        ```
    """
    return await job_info(dbt_cloud_credentials, job_id, order_by)


@async_task(
    name="Create dbt Cloud job",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=10,
    retry_condition_fn=retried_if_refused,
)
async def create_dbt_cloud_job(
    dbt_cloud_credentials: DbtCloudCredentials,
    project_id: int,
    environment_id: int,
    name: str,
    execute_steps: list[str] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Create a job. It runs only when it is triggered, unless `triggers` says otherwise.

    If the answer is lost, the job is looked up by its name before it is created again.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        project_id: ID of the project.
        environment_id: ID of the environment.
        name: Name of the job.
        execute_steps: dbt commands to run; `["dbt build"]` by default.
        kwargs: Further fields of the [create job
            endpoint](https://docs.getdbt.com/dbt-cloud/api-v2#/operations/Create%20Job), such as `settings`, `triggers`
            or `deferring_job_definition_id`.

    Returns:
        The job as the administrative API gives it.

    Raises:
        DbtCloudCreateJobFailed: If it was refused, or nobody knows whether it was created. The message holds what dbt
            Cloud says.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import create_dbt_cloud_job

        @flow
        def create_job_flow():
            job = create_dbt_cloud_job(
                dbt_cloud_credentials=DbtCloudCredentials.load("BLOCK_NAME"),
                project_id=100,
                environment_id=10,
                name="Nightly",
                execute_steps=["dbt seed", "dbt build"],
                settings={"threads": 8, "target_name": "prod"},
            )
            return job["id"]
        ```
    """
    async with open_client(dbt_cloud_credentials) as client:
        fields = client.job_fields(project_id, environment_id, name, execute_steps, kwargs)
        job = await create_job(client, fields)
    run_logger(__name__).info("Created dbt Cloud job %s (%s)", job["id"], name)
    return job


@async_task(
    name="Delete dbt Cloud job",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=10,
    retry_condition_fn=retried_if_passing,
)
async def delete_dbt_cloud_job(dbt_cloud_credentials: DbtCloudCredentials, job_id: int) -> None:
    """Delete a job.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        job_id: ID of the job.

    Raises:
        DbtCloudDeleteJobFailed: If it could not be deleted. The message holds what dbt Cloud says.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import delete_dbt_cloud_job

        @flow
        def delete_job_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            delete_dbt_cloud_job(dbt_cloud_credentials=credentials, job_id=42)
        ```
    """
    with cloud_errors(DbtCloudDeleteJobFailed, f"dbt Cloud job {job_id} could not be deleted", dbt_cloud_credentials):
        async with open_client(dbt_cloud_credentials) as client:
            await client.delete_job(job_id)
    run_logger(__name__).info("Deleted dbt Cloud job %s", job_id)


def _tried_before_seconds(options: TriggerJobRunOptions | None) -> float | None:
    """How long ago this task run was first started, if it is a retry; see `trigger`."""
    from prefect.context import TaskRunContext

    context = TaskRunContext.get()
    if context is None or unwrap(context.task.fn) is not unwrap(trigger_dbt_cloud_job_run.fn):
        return None
    run = context.task_run
    if run.run_count < 2 or run.start_time is None:
        return None
    if options is None:
        return math.inf  # the cause names this task run
    return max(0.0, (datetime.now(timezone.utc) - run.start_time).total_seconds())


@async_task(
    name="Trigger dbt Cloud job run",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=10,
    retry_condition_fn=retried_if_passing,
)
async def trigger_dbt_cloud_job_run(
    dbt_cloud_credentials: DbtCloudCredentials, job_id: int, options: TriggerJobRunOptions | None = None
) -> dict[str, Any]:
    """Trigger a job, without waiting for the run.

    The address of the run is logged, and kept as a link artifact of the Prefect run. If an answer is lost, also if the
    task is retried for it, the run is looked up by its cause before the job is triggered again.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        job_id: ID of the job.
        options: What the run does differently from its job.

    Returns:
        The run as the administrative API gives it.

    Raises:
        DbtCloudJobRunTriggerFailed: If it was refused, or nobody knows whether a run was started. The message holds
            what dbt Cloud says.

    Example:
        Trigger a job:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import trigger_dbt_cloud_job_run

        @flow
        def trigger_dbt_cloud_job_run_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            trigger_dbt_cloud_job_run(dbt_cloud_credentials=credentials, job_id=1)
        ```

        Trigger a job with overrides:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import trigger_dbt_cloud_job_run
        from prefect_dbt.cloud.models import TriggerJobRunOptions

        @flow
        def trigger_staging_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            trigger_dbt_cloud_job_run(
                dbt_cloud_credentials=credentials,
                job_id=1,
                options=TriggerJobRunOptions(
                    git_branch="staging",
                    schema_override="dbt_cloud_pr_123",
                    dbt_version_override="0.18.0",
                    target_name_override="staging",
                    timeout_seconds_override=3000,
                    generate_docs_override=True,
                    threads_override=8,
                    steps_override=[
                        "dbt seed",
                        "dbt run --fail-fast",
                        "dbt test --fail-fast",
                    ],
                ),
            )
        ```
    """
    async with open_client(dbt_cloud_credentials) as client:
        run = await trigger(client, job_id, options, tried_before_seconds=_tried_before_seconds(options))
    await announce(dbt_cloud_credentials, run)
    return run


@task(name="Get dbt Cloud job run ID", cache_policy=NO_CACHE)
def get_run_id(obj: dict[str, Any]) -> Any:
    """Take the ID of a run from what triggering a job gave.

    As a task it keeps track of the dependency between the task that triggers and those that use the ID.

    Args:
        obj: The run.

    Returns:
        Its ID.

    Raises:
        RuntimeError: If there is none.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import get_run_id, trigger_dbt_cloud_job_run

        @flow
        def trigger_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            run = trigger_dbt_cloud_job_run(dbt_cloud_credentials=credentials, job_id=1)
            return get_run_id(run)
        ```
    """
    run_id = obj.get("id")
    if run_id is None:
        raise RuntimeError("The run has no id. Give what trigger_dbt_cloud_job_run returned.")
    return run_id
