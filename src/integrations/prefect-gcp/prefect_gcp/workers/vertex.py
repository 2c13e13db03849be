"""Run flows as custom jobs of Vertex AI.

Create a work pool, then start a worker for it:

```bash
prefect work-pool create 'my-vertex-pool' --type vertex-ai
prefect worker start --pool 'my-vertex-pool'
```

The worker creates a custom job for each flow run and learns of the ends of all of them by one list. A run whose job
ends before the run has reported its own end crashes, and its state says why: with Vertex AI's own words when the job
failed before its container started. Cancelled runs end, whatever their process does. What a worker leaves behind when
it dies, the next one picks up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from prefect.workers.base import BaseWorkerResult

from prefect_integration_kit import workers
from prefect_integration_kit.job_worker import JobWorker

from ..credentials import GcpCredentials
from ._vertex_configuration import VertexAIWorkerJobConfiguration
from ._vertex_variables import VertexAIWorkerVariables

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun

    from .._vertex.jobs import VertexJobs
    from ..settings import VertexWorkerSettings

__all__ = [
    "GcpCredentials",
    "VertexAIWorker",
    "VertexAIWorkerJobConfiguration",
    "VertexAIWorkerResult",
    "VertexAIWorkerVariables",
]

# Names of the SDK that can be imported from here, and where they are; importing them takes seconds.
_SDK_NAMES = {
    "ClientOptions": "google.api_core.client_options",
    "ContainerSpec": "google.cloud.aiplatform_v1.types",
    "CustomJob": "google.cloud.aiplatform_v1.types",
    "CustomJobSpec": "google.cloud.aiplatform_v1.types",
    "DiskSpec": "google.cloud.aiplatform_v1.types",
    "JobServiceAsyncClient": "google.cloud.aiplatform_v1.services.job_service",
    "JobState": "google.cloud.aiplatform_v1.types",
    "MachineSpec": "google.cloud.aiplatform_v1.types",
    "Scheduling": "google.cloud.aiplatform_v1.types",
    "WorkerPoolSpec": "google.cloud.aiplatform_v1.types",
}

_REMEDY = (
    "Vertex AI has no secret variables. Put a profiles.toml that has the secret into a Cloud Storage bucket that only "
    "the job's service account may read (Vertex AI mounts it at /gcs/BUCKET), and set PREFECT_PROFILES_PATH to its "
    "path and this variable to null in `env`."
)
_SECRETS: dict[str, str] = {name: _REMEDY for name in workers.PLAIN_SECRETS}  # noqa: C420 - of plain texts


def __getattr__(name: str) -> Any:
    if name not in _SDK_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_SDK_NAMES[name]), name)


class VertexAIWorkerResult(BaseWorkerResult):
    """A job that has ended: its name and its status code, which is 0 when it succeeded."""


class VertexAIWorker(JobWorker[VertexAIWorkerJobConfiguration, VertexAIWorkerVariables, VertexAIWorkerResult]):
    """A worker that runs flows as custom jobs of Vertex AI."""

    type: str = "vertex-ai"
    job_configuration = VertexAIWorkerJobConfiguration
    job_configuration_variables = VertexAIWorkerVariables
    _display_name = "Google Vertex AI"
    _description = "Execute flow runs within containers on Google Vertex AI. Requires a Google Cloud Platform account."
    _documentation_url = "https://docs.prefect.io/integrations/prefect-gcp"
    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare a worker.

        Args:
            *args: Arguments of Prefect's `BaseWorker`, such as `work_pool_name`.
            **kwargs: Further arguments of `BaseWorker`.
        """
        super().__init__(*args, **kwargs)
        self._plain_secrets = workers.PlainSecretWarning(workers.logger_of(self), "Vertex AI jobs", _SECRETS)

    def job_settings(self) -> VertexWorkerSettings:
        """How this worker looks after its jobs."""
        from ..settings import VertexWorkerSettings

        return VertexWorkerSettings()

    def job_service(self, configuration: VertexAIWorkerJobConfiguration) -> VertexJobs:
        """The jobs of a configuration's project and region.

        Args:
            configuration: Names credentials and region.
        """
        from .._vertex.calls import VertexCalls
        from .._vertex.jobs import VertexJobs

        settings: Any = self.job_runs.settings
        pool = getattr(self, "_work_pool", None)
        return VertexJobs(
            VertexCalls(configuration.credentials or GcpCredentials(), settings),
            configuration.region,
            work_pool_id=pool.id if pool is not None else None,
            settings=settings,
            poll_interval_seconds=configuration.job_watch_poll_interval,
        )

    def is_job_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a custom job of Vertex AI.

        Args:
            infrastructure_pid: As the run has it.
        """
        return "/customJobs/" in infrastructure_pid

    def keeps_job(self, configuration: VertexAIWorkerJobConfiguration) -> bool:
        """Jobs stay for people to look at in the console, until they are swept.

        Args:
            configuration: Of the run whose job it is.
        """
        del configuration
        return True

    async def run(
        self,
        flow_run: FlowRun,
        configuration: VertexAIWorkerJobConfiguration,
        task_status: anyio.abc.TaskStatus[str] | None = None,
    ) -> VertexAIWorkerResult:
        """Create the job of a flow run, and wait until it has ended.

        Args:
            flow_run: The run.
            configuration: What it asks for.
            task_status: Told the job's name as soon as it is created.

        Returns:
            The job's full name, and its status code: 0 when it succeeded, else the container's, or 1. The name is empty
            when the run was cancelled before its job was created. A run that has not reported its end has been given a
            final state by then, unless its job succeeded: then its report is waited for in the background.

        Raises:
            GcpError: If Google refuses, or does not answer. The message names the thing, the cause and the remedy.
            ValueError: If the configuration is not one of Vertex AI's; the message names the field.
            ImportError: If Vertex AI's SDK is not installed; the message says how to install it.
        """
        self._plain_secrets.look_at(configuration.env)
        finished = await self.job_runs.run(flow_run, configuration, task_status)
        return VertexAIWorkerResult(identifier=finished.identifier, status_code=finished.status_code)

    async def _initiate_run(self, flow_run: FlowRun, configuration: VertexAIWorkerJobConfiguration) -> None:
        self._plain_secrets.look_at(configuration.env)
        await super()._initiate_run(flow_run, configuration)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: VertexAIWorkerJobConfiguration, grace_seconds: int = 30
    ) -> None:
        """Cancel a job.

        Args:
            infrastructure_pid: The job's full name, such as `projects/123/locations/us-central1/customJobs/456`.
            configuration: Says who asks.
            grace_seconds: Not used: Vertex AI gives the job's container time to end.

        Raises:
            InfrastructureNotFound: If there is no such job.
            GcpError: If Google refuses, or does not answer.
            ValueError: If the name is not of that form.
        """
        await self.job_runs.kill(infrastructure_pid, configuration, grace_seconds)
