"""Tasks that run Cloud Batch jobs; they are public in `prefect_gcp.cloud_batch`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import sync_task

from ._batch_jobs import CloudBatchJobResult, job_work
from ._remote_run import asubmit, asubmit_and_wait, submit, submit_and_wait
from .credentials import GcpCredentials


@task
async def acloud_batch_submit(
    job: Mapping[str, Any],
    region: str,
    gcp_credentials: GcpCredentials,
    job_id: str | None = None,
    project: str | None = None,
) -> str:
    """Async form of `cloud_batch_submit`."""
    return await asubmit(partial(job_work, job, region, gcp_credentials, job_id, project))


@sync_task(acloud_batch_submit)
def cloud_batch_submit(
    job: Mapping[str, Any],
    region: str,
    gcp_credentials: GcpCredentials,
    job_id: str | None = None,
    project: str | None = None,
) -> str:
    """Submit a job, without waiting for it.

    The ID is made of the task run's, so a retry of the task takes over the job that an earlier try has submitted, and
    submits another one only where that has failed.

    Args:
        job: The job, as in Batch's
            [reference](https://cloud.google.com/batch/docs/reference/rest/v1/projects.locations.jobs#Job), or what
            `container_job` makes. Its output goes to Cloud Logging unless its `logsPolicy` says otherwise.
        region: Region that it runs in, such as `europe-west3`.
        gcp_credentials: Who we are at Google Cloud.
        job_id: ID of the job, up to 63 lower-case letters, digits and hyphens; made of the task run when not given.
        project: Project that it runs in; that of the credentials when not given.

    Returns:
        Full name of the job.

    Raises:
        GcpInvalidRequest: If the job has an unknown field, no runnables, or an argument is refused.
        GcpAlreadyExists: If there is a job of this `job_id` that was submitted otherwise.
        GcpAccessDenied: If this identity may not create jobs, or not act as their service account.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_batch import cloud_batch_submit, container_job

        @flow
        def average_sensors(day: str) -> str:
            return cloud_batch_submit(
                container_job("europe-docker.pkg.dev/my-project/images/average:3", [day]),
                region="europe-west3",
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    return submit(partial(job_work, job, region, gcp_credentials, job_id, project))


@task
async def acloud_batch_submit_and_wait(
    job: Mapping[str, Any],
    region: str,
    gcp_credentials: GcpCredentials,
    job_id: str | None = None,
    project: str | None = None,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
) -> CloudBatchJobResult:
    """Async form of `cloud_batch_submit_and_wait`. Only the requests take a thread, not the time between them."""
    describe = partial(job_work, job, region, gcp_credentials, job_id, project)
    return await asubmit_and_wait(describe, interval_seconds, timeout_seconds)


@sync_task(acloud_batch_submit_and_wait)
def cloud_batch_submit_and_wait(
    job: Mapping[str, Any],
    region: str,
    gcp_credentials: GcpCredentials,
    job_id: str | None = None,
    project: str | None = None,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
) -> CloudBatchJobResult:
    """Submit a job and wait until it has succeeded.

    When the wait is cancelled, interrupted or out of time, the job is cancelled. Looks that fail for a passing reason
    are repeated for ten minutes. The ID is made of the task run's, so a retry of the task waits for the job that an
    earlier try has submitted, and starts another one only where that has failed.

    Args:
        job: The job, as in Batch's
            [reference](https://cloud.google.com/batch/docs/reference/rest/v1/projects.locations.jobs#Job), or what
            `container_job` makes. Its output goes to Cloud Logging unless its `logsPolicy` says otherwise.
        region: Region that it runs in, such as `europe-west3`.
        gcp_credentials: Who we are at Google Cloud.
        job_id: ID of the job, up to 63 lower-case letters, digits and hyphens; made of the task run when not given.
        project: Project that it runs in; that of the credentials when not given.
        interval_seconds: Seconds between two looks at the job.
        timeout_seconds: Seconds after which to give up, the time in the queue included; `None` waits for ever. The time
            that a task may run is limited by Batch's own `maxRunDuration`.

    Returns:
        The job at its end: its name, state, and how many tasks ended how.

    Raises:
        GcpJobFailed: If the job failed or was cancelled. It is a `RuntimeError` and names the job, the first tasks that
            failed with their exit codes, and where its logs are.
        GcpWaitTimeout: If the time was up. It is a `TimeoutError`.
        GcpInvalidRequest: If the job has an unknown field, no runnables, or an argument is refused.
        GcpAlreadyExists: If there is a job of this `job_id` that was submitted otherwise.
        GcpAccessDenied: If this identity may not create jobs, or not act as their service account.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_batch import cloud_batch_submit_and_wait, container_job

        @flow
        def average_sensors(day: str) -> float | None:
            job = cloud_batch_submit_and_wait(
                container_job(
                    "europe-docker.pkg.dev/my-project/images/average:3",
                    [day],
                    secret_environment={"DB": "projects/my-project/secrets/db/versions/latest"},
                    task_count=10,
                    max_retries=1,
                ),
                region="europe-west3",
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
                timeout_seconds=3600,
            )
            return job.run_seconds
        ```
    """
    describe = partial(job_work, job, region, gcp_credentials, job_id, project)
    return submit_and_wait(describe, interval_seconds, timeout_seconds)
