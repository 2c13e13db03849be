"""A container group: its containers from pulling to their end, and how Azure shows it."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .arm_errors import Json, object_of, rows_of, texts_of
from .arm_service import ResourceKey, resource_id
from .container_log import ContainerLog
from .container_runs import ContainerEnd, Launch, RunningContainer

if TYPE_CHECKING:
    from .arm_server import ArmServer
    from .container_play import Play

KIND = "Microsoft.ContainerInstance/containerGroups"
_GIB = 1_000_000_000


@dataclass
class GroupContainer:
    """A container of a group, through its restarts."""

    names: tuple[str, ...]
    data: Json
    is_init: bool
    state: str = "Waiting"
    started: str = ""
    ended: ContainerEnd | None = None
    ended_at: str = ""
    restarts: int = 0
    previous: Json | None = None
    events: list[Json] = field(default_factory=list[Json])
    log: ContainerLog = field(default_factory=ContainerLog)
    running: RunningContainer | None = None
    run: int = 0
    """Number of its present run: what an older one still says is not heard."""

    write: Callable[[Sequence[str]], None] = lambda lines: None

    @property
    def container(self) -> str:
        """Its name."""
        return self.data["name"]

    @property
    def environment(self) -> dict[str, str]:
        """Its environment, with secure values."""
        variables = rows_of(self.data["properties"], "environmentVariables")
        return {each["name"]: each.get("secureValue", each.get("value", "")) for each in variables}

    @property
    def current(self) -> Json:
        """`currentState` of its instance view."""
        view: Json = {"state": self.state, "detailStatus": ""}
        if self.started:
            view["startTime"] = self.started
        if self.ended is not None:
            view.update(exitCode=self.ended.exit_code, finishTime=self.ended_at, detailStatus=self.ended.detail)
        return view

    @property
    def view(self) -> Json:
        """Its instance view."""
        view: Json = {"restartCount": self.restarts, "currentState": self.current, "events": list(self.events)}
        if self.previous is not None:
            view["previousState"] = self.previous
        return view


class ContainerGroup:
    """A group. Everything happens under the server's lock."""

    def __init__(self, server: ArmServer, play: Play, key: ResourceKey, names: Sequence[str], data: Json) -> None:
        """Make one; `create` lets it begin.

        Args:
            server: Its clock and settings count.
            play: Starts its containers.
            key: Where it is.
            names: Subscription, resource group and name as they are written.
            data: The request.
        """
        self._server = server
        self._play = play
        self.key = key
        self.subscription, self.group, self.name = names
        self.data = data
        self.provisioning = "Pending"
        self.problem: Json | None = None
        self.is_stopped = False
        self.is_gone = False
        self.events: list[Json] = []
        self.done: list[Callable[[ContainerGroup], None]] = []
        """Told when it is provisioned, or could not be."""

        self.principal = str(uuid.uuid4())
        self._incarnation = 0
        self._fill()

    @property
    def id(self) -> str:
        """Its resource id."""
        return resource_id(self.subscription, self.group, KIND, self.name)

    @property
    def containers(self) -> list[GroupContainer]:
        """Init containers first."""
        return [*self.inits, *self.mains]

    @property
    def cores(self) -> float:
        """Cores that it asks for."""
        properties = self.data["properties"]
        return sum(each["properties"]["resources"]["requests"]["cpu"] for each in properties["containers"])

    @property
    def restart_policy(self) -> str:
        """`Always`, `OnFailure` or `Never`."""
        return self.data["properties"].get("restartPolicy", "Always")

    @property
    def state(self) -> str:
        """State of the group as its instance view says it."""
        if self.is_stopped:
            return "Stopped"
        if self.provisioning == "Failed":
            return "Failed"
        ended = [each.ended for each in self.mains]
        if all(end is not None for end in ended):
            return "Failed" if any(end is not None and end.exit_code for end in ended) else "Succeeded"
        if any(init.ended is not None and init.ended.exit_code for init in self.inits):
            return "Failed"
        return "Running" if any(each.state == "Running" for each in self.containers) else "Pending"

    def _fill(self) -> None:
        properties = self.data["properties"]
        names = (self.name,)
        self.inits = [GroupContainer(names, each, is_init=True) for each in rows_of(properties, "initContainers")]
        self.mains = [GroupContainer(names, each, is_init=False) for each in properties["containers"]]
        for each in self.containers:
            each.write = self._writer(each)

    def _writer(self, container: GroupContainer) -> Callable[[Sequence[str]], None]:
        def write(lines: Sequence[str]) -> None:
            with self._server.lock:
                container.log.add(lines, self._server.clock.ahead_seconds)

        return write

    def create(self) -> None:
        """Begin: pull images, then start."""
        self._incarnation += 1
        incarnation = self._incarnation
        self.provisioning, self.is_stopped = "Pending", False
        seconds = self._server.settings.create_seconds
        self._later(seconds / 2, incarnation, self._pull)
        self._later(seconds, incarnation, self._start_all)

    def replace(self, data: Json) -> None:
        """Change what it is, and start it anew."""
        self.halt(0)
        self.data = data
        self._fill()
        self.create()

    def restart(self) -> None:
        """Start all containers anew."""
        self.replace(self.data)

    def stop(self) -> None:
        """Stop all containers; the group stays."""
        self.is_stopped = True
        self.halt(self._server.settings.grace_seconds)
        if self.provisioning in ("Pending", "Creating"):
            self._provisioned("")

    def leave(self) -> None:
        """Go, as when it is deleted: who waits for it to be provisioned hears that it never will be."""
        self.halt(self._server.settings.grace_seconds)
        self.is_gone = True
        if self.provisioning not in ("Succeeded", "Failed"):
            self._provisioned(f"The container group '{self.name}' was deleted while it was created.")

    def halt(self, grace_seconds: float) -> None:
        """Stop what runs."""
        self._incarnation += 1
        for each in self.containers:
            if each.running is not None:
                self._event(each, "Killing", f"Killing container with id {each.container}.")
                each.running.stop(grace_seconds)

    def _later(self, seconds: float, incarnation: int, act: Callable[[], None]) -> None:
        def at_its_time() -> None:
            with self._server.lock:
                if self._incarnation == incarnation and not self.is_gone:
                    act()

        self._server.clock.later(seconds, at_its_time)

    def _event(self, container: GroupContainer, name: str, message: str, kind: str = "Normal") -> None:
        now = self._server.clock.text()
        event = {"count": 1, "firstTimestamp": now, "lastTimestamp": now, "name": name, "message": message}
        container.events.append({**event, "type": kind})

    def _pull(self) -> None:
        self.provisioning = "Creating"
        for each in self.containers:
            self._event(each, "Pulling", f'pulling image "{each.data["properties"]["image"]}"')

    def _start_all(self) -> None:
        for each in self.containers:
            image = each.data["properties"]["image"]
            if problem := self._play.pull_problem(each.names, each.container):
                self._event(each, "Failed", f'Failed to pull image "{image}": {problem}', "Warning")
                self._provisioned(f"Failed to pull image '{image}' of container '{each.container}': {problem}")
                return
            self._event(each, "Pulled", f'Successfully pulled image "{image}"')
        self._next()
        self._provisioned("")

    def _provisioned(self, problem: str) -> None:
        self.provisioning = "Failed" if problem else "Succeeded"
        self.problem = {"code": "ContainerGroupDeploymentFailed", "message": problem} if problem else None
        done, self.done = self.done, []
        for tell in done:
            tell(self)

    def _next(self) -> None:
        """Start what is to start now: init containers one by one, then all others."""
        for init in self.inits:
            if init.ended is None or init.ended.exit_code:
                if init.running is None and init.ended is None:
                    self._launch(init)
                return
        for each in self.mains:
            if each.running is None and each.ended is None:
                self._launch(each)

    def _launch(self, container: GroupContainer) -> None:
        container.run += 1
        run = container.run
        properties = container.data["properties"]

        def started() -> None:
            with self._server.lock:
                if container.run == run:
                    container.state, container.started = "Running", self._server.clock.text()
                    self._event(container, "Started", "Started container")

        def wrote(lines: Sequence[str]) -> None:
            with self._server.lock:
                if container.run == run:
                    container.log.add(lines, self._server.clock.ahead_seconds)

        def ended(end: ContainerEnd) -> None:
            with self._server.lock:
                if container.run == run:
                    self._ended(container, end)

        requests: Json = object_of(properties, "resources").get("requests", {})
        launch = Launch(
            container.names,
            container.container,
            properties["image"],
            texts_of(properties, "command"),
            (),
            container.environment,
            int(requests.get("memoryInGB", 1.5) * _GIB),
            self._files(properties),
            started,
            wrote,
            ended,
        )
        container.running = self._play.launch(launch)

    def _files(self, properties: Json) -> dict[str, bytes]:
        volumes = {each["name"]: object_of(each, "secret") for each in rows_of(self.data["properties"], "volumes")}
        return {
            f"{mount['mountPath']}/{path}": base64.b64decode(content)
            for mount in rows_of(properties, "volumeMounts")
            for path, content in volumes.get(mount["name"], {}).items()
        }

    def _ended(self, container: GroupContainer, end: ContainerEnd) -> None:
        container.running = None
        container.state, container.ended, container.ended_at = "Terminated", end, self._server.clock.text()
        if self.is_gone or self.is_stopped:
            return
        policy = self.restart_policy
        if not container.is_init and (policy == "Always" or (policy == "OnFailure" and end.exit_code)):
            container.previous, container.restarts = container.current, container.restarts + 1
            container.state, container.ended, container.started = "Waiting", None, ""
            self._later(self._server.settings.start_seconds, self._incarnation, self._next)
            return
        if container.is_init:
            self._next()

    def forget(self) -> None:
        """End it at once, as when it is deleted."""
        self.is_gone = True
        self.halt(0)

    def view(self, *, instance_view: bool = True) -> Json:
        """Show it as Azure does, without what is secret.

        Args:
            instance_view: With the states of its containers, which lists leave out.
        """
        properties: Json = dict(self.data["properties"])
        properties["provisioningState"] = self.provisioning
        for kind, containers in (("containers", self.mains), ("initContainers", self.inits)):
            if kind in properties:
                properties[kind] = [_shown(each, instance_view=instance_view) for each in containers]
        if "imageRegistryCredentials" in properties:
            registries: list[Json] = properties["imageRegistryCredentials"]
            properties["imageRegistryCredentials"] = [_without(each, "password") for each in registries]
        if "volumes" in properties:
            properties["volumes"] = [_shown_volume(each) for each in properties["volumes"]]
        if instance_view:
            properties["instanceView"] = {"events": list(self.events), "state": self.state}
        properties.setdefault("sku", "Standard")
        properties.setdefault("restartPolicy", self.restart_policy)
        shown: Json = {"id": self.id, "name": self.name, "type": KIND, **self.data, "properties": properties}
        if "identity" in shown:
            shown["identity"] = self._identity(shown["identity"])
        shown.setdefault("tags", {})
        return shown

    def _identity(self, identity: Json) -> Json:
        shown = dict(identity)
        if "SystemAssigned" in identity.get("type", ""):
            shown.update(principalId=self.principal, tenantId=self.subscription)
        if "userAssignedIdentities" in identity:
            ids = {"principalId": self.principal, "clientId": self.principal}
            shown["userAssignedIdentities"] = {name: dict(ids) for name in identity["userAssignedIdentities"]}
        return shown


def _shown(container: GroupContainer, *, instance_view: bool) -> Json:
    properties: Json = dict(container.data["properties"])
    if "environmentVariables" in properties:
        variables: list[Json] = properties["environmentVariables"]
        properties["environmentVariables"] = [_without(each, "secureValue") for each in variables]
    if instance_view:
        properties["instanceView"] = container.view
    return {"name": container.container, "properties": properties}


def _shown_volume(volume: Json) -> Json:
    shown: Json = dict(volume)
    if "secret" in shown:
        shown["secret"] = {}
    if "azureFile" in shown:
        shown["azureFile"] = _without(shown["azureFile"], "storageAccountKey")
    return shown


def _without(data: Any, name: str) -> Json:
    return {key: value for key, value in data.items() if key != name}
