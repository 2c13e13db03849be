"""A dictionary that forgets what was not used for longest: memory does not grow with time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentlyUsed(Generic[K, V]):
    """Values by key, at most `maximum` of them."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value of a key, which counts as use; `None` if there is none."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Set the value of a key."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._maximum:
            self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)
