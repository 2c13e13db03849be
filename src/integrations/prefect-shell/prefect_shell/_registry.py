"""The processes that a block has started and not yet closed."""

from __future__ import annotations

import threading
from typing import Any, Generic, Protocol, TypeVar


class _Tracked(Protocol):
    @property
    def has_leftovers(self) -> bool: ...


T = TypeVar("T", bound=_Tracked)


class OpenProcesses(Generic[T]):
    """A set of processes that several threads may use. A copy is empty: it owns no process of the original."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: list[T] = []

    def add(self, item: T) -> None:
        """Remember a process, and forget those of which nothing is left, so that the set does not grow with time."""
        with self._lock:
            self._items = [known for known in self._items if known.has_leftovers]
            self._items.append(item)

    def take(self) -> list[T]:
        """Hand over all processes and forget them."""
        with self._lock:
            items, self._items = self._items, []
        return items

    def __eq__(self, other: object) -> bool:
        # Blocks with the same fields are equal, whatever they have started.
        return isinstance(other, OpenProcesses)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __deepcopy__(self, memo: dict[int, Any]) -> OpenProcesses[T]:
        return OpenProcesses()

    def __reduce__(self) -> tuple[type[OpenProcesses[T]], tuple[()]]:
        return OpenProcesses, ()
