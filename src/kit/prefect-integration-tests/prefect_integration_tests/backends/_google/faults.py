"""Faults of the local Google servers, and the calls that they got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._call_faults import Fault, Faults, When
from .errors import Json

__all__ = ["ApiCall", "Fault", "Faults", "When"]


@dataclass
class ApiCall:
    """One request."""

    method: str
    """Id of the method, such as `run.projects.locations.jobs.create`; empty when the path is none of an API's."""

    http_method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Names in lower case; the authorization is left out."""

    params: Json = field(default_factory=dict[str, Any])
    """Variables of the path and parameters of the query, with their types."""

    body: Json = field(default_factory=dict[str, Any])
    email: str = ""
    """Who asks, when tokens are checked."""

    status: int = 0
    """HTTP status of the answer; 0 while there is none, and when the connection was closed."""

    at_seconds: float = 0.0
    """When it came, on the monotonic clock."""
