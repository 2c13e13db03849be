"""What one flow run asks of Azure Container Instances."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from prefect.utilities.dockerutils import get_prefect_image_name
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, field_validator, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic reads the annotations

from prefect_docker.credentials import DockerRegistryCredentials
from prefect_integration_kit.job_configuration import JobConfiguration

from ..container_instance import (
    ACI_DEFAULT_CPU,
    ACI_DEFAULT_MEMORY,
    DEFAULT_CONTAINER_ENTRYPOINT,
    ENV_SECRETS,
    ACRManagedIdentity,
)
from ..credentials import AzureContainerInstanceCredentials
from ._container_instance_variables import check_numbers

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

    from .._aci.template import DeploymentRequest

Json = dict[str, Any]

_LONGEST_NAME = 63
"""Most characters of a container group's and a container's name, see
https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftcontainerinstance."""

_TEMPLATE: Json = {
    "$schema": "https://schema.management.azure.com/schemas/2019-08-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {
        "location": {
            "type": "string",
            "defaultValue": "[resourceGroup().location]",
            "metadata": {"description": "Location of the container group."},
        },
        "container_group_name": {
            "type": "string",
            "defaultValue": "[uniqueString(resourceGroup().id)]",
            "metadata": {"description": "Name of the container group; the worker gives it."},
        },
        "container_name": {
            "type": "string",
            "defaultValue": "[uniqueString(resourceGroup().id)]",
            "metadata": {"description": "Name of the container; the worker gives it."},
        },
    },
    "resources": [
        {
            "type": "Microsoft.ContainerInstance/containerGroups",
            "apiVersion": "2022-09-01",
            "name": "[parameters('container_group_name')]",
            "location": "[parameters('location')]",
            "properties": {
                "containers": [
                    {
                        "name": "[parameters('container_name')]",
                        "properties": {
                            "image": "{{ image }}",
                            "command": "{{ command }}",
                            "resources": {"requests": {"cpu": "{{ cpu }}", "memoryInGB": "{{ memory }}"}},
                            "environmentVariables": [],
                        },
                    }
                ],
                "osType": "Linux",
                "restartPolicy": "Never",
            },
        }
    ],
}


class AzureContainerJobConfiguration(JobConfiguration):
    """What one flow run asks of Container Instances: the work pool's job template with all variables filled in."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    image: str = Field(default_factory=get_prefect_image_name, description="Image of the container.")
    resource_group_name: str = Field(description="Resource group that the container group is made in.")
    subscription_id: SecretStr = Field(description="ID of the subscription that the resource group belongs to.")
    identities: list[str] | None = Field(
        default=None, description="Resource IDs of user-assigned managed identities that the container group gets."
    )
    entrypoint: str | None = Field(
        default=DEFAULT_CONTAINER_ENTRYPOINT, description="What the container starts, with the command as arguments."
    )
    image_registry: ACRManagedIdentity | DockerRegistryCredentials | None = Field(
        default=None, description="How a private registry is reached."
    )
    cpu: float = Field(default=ACI_DEFAULT_CPU, description="Cores of the container.")
    gpu_count: int | None = Field(default=None, description="How many GPUs the container gets.")
    gpu_sku: str | None = Field(default=None, description="Type of GPU.")
    memory: float = Field(default=ACI_DEFAULT_MEMORY, description="Gigabytes of memory of the container.")
    subnet_ids: list[str] | None = Field(
        default=None, description="Resource IDs of subnets that the container group joins."
    )
    dns_servers: list[str] | None = Field(default=None, description="DNS servers that the containers ask.")
    stream_output: bool = Field(default=False, description="Whether the worker prints what the container prints.")
    aci_credentials: AzureContainerInstanceCredentials = Field(
        default_factory=AzureContainerInstanceCredentials, description="Who makes the container group."
    )
    task_start_timeout_seconds: int = Field(
        default=240, description="Seconds that Azure has to pull the image and start the container."
    )
    task_watch_poll_interval: float = Field(
        default=5.0, description="Seconds between two looks at the container groups."
    )
    arm_template: dict[str, Any] = Field(
        repr=False,  # of a run that is prepared, it holds secrets
        json_schema_extra={"template": _TEMPLATE},
        description="The container group, as a template of Azure Resource Manager, see "
        "https://learn.microsoft.com/azure/templates/microsoft.containerinstance/containergroups. The container whose "
        "name is the parameter `container_name`, else the first one, runs the flow. The worker gives the group's "
        "name.",
    )
    keep_container_group: bool = Field(default=False, description="Whether the container group stays after its end.")

    _group_name: str = PrivateAttr(default="")
    _tags: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("resource_group_name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        # https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftresources
        if not re.fullmatch(r"[-\w.()]{1,90}", name) or name.endswith("."):
            raise ValueError(
                f"{name!r} is not the name of a resource group: up to 90 letters, digits, `-_.()`, and no period at "
                "the end. Give the name alone, without /subscriptions/.../resourceGroups/."
            )
        return name

    @field_validator("subscription_id")
    @classmethod
    def _is_an_id(cls, subscription_id: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[\w-]+", subscription_id.get_secret_value()):
            raise ValueError("it is not the ID of a subscription. Give the ID alone, without /subscriptions/.")
        return subscription_id

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        check_numbers(self)
        return self

    @property
    def container_group_name(self) -> str:
        """Name of the run's container group, the same for every try of one submission."""
        return self._group_name or self.name_for(self.name or "")

    def name_for(self, submission: str) -> str:
        """Name the container group of a submission, and keep the name.

        Args:
            submission: Names the attempt of the run.
        """
        from .._workers.names import resource_name

        self._group_name = resource_name(self.name, submission, longest=_LONGEST_NAME)
        return self._group_name

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: Flow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Put what belongs to one run into the template: environment, command, tags, registry, identities, network.

        Args:
            flow_run: The run.
            deployment: Its deployment.
            flow: Its flow.
            work_pool: The work pool.
            worker_name: Name of the worker that submits the run.
            worker_id: ID of the worker.

        Raises:
            ValueError: If the template lacks a part that is needed; the message names it.
        """
        super().prepare_for_flow_run(
            flow_run=flow_run,
            deployment=deployment,
            flow=flow,
            work_pool=work_pool,
            worker_name=worker_name,
            worker_id=worker_id,
        )
        self._prepare_template()
        state = flow_run.state
        self.name_for(str(flow_run.id) if state is None else f"{flow_run.id}/{state.id}")

    def _prepare_template(self) -> None:
        from .._aci import template as arm
        from .._workers import names

        made = arm.pruned(self.arm_template)
        arm.check_parameters(made)
        group = arm.group_of(made)
        container = arm.container_of(group)
        keep = {names.KEEP: "true"} if self.keep_container_group else {}
        tags = names.tags_of({**self.labels, names.MADE_AT: names.now(), **keep})
        if not arm.is_expression(name := container.get("name")) and name:
            tags[names.CONTAINER] = str(name)
        self._tags = tags
        group["tags"] = arm.merged_tags(group.get("tags"), tags, names.BOUND)
        self._prepare_container(container.setdefault("properties", {}))
        self._prepare_group(group)
        self.arm_template = made

    def _prepare_container(self, properties: Json) -> None:
        from .._aci import template as arm

        # That of a template is for runs that bring none: a deployment with an image of its own has its flow in that.
        is_given = "image" in self.model_fields_set
        properties["image"] = self.image if is_given else properties.get("image") or self.image
        properties["command"] = [arm.literal(word) for word in self.command_words()]
        properties["environmentVariables"] = arm.environment(
            properties.get("environmentVariables"), self.env, ENV_SECRETS
        )
        requests = properties.setdefault("resources", {}).setdefault("requests", {})
        requests.setdefault("cpu", self.cpu)
        requests.setdefault("memoryInGB", self.memory)
        if self.gpu_count and self.gpu_sku:
            requests["gpu"] = {"count": self.gpu_count, "sku": self.gpu_sku}

    def command_words(self) -> list[str]:
        """The entry point, and the run's command taken apart as a shell does.

        Raises:
            ValueError: If a quotation mark is not closed.
        """
        command = self.command or self._base_flow_run_command()
        try:
            words = shlex.split(command)
        except ValueError as exc:
            message = f"`command` {command!r} cannot be taken apart: {exc}. Close its quotation marks."
            raise ValueError(message) from exc
        return [self.entrypoint, *words] if self.entrypoint else words

    def _prepare_group(self, group: Json) -> None:
        properties = group["properties"]
        properties.setdefault("osType", "Linux")
        # Azure's own default is Always: a run that has ended would be started again and again.
        properties.setdefault("restartPolicy", "Never")
        identities = list(self.identities or [])
        registry = self.image_registry
        known = {identity.lower() for identity in identities}
        if isinstance(registry, ACRManagedIdentity) and registry.identity.lower() not in known:
            identities.append(registry.identity)
        if registry is not None:
            entry = _registry_entry(registry)
            given: list[Json] = properties.get("imageRegistryCredentials") or []
            others = [item for item in given if item.get("server") != entry["server"]]
            properties["imageRegistryCredentials"] = [*others, entry]
        if identities:
            group["identity"] = _with_identities(group.get("identity"), identities)
        if self.subnet_ids:
            properties["subnetIds"] = [{"id": subnet_id} for subnet_id in self.subnet_ids]
        if self.dns_servers:
            properties["dnsConfig"] = {**(properties.get("dnsConfig") or {}), "nameServers": list(self.dns_servers)}

    def container_name(self, group_name: str) -> str:
        """Name of the container that runs the flow; empty where Azure alone knows what the template makes of it.

        Args:
            group_name: Name of the container group.
        """
        from .._aci import template as arm

        name = arm.container_of(arm.group_of(self.arm_template)).get("name")
        if not name or arm.refers_to(name, arm.CONTAINER_NAME):
            return group_name
        return "" if arm.is_expression(name) else str(name)

    def deployment_request(self, name: str) -> DeploymentRequest:
        """What is asked of Resource Manager: the template, its parameters, tags.

        Args:
            name: Name of the container group, and of the deployment.

        Raises:
            ValueError: If a parameter of the template has no value.
        """
        from .._aci.template import deployment_request

        return deployment_request(self.arm_template, name, self._tags)


def _registry_entry(registry: ACRManagedIdentity | DockerRegistryCredentials) -> Json:
    from .._aci.template import literal

    server = _server_of(registry.registry_url)
    if isinstance(registry, ACRManagedIdentity):
        return {"server": server, "identity": registry.identity}
    return {
        "server": server,
        "username": literal(registry.username),
        "password": literal(registry.password.get_secret_value()),
    }


def _server_of(url: str) -> str:
    """A registry as Azure takes it: the host without protocol and path."""
    return re.sub(r"^[a-z]+://", "", url.strip(), flags=re.IGNORECASE).partition("/")[0]


def _with_identities(given: Any, identities: list[str]) -> Json:
    """Give a container group identities beside those that its template gives it."""
    identity: Json = dict(given or {})
    kind = str(identity.get("type") or "")
    is_system = "systemassigned" in kind.replace(" ", "").lower()
    identity["type"] = "SystemAssigned, UserAssigned" if is_system else "UserAssigned"
    given_ones: Json = identity.get("userAssignedIdentities") or {}
    identity["userAssignedIdentities"] = {**given_ones, **{name: {} for name in identities}}
    return identity
