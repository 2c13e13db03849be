"""Azure Container Instances: container groups, and the logs of their containers.

https://learn.microsoft.com/rest/api/container-instances/container-groups
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .arm_errors import ArmError, Json, resource_not_found, rows_of
from .arm_operations import AsyncOperation
from .arm_service import (
    GROUP_PATH,
    SUBSCRIPTION_PATH,
    Answer,
    ArmRequest,
    Provider,
    ResourceKey,
    answers,
    page,
)
from .container_group import KIND, ContainerGroup, GroupContainer
from .container_group_checks import check_group

if TYPE_CHECKING:
    from .arm_server import ArmServer
    from .container_play import Play

_ALL = f"{SUBSCRIPTION_PATH}/providers/{KIND}"
_GROUPS = f"{GROUP_PATH}/providers/{KIND}"
_GROUP = _GROUPS + "/{containerGroupName}"
_CONTAINER = _GROUP + "/containers/{containerName}"
_LOCATION = SUBSCRIPTION_PATH + "/providers/Microsoft.ContainerInstance/locations/{location}"


class ContainerInstance(Provider):
    """All container groups of all subscriptions."""

    namespace = "Microsoft.ContainerInstance"
    version = "2023-05-01"

    def __init__(self, server: ArmServer, play: Play) -> None:
        """Start with none.

        Args:
            server: Where it stands.
            play: Starts containers.
        """
        super().__init__(server)
        self._play = play
        self.groups: dict[ResourceKey, ContainerGroup] = {}
        self._leaving: list[ContainerGroup] = []
        self.started = 0
        """How many groups were created."""

        play.sources.append(self._live)

    def model(self, name: str) -> type[Any]:
        """Give a model class of azure-mgmt-containerinstance."""
        return getattr(import_module("azure.mgmt.containerinstance.models"), name)

    def reset(self) -> None:
        """Forget all groups, and end their containers."""
        for group in self.groups.values():
            group.forget()
        for group in self._leaving:
            group.forget()
        self.groups.clear()
        self._leaving.clear()
        self.started = 0

    def _live(self) -> Iterable[GroupContainer]:
        return [each for group in [*self.groups.values(), *self._leaving] for each in group.containers]

    # What others need

    def get_group(self, subscription: str, group: str, name: str) -> ContainerGroup:
        """Give a group.

        Raises:
            ArmError: 404.
        """
        found = self.groups.get(ResourceKey.of(subscription, group, name))
        if found is None:
            raise resource_not_found(KIND, name, group)
        return found

    def put(self, subscription: str, group: str, name: str, data: Json) -> tuple[ContainerGroup, bool]:
        """Create or change a group.

        Returns:
            The group, and whether it is new.

        Raises:
            ArmError: The refusal.
        """
        data = {**data, "location": data.get("location", "")}
        check_group(name, data)
        key = ResourceKey.of(subscription, group, name)
        known = self.groups.get(key)
        if known is not None and known.provisioning not in ("Succeeded", "Failed"):
            said = f"The container group '{name}' is still transitioning, please retry later."
            raise ArmError(409, "ContainerGroupTransitioning", said)
        self._check_images(name, data)
        self._check_quota(subscription, data, known)
        if known is None:
            created = ContainerGroup(self.server, self._play, key, (subscription, group, name), data)
            self.groups[key] = created
            self.started += 1
            created.create()
            return created, True
        if known.data != data:
            known.replace(data)
        return known, False

    def _check_images(self, name: str, data: Json) -> None:
        properties = data["properties"]
        for container in [*rows_of(properties, "initContainers"), *properties["containers"]]:
            image = container["properties"]["image"]
            if not self._play.can_pull([name], container["name"], image):
                said = f"The image '{image}' in container group '{name}' is not accessible. "
                raise ArmError(400, "InaccessibleImage", f"{said}Please check the image and registry credential.")

    def _check_quota(self, subscription: str, data: Json, known: ContainerGroup | None) -> None:
        settings, location = self.server.settings, data["location"].lower()
        others = [
            each
            for each in self.groups.values()
            if each is not known
            and each.key.subscription == subscription.lower()
            and each.data["location"].lower() == location
        ]
        asked = sum(each["properties"]["resources"]["requests"]["cpu"] for each in data["properties"]["containers"])
        for quota, limit, usage, wanted in (
            ("StandardCores", settings.core_quota, sum(each.cores for each in others), asked),
            ("ContainerGroups", settings.group_quota, len(others), 1),
        ):
            if limit is not None and usage + wanted > limit:
                raise ArmError(
                    409,
                    "ContainerGroupQuotaReached",
                    f"Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota '{quota}' "
                    f"exceeded in region '{location}'. Limit: '{limit}', Usage: '{usage}' Requested: '{wanted}'.",
                )

    def remove(self, group: ContainerGroup) -> None:
        """Delete a group at once; its containers get SIGTERM, and SIGKILL after the grace."""
        self.groups.pop(group.key, None)
        group.leave()
        self._leaving = [each for each in [*self._leaving, group] if any(c.running for c in each.containers)]

    # Operations

    @answers("ContainerGroups_List", "GET", _ALL, answer="ContainerGroup[]")
    def list_all(self, request: ArmRequest) -> Answer:
        """Give the groups of a subscription."""
        return self._list(request, "")

    @answers("ContainerGroups_ListByResourceGroup", "GET", _GROUPS, answer="ContainerGroup[]")
    def list_groups(self, request: ArmRequest) -> Answer:
        """Give the groups of a resource group."""
        return self._list(request, request.group.lower())

    def _list(self, request: ArmRequest, group: str) -> Answer:
        settings = self.server.settings
        found = [
            each.view(instance_view=settings.list_shows_instance_view)
            for each in self.groups.values()
            if each.key.subscription == request.subscription.lower() and group in ("", each.key.group)
        ]
        path = request.operation.path.format(**request.params)
        return Answer(page(self.server.endpoint, path, request, found, settings.page_size))

    @answers("ContainerGroups_Get", "GET", _GROUP, answer="ContainerGroup")
    def get(self, request: ArmRequest) -> Answer:
        """Give a group with the states of its containers."""
        return Answer(self._find(request).view())

    @answers("ContainerGroups_CreateOrUpdate", "PUT", _GROUP, body="ContainerGroup", answer="ContainerGroup")
    def create_or_update(self, request: ArmRequest) -> Answer:
        """Create or change a group."""
        name = request.params["containerGroupName"]
        group, is_new = self.put(request.subscription, request.group, name, request.body)
        operation = self._operation(group)
        headers = self.server.operations.headers(operation, request.api_version, status=True, location=False)
        return Answer(group.view(), 201 if is_new else 200, headers)

    def _operation(self, group: ContainerGroup) -> AsyncOperation:
        operations = self.server.operations
        operation = operations.new(group.subscription, self.namespace)
        if group.provisioning in ("Succeeded", "Failed"):
            operations.end(operation, group.problem)
        else:
            group.done.append(lambda done: operations.end(operation, done.problem))
        return operation

    @answers("ContainerGroups_Update", "PATCH", _GROUP, body="Resource", answer="ContainerGroup")
    def update(self, request: ArmRequest) -> Answer:
        """Change the tags of a group."""
        group = self._find(request)
        if "tags" in request.body:
            group.data = {**group.data, "tags": request.body["tags"]}
        return Answer(group.view())

    @answers("ContainerGroups_Delete", "DELETE", _GROUP, answer="ContainerGroup")
    def delete(self, request: ArmRequest) -> Answer:
        """Delete a group with its containers; 204 when there is none."""
        key = ResourceKey.of(request.subscription, request.group, request.params["containerGroupName"])
        group = self.groups.get(key)
        if group is None:
            return Answer(None, 204)
        seconds = self.server.settings.delete_seconds
        if seconds <= 0:
            view = group.view()
            self.remove(group)
            return Answer(view)
        operations = self.server.operations
        operation = operations.new(group.subscription, self.namespace)
        group.provisioning = "Deleting"
        group.halt(self.server.settings.grace_seconds)

        def gone() -> None:
            with self.server.lock:
                if self.groups.get(key) is group:
                    self.remove(group)
                operations.end(operation)

        self.server.clock.later(seconds, gone)
        return Answer(None, 202, operations.headers(operation, request.api_version, status=False, location=True))

    @answers("ContainerGroups_Restart", "POST", _GROUP + "/restart")
    def restart(self, request: ArmRequest) -> Answer:
        """Start all containers of a group anew."""
        self._settled(request).restart()
        return Answer(None, 204)

    @answers("ContainerGroups_Stop", "POST", _GROUP + "/stop")
    def stop(self, request: ArmRequest) -> Answer:
        """Stop all containers of a group."""
        self._find(request).stop()
        return Answer(None, 204)

    @answers("ContainerGroups_Start", "POST", _GROUP + "/start")
    def start(self, request: ArmRequest) -> Answer:
        """Start the containers of a group that is stopped or has ended."""
        group = self._settled(request)
        if group.state in ("Running", "Pending"):
            return Answer(None, 204)
        group.restart()
        headers = self.server.operations.headers(
            self._operation(group), request.api_version, status=False, location=True
        )
        return Answer(None, 202, headers)

    @answers("Containers_ListLogs", "GET", _CONTAINER + "/logs", answer="Logs")
    def list_logs(self, request: ArmRequest) -> Answer:
        """Give what a container has written: `tail` lines, with `timestamps` or without."""
        group = self._find(request)
        name = request.params["containerName"]
        container = next((each for each in group.containers if each.container == name), None)
        if container is None:
            said = f"The container '{name}' is not found in container group '{group.name}'."
            raise ArmError(404, "ContainerNotFound", said)
        if group.provisioning in ("Pending", "Creating"):
            said = f"The container group '{group.name}' is still in the process of deploying. Please try again later."
            raise ArmError(409, "ContainerGroupDeploymentNotReady", said)
        tail = request.query.get("tail")
        if tail is not None and not tail.isdigit():
            raise ArmError(400, "InvalidTail", f"The value '{tail}' of parameter 'tail' is not a number.")
        stamps = request.query.get("timestamps", "").lower() == "true"
        limit = self.server.settings.log_bytes
        text = container.log.text(tail=None if tail is None else int(tail), timestamps=stamps, limit_bytes=limit)
        return Answer({"content": text} if container.log.lines else {})

    @answers("Location_ListUsage", "GET", _LOCATION + "/usages", answer="Usage[]")
    def list_usage(self, request: ArmRequest) -> Answer:
        """Give what a subscription uses of its quotas in a location."""
        settings = self.server.settings
        own = [
            each
            for each in self.groups.values()
            if each.key.subscription == request.subscription.lower()
            and each.data["location"].lower() == request.params["location"].lower()
        ]
        rows = [
            ("ContainerGroups", "Container Groups", len(own), settings.group_quota or 100),
            ("StandardCores", "Standard Cores", sum(each.cores for each in own), settings.core_quota or 100),
        ]
        values = [
            {
                "unit": "Count",
                "currentValue": int(used),
                "limit": int(limit),
                "name": {"value": name, "localizedValue": text},
            }
            for name, text, used, limit in rows
        ]
        return Answer({"value": values})

    def _find(self, request: ArmRequest) -> ContainerGroup:
        return self.get_group(request.subscription, request.group, request.params["containerGroupName"])

    def _settled(self, request: ArmRequest) -> ContainerGroup:
        group = self._find(request)
        if group.provisioning not in ("Succeeded", "Failed"):
            said = f"The container group '{group.name}' is still transitioning, please retry later."
            raise ArmError(409, "ContainerGroupTransitioning", said)
        return group
