"""Calls to Container Instances and Resource Manager in one resource group of a subscription."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .._workers.calls import ONE_TRY, START_ONLY, Calls
from ..errors import AzureConflict, AzureNotFound
from .views import DeploymentView, GroupView, deployment_view, group_view

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

if TYPE_CHECKING:
    from ..credentials import AzureContainerInstanceCredentials
    from .template import DeploymentRequest

R = TypeVar("R")

_ACCEPTED = 202
"""HTTP status of an answer that says that something goes on; a deletion that is done has another."""


class ContainerInstancesApi:
    """What is asked of Azure, each in one call or one list, repeated when it fails in a way that passes.

    Args:
        credentials: Makes the SDK's clients. They are asked for in a thread, once.
        subscription_id: The subscription.
        resource_group: Name of the resource group.
        calls: Makes the calls.
    """

    def __init__(
        self,
        credentials: AzureContainerInstanceCredentials,
        subscription_id: str,
        resource_group: str,
        calls: Calls,
    ) -> None:
        self.calls = calls
        self._credentials = credentials
        self._subscription_id = subscription_id
        self._resource_group = resource_group
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def _client(self, kind: str, make: Callable[[str], Any]) -> Any:
        with self._lock:
            if kind not in self._clients:
                self._clients[kind] = make(self._subscription_id)
            return self._clients[kind]

    @property
    def _groups(self) -> Any:
        return self._client("container", self._credentials.get_container_client).container_groups

    @property
    def _containers(self) -> Any:
        return self._client("container", self._credentials.get_container_client).containers

    @property
    def _deployments(self) -> Any:
        return self._client("resource", self._credentials.get_resource_client).deployments

    def _of_group(self, name: str) -> dict[str, str]:
        return {"resource_group_name": self._resource_group, "container_group_name": name}

    def _of_deployment(self, name: str) -> dict[str, str]:
        return {"resource_group_name": self._resource_group, "deployment_name": name}

    def _list(self, operations: Any) -> Iterable[Any]:
        listed = _call(operations, "list_by_resource_group", ONE_TRY, resource_group_name=self._resource_group)
        return listed if isinstance(listed, Iterable) else ()

    @staticmethod
    def subject(name: str) -> str:
        """What messages call a container group."""
        return f"Container group {name!r}"

    # Deployments

    async def deploy(self, request: DeploymentRequest) -> None:
        """Begin to make a container group, by one call. Its answer comes when Azure has taken it.

        Raises:
            AzureConflict: If a deployment of this name is being made.
            AzureError: If Azure refuses, or does not answer.
        """
        name = request.name

        def work() -> None:
            body = deployment_model(request)
            asked = {**self._of_deployment(name), "parameters": body}
            _call(self._deployments, "begin_create_or_update", START_ONLY, **asked)

        await self.calls.once(work, self.subject(name), secrets=request.secrets)

    async def deployment(self, name: str) -> DeploymentView | None:
        """Read a deployment; `None` when there is none."""
        try:
            found = await self.calls.repeated(
                lambda: _call(self._deployments, "get", ONE_TRY, **self._of_deployment(name)), f"Deployment {name!r}"
            )
        except AzureNotFound:
            return None
        view = deployment_view(found)
        return view if view.state else None  # what stands in for a client says nothing

    async def deployments(self) -> list[DeploymentView]:
        """Read all deployments of the resource group."""

        def work() -> list[DeploymentView]:
            return [deployment_view(item) for item in self._list(self._deployments)]

        return await self.calls.repeated(work, f"Deployments of resource group {self._resource_group!r}")

    async def cancel_deployment(self, name: str) -> None:
        """Let a deployment make nothing more; one that has ended or is gone is no error."""
        try:
            await self.calls.repeated(
                lambda: _call(self._deployments, "cancel", ONE_TRY, **self._of_deployment(name)),
                f"Deployment {name!r}",
            )
        except (AzureNotFound, AzureConflict):
            return

    async def delete_deployment(self, name: str) -> None:
        """Delete the record of a deployment; one that is gone is no error.

        Raises:
            AzureConflict: If it is still being made.
        """
        try:
            await self.calls.repeated(
                lambda: _call(self._deployments, "begin_delete", START_ONLY, **self._of_deployment(name)),
                f"Deployment {name!r}",
            )
        except AzureNotFound:
            return

    # Container groups

    async def group(self, name: str) -> GroupView | None:
        """Read a container group; `None` when there is none."""
        try:
            found = await self.calls.repeated(
                lambda: _call(self._groups, "get", ONE_TRY, **self._of_group(name)), self.subject(name)
            )
        except AzureNotFound:
            return None
        return group_view(found)

    async def groups(self) -> list[GroupView]:
        """Read all container groups of the resource group."""

        def work() -> list[GroupView]:
            return [group_view(item) for item in self._list(self._groups)]

        return await self.calls.repeated(work, f"Container groups of resource group {self._resource_group!r}")

    async def stop_group(self, name: str) -> None:
        """Stop the containers of a group; one that is stopped is no error.

        Raises:
            AzureNotFound: If there is no such group.
        """
        try:
            await self.calls.repeated(
                lambda: _call(self._groups, "stop", ONE_TRY, **self._of_group(name)), self.subject(name)
            )
        except AzureConflict:  # it is being stopped or deleted
            return

    async def delete_group(self, name: str) -> bool:
        """Begin to delete a container group; whether it is gone already."""

        def delete() -> Any:
            options = {**START_ONLY, "cls": _status_of}
            begun = _call(self._groups, "begin_delete", options, **self._of_group(name))
            return begun.result() if hasattr(begun, "result") else begun

        async def work() -> Any:
            return await self.calls.once(delete, self.subject(name))

        try:
            status = await self.calls.retried(work, is_transient=self.calls.passes_soon)
        except AzureNotFound:
            return True
        return status != _ACCEPTED

    async def log(self, name: str, container: str, tail: int | None, *, with_times: bool = True) -> str:
        """Read what a container has printed: its last lines, or all of it."""
        wanted: dict[str, Any] = {
            "container_name": container,
            **({} if tail is None else {"tail": tail}),
            **({"timestamps": True} if with_times else {}),
        }
        logs = await self.calls.repeated(
            lambda: _call(self._containers, "list_logs", ONE_TRY, **self._of_group(name), **wanted),
            f"Log of container group {name!r}",
        )
        content = getattr(logs, "content", None)
        return content if isinstance(content, str) else ""


def _call(operations: Any, name: str, options: Mapping[str, Any], **arguments: Any) -> Any:
    """Call an operation of a client. What stands in for one, as in tests, may lack it, and gets no options of ours."""
    operation = getattr(operations, name, None)
    if operation is None:
        return None
    return operation(**arguments, **(options if type(operations).__module__.startswith("azure.") else {}))


def _status_of(response: Any, *_: Any) -> int:
    return response.http_response.status_code


def deployment_model(request: DeploymentRequest) -> Any:
    """Make the SDK's model of a deployment; where its layout has none, the API's own form does as well."""
    try:
        from azure.mgmt.resource.resources import models as _models

        models: Any = _models
        properties = models.DeploymentProperties(
            mode=models.DeploymentMode.INCREMENTAL, template=request.template, parameters=request.parameters
        )
        return models.Deployment(properties=properties, tags=request.tags)
    except (ImportError, AttributeError):
        return request.body()
