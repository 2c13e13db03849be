"""Who is looked at by itself, where a list does not say enough."""

from __future__ import annotations

from collections.abc import Collection, Iterable


class Turns:
    """Chooses who is looked at: so many at a time, by turns."""

    def __init__(self, count: int) -> None:
        """Begin without anybody.

        Args:
            count: How many are looked at each time, at most.
        """
        self.count = count
        self._last: dict[str, int] = {}
        self._turn = 0
        self._owed = 0.0

    def had(self, name: str) -> None:
        """Count a look that nobody was chosen for as a turn."""
        self._turn += 1
        self._last[name] = self._turn

    def choose(self, names: Iterable[str], first: Collection[str] = (), *, count: int | None = None) -> set[str]:
        """Choose those that had no turn for longest; others are forgotten.

        Args:
            names: All who wait for a turn.
            first: Those of them that go before the others.
            count: How many to choose, where that are fewer than usual.
        """
        waiting = sorted(names, key=lambda name: self._last.get(name, 0))
        self._last = {name: self._last.get(name, 0) for name in waiting}
        count = self.count if count is None else count
        # A quarter is for all alike, else many that go first and never end would keep the others from any turn. Where
        # that is less than one at a time, it is one every few times.
        self._owed = self._owed % 1 + count / 4
        fair = min(count, int(self._owed))
        chosen = waiting[:fair] + sorted(waiting[fair:], key=lambda name: name not in first)[: count - fair]
        for name in chosen:
            self.had(name)
        return set(chosen)
