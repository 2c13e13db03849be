"""A result that may be awaited once more."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any


class AwaitableDict(dict[str, Any]):
    """A dictionary that `await` gives back.

    The guide's example awaits the result of the flow, and that result again.
    """

    def __await__(self) -> Generator[Any, None, dict[str, Any]]:
        """Give the dictionary."""
        return self
        yield  # which makes it a generator

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a plain dictionary."""
        return dict, (dict(self),)
