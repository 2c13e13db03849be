"""Cloud Run jobs that exist: tasks that run them and wait, and a job block.

To run flows on Cloud Run, use a work pool of type `cloud-run-v2`; this module runs jobs that are deployed already.

Examples:
    Run a job and go on when it has succeeded:

    ```python
    from prefect import flow
    from prefect_gcp import GcpCredentials
    from prefect_gcp.cloud_run import cloud_run_job_run_and_wait

    @flow
    def average_sensors(day: str) -> str:
        execution = cloud_run_job_run_and_wait(
            "average-sensors",
            region="europe-west3",
            gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            args=["--day", day],
            timeout_seconds=3600,
        )
        return execution.log_url
    ```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from prefect.blocks.abstract import JobBlock
from prefect.tasks import task
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import sync_task

from ._remote_run import RemoteRun, TriggeredJob, asubmit, asubmit_and_wait, submit, submit_and_wait
from ._run_executions import CloudRunExecutionResult, ExecutionWork, execution_work
from .credentials import GcpCredentials

__all__ = [
    "CloudRunExecutionResult",
    "CloudRunJob",
    "CloudRunJobRun",
    "acloud_run_job_run",
    "acloud_run_job_run_and_wait",
    "cloud_run_job_run",
    "cloud_run_job_run_and_wait",
]


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


class CloudRunJobRun(RemoteRun[CloudRunExecutionResult]):
    """An execution of a Cloud Run job.

    Example:
        Wait for an execution that was started elsewhere:

        ```python
        from prefect_gcp.cloud_run import CloudRunJobRun

        run = CloudRunJobRun(name="projects/my-project/locations/europe-west3/jobs/average/executions/average-x7f2k")
        run.wait_for_completion(timeout_seconds=3600)
        ```
    """

    name: str = Field(
        description="Full name of the execution.",
        pattern=r"^projects/[^/]+/locations/[^/]+/jobs/[^/]+/executions/[^/]+$",
    )

    def _work(self) -> ExecutionWork:
        return ExecutionWork(self.gcp_credentials, name=self.name)


class CloudRunJob(QuickKey, TriggeredJob[CloudRunJobRun], JobBlock):  # pyright: ignore[reportMissingTypeArgument] - `JobBlock[...]` would be a block of its own
    """A Cloud Run job that exists, to be run.

    Example:
        Run the job and wait until it has succeeded:

        ```python
        from prefect import flow
        from prefect_gcp.cloud_run import CloudRunJob

        @flow
        def average_sensors():
            run = CloudRunJob.load("BLOCK_NAME").trigger()
            run.wait_for_completion()
            return run.fetch_result().log_url
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "Google Cloud Run Job"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-gcp"  # pyright: ignore[reportAssignmentType]

    job_name: str = Field(title="Job Name", description="Short name of the job.")
    region: str = Field(description="Region that the job is in, such as europe-west3.")
    project: str | None = Field(
        default=None, description="Project that the job is in; that of the credentials when not given."
    )
    args: list[str] | None = Field(
        default=None, description="Arguments of the container in place of the job's own; an empty list for none at all."
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        title="Environment Variables",
        description="Environment variables in addition to the job's own, or in their place. Cloud Run shows them, so "
        "they are no place for secrets.",
    )
    container: str | None = Field(
        default=None, description="Name of the container that args and env are for, in a job with several."
    )
    task_count: int | None = Field(
        default=None, ge=1, title="Task Count", description="How many tasks to run; as the job says when not given."
    )
    task_timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        title="Task Timeout",
        description="Seconds that a try of a task may take; as the job says when not given.",
    )

    def _describe(self) -> ExecutionWork:
        return execution_work(
            self.job_name,
            self.region,
            self.gcp_credentials,
            self.project,
            self.args,
            self.env,
            self.container,
            self.task_count,
            self.task_timeout_seconds,
            is_block=True,
        )

    def _run_of(self, **fields: Any) -> CloudRunJobRun:
        return CloudRunJobRun(**fields)
