"""Run flows as Cloud Run jobs, by version 2 of Cloud Run's API.

Create a work pool, then start a worker for it:

```bash
prefect work-pool create --type cloud-run-v2 my-cloud-run-pool
prefect worker start --pool my-cloud-run-pool
```

The worker may run anywhere that reaches Google Cloud and the Prefect API; often it is a Cloud Run service itself. Each
run has a job of its own, made for it and deleted at its end. How jobs end is learnt by listing all of them together
every few seconds. A run whose job ends before the run has reported its own end crashes, and its state says why.
Cancelled runs end, whatever their process does. What a worker leaves behind when it dies, the next one picks up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.workers.base import BaseWorkerResult

from ..credentials import GcpCredentials
from ..models.cloud_run_v2 import ExecutionV2, JobV2, SecretKeySelector
from ..utilities import merge_labels_for_gcp, slugify_name
from ._cloud_run_base import CloudRunJobWorker
from ._cloud_run_v2_configuration import CloudRunWorkerJobV2Configuration
from ._cloud_run_v2_variables import CloudRunVolume, CloudRunWorkerV2Variables

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun

    from ..settings import CloudRunV2WorkerSettings as CloudRunV2WorkerSettings

__all__ = [
    "CloudRunVolume",
    "CloudRunWorkerJobV2Configuration",
    "CloudRunWorkerV2",
    "CloudRunWorkerV2Result",
    "CloudRunWorkerV2Variables",
    "ExecutionV2",
    "GcpCredentials",
    "JobV2",
    "SecretKeySelector",
    "merge_labels_for_gcp",
    "slugify_name",
]


def __getattr__(name: str) -> Any:
    """Import what only a worker that runs needs: every flow run imports this module."""
    if name == "CloudRunV2WorkerSettings":
        from ..settings import CloudRunV2WorkerSettings

        return CloudRunV2WorkerSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class CloudRunWorkerV2Result(BaseWorkerResult):
    """A job that has ended: its name, and its container's exit code; -1 when nobody saw how it ended."""


class CloudRunWorkerV2(
    CloudRunJobWorker[CloudRunWorkerJobV2Configuration, CloudRunWorkerV2Variables, CloudRunWorkerV2Result]
):
    """A worker that runs flows as Cloud Run jobs, by version 2 of the API."""

    type: str = "cloud-run-v2"
    job_configuration = CloudRunWorkerJobV2Configuration
    job_configuration_variables = CloudRunWorkerV2Variables
    api_version = "v2"
    _display_name = "Google Cloud Run V2"
    _description = (
        "Execute flow runs within containers on Google Cloud Run (V2 API). Requires a Google Cloud Platform account."
    )
    _documentation_url = "https://docs.prefect.io/integrations/prefect-gcp"
    _logo_url = "https://images.ctfassets.net/gm98wzqotmnx/4SpnOBvMYkHp6z939MDKP6/549a91bc1ce9afd4fb12c68db7b68106/social-icon-google-cloud-1200-630.png?h=250"

    def job_settings(self) -> CloudRunV2WorkerSettings:
        """Settings of the worker, from the environment."""
        from ..settings import CloudRunV2WorkerSettings

        return CloudRunV2WorkerSettings()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: CloudRunWorkerJobV2Configuration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> CloudRunWorkerV2Result:
        """Make and start the job of a flow run, and wait until it has ended.

        Args:
            flow_run: The run.
            configuration: What it asks for, prepared for it.
            task_status: Told the job's name as soon as the job is started.

        Returns:
            The job's name and the exit code of its container. The name is empty when the run was cancelled before its
            job was started. A run that has not reported its end has been given a final state by then, unless the job
            succeeded: then its report is waited for in the background.

        Raises:
            GcpError: If Cloud Run refuses, or does not answer. The message names the thing, the cause and the remedy.
                Nothing is left behind.
            ValueError: If the configuration contradicts itself.
        """
        finished = await self.job_runs.run(flow_run, configuration, task_status)
        return CloudRunWorkerV2Result(identifier=finished.identifier, status_code=finished.status_code)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: CloudRunWorkerJobV2Configuration, grace_seconds: int = 30
    ) -> None:
        """Stop a Cloud Run job, and delete it when its container has ended.

        Args:
            infrastructure_pid: The job's name, or its full name, or that of its execution.
            configuration: Names credentials and region, where the name alone does not.
            grace_seconds: Seconds that the container is waited for. Cloud Run kills it 10 seconds after SIGTERM.

        Raises:
            InfrastructureNotFound: If there is no such job.
            GcpError: If Cloud Run refuses, or does not answer.
            ValueError: If the identifier names no Cloud Run job.
        """
        await self._kill(infrastructure_pid, configuration, grace_seconds)
