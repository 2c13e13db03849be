"""Container groups and deployments as the worker sees them, whichever version of the SDK describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, cast

from .._workers import names
from ..container_instance import ContainerRunState

_FINAL_GROUP_STATES = frozenset({"Succeeded", "Failed", "Stopped"})


@dataclass(frozen=True)
class EventView:
    """What Azure says of a container or a group, such as that an image cannot be pulled."""

    name: str
    message: str
    is_warning: bool


@dataclass(frozen=True)
class ContainerView:
    """A container."""

    name: str
    state: str = ""
    """`Waiting`, `Running`, `Terminated`; empty where the list does not say."""

    exit_code: int | None = None
    detail: str = ""
    """`Completed`, `Error`, `OOMKilled`, `CrashLoopBackOff` and so on."""

    started_at: datetime | None = None
    finished_at: datetime | None = None
    restarts: int = 0
    events: tuple[EventView, ...] = ()


@dataclass(frozen=True)
class GroupView:
    """A container group."""

    name: str
    provisioning_state: str
    state: str = ""
    """`Pending`, `Running`, `Succeeded`, `Failed`, `Stopped`; empty where the list does not say."""

    restart_policy: str = "Never"
    containers: tuple[ContainerView, ...] = ()
    init_containers: tuple[ContainerView, ...] = ()
    events: tuple[EventView, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def has_details(self) -> bool:
        """Whether it says how its containers are. A list may not."""
        return bool(self.state) or any(container.state for container in self.containers)

    @property
    def main(self) -> ContainerView | None:
        """The container that runs the flow: that of the tag or of the group's name, else the first."""
        wanted = self.tags.get(names.CONTAINER) or self.name
        first = self.containers[0] if self.containers else None
        return next((container for container in self.containers if container.name == wanted), first)

    @property
    def is_ended(self) -> bool:
        """Whether the flow's container has come to its end, whatever runs beside it."""
        if self.state in _FINAL_GROUP_STATES:
            return True
        main = self.main
        if main is not None and main.state == ContainerRunState.TERMINATED.value:
            # Where Azure starts it again whatever happens, its run is over all the same.
            return self.restart_policy != "OnFailure" or main.exit_code == 0
        return False


@dataclass(frozen=True)
class DeploymentView:
    """A deployment, as Resource Manager remembers it."""

    name: str
    state: str
    """`Accepted`, `Running`, `Succeeded`, `Failed`, `Canceled` and so on."""

    error: str = ""
    error_codes: frozenset[str] = frozenset()
    changed_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def is_over(self) -> bool:
        """Whether nothing more is made."""
        return self.state in ("Succeeded", "Failed", "Canceled")


def group_view(group: Any) -> GroupView:
    """Read a `ContainerGroup` of the SDK."""
    instance = getattr(group, "instance_view", None)
    return GroupView(
        name=_text(group, "name"),
        provisioning_state=_text(group, "provisioning_state"),
        state=_text(instance, "state"),
        restart_policy=_text(group, "restart_policy") or "Never",
        containers=tuple(_container(item) for item in _items(group, "containers")),
        init_containers=tuple(_container(item) for item in _items(group, "init_containers")),
        events=_events(instance),
        tags=_tags(group),
    )


def _container(container: Any) -> ContainerView:
    instance = getattr(container, "instance_view", None)
    current = getattr(instance, "current_state", None)
    exit_code = getattr(current, "exit_code", None)
    restarts = getattr(instance, "restart_count", None)
    return ContainerView(
        name=_text(container, "name"),
        state=_text(current, "state"),
        exit_code=exit_code if isinstance(exit_code, int) else None,
        detail=_text(current, "detail_status"),
        started_at=_moment(current, "start_time"),
        finished_at=_moment(current, "finish_time"),
        restarts=restarts if isinstance(restarts, int) else 0,
        events=_events(instance),
    )


def deployment_view(deployment: Any) -> DeploymentView:
    """Read a `DeploymentExtended` of the SDK."""
    properties = getattr(deployment, "properties", None)
    messages, codes = _error(getattr(properties, "error", None))
    return DeploymentView(
        name=_text(deployment, "name"),
        state=_text(properties, "provisioning_state"),
        error=messages[-1] if messages else "",
        error_codes=frozenset(codes),
        changed_at=_moment(properties, "timestamp"),
        tags=_tags(deployment),
    )


def _error(error: Any) -> tuple[list[str], list[str]]:
    """Messages and codes of an error and those within, the innermost last: it says the cause."""
    if error is None:
        return [], []
    messages, codes = [_text(error, "message")], [_text(error, "code")]
    for inner in _items(error, "details"):
        inner_messages, inner_codes = _error(inner)
        messages += inner_messages
        codes += inner_codes
    return [message for message in messages if message], [code for code in codes if code]


def _events(instance: Any) -> tuple[EventView, ...]:
    return tuple(
        EventView(_text(event, "name"), _text(event, "message"), _text(event, "type") == "Warning")
        for event in _items(instance, "events")
    )


def _text(thing: Any, name: str) -> str:
    value = getattr(thing, name, None)
    value = getattr(value, "value", value)  # of an enum
    return value if isinstance(value, str) else ""


def _items(thing: Any, name: str) -> Iterable[Any]:
    value = getattr(thing, name, None)
    return cast("Iterable[Any]", value) if isinstance(value, list | tuple) else ()


def _moment(thing: Any, name: str) -> datetime | None:
    value = getattr(thing, name, None)
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)


def _tags(thing: Any) -> Mapping[str, str]:
    value = getattr(thing, "tags", None)
    if not isinstance(value, dict):
        return {}
    return {str(key): str(text) for key, text in cast("dict[Any, Any]", value).items()}
