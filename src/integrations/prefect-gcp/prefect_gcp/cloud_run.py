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

from typing import TYPE_CHECKING, Any

from prefect.blocks.abstract import JobBlock
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.late_imports import late_names

from ._remote_run import RemoteRun, TriggeredJob
from ._run_executions import CloudRunExecutionResult, ExecutionWork, execution_work

if TYPE_CHECKING:
    from ._run_tasks import (
        acloud_run_job_run,
        acloud_run_job_run_and_wait,
        cloud_run_job_run,
        cloud_run_job_run_and_wait,
    )

__all__ = [
    "CloudRunExecutionResult",
    "CloudRunJob",
    "CloudRunJobRun",
    "acloud_run_job_run",
    "acloud_run_job_run_and_wait",
    "cloud_run_job_run",
    "cloud_run_job_run_and_wait",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "acloud_run_job_run": "._run_tasks",
        "acloud_run_job_run_and_wait": "._run_tasks",
        "cloud_run_job_run": "._run_tasks",
        "cloud_run_job_run_and_wait": "._run_tasks",
    },
)


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
