"""Google Cloud Batch: tasks that submit jobs and wait for them, and a job block.

Examples:
    Run a container and go on when it has succeeded:

    ```python
    from prefect import flow
    from prefect_gcp import GcpCredentials
    from prefect_gcp.cloud_batch import cloud_batch_submit_and_wait, container_job

    @flow
    def average_sensors(day: str) -> None:
        cloud_batch_submit_and_wait(
            container_job("europe-docker.pkg.dev/my-project/images/average:3", [day], memory_mib=4096),
            region="europe-west3",
            gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            timeout_seconds=3600,
        )
    ```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.blocks.abstract import JobBlock
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.late_imports import late_names

from ._batch_jobs import CloudBatchJobResult, CloudBatchTaskFailure, CloudBatchWork, container_job, job_work
from ._remote_run import RemoteRun, TriggeredJob

if TYPE_CHECKING:
    from ._batch_tasks import (
        acloud_batch_submit,
        acloud_batch_submit_and_wait,
        cloud_batch_submit,
        cloud_batch_submit_and_wait,
    )

__all__ = [
    "CloudBatchJob",
    "CloudBatchJobResult",
    "CloudBatchJobRun",
    "CloudBatchTaskFailure",
    "acloud_batch_submit",
    "acloud_batch_submit_and_wait",
    "cloud_batch_submit",
    "cloud_batch_submit_and_wait",
    "container_job",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "acloud_batch_submit": "._batch_tasks",
        "acloud_batch_submit_and_wait": "._batch_tasks",
        "cloud_batch_submit": "._batch_tasks",
        "cloud_batch_submit_and_wait": "._batch_tasks",
    },
)


class CloudBatchJobRun(RemoteRun[CloudBatchJobResult]):
    """A job that was submitted to Google Cloud Batch.

    Example:
        Wait for a job that was submitted elsewhere:

        ```python
        from prefect_gcp.cloud_batch import CloudBatchJobRun

        run = CloudBatchJobRun(name="projects/my-project/locations/europe-west3/jobs/nightly")
        run.wait_for_completion(timeout_seconds=3600)
        ```
    """

    name: str = Field(description="Full name of the job.", pattern=r"^projects/[^/]+/locations/[^/]+/jobs/[^/]+$")

    def _work(self) -> CloudBatchWork:
        return CloudBatchWork(self.gcp_credentials, name=self.name)


class CloudBatchJob(QuickKey, TriggeredJob[CloudBatchJobRun], JobBlock):  # pyright: ignore[reportMissingTypeArgument] - `JobBlock[...]` would be a block of its own
    """A job to submit to Google Cloud Batch.

    Example:
        Submit a job and wait until it has succeeded:

        ```python
        from prefect import flow
        from prefect_gcp.cloud_batch import CloudBatchJob

        @flow
        def average_sensors():
            run = CloudBatchJob.load("BLOCK_NAME").trigger()
            run.wait_for_completion()
            return run.fetch_result().run_seconds
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "Google Cloud Batch Job"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-gcp"  # pyright: ignore[reportAssignmentType]

    region: str = Field(description="Region that jobs run in, such as europe-west3.")
    job: dict[str, Any] = Field(
        description="The job, as in Batch's REST reference, or what container_job makes. Batch shows it, so it is no "
        "place for secrets.",
    )
    project: str | None = Field(
        default=None, description="Project that jobs run in; that of the credentials when not given."
    )

    def _describe(self) -> CloudBatchWork:
        return job_work(self.job, self.region, self.gcp_credentials, None, self.project, is_block=True)

    def _run_of(self, **fields: Any) -> CloudBatchJobRun:
        return CloudBatchJobRun(**fields)
