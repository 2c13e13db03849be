"""Faults of a played Kubernetes API server, and the calls that it got."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .status import Refusal

_WORDS = {
    408: ("Timeout", "Timeout: request did not complete within requested timeout"),
    409: ("Conflict", "Operation cannot be fulfilled: the object has been modified"),
    410: ("Expired", "The resourceVersion for the provided list is too old."),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    503: ("ServiceUnavailable", "The server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
}


@dataclass
class KubeCall:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    user: str
    """Name of the user; empty when the token was not known."""

    verb: str = ""
    """As in a Role: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`."""

    resource: str = ""
    """Plural with subresource: `pods`, `pods/log`, `jobs/status`; empty for discovery."""

    namespace: str = ""
    name: str = ""
    body: Any = None
    status: int = 0
    """HTTP status of the answer; 0 while there is none, and when the connection was broken."""

    at_seconds: float = 0.0
    """When it came, on the monotonic clock."""


@dataclass
class Fault:
    """What some requests meet."""

    verb: str
    resource: str
    status: int | None = None
    times: int | None = None
    delay_seconds: float = 0.0
    is_reset: bool = False
    is_done: bool = False
    reason: str = ""
    message: str = ""
    retry_after_seconds: int | None = None
    namespace: str | None = None
    name: str | None = None

    def meets(self, call: KubeCall) -> bool:
        """Does it strike this request?"""
        pairs = (
            (self.verb, call.verb),
            (self.resource, call.resource),
            (self.namespace, call.namespace),
            (self.name, call.name),
        )
        return self.times != 0 and all(wanted in (None, "*", got) for wanted, got in pairs)

    def refusal(self) -> Refusal | None:
        """Word the answer; `None` when the request is answered as usual."""
        if self.status is None:
            return None
        reason, message = _WORDS.get(self.status, ("", "an error on the server has prevented the request"))
        return Refusal(
            self.status,
            self.reason or reason,
            self.message or message,
            retry_after_seconds=self.retry_after_seconds,
        )


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

    def next(self, call: KubeCall) -> Fault | None:
        """Take the first fault that strikes a request."""
        with self._lock:
            fault = next((each for each in self._faults if each.meets(call)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                    fault.times = 1  # for the request that it strikes
            return fault
