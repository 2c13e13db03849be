"""What the flow runs of a work pool ask of Azure, whatever its type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._apps.configuration import AzureContainerAppJobConfiguration, main_container, part, pruned
from .._apps.names import EnvironmentId, environment_id_in, registry_host
from ..container_instance import ACRManagedIdentity

if TYPE_CHECKING:
    from prefect_docker.credentials import DockerRegistryCredentials

    from ..credentials import AzureContainerInstanceCredentials
    from ..workers.container_instance import AzureContainerJobConfiguration

Json = dict[str, Any]

_INSTANCE_ACTIONS = (
    *(f"Microsoft.Resources/deployments/{verb}" for verb in ("read", "write", "delete")),
    *(f"Microsoft.ContainerInstance/containerGroups/{verb}" for verb in ("read", "write", "delete")),
    "Microsoft.ContainerInstance/containerGroups/containers/logs/read",
)
_APP_ACTIONS = tuple(
    f"Microsoft.App/jobs/{verb}" for verb in ("read", "write", "delete", "start/action", "stop/action")
)


@dataclass(frozen=True)
class Registry:
    """A registry that images are pulled from.

    Attributes:
        host: Its name.
        identity: Managed identity that pulls; empty where somebody signs in.
        login: User and password; `None` where an identity pulls.
    """

    host: str
    identity: str = ""
    login: tuple[str, str] | None = None


@dataclass(frozen=True)
class PoolJob:
    """One job of a pool, as far as it can be looked at beforehand.

    Attributes:
        credentials: Who makes it.
        provider: Azure's name of the service.
        title: What people call it.
        subscription: The subscription.
        group: The resource group.
        image: The flow's image.
        actions: What the worker does.
        role: A role that allows it.
        identities: User-assigned identities that the job has.
        registries: Where images come from.
        environment: Container Apps environment; `None` for Container Instances.
        profile: Workload profile in it.
        subnets: Resource IDs of subnets that container groups join.
    """

    credentials: AzureContainerInstanceCredentials
    provider: str
    title: str
    subscription: str
    group: str
    image: str
    actions: Sequence[str]
    role: str
    identities: Sequence[str] = ()
    registries: Sequence[Registry] = ()
    environment: EnvironmentId | None = None
    profile: str = ""
    subnets: Sequence[str] = ()

    @property
    def group_id(self) -> str:
        """Resource ID of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    @property
    def environment_id(self) -> str:
        """Resource ID of the environment."""
        place = self.environment
        assert place is not None, "Container Apps have one."  # noqa: S101
        return (
            f"/subscriptions/{place.subscription}/resourceGroups/{place.group}/providers/Microsoft.App/"
            f"managedEnvironments/{place.name}"
        )


def of_container_instance(configuration: AzureContainerJobConfiguration) -> PoolJob:
    """Read a container group."""
    registry = configuration.image_registry
    return PoolJob(
        credentials=configuration.aci_credentials,
        provider="Microsoft.ContainerInstance",
        title="Container Instances",
        subscription=configuration.subscription_id.get_secret_value(),
        group=configuration.resource_group_name,
        image=configuration.image,
        actions=_INSTANCE_ACTIONS,
        role="Contributor",
        identities=list(_user_assigned(configuration.identities or ())),
        registries=[_registry(registry)] if registry is not None else [],
        subnets=configuration.subnet_ids or [],
    )


def of_container_app(configuration: AzureContainerAppJobConfiguration) -> PoolJob:
    """Read a Container Apps job."""
    from prefect.utilities.dockerutils import get_prefect_image_name

    manifest: Json = pruned(configuration.job_manifest)
    named = [
        *(configuration.identities or ()),
        *(each.identity for each in configuration.env_from_key_vault.values()),
        *(each.identity for each in configuration.registries if isinstance(each, ACRManagedIdentity)),
    ]
    return PoolJob(
        credentials=configuration.credentials,
        provider="Microsoft.App",
        title="Container Apps",
        subscription=configuration.subscription,
        group=configuration.resource_group,
        image=str(main_container(manifest).get("image") or get_prefect_image_name()),
        actions=_APP_ACTIONS,
        role="Container Apps Jobs Contributor",
        identities=list(_user_assigned(named)),
        registries=[_registry(each) for each in configuration.registries],
        environment=environment_id_in(configuration.environment_id),
        profile=str(part(manifest, "properties").get("workloadProfileName") or ""),
    )


def _user_assigned(identities: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for identity in identities:
        if identity.startswith("/") and identity.lower() not in seen:
            seen.add(identity.lower())
            yield identity


def _registry(registry: ACRManagedIdentity | DockerRegistryCredentials) -> Registry:
    host = registry_host(registry.registry_url)
    if isinstance(registry, ACRManagedIdentity):
        return Registry(host, identity=registry.identity)
    return Registry(host, login=(registry.username, registry.password.get_secret_value()))
