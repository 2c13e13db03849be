"""What a work pool of Container Apps jobs, or a deployment, may set."""

from __future__ import annotations

import re
from typing import Literal

from prefect.utilities.dockerutils import get_prefect_image_name
from prefect.workers.base import BaseVariables
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic reads the annotations

from prefect_docker.credentials import DockerRegistryCredentials

from ..container_instance import ACRManagedIdentity
from ..credentials import AzureContainerInstanceCredentials
from .names import check_identity, check_reader, environment_id_in

_DOCS = "https://learn.microsoft.com/azure/container-apps"
CONSUMPTION = "consumption"
_MOST_CPU, _CPU_STEP, _MEMORY_PER_CPU = 4.0, 0.25, 2.0
"""Of the Consumption plan, see https://learn.microsoft.com/azure/container-apps/containers#allocations."""
_KEY_VAULT = re.compile(r"https://[^/]+/secrets/[^/]+(?:/[^/]+)?/?")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)Gi")

SECRET_VARIABLES = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS")
"""Variables of each run whose values go into secrets of its job."""


class KeyVaultSecretReference(BaseModel):
    """A secret in Azure Key Vault that Container Apps reads when the job is made."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    url: str = Field(
        description="Address of the secret, https://{vault}.vault.azure.net/secrets/{name}, with /{version} for a "
        "fixed one."
    )
    identity: str = Field(
        description="Resource ID of the user-assigned managed identity that may read it (role Key Vault Secrets User)."
    )

    @field_validator("url")
    @classmethod
    def _is_a_secret(cls, url: str) -> str:
        if not _KEY_VAULT.fullmatch(url):
            raise ValueError(
                f"{url!r} is no address of a Key Vault secret; expected 'https://{{vault}}.vault.azure.net/secrets/"
                "{name}', with '/{version}' for a fixed version."
            )
        return url.rstrip("/")

    @field_validator("identity")
    @classmethod
    def _is_an_identity(cls, identity: str) -> str:
        check_reader(identity, "identity")
        return identity


class ContainerAppVolume(BaseModel):
    """A volume of a job, and where the container that runs the flow mounts it."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    name: str = Field(description="Name of the volume.", pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    mount_path: str = Field(description="Path in the container.", pattern=r"^/[^:]*$")
    storage_type: Literal["AzureFile", "NfsAzureFile", "EmptyDir", "Secret"] = Field(
        default="AzureFile", description="What the volume is."
    )
    storage_name: str | None = Field(
        default=None, description="Name of the environment's storage, for a file share that it has been given."
    )
    sub_path: str | None = Field(default=None, description="Path in the volume; its root when not given.")
    mount_options: str | None = Field(default=None, description="Options of the mount, with commas between them.")

    @model_validator(mode="after")
    def _has_a_storage(self) -> Self:
        is_share = self.storage_type in ("AzureFile", "NfsAzureFile")
        if is_share != (self.storage_name is not None):
            raise ValueError(
                f"the volume {self.name!r} of type {self.storage_type} "
                + ("needs a storage_name." if is_share else "takes no storage_name.")
            )
        return self


class AzureContainerAppVariables(BaseVariables):
    """What a work pool or a deployment may set."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    credentials: AzureContainerInstanceCredentials = Field(
        default_factory=AzureContainerInstanceCredentials,
        title="Azure Credentials",
        description="Credentials that jobs are made with; the identity of the worker's environment where none are "
        "given.",
    )
    environment_id: str = Field(
        title="Container Apps Environment",
        description="Resource ID of the Container Apps environment that jobs run in, as `az containerapp env show "
        "--query id` prints it.",
        examples=["/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.App/managedEnvironments/NAME"],
    )
    subscription_id: str | None = Field(
        default=None,
        title="Azure Subscription ID",
        description="Subscription that jobs are made in; that of the environment when not given.",
    )
    resource_group_name: str | None = Field(
        default=None,
        title="Azure Resource Group Name",
        description="Resource group that jobs are made in; that of the environment when not given.",
    )
    location: str | None = Field(
        default=None,
        description="Region of the environment, such as westeurope; it is looked up when not given.",
    )
    image: str = Field(
        default_factory=get_prefect_image_name,
        description="Image of the container; the Prefect image of the worker's version when not given.",
        examples=["my-registry.azurecr.io/my-image:1.0"],
    )
    entrypoint: str | None = Field(
        default=None,
        description="Entry point of the container, which the command follows; the image's own one when not given.",
    )
    cpu: float = Field(
        default=0.5,
        gt=0,
        title="CPU",
        description="Cores of the container. In the Consumption plan 0.25 to 4, in steps of 0.25.",
    )
    memory: str | None = Field(
        default=None,
        description="Memory of the container, such as 1Gi; two gibibytes for each core when not given, which is what "
        f"the Consumption plan wants, see {_DOCS}/containers#allocations.",
    )
    env_secrets: dict[str, SecretStr] = Field(
        default_factory=dict,
        title="Secret Environment Variables",
        description="Environment variables whose values are kept in secrets of the job, where they cannot be read.",
    )
    env_from_key_vault: dict[str, KeyVaultSecretReference] = Field(
        default_factory=dict,
        title="Environment Variables from Key Vault",
        description="Environment variables whose values Container Apps takes from Azure Key Vault.",
    )
    secret_env: list[str] = Field(
        default_factory=lambda: list(SECRET_VARIABLES),
        title="Names of Secret Variables",
        description="Names of variables that are kept in secrets of the job when the run's environment has them.",
    )
    registries: list[ACRManagedIdentity | DockerRegistryCredentials] = Field(
        default_factory=list,
        title="Image Registries",
        description="How images are pulled from private registries: by a managed identity from Azure Container "
        "Registry, else by a Docker Registry Credentials block.",
    )
    identities: list[str] | None = Field(
        default=None,
        description="Managed identities of the job: `system`, and resource IDs of user-assigned ones. Those that "
        "registries and Key Vault references name are added.",
    )
    replica_timeout: int = Field(
        default=86400,
        ge=1,
        title="Replica Timeout",
        description="Seconds after which Container Apps ends the container.",
    )
    replica_retry_limit: int = Field(
        default=0,
        ge=0,
        title="Replica Retry Limit",
        description="How often Container Apps starts a failed container again. Retries of the flow are Prefect's to "
        "do.",
    )
    workload_profile_name: str | None = Field(
        default=None,
        title="Workload Profile",
        description="Workload profile of the environment that the job runs on; Consumption when not given.",
    )
    volumes: list[ContainerAppVolume] = Field(
        default_factory=list,
        description="Volumes of the container that runs the flow: file shares of the environment, or a folder that "
        "lasts as long as the run.",
    )
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of the job, beside Prefect's own.")
    log_analytics_workspace_id: str | None = Field(
        default=None,
        title="Log Analytics Workspace",
        description="ID (a GUID) of the workspace that a crashed run's last lines are read from; that of the "
        "environment when not given.",
    )
    keep_job: bool = Field(
        default=False, title="Keep Job After Completion", description="Whether the job stays after its end."
    )

    @field_validator("environment_id")
    @classmethod
    def _is_an_environment(cls, value: str) -> str:
        environment_id_in(value)
        return value

    @field_validator("identities")
    @classmethod
    def _are_identities(cls, identities: list[str] | None) -> list[str] | None:
        for identity in identities or ():
            check_identity(identity, "identities")
        return identities

    @model_validator(mode="after")
    def _has_resources(self) -> Self:
        check_resources(self.cpu, self.memory, self.workload_profile_name)
        return self


def memory_for(cpu: float) -> str:
    """The memory that goes with a number of cores in the Consumption plan."""
    return f"{cpu * _MEMORY_PER_CPU:g}Gi"


def check_resources(cpu: float, memory: str | None, workload_profile: str | None) -> None:
    """Refuse what Container Apps would refuse.

    Args:
        cpu: Cores.
        memory: Such as `1Gi`.
        workload_profile: Name of the profile.

    Raises:
        ValueError: If it is no amount, or the Consumption plan has no such combination.
    """
    found = _MEMORY.fullmatch(memory) if memory is not None else None
    if memory is not None and found is None:
        raise ValueError(f"`memory` is {memory!r}; give gibibytes, such as '1Gi' or '0.5Gi'.")
    if workload_profile and workload_profile.lower() != CONSUMPTION:
        return
    if cpu > _MOST_CPU or (cpu / _CPU_STEP) % 1:
        raise ValueError(
            f"`cpu` is {cpu:g}; the Consumption plan has 0.25 to 4 cores in steps of 0.25. Correct it, or name a "
            f"`workload_profile_name`. See {_DOCS}/containers#allocations."
        )
    if found is not None and float(found[1]) != cpu * _MEMORY_PER_CPU:
        raise ValueError(
            f"`cpu` {cpu:g} and `memory` {memory} do not go together: the Consumption plan has {memory_for(cpu)} for "
            f"{cpu:g} cores. Leave `memory` out, or name a `workload_profile_name`. See {_DOCS}/containers#allocations."
        )
