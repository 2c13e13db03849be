"""Run flows as Azure Container Apps jobs.

Create a work pool, then start a worker for it:

```bash
prefect work-pool create --type azure-container-app-job my-container-apps-pool
prefect worker start --pool my-container-apps-pool
```

The worker may run anywhere that reaches Azure Resource Manager and the Prefect API; often it is a container app itself,
with a managed identity. Each run has a job of its own, made for it and deleted at its end. A run whose job ends before
the run has reported its own end crashes, and its state says why. Cancelled runs end, whatever their process does. What
a worker leaves behind when it dies, the next one picks up. The package `azure-mgmt-appcontainers` is needed, which
`pip install "prefect-azure[container-apps]"` brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from prefect.workers.base import BaseWorkerResult

from prefect_integration_kit import workers
from prefect_integration_kit.job_worker import JobWorker

from .._apps.configuration import AzureContainerAppJobConfiguration
from .._apps.variables import (
    SECRET_VARIABLES,
    AzureContainerAppVariables,
    ContainerAppVolume,
    KeyVaultSecretReference,
)

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun

    from .._apps.jobs import ContainerAppJobs
    from ..worker_settings import ContainerAppWorkerSettings

__all__ = [
    "AzureContainerAppJobConfiguration",
    "AzureContainerAppJobResult",
    "AzureContainerAppJobWorker",
    "AzureContainerAppVariables",
    "ContainerAppVolume",
    "KeyVaultSecretReference",
]

_REMEDY = "Name it in `secret_env`, or take it from a vault by `env_from_key_vault`."


class AzureContainerAppJobResult(BaseWorkerResult):
    """A job that has ended: its resource ID, and its container's exit code; -1 when nobody saw how it ended."""


class AzureContainerAppJobWorker(
    JobWorker[AzureContainerAppJobConfiguration, AzureContainerAppVariables, AzureContainerAppJobResult]
):
    """A worker that runs flows as Azure Container Apps jobs."""

    type: str = "azure-container-app-job"
    job_configuration = AzureContainerAppJobConfiguration
    job_configuration_variables = AzureContainerAppVariables
    jobs_title: ClassVar[str] = "Container Apps jobs"
    plain_secrets: ClassVar[Mapping[str, str]] = dict.fromkeys(SECRET_VARIABLES, _REMEDY)
    _display_name = "Azure Container Apps Job"
    _description = "Execute flow runs within jobs of Azure Container Apps. Requires an Azure account."
    _documentation_url = "https://docs.prefect.io/integrations/prefect-azure"
    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"

    def job_settings(self) -> ContainerAppWorkerSettings:
        """Settings of the worker, from the environment."""
        from ..worker_settings import ContainerAppWorkerSettings

        return ContainerAppWorkerSettings()

    def job_service(self, configuration: AzureContainerAppJobConfiguration) -> ContainerAppJobs:
        """The jobs of the configuration's subscription and resource group.

        Args:
            configuration: Names credentials, subscription and resource group.
        """
        from .._apps.jobs import ContainerAppJobs
        from .._workers.reports import reported

        settings: Any = self.job_runs.settings
        return ContainerAppJobs(
            configuration.credentials,
            configuration.subscription,
            configuration.resource_group,
            settings=settings,
            work_pool_id=str(workers.pool_id_of(self) or ""),
            reported=partial(reported, self),
        )

    def is_job_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a Container Apps job.

        Args:
            infrastructure_pid: As the run has it.
        """
        from .._apps.names import job_id_in

        try:
            job_id_in(infrastructure_pid)
        except ValueError:
            return False
        return True

    async def run(
        self,
        flow_run: FlowRun,
        configuration: AzureContainerAppJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> AzureContainerAppJobResult:
        """Make and start the job of a flow run, and wait until it has ended.

        Args:
            flow_run: The run.
            configuration: What it asks for, prepared for it.
            task_status: Told the job's resource ID as soon as the job is started.

        Returns:
            The job's resource ID and the exit code of its container. The ID is empty when the run was cancelled before
            its job was started. A run that has not reported its end has been given a final state by then, unless the
            job succeeded: then its report is waited for in the background.

        Raises:
            AzureError: If Azure refuses, or does not answer. The message names the thing, the cause and the remedy.
                Nothing is left behind.
            ValueError: If the configuration contradicts itself.
        """
        finished = await self.job_runs.run(flow_run, configuration, task_status)
        return AzureContainerAppJobResult(identifier=finished.identifier, status_code=finished.status_code)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: AzureContainerAppJobConfiguration, grace_seconds: int = 30
    ) -> None:
        """Stop a job's execution, and delete the job when its container has ended.

        Args:
            infrastructure_pid: The job's resource ID, or that of its execution.
            configuration: Names the credentials.
            grace_seconds: Seconds that the container is waited for. Container Apps kills it 30 seconds after SIGTERM.

        Raises:
            InfrastructureNotFound: If there is no such job.
            AzureError: If Azure refuses, or does not answer.
            ValueError: If the identifier names no Container Apps job.
        """
        from .._apps.jobs import located

        await self.job_runs.kill(infrastructure_pid, located(configuration, infrastructure_pid), grace_seconds)
