"""Tasks that run Cloud Run jobs that exist; they are public in `prefect_gcp.cloud_run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from prefect.tasks import task

from prefect_integration_kit.dispatch import sync_task

from ._remote_run import asubmit, asubmit_and_wait, submit, submit_and_wait
from ._run_executions import CloudRunExecutionResult, execution_work
from .credentials import GcpCredentials


@task
async def acloud_run_job_run(
    job_name: str,
    region: str,
    gcp_credentials: GcpCredentials,
    project: str | None = None,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    container: str | None = None,
    task_count: int | None = None,
    task_timeout_seconds: int | None = None,
) -> str:
    """Async form of `cloud_run_job_run`."""
    describe = partial(
        execution_work,
        job_name,
        region,
        gcp_credentials,
        project,
        args,
        env,
        container,
        task_count,
        task_timeout_seconds,
    )
    return await asubmit(describe)


@sync_task(acloud_run_job_run)
def cloud_run_job_run(
    job_name: str,
    region: str,
    gcp_credentials: GcpCredentials,
    project: str | None = None,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    container: str | None = None,
    task_count: int | None = None,
    task_timeout_seconds: int | None = None,
) -> str:
    """Run a job that exists, without waiting for it.

    Executions are recognised by an environment variable, so that a lost answer or a retry of the task does not start
    another one while the first runs or when it has succeeded. That needs the permission `run.jobs.runWithOverrides`;
    without it, and without overrides of one's own, a lost answer is found among the new executions of the job.

    Args:
        job_name: Short name of the job.
        region: Region that it is in, such as `europe-west3`.
        gcp_credentials: Who we are at Google Cloud.
        project: Project that it is in; that of the credentials when not given.
        args: Arguments of the container in place of the job's own; an empty list for none at all.
        env: Environment variables in addition to the job's own, or in their place. Cloud Run shows them, so they are no
            place for secrets.
        container: Name of the container that `args` and `env` are for, in a job with several.
        task_count: How many tasks to run; as the job says when not given.
        task_timeout_seconds: Seconds that a try of a task may take; as the job says when not given.

    Returns:
        Full name of the execution.

    Raises:
        GcpNotFound: If there is no such job.
        GcpInvalidRequest: If an argument is refused.
        GcpAccessDenied: If this identity may not run the job, or not with overrides.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_run import cloud_run_job_run

        @flow
        def average_sensors(day: str) -> str:
            return cloud_run_job_run(
                "average-sensors",
                region="europe-west3",
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
                env={"DAY": day},
            )
        ```
    """
    describe = partial(
        execution_work,
        job_name,
        region,
        gcp_credentials,
        project,
        args,
        env,
        container,
        task_count,
        task_timeout_seconds,
    )
    return submit(describe)


@task
async def acloud_run_job_run_and_wait(
    job_name: str,
    region: str,
    gcp_credentials: GcpCredentials,
    project: str | None = None,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    container: str | None = None,
    task_count: int | None = None,
    task_timeout_seconds: int | None = None,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
) -> CloudRunExecutionResult:
    """Async form of `cloud_run_job_run_and_wait`. Only the requests take a thread, not the time between them."""
    describe = partial(
        execution_work,
        job_name,
        region,
        gcp_credentials,
        project,
        args,
        env,
        container,
        task_count,
        task_timeout_seconds,
    )
    return await asubmit_and_wait(describe, interval_seconds, timeout_seconds)


@sync_task(acloud_run_job_run_and_wait)
def cloud_run_job_run_and_wait(
    job_name: str,
    region: str,
    gcp_credentials: GcpCredentials,
    project: str | None = None,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    container: str | None = None,
    task_count: int | None = None,
    task_timeout_seconds: int | None = None,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
) -> CloudRunExecutionResult:
    """Run a job that exists, and wait until all its tasks have succeeded.

    When the wait is cancelled, interrupted or out of time, the execution is cancelled. Looks that fail for a passing
    reason are repeated for ten minutes. A lost answer or a retry of the task does not start another execution while the
    first runs or when it has succeeded; see `cloud_run_job_run`.

    Args:
        job_name: Short name of the job.
        region: Region that it is in, such as `europe-west3`.
        gcp_credentials: Who we are at Google Cloud.
        project: Project that it is in; that of the credentials when not given.
        args: Arguments of the container in place of the job's own; an empty list for none at all.
        env: Environment variables in addition to the job's own, or in their place. Cloud Run shows them, so they are no
            place for secrets.
        container: Name of the container that `args` and `env` are for, in a job with several.
        task_count: How many tasks to run; as the job says when not given.
        task_timeout_seconds: Seconds that a try of a task may take; as the job says when not given.
        interval_seconds: Seconds between two looks at the execution.
        timeout_seconds: Seconds after which to give up; `None` waits for ever.

    Returns:
        The execution at its end: its name, how many tasks ended how, and a link to its logs.

    Raises:
        GcpJobFailed: If the execution failed or was cancelled. It is a `RuntimeError` and names the execution, the
            reason, the first failed tasks with their exit codes, and a link to the logs.
        GcpWaitTimeout: If the time was up. It is a `TimeoutError`.
        GcpNotFound: If there is no such job.
        GcpInvalidRequest: If an argument is refused.
        GcpAccessDenied: If this identity may not run the job, or not with overrides.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_run import cloud_run_job_run_and_wait

        @flow
        def average_sensors(day: str) -> int:
            execution = cloud_run_job_run_and_wait(
                "average-sensors",
                region="europe-west3",
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
                args=["--day", day],
                task_count=10,
            )
            return execution.succeeded_count
        ```
    """
    describe = partial(
        execution_work,
        job_name,
        region,
        gcp_credentials,
        project,
        args,
        env,
        container,
        task_count,
        task_timeout_seconds,
    )
    return submit_and_wait(describe, interval_seconds, timeout_seconds)
