"""Calls that the local Azure server got, and faults that they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._call_faults import Fault, Faults, When
from .arm_errors import Json

__all__ = ["ArmCall", "Fault", "Faults", "When"]


@dataclass
class ArmCall:
    """One request."""

    operation: str
    """Its operation id, such as `ContainerGroups_Get`; empty when the path is none of the API's."""

    http_method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Names in lower case; the authorization is left out."""

    params: dict[str, str] = field(default_factory=dict[str, str])
    """Variables of the path, such as `resourceGroupName`, `containerGroupName`, `deploymentName`, `jobName`."""

    body: Json = field(default_factory=dict[str, Any])
    principal: str = ""
    """Who asks, when tokens are checked."""

    status: int = 0
    """HTTP status of the answer; 0 while there is none, and when the connection was closed."""

    at_seconds: float = 0.0
    """When it came, on the monotonic clock."""

    @property
    def method(self) -> str:
        """The operation id, by which faults find it."""
        return self.operation

    @property
    def name(self) -> str:
        """Name of the thing that is asked for: the last variable of the path; empty for a list in a subscription."""
        return next(reversed(self.params.values()), "") if len(self.params) > 1 else ""
