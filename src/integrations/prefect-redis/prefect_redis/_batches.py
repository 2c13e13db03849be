"""How many messages to fetch at a time: few of those that take long, many of those that do not."""

from __future__ import annotations

_TARGET_SECONDS = 0.2
_MAXIMUM = 200


class BatchSize:
    """As many messages as are handled in a fifth of a second, judged by the last batches.

    What a consumer has fetched waits for it while others may be idle, so batches of slow messages are small.

    Args:
        fixed: A size that was asked for, used as it is; 1 or less lets the size follow the pace.
    """

    def __init__(self, fixed: int | None) -> None:
        self._fixed = fixed if fixed is not None and fixed > 1 else None
        self._size = 1

    @property
    def size(self) -> int:
        """How many to fetch next."""
        return self._fixed or self._size

    def took(self, count: int, seconds: float) -> None:
        """Learn from a batch.

        Args:
            count: How many messages it had.
            seconds: How long they took together.
        """
        if count:
            affordable = int(_TARGET_SECONDS * count / max(seconds, 1e-6))
            self._size = max(1, min(_MAXIMUM, self._size * 2, affordable))
