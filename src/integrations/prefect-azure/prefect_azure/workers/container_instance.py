"""Run flows in container groups of Azure Container Instances.

Create a work pool, then start a worker for it:

```bash
prefect work-pool create --type azure-container-instance my-work-pool
prefect worker start --pool my-work-pool
```

The worker may run anywhere that reaches Azure and the Prefect API; often it is a container group itself. Each run has a
container group of its own, made for it and deleted at its end. How they end is learnt by listing all of them together
every few seconds. A run whose container ends before the run has reported its own end crashes, and its state says why.
Cancelled runs end, whatever their process does. What a worker leaves behind when it dies, the next one picks up.

A container group is made by a template of Azure Resource Manager, which a work pool may change to use whatever
Container Instances offer: more containers, volumes, probes, log analytics, parameters of its own. In YAML, without the
descriptions of parameters, the default one is:

```yaml
arm_template:
  $schema: https://schema.management.azure.com/schemas/2019-08-01/deploymentTemplate.json#
  contentVersion: 1.0.0.0
  parameters:
    location:
      type: string
      defaultValue: "[resourceGroup().location]"
    container_group_name:
      type: string
      defaultValue: "[uniqueString(resourceGroup().id)]"
    container_name:
      type: string
      defaultValue: "[uniqueString(resourceGroup().id)]"
  resources:
  - type: Microsoft.ContainerInstance/containerGroups
    apiVersion: '2022-09-01'
    name: "[parameters('container_group_name')]"
    location: "[parameters('location')]"
    properties:
      containers:
      - name: "[parameters('container_name')]"
        properties:
          image: "{{ image }}"
          command: "{{ command }}"
          resources:
            requests:
              cpu: "{{ cpu }}"
              memoryInGB: "{{ memory }}"
          environmentVariables: []
      osType: Linux
      restartPolicy: Never
```

What stands in `{{ }}` is a job variable. The worker gives values to the parameters `container_group_name` and
`container_name`; all others need default values. The container whose name is the parameter `container_name`, else the
first one, runs the flow: it gets the run's command and environment, and when it ends, so does the group.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from prefect.exceptions import InfrastructureNotFound
from prefect.logging import get_logger
from prefect.workers.base import BaseWorkerResult

from prefect_integration_kit import workers
from prefect_integration_kit.job_worker import JobWorker

from ..container_instance import (
    ACI_DEFAULT_CPU,
    ACI_DEFAULT_GPU,
    ACI_DEFAULT_MEMORY,
    CONTAINER_GROUP_DELETION_TIMEOUT_SECONDS,
    DEFAULT_CONTAINER_ENTRYPOINT,
    ENV_SECRETS,
    ACRManagedIdentity,
    ContainerGroupProvisioningState,
    ContainerRunState,
)
from ..credentials import AzureContainerInstanceCredentials
from ._container_instance_configuration import AzureContainerJobConfiguration
from ._container_instance_variables import AzureContainerVariables, DockerRegistry

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun

    from .._aci.groups import ContainerGroups
    from ..worker_settings import ContainerInstanceWorkerSettings

__all__ = [
    "ACI_DEFAULT_CPU",
    "ACI_DEFAULT_GPU",
    "ACI_DEFAULT_MEMORY",
    "CONTAINER_GROUP_DELETION_TIMEOUT_SECONDS",
    "CONTAINER_GROUP_GET_BACKOFF_FACTOR",
    "CONTAINER_GROUP_GET_MAX_RETRIES",
    "DEFAULT_CONTAINER_ENTRYPOINT",
    "ENV_SECRETS",
    "ACRManagedIdentity",
    "AzureContainerInstanceCredentials",
    "AzureContainerJobConfiguration",
    "AzureContainerVariables",
    "AzureContainerWorker",
    "AzureContainerWorkerResult",
    "ContainerGroupProvisioningState",
    "ContainerRunState",
    "DockerRegistry",
]

logger = get_logger("prefect.workers.azure-container-instance")

CONTAINER_GROUP_GET_MAX_RETRIES: int = 3
"""Nothing reads it: calls are repeated as `PREFECT_INTEGRATIONS_AZURE_CONTAINER_INSTANCE_WORKER_CALL_*` say."""
CONTAINER_GROUP_GET_BACKOFF_FACTOR: float = 1.0
"""Nothing reads it, likewise."""


class AzureContainerWorkerResult(BaseWorkerResult):
    """A container group that has ended: `flow_run_id:container_group_name`, and its container's exit code.

    The exit code is -1 when nobody saw how it ended.
    """


class AzureContainerWorker(
    JobWorker[AzureContainerJobConfiguration, AzureContainerVariables, AzureContainerWorkerResult]
):
    """A worker that runs flows in container groups of Azure Container Instances."""

    type: str = "azure-container-instance"
    job_configuration = AzureContainerJobConfiguration
    job_configuration_variables = AzureContainerVariables
    jobs_title: ClassVar[str] = "container groups"
    plain_secrets: ClassVar[Mapping[str, str]] = {}
    _display_name = "Azure Container Instances"
    _description = (
        "Execute flow runs within containers on Azure's Container Instances service. Requires an Azure account."
    )
    _documentation_url = "https://docs.prefect.io/integrations/prefect-azure"
    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"

    def job_service(self, configuration: AzureContainerJobConfiguration) -> ContainerGroups:
        """The container groups of the configuration's subscription and resource group.

        Args:
            configuration: Names credentials, subscription and resource group.
        """
        from .._aci.groups import ContainerGroups
        from .._workers.reports import reported

        return ContainerGroups(
            configuration,
            settings=self._settings(),
            work_pool_id=str(workers.pool_id_of(self) or ""),
            reported=partial(reported, self),
        )

    def job_settings(self) -> ContainerInstanceWorkerSettings:
        """Settings of the worker, from the environment."""
        from ..worker_settings import ContainerInstanceWorkerSettings

        return ContainerInstanceWorkerSettings()

    def _settings(self) -> ContainerInstanceWorkerSettings:
        settings: Any = self.job_runs.settings
        return settings

    def is_job_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a container group, as this worker writes it.

        Args:
            infrastructure_pid: As the run has it.
        """
        from .._aci.identifiers import read_identifier

        try:
            return read_identifier(infrastructure_pid).is_of_a_worker
        except ValueError:
            return False

    def keeps_job(self, configuration: AzureContainerJobConfiguration) -> bool:
        """Whether the container group stays after its end.

        Args:
            configuration: What the run asks for.
        """
        return configuration.keep_container_group

    async def run(
        self,
        flow_run: FlowRun,
        configuration: AzureContainerJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> AzureContainerWorkerResult:
        """Make the container group of a flow run, and wait until its container has ended.

        Args:
            flow_run: The run.
            configuration: What it asks for, prepared for it.
            task_status: Told the group's identifier as soon as the container runs.

        Returns:
            The identifier, `flow_run_id:container_group_name`, and the exit code of the container. The identifier is
            empty when the run was cancelled before its container was started. A run that has not reported its end has
            been given a final state by then, unless the container succeeded: then its report is waited for in the
            background.

        Raises:
            AzureJobFailed: If Azure cannot start the container, such as for an image that cannot be pulled.
            AzureWaitTimeout: If it is not started within `task_start_timeout_seconds`.
            AzureError: If Azure refuses, or does not answer. The message names the thing, the cause and the remedy.
            ValueError: If the configuration contradicts itself.

        Nothing is left behind by a run that could not be started.
        """
        finished = await self.job_runs.run(flow_run, configuration, task_status)
        if configuration.keep_container_group and finished.identifier:
            service: Any = self.job_runs.service_of(configuration)
            await service.finish(finished.identifier)
        return AzureContainerWorkerResult(identifier=finished.identifier, status_code=finished.status_code)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: AzureContainerJobConfiguration, grace_seconds: int = 30
    ) -> None:
        """Delete a container group; where the configuration keeps groups, stop its containers.

        Args:
            infrastructure_pid: `flow_run_id:container_group_name`; the group's name alone or its resource ID do, too.
            configuration: Names credentials, subscription and resource group, where the resource ID does not.
            grace_seconds: Seconds that containers which are stopped are waited for. Azure itself says how long they
                have to end.

        Raises:
            InfrastructureNotFound: If there is no such container group.
            AzureError: If Azure refuses, or does not answer.
            ValueError: If the identifier names no container group.
        """
        from .._aci.identifiers import located

        configuration = located(configuration, infrastructure_pid)
        if configuration.keep_container_group:
            await self.job_runs.kill(infrastructure_pid, configuration, grace_seconds)
            return
        service: Any = self.job_runs.service_of(configuration)
        identifier = service.normal(infrastructure_pid)
        if not await service.exists(identifier):
            name = service.name_of(identifier)
            raise InfrastructureNotFound(f"Cannot stop container group {name!r}: it does not exist.")
        await service.delete(identifier)

    async def teardown(self, *exc_info: Any) -> None:
        """Wait for the runs, then stop looking after container groups. Those that go on are found by the next worker.

        Args:
            *exc_info: The exception that ends the worker, as `__aexit__` is given it; runs are not waited for then.
        """
        try:
            await super().teardown(*exc_info)
        finally:
            for service in self.job_runs.services.values():
                outputs: Any = getattr(service, "outputs", None)
                if outputs is not None:
                    await outputs.close()
