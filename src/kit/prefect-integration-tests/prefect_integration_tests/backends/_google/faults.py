"""Faults of the local Google servers, and the calls that they got."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from .errors import ApiError, Json

When = Literal["before", "after", "lost", "late", "cut", "slow", "garbled"]
"""What a fault does.

`before`: the call is refused. `after`: it is done, but answered with the refusal. `lost`: it is done, and the
connection is closed without an answer. `late`: the connection is closed at once, and it is done `delay_seconds` later.
`cut`: the connection is closed before anything is done. `slow`: it is done, after `delay_seconds`. `garbled`: it is
refused with a page of HTML, as proxies on the way do.
"""


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


@dataclass
class Fault:
    """What some calls meet."""

    method: str
    error: ApiError
    times: int | None = None
    when: When = "before"
    skip: int = 0
    delay_seconds: float = 0.0
    where: Callable[[ApiCall], bool] | None = None

    def meets(self, call: ApiCall) -> bool:
        """Does it strike this call?"""
        if self.times == 0 or not fnmatchcase(call.method, self.method):
            return False
        return self.where is None or self.where(call)


class Faults:
    """The faults that are left. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add one, behind those that are there."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """End all."""
        with self._lock:
            self._faults.clear()

    @property
    def pending(self) -> int:
        """How many faults have calls left to strike."""
        with self._lock:
            return sum(fault.times is None or fault.times > 0 for fault in self._faults)

    def next(self, call: ApiCall) -> Fault | None:
        """Take the first fault that strikes a call."""
        with self._lock:
            for fault in self._faults:
                if not fault.meets(call):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return fault
            return None
