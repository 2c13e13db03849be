"""What a run's `infrastructure_pid` says of its container group."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

_NAME = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_WORKERS = re.compile(rf"(?P<flow_run>[^:/\s]+):(?P<name>{_NAME})", re.IGNORECASE)
_RESOURCE = re.compile(
    r"/subscriptions/(?P<subscription>[\w-]+)/resourceGroups/(?P<group>[-\w.()]{0,89}[-\w()])/providers/"
    rf"Microsoft\.ContainerInstance/containerGroups/(?P<name>{_NAME})",
    re.IGNORECASE,
)


def identifier_of(flow_run_id: object, name: str) -> str:
    """Write what workers write: `flow_run_id:container_group_name`."""
    return f"{flow_run_id}:{name}"


@dataclass(frozen=True)
class GroupIdentifier:
    """A container group as an `infrastructure_pid` names it."""

    name: str
    flow_run: str = ""
    subscription: str = ""
    resource_group: str = ""

    @property
    def is_of_a_worker(self) -> bool:
        """Whether it can be of no other kind of worker."""
        return bool(self.flow_run or self.subscription)

    @property
    def normal(self) -> str:
        """As workers write it."""
        return identifier_of(self.flow_run, self.name) if self.flow_run else self.name


def read_identifier(identifier: str) -> GroupIdentifier:
    """Read an `infrastructure_pid`.

    Args:
        identifier: `flow_run_id:container_group_name`, the group's name, or its resource ID.

    Raises:
        ValueError: If it names no container group.
    """
    if (found := _WORKERS.fullmatch(identifier)) is not None:
        return GroupIdentifier(found["name"], flow_run=found["flow_run"])
    if (found := _RESOURCE.fullmatch(identifier)) is not None:
        return GroupIdentifier(found["name"], subscription=found["subscription"], resource_group=found["group"])
    if re.fullmatch(_NAME, identifier):
        return GroupIdentifier(identifier)
    raise ValueError(
        f"{identifier!r} does not name a container group; expected 'flow_run_id:container_group_name', or its resource "
        "ID."
    )


def located(configuration: Any, identifier: str) -> Any:
    """The configuration with the subscription and resource group that an identifier names, where it does."""
    read = read_identifier(identifier)
    if not read.subscription:
        return configuration
    place = {"subscription_id": SecretStr(read.subscription), "resource_group_name": read.resource_group}
    return configuration.model_copy(update=place)
