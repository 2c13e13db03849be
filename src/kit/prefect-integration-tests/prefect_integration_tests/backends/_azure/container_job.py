"""A job of Container Apps, and how Azure shows it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .arm_errors import Json, rows_of
from .arm_service import ResourceKey, resource_id
from .job_execution import KIND, Execution, ReplicaContainer

if TYPE_CHECKING:
    from .arm_server import ArmServer
    from .console_logs import ConsoleLogs
    from .container_play import Play


class ContainerJob:
    """A job. Everything happens under the server's lock."""

    def __init__(
        self, server: ArmServer, play: Play, logs: ConsoleLogs, key: ResourceKey, names: Sequence[str], data: Json
    ) -> None:
        """Make one.

        Args:
            server: Its clock and settings count.
            play: Starts its containers.
            logs: Where they write.
            key: Where it is.
            names: Subscription, resource group and name as they are written.
            data: The request.
        """
        self.server = server
        self.play = play
        self.logs = logs
        self.key = key
        self.subscription, self.group, self.name = names
        self.data = data
        self.provisioning = "InProgress"
        self.problem: Json | None = None
        self.is_suspended = False
        self.executions: list[Execution] = []
        self.done: list[Callable[[ContainerJob], None]] = []
        """Told when it is provisioned, or could not be."""

        self.principal = str(uuid.uuid4())

    @property
    def id(self) -> str:
        """Its resource id."""
        return resource_id(self.subscription, self.group, KIND, self.name)

    @property
    def configuration(self) -> Json:
        """Its configuration."""
        return self.data["properties"]["configuration"]

    @property
    def environment(self) -> str:
        """Id of its managed environment."""
        return self.data["properties"]["environmentId"]

    @property
    def secrets(self) -> dict[str, str]:
        """Values of its secrets; of those in a key vault, a text that says so."""
        rows: list[Json] = rows_of(self.configuration, "secrets")
        return {each["name"]: each.get("value", f"value of {each.get('keyVaultUrl')}") for each in rows}

    def environment_of(self, container: Json) -> dict[str, str]:
        """Give the environment of a container, with the values of secrets."""
        known = self.secrets
        rows: list[Json] = rows_of(container, "env")
        return {
            each["name"]: known[each["secretRef"]] if each.get("secretRef") else each.get("value", "") for each in rows
        }

    def files_of(self, container: Json) -> dict[str, bytes]:
        """Give the files of secret volumes that a container mounts."""
        volumes: dict[str, Json] = {
            each["name"]: each for each in rows_of(self.data["properties"]["template"], "volumes")
        }
        files: dict[str, bytes] = {}
        for mount in rows_of(container, "volumeMounts"):
            volume = volumes[mount["volumeName"]]
            if volume.get("storageType") == "Secret":
                chosen: list[Json] = volume.get("secrets") or [
                    {"secretRef": name, "path": name} for name in self.secrets
                ]
                for each in chosen:
                    files[f"{mount['mountPath']}/{each['path']}"] = self.secrets[each["secretRef"]].encode()
        return files

    def provision(self) -> None:
        """Begin to provision it."""
        self.provisioning = "InProgress"

        def provisioned() -> None:
            with self.server.lock:
                if self.provisioning == "InProgress":
                    self.provisioning = "Failed" if self.problem else "Succeeded"
                    done, self.done = self.done, []
                    for tell in done:
                        tell(self)

        self.server.clock.later(self.server.settings.create_seconds, provisioned)

    def start(self, override: Json) -> Execution:
        """Start an execution.

        Args:
            override: `containers` and `initContainers` instead of the job's; empty for the job's.
        """
        template: Mapping[str, Any] = self.data["properties"]["template"]
        chosen: Json = {kind: template.get(kind) or [] for kind in ("containers", "initContainers")}
        for kind, given in override.items():
            mounts = {each["name"]: each.get("volumeMounts") for each in chosen[kind]}
            chosen[kind] = [
                {**each, "volumeMounts": mounts[each["name"]]} if mounts.get(each["name"]) else each for each in given
            ]
        execution = Execution(self, chosen)
        self.executions.insert(0, execution)

        def begin() -> None:
            with self.server.lock:
                execution.start()

        self.server.clock.later(self.server.settings.start_seconds, begin)
        return execution

    def kill(self) -> None:
        """End all containers at once, whatever they were told before."""
        for execution in self.executions:
            execution.stop(grace_seconds=0)
        for each in self.containers:
            if each.running is not None:
                each.running.stop(0)

    @property
    def containers(self) -> list[ReplicaContainer]:
        """Containers of all executions."""
        return [each for execution in self.executions for replica in execution.replicas for each in replica.containers]

    def view(self) -> Json:
        """Show it as Azure does, without the values of secrets."""
        properties: Json = dict(self.data["properties"])
        configuration: Json = {"replicaRetryLimit": 0, **self.configuration}
        if configuration.get("secrets"):
            rows: list[Json] = configuration["secrets"]
            configuration["secrets"] = [{k: v for k, v in each.items() if k != "value"} for each in rows]
        properties["configuration"] = configuration
        properties["provisioningState"] = self.provisioning
        is_ready = self.provisioning == "Succeeded"
        properties["runningState"] = "Suspended" if self.is_suspended else "Ready" if is_ready else "Progressing"
        properties["outboundIpAddresses"] = []
        path = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/jobs/{self.name}/eventstream"
        properties["eventStreamEndpoint"] = f"{self.server.endpoint}{path}"
        shown: Json = {"id": self.id, "name": self.name, "type": KIND, **self.data, "properties": properties}
        if "identity" in shown:
            shown["identity"] = self._identity(shown["identity"])
        return shown

    def _identity(self, identity: Json) -> Json:
        shown = dict(identity)
        if "SystemAssigned" in identity.get("type", ""):
            shown.update(principalId=self.principal, tenantId=self.subscription)
        if identity.get("userAssignedIdentities"):
            ids = {"principalId": self.principal, "clientId": self.principal}
            shown["userAssignedIdentities"] = {name: dict(ids) for name in identity["userAssignedIdentities"]}
        return shown
