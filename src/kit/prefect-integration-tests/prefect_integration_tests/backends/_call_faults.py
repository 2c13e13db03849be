"""What some calls of a local server meet instead of an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Generic, Literal, Protocol, TypeVar

When = Literal["before", "after", "lost", "late", "cut", "slow", "garbled"]
"""What a fault does.

`before`: the call is refused. `after`: it is done, but answered with the refusal. `lost`: it is done, and the
connection is closed without an answer. `late`: the connection is closed at once, and it is done `delay_seconds` later.
`cut`: the connection is closed before anything is done. `slow`: it is done, after `delay_seconds`. `garbled`: it is
refused with a page of HTML, as proxies on the way do.
"""


class Call(Protocol):
    """A request that a server got."""

    @property
    def method(self) -> str:
        """Name of what is asked for, in the API's own words."""
        ...


C = TypeVar("C", bound=Call)


@dataclass
class Fault(Generic[C]):
    """What some calls meet."""

    method: str
    """Name of the method; `*` stands for anything in it."""

    error: Any
    """The refusal, as the server raises it."""

    times: int | None = None
    when: When = "before"
    skip: int = 0
    delay_seconds: float = 0.0
    where: Callable[[C], bool] | None = None

    def meets(self, call: C) -> bool:
        """Does it strike this call?"""
        if self.times == 0 or not fnmatchcase(call.method, self.method):
            return False
        return self.where is None or self.where(call)


class Faults(Generic[C]):
    """The faults that are left. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._faults: list[Fault[C]] = []

    def add(self, fault: Fault[C]) -> None:
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

    def next(self, call: C) -> Fault[C] | None:
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
