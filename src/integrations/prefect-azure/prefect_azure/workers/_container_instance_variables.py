"""What a work pool of Azure Container Instances, or a deployment, may set."""

from __future__ import annotations

from typing import Any

from prefect.utilities.dockerutils import get_prefect_image_name
from prefect.workers.base import BaseVariables
from pydantic import ConfigDict, Field, SecretStr, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic reads the annotations

from prefect_docker.credentials import DockerRegistryCredentials

from ..container_instance import (
    ACI_DEFAULT_CPU,
    ACI_DEFAULT_MEMORY,
    DEFAULT_CONTAINER_ENTRYPOINT,
    ACRManagedIdentity,
)
from ..credentials import AzureContainerInstanceCredentials

DockerRegistry = ACRManagedIdentity | DockerRegistryCredentials | None
"""How a private registry is reached."""


class AzureContainerVariables(BaseVariables):
    """What a work pool or a deployment may set."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    image: str = Field(
        default_factory=get_prefect_image_name,
        description="Image of the container; the Prefect image of the worker's version when not given.",
        examples=["my-registry.azurecr.io/my-image:1.0"],
    )
    resource_group_name: str = Field(
        title="Azure Resource Group Name", description="Resource group that container groups are made in."
    )
    subscription_id: SecretStr = Field(
        title="Azure Subscription ID", description="ID of the subscription that the resource group belongs to."
    )
    identities: list[str] | None = Field(
        default=None,
        title="Identities",
        description="Resource IDs of user-assigned managed identities that the container group gets: "
        "/subscriptions/.../providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME.",
    )
    entrypoint: str | None = Field(
        default=DEFAULT_CONTAINER_ENTRYPOINT,
        description="What the container starts, with the command as its arguments. A command replaces the entry point "
        "of an image, so that of Prefect's images is named here. Empty for images without one.",
    )
    image_registry: ACRManagedIdentity | DockerRegistryCredentials | None = Field(
        default=None,
        title="Image Registry (Optional)",
        description="How a private registry is reached: a managed identity that may pull from a registry of Azure, or "
        "a Docker Registry Credentials block.",
    )
    cpu: float = Field(
        default=ACI_DEFAULT_CPU,
        title="CPU",
        description="Cores of the container, see "
        "https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits.",
    )
    gpu_count: int | None = Field(
        default=None, title="GPU Count", description="How many GPUs the container gets; needs `gpu_sku`."
    )
    gpu_sku: str | None = Field(
        default=None, title="GPU SKU", description="Type of GPU, such as V100; needs `gpu_count`."
    )
    memory: float = Field(default=ACI_DEFAULT_MEMORY, description="Gigabytes of memory of the container.")
    subnet_ids: list[str] | None = Field(
        default=None,
        title="Subnet IDs",
        description="Resource IDs of subnets that the container group joins: /subscriptions/.../subnets/NAME.",
    )
    dns_servers: list[str] | None = Field(
        default=None,
        title="DNS Servers",
        description="Addresses of DNS servers that the containers ask. Azure wants a subnet for that.",
    )
    aci_credentials: AzureContainerInstanceCredentials = Field(
        default_factory=AzureContainerInstanceCredentials,
        description="Who makes container groups; what is found where the worker runs when not given.",
    )
    stream_output: bool = Field(
        default=False, description="Whether the worker prints what the container prints, to its standard error."
    )
    task_start_timeout_seconds: int = Field(
        default=240,
        description="Seconds that Azure has to pull the image and start the container before the run crashes.",
    )
    task_watch_poll_interval: float = Field(
        default=5.0, description="Seconds between two looks at the container groups, all of them together."
    )
    keep_container_group: bool = Field(
        default=False,
        title="Keep Container Group After Completion",
        description="Whether the container group stays after its end.",
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        check_numbers(self)
        return self


def check_numbers(values: Any) -> None:
    """Refuse what Azure would refuse minutes later, or what would never end.

    Args:
        values: Has the fields of `AzureContainerVariables`.

    Raises:
        ValueError: If a field is out of its range or contradicts another; the message names it.
    """
    for name, unit in (("cpu", "cores"), ("memory", "gigabytes")):
        if not getattr(values, name) > 0:
            raise ValueError(f"`{name}` is {getattr(values, name)}; a container needs more than 0 {unit}.")
    for name in ("task_start_timeout_seconds", "task_watch_poll_interval"):
        if not getattr(values, name) >= 0:
            raise ValueError(f"`{name}` is {getattr(values, name)}; it is a number of seconds, and not negative.")
    count, sku = values.gpu_count, values.gpu_sku
    if count is not None and count < 0:
        raise ValueError(f"`gpu_count` is {count}; give a number of GPUs.")
    if bool(count) != bool(sku):
        given, missing = ("gpu_count", "gpu_sku") if count else ("gpu_sku", "gpu_count")
        raise ValueError(f"`{given}` is given without `{missing}`: a container with GPUs needs both.")
