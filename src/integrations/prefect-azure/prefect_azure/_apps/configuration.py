"""What one flow run asks of Azure Container Apps."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from prefect.utilities.dockerutils import get_prefect_image_name
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, field_validator

from prefect_docker.credentials import DockerRegistryCredentials
from prefect_integration_kit.job_configuration import JobConfiguration

from .._workers.names import BOUND, KEEP, MADE_AT, now, resource_name, tags_of
from ..container_instance import ACRManagedIdentity
from ..credentials import AzureContainerInstanceCredentials
from . import names
from .variables import (
    SECRET_VARIABLES,
    ContainerAppVolume,
    KeyVaultSecretReference,
    check_resources,
    memory_for,
)

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

Json = dict[str, Any]

MAIN_CONTAINER = "flow-run"
_TEMPLATE: Json = {
    "location": "{{ location }}",
    "properties": {
        "environmentId": "{{ environment_id }}",
        "workloadProfileName": "{{ workload_profile_name }}",
        "configuration": {
            "triggerType": "Manual",
            "replicaTimeout": "{{ replica_timeout }}",
            "replicaRetryLimit": "{{ replica_retry_limit }}",
            "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1},
            "secrets": [],
            "registries": [],
        },
        "template": {
            "containers": [
                {
                    "name": MAIN_CONTAINER,
                    "image": "{{ image }}",
                    "command": "{{ entrypoint }}",
                    "args": "{{ command }}",
                    "env": [],
                    "resources": {"cpu": "{{ cpu }}", "memory": "{{ memory }}"},
                    "volumeMounts": [],
                }
            ],
            "initContainers": [],
            "volumes": [],
        },
    },
}


class AzureContainerAppJobConfiguration(JobConfiguration):
    """What one flow run asks of Container Apps: the work pool's job template with all variables filled in."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    credentials: AzureContainerInstanceCredentials = Field(
        default_factory=AzureContainerInstanceCredentials,
        title="Azure Credentials",
        description="Credentials that jobs are made with.",
    )
    environment_id: str = Field(
        title="Container Apps Environment", description="Resource ID of the environment that jobs run in."
    )
    subscription_id: str | None = Field(
        default=None, title="Azure Subscription ID", description="Subscription that jobs are made in."
    )
    resource_group_name: str | None = Field(
        default=None, title="Azure Resource Group Name", description="Resource group that jobs are made in."
    )
    job_manifest: dict[str, Any] = Field(
        json_schema_extra={"template": _TEMPLATE},
        description="The job, as Azure Resource Manager takes it, see "
        "https://learn.microsoft.com/azure/templates/microsoft.app/jobs. Secrets belong in the variables made for "
        "them.",
    )
    env_secrets: dict[str, SecretStr] = Field(
        default_factory=dict,
        title="Secret Environment Variables",
        description="Environment variables whose values are kept in secrets of the job.",
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
        default_factory=list, title="Image Registries", description="How images are pulled from private registries."
    )
    identities: list[str] | None = Field(default=None, description="Managed identities of the job.")
    volumes: list[ContainerAppVolume] = Field(
        default_factory=list, description="Volumes of the container that runs the flow."
    )
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of the job, beside Prefect's own.")
    log_analytics_workspace_id: str | None = Field(
        default=None,
        title="Log Analytics Workspace",
        description="ID of the workspace that a crashed run's last lines are read from.",
    )
    keep_job: bool = Field(
        default=False, title="Keep Job After Completion", description="Whether the job stays after its end."
    )

    _job_name: str = PrivateAttr(default="")
    _secret_values: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    @field_validator("environment_id")
    @classmethod
    def _is_an_environment(cls, value: str) -> str:
        names.environment_id_in(value)
        return value

    @field_validator("identities")
    @classmethod
    def _are_identities(cls, identities: list[str] | None) -> list[str] | None:
        for identity in identities or ():
            names.check_identity(identity, "identities")
        return identities

    @field_validator("subscription_id")
    @classmethod
    def _is_a_subscription(cls, text: str | None) -> str | None:
        if text and not names.is_subscription(text):
            raise ValueError(f"{text!r} is not the ID of a subscription. Give the ID alone, without /subscriptions/.")
        return text

    @field_validator("resource_group_name")
    @classmethod
    def _is_a_group(cls, text: str | None) -> str | None:
        if text and not names.is_group(text):
            raise ValueError(
                f"{text!r} is not the name of a resource group: up to 90 letters, digits, `-_.()`, and no period at "
                "the end. Give the name alone, without /subscriptions/.../resourceGroups/."
            )
        return text

    @field_validator("job_manifest")
    @classmethod
    def _is_a_job(cls, manifest: Json) -> Json:
        part(manifest, "properties", "configuration")
        main_container(manifest)
        trigger = part(manifest, "properties", "configuration").get("triggerType", "Manual")
        if trigger != "Manual":
            raise ValueError(
                f"`job_manifest`: properties.configuration.triggerType is {trigger!r}; the worker starts jobs itself, "
                "so it must be 'Manual'."
            )
        return manifest

    # Where

    @property
    def subscription(self) -> str:
        """ID of the subscription that jobs are made in."""
        return self.subscription_id or names.environment_id_in(self.environment_id).subscription

    @property
    def resource_group(self) -> str:
        """Name of the resource group that jobs are made in."""
        return self.resource_group_name or names.environment_id_in(self.environment_id).group

    @property
    def job_name(self) -> str:
        """Name of the run's job: at most 32 characters, the same for every try of one submission."""
        return self._job_name or self.name_for(self.name or "")

    def name_for(self, submission: str) -> str:
        """Name the job of a submission, and keep the name.

        Args:
            submission: Names the attempt of the run.
        """
        self._job_name = resource_name(self.name, submission, longest=names.LONGEST_NAME)
        return self._job_name

    # What

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: APIFlow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Add what belongs to one run: name, environment, secrets, tags, command, image.

        Variables that are secret are taken out of the environment and the manifest.

        Args:
            flow_run: The run.
            deployment: Its deployment.
            flow: Its flow.
            work_pool: The work pool.
            worker_name: Name of the worker that submits the run.
            worker_id: ID of the worker.

        Raises:
            ValueError: If the manifest lacks a part that is needed, or a variable contradicts another; the message
                names it.
        """
        super().prepare_for_flow_run(
            flow_run=flow_run,
            deployment=deployment,
            flow=flow,
            work_pool=work_pool,
            worker_name=worker_name,
            worker_id=worker_id,
        )
        manifest = pruned(deepcopy(self.job_manifest))
        properties = part(manifest, "properties")
        properties.setdefault("environmentId", self.environment_id)
        settings = part(manifest, "properties", "configuration")
        container = main_container(manifest)
        self._prepare_container(container, str(properties.get("workloadProfileName") or ""))
        self._prepare_environment(container, settings)
        self._prepare_registries(settings)
        self._prepare_volumes(part(manifest, "properties", "template"), container)
        self._prepare_identity(manifest)
        self._prepare_tags(manifest)
        settings.setdefault("triggerType", "Manual")
        # A container that has failed is not started again: whether the flow is retried is Prefect's to say.
        settings.setdefault("replicaRetryLimit", 0)
        settings.setdefault("manualTriggerConfig", {"parallelism": 1, "replicaCompletionCount": 1})
        self.job_manifest = manifest
        state = flow_run.state
        self.name_for(str(flow_run.id) if state is None else f"{flow_run.id}/{state.id}")

    def _prepare_container(self, container: Json, workload_profile: str) -> None:
        container.setdefault("name", MAIN_CONTAINER)
        container["image"] = container.get("image") or get_prefect_image_name()
        # Azure calls the entry point a command, and what follows it arguments.
        if entrypoint := words(container.get("command")):
            container["command"] = entrypoint
        else:
            container.pop("command", None)
        container["args"] = words(container.get("args") or self.command or self._base_flow_run_command())
        resources: Json = container.setdefault("resources", {})
        cpu = float(resources.get("cpu") or 0.5)
        check_resources(cpu, resources.get("memory"), workload_profile)
        resources.update(cpu=cpu, memory=resources.get("memory") or memory_for(cpu))

    def _prepare_environment(self, container: Json, settings: Json) -> None:
        plain = {name: str(value) for name, value in self.env.items() if value is not None}
        secret = {name: SecretStr(plain[name]) for name in self.secret_env if plain.get(name)}
        secret |= {name: value for name, value in self.env_secrets.items() if value.get_secret_value()}
        from_vault = dict(self.env_from_key_vault)
        secret = {name: value for name, value in secret.items() if name not in from_vault}
        hidden = {*secret, *from_vault, *self.env_secrets}
        self.env = {name: value for name, value in self.env.items() if name not in hidden}

        own = names.secret_names([*secret, *from_vault])
        given: list[Json] = settings.get("secrets") or []
        if taken := sorted({str(entry.get("name")) for entry in given} & set(own.values())):
            raise ValueError(
                f"`job_manifest`: its secrets {', '.join(taken)} have names that the worker gives to secrets of "
                "environment variables. Name them otherwise."
            )
        references = [
            {"name": own[name], "keyVaultUrl": reference.url, "identity": reference.identity}
            for name, reference in from_vault.items()
        ]
        settings["secrets"] = [*given, *references]
        self._secret_values = {own[name]: value for name, value in secret.items()}
        entries: dict[str, Json] = {str(entry["name"]): dict(entry) for entry in container.get("env") or ()}
        entries.update(
            {name: {"name": name, "value": str(value)} for name, value in self.env.items() if value is not None}
        )
        entries.update({name: {"name": name, "secretRef": own[name]} for name in own})
        container["env"] = list(entries.values())

    def _prepare_registries(self, settings: Json) -> None:
        given: list[Json] = list(settings.get("registries") or [])
        for number, registry in enumerate(self.registries):
            if isinstance(registry, ACRManagedIdentity):
                names.check_reader(registry.identity, "registries", may_be_environment=True)
                given.append({"server": names.registry_host(registry.registry_url), "identity": registry.identity})
                continue
            secret_name = f"registry-{number}"
            self._secret_values[secret_name] = registry.password
            given.append(
                {
                    "server": names.registry_host(registry.registry_url),
                    "username": registry.username,
                    "passwordSecretRef": secret_name,
                }
            )
        settings["registries"] = given

    def _prepare_volumes(self, template: Json, container: Json) -> None:
        volumes: list[Json] = list(template.get("volumes") or [])
        mounts: list[Json] = list(container.get("volumeMounts") or [])
        for volume in self.volumes:
            source = {
                "name": volume.name,
                "storageType": volume.storage_type,
                "storageName": volume.storage_name,
                "mountOptions": volume.mount_options,
            }
            volumes.append(pruned(source))
            mount = {"volumeName": volume.name, "mountPath": volume.mount_path, "subPath": volume.sub_path}
            mounts.append(pruned(mount))
        seen: set[str] = set()
        for entry in volumes:
            if (name := str(entry.get("name"))) in seen:
                raise ValueError(f"`volumes`: there are two with the name {name!r}. Give each a name of its own.")
            seen.add(name)
        template["volumes"], container["volumeMounts"] = volumes, mounts

    def _prepare_identity(self, manifest: Json) -> None:
        named = [*(self.identities or ()), *(reference.identity for reference in self.env_from_key_vault.values())]
        pulling = [registry.identity for registry in self.registries if isinstance(registry, ACRManagedIdentity)]
        named += [identity for identity in pulling if identity.lower() != "system-environment"]
        if not named:
            return
        given: Json = manifest.get("identity") or {}
        assigned: Json = dict(given.get("userAssignedIdentities") or {})
        known = {identity.lower() for identity in assigned}
        for identity in named:
            if identity.lower() != "system" and identity.lower() not in known:
                assigned[identity] = {}
                known.add(identity.lower())
        has_own = "SystemAssigned" in str(given.get("type")) or any(each.lower() == "system" for each in named)
        kinds = [*(["SystemAssigned"] if has_own else []), *(["UserAssigned"] if assigned else [])]
        manifest["identity"] = {
            "type": ",".join(kinds),
            **({"userAssignedIdentities": assigned} if assigned else {}),
        }

    def _prepare_tags(self, manifest: Json) -> None:
        ours = tags_of(self.labels)
        bound = {name: ours[name] for name in BOUND if name in ours}
        bound[MADE_AT] = now()
        if self.keep_job:
            bound[KEEP] = "true"
        if self.log_analytics_workspace_id:
            bound[names.WORKSPACE] = self.log_analytics_workspace_id
        given: Mapping[str, str] = manifest.get("tags") or {}
        # Azure takes 50 tags: what people have asked for counts more than what Prefect says of the run.
        merged = {**ours, **given, **self.tags, **bound}
        manifest["tags"] = tags_of({name: merged[name] for name in (*bound, *given, *self.tags, *ours)})

    # The request

    @property
    def secret_values(self) -> Sequence[SecretStr]:
        """What no message may repeat."""
        return list(self._secret_values.values())

    def request_of(self, location: str | None = None) -> Json:
        """The body of the request that creates the job, secrets included.

        Args:
            location: Region, where the manifest names none.
        """
        body = deepcopy(self.job_manifest)
        if location is not None:
            body.setdefault("location", location)
        settings = part(body, "properties", "configuration")
        values = [{"name": name, "value": value.get_secret_value()} for name, value in self._secret_values.items()]
        settings["secrets"] = [*settings.get("secrets", []), *values]
        return body


def part(document: Any, *path: str) -> Json:
    """Walk into a manifest.

    Raises:
        ValueError: If a part is missing, or no map; the message names it.
    """
    found = document
    for index, key in enumerate(path):
        found = cast("Json", found).get(key) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise ValueError(  # noqa: TRY004 - a bad value
                f"`job_manifest` has no {'.'.join(path[: index + 1])}: a Container Apps job needs it. Compare the work "
                "pool's job template with the default one (prefect work-pool get-default-base-job-template)."
            )
    return cast("Json", found)


def main_container(manifest: Json) -> Json:
    """The container that runs the flow: the one named `flow-run`, else the first.

    Raises:
        ValueError: If there is none.
    """
    containers: Any = part(manifest, "properties", "template").get("containers")
    known = cast("list[Any]", containers) if isinstance(containers, list) else []
    if not known or not all(isinstance(each, dict) for each in known):
        raise ValueError(
            "`job_manifest`: properties.template.containers must be a list with the container that runs the flow."
        )
    return next((each for each in known if each.get("name") == MAIN_CONTAINER), known[0])


def pruned(document: Any) -> Any:
    """Copy a document without `None`: what no variable has filled in."""
    if isinstance(document, Mapping):
        known = cast("Mapping[str, Any]", document)
        return {key: pruned(value) for key, value in known.items() if value is not None}
    if isinstance(document, list):
        return [pruned(item) for item in cast("list[Any]", document) if item is not None]
    return document


def words(command: str | Sequence[str] | None) -> list[str]:
    """Take a command apart as a shell does; a list is taken apart already.

    Raises:
        ValueError: If a quotation mark is not closed.
    """
    if not command:
        return []
    if not isinstance(command, str):
        return [str(word) for word in command]
    try:
        return shlex.split(command)
    except ValueError as exc:
        raise ValueError(f"`command` {command!r} cannot be taken apart: {exc}. Close its quotation marks.") from exc
