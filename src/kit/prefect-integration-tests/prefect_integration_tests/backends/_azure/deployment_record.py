"""The record of a deployment, and how its resources are made."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .arm_errors import Json
from .arm_service import ResourceKey, resource_id

if TYPE_CHECKING:
    from .arm_operations import AsyncOperation
    from .deployment_template import Place, Template

KIND = "Microsoft.Resources/deployments"
_ACTIVE = ("Accepted", "Running")


class ResourceMaker(Protocol):
    """Makes resources of one type for deployments."""

    def check(self, name: str, body: Json) -> Json:
        """Check a resource before anything is made, and give it as it is to be made.

        Raises:
            ArmError: 400.
        """
        ...

    def make(self, place: Place, name: str, body: Json, done: Callable[[Json | None], None]) -> None:
        """Begin to make a resource; `done` is told of its error, or `None`, when that has ended.

        Raises:
            ArmError: The refusal.
        """
        ...

    def view(self, place: Place, name: str) -> Json:
        """Show the resource."""
        ...


@dataclass
class Deployment:
    """A deployment, and the record of it."""

    key: ResourceKey
    place: Place
    body: Json
    template: Template
    operation: AsyncOperation
    state: str = "Accepted"
    timestamp: str = ""
    correlation: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = 0.0
    seconds: float = 0.0
    error: Json | None = None
    outputs: Json = field(default_factory=dict[str, Any])
    made: dict[str, Json] = field(default_factory=dict[str, Json])
    """States of its resources, by their ids: the operations of the deployment."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.place.deployment

    @property
    def id(self) -> str:
        """Its resource id."""
        return resource_id(self.place.subscription, self.place.group, KIND, self.name)

    @property
    def is_active(self) -> bool:
        """Is it still at work?"""
        return self.state in _ACTIVE

    @property
    def view(self) -> Json:
        """Show it as Azure does: without the template, and without the values of secure parameters."""
        template = json.dumps(self.body["properties"].get("template"), sort_keys=True)
        properties: Json = {
            "templateHash": str(int(hashlib.sha256(template.encode()).hexdigest()[:16], 16)),
            "parameters": self.template.shown_parameters,
            "mode": self.body["properties"]["mode"],
            "provisioningState": self.state,
            "timestamp": self.timestamp,
            "duration": f"PT{self.seconds:.7f}S",
            "correlationId": self.correlation,
            "providers": self._providers,
            "dependencies": [],
        }
        if self.state == "Succeeded":
            properties["outputs"] = self.outputs
            properties["outputResources"] = [{"id": each} for each in self.made]
        if self.error is not None:
            properties["error"] = self.error
        view: Json = {"id": self.id, "name": self.name, "type": KIND, "properties": properties}
        if self.body.get("tags"):
            view["tags"] = self.body["tags"]
        return view

    @property
    def _providers(self) -> list[Json]:
        kinds: dict[str, list[Json]] = {}
        for resource in self.template.resources:
            namespace, _, kind = resource.kind.partition("/")
            kinds.setdefault(namespace, []).append({"resourceType": kind, "locations": [self.place.location]})
        return [{"namespace": namespace, "resourceTypes": types} for namespace, types in kinds.items()]
