"""Run flows as Cloud Run jobs, by version 1 of Cloud Run's API.

Create a work pool, then start a worker for it:

```bash
prefect work-pool create --type cloud-run my-cloud-run-pool
prefect worker start --pool my-cloud-run-pool
```

For what is new at Cloud Run, such as runs of more than an hour, GPUs and volumes, use the worker of version 2
(`prefect_gcp.workers.cloud_run_v2`); for the rest both work alike.

Values in `{{ }}` of the work pool's job template are filled in for each run. Edit the template to add placeholders of
your own, to fix a value for all deployments, or to pass what no variable covers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.workers.base import BaseVariables, BaseWorkerResult
from pydantic import ConfigDict, Field

from ..credentials import GcpCredentials
from ..models.cloud_run_v2 import SecretKeySelector
from ..utilities import Execution, Job, merge_labels_for_gcp, slugify_name
from ._cloud_run_base import CloudRunJobWorker
from ._cloud_run_configuration import CloudRunWorkerJobConfiguration

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun

    from ..settings import CloudRunWorkerSettings

__all__ = [
    "CloudRunWorker",
    "CloudRunWorkerJobConfiguration",
    "CloudRunWorkerResult",
    "CloudRunWorkerVariables",
    "Execution",
    "GcpCredentials",
    "Job",
    "SecretKeySelector",
    "merge_labels_for_gcp",
    "slugify_name",
]


class CloudRunWorkerVariables(BaseVariables):
    """What a work pool or a deployment may set."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    region: str = Field(default="us-central1", description="Region that jobs are made in.")
    credentials: GcpCredentials | None = Field(
        default_factory=GcpCredentials,
        title="GCP Credentials",
        description="Credentials that jobs are made with; Application Default Credentials where none are given.",
    )
    prefect_api_key_secret: SecretKeySelector | None = Field(
        default=None,
        title="Prefect API Key Secret",
        description="The secret that holds the Prefect API key. The key then stands in no job.",
    )
    prefect_api_auth_string_secret: SecretKeySelector | None = Field(
        default=None,
        title="Prefect API Auth String Secret",
        description="The secret that holds the authentication string of a self-hosted Prefect API.",
    )
    image: str | None = Field(
        default=None,
        title="Image Name",
        description="Image of the container; the Prefect image of the worker's version when not given.",
        examples=["us-docker.pkg.dev/my-project/my-repository/my-image:1.0"],
    )
    cpu: str | None = Field(
        default=None,
        title="CPU",
        pattern=r"^(\d*000)m$",
        description="CPU of the container: 1000m is one, 2000m two. Cloud Run's default when not given.",
    )
    memory: str | None = Field(
        default=None,
        pattern=r"^\d+(?:G|Gi|M|Mi)$",
        description="Memory of the container, such as 512Mi or 2Gi. Cloud Run's default when not given.",
    )
    vpc_connector_name: str | None = Field(
        default=None, title="VPC Connector Name", description="Name of the VPC connector."
    )
    service_account_name: str | None = Field(
        default=None,
        title="Service Account Name",
        description="E-mail address of the service account that the job runs as; the project's default one when not "
        "given.",
    )
    keep_job: bool | None = Field(
        default=False,
        title="Keep Job After Completion",
        description="Whether the job stays after its end. A project has at most 1,000 jobs in a region.",
    )
    timeout: int | None = Field(
        default=600,
        gt=0,
        le=3600,
        title="Job Timeout",
        description="Seconds after which Cloud Run ends a task, at most one hour; version 2 of the API has 7 days.",
    )
    env_from_secrets: dict[str, SecretKeySelector] = Field(
        default_factory=dict,
        title="Environment Variables from Secrets",
        description="Environment variables whose values Cloud Run takes from Secret Manager. The job's service account "
        "must be allowed to read them.",
    )
    execution_overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="Overrides of the execution: `containerOverrides`, `taskCount`, `timeoutSeconds`, as the API's "
        "`run` takes them.",
    )
    job_body_patch: dict[str, Any] = Field(
        default_factory=dict,
        description="What to put over the job body, for whatever no variable covers, as the API's `Job`. Containers, "
        "volumes and variables are merged by name; a container without a name is the one that runs the flow; `null` "
        "removes.",
    )


class CloudRunWorkerResult(BaseWorkerResult):
    """A job that has ended: its name, and its container's exit code; -1 when nobody saw how it ended."""


class CloudRunWorker(CloudRunJobWorker[CloudRunWorkerJobConfiguration, CloudRunWorkerVariables, CloudRunWorkerResult]):
    """A worker that runs flows as Cloud Run jobs, by version 1 of the API."""

    type: str = "cloud-run"
    job_configuration = CloudRunWorkerJobConfiguration
    job_configuration_variables = CloudRunWorkerVariables
    api_version = "v1"
    _display_name = "Google Cloud Run"
    _description = "Execute flow runs within containers on Google Cloud Run. Requires a Google Cloud Platform account."
    _documentation_url = "https://docs.prefect.io/integrations/prefect-gcp"
    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"

    def job_settings(self) -> CloudRunWorkerSettings:
        """Settings of the worker, from the environment."""
        from ..settings import CloudRunWorkerSettings

        return CloudRunWorkerSettings()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: CloudRunWorkerJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> CloudRunWorkerResult:
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
        return CloudRunWorkerResult(identifier=finished.identifier, status_code=finished.status_code)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: CloudRunWorkerJobConfiguration, grace_seconds: int = 30
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
