"""Pauses between looks at something that is about to start: short at first, then longer, up to a deadline."""

from __future__ import annotations

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

_FIRST_SECONDS = 1.0
_GROWTH = 1.5


class Looks:
    """When to look again.

    Args:
        timeout_seconds: How long to look at all.
        interval_seconds: Most seconds between two looks.
        clock: Time.
    """

    def __init__(self, timeout_seconds: float, interval_seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._deadline = clock.monotonic() + timeout_seconds
        self._longest = interval_seconds
        self._delay = min(_FIRST_SECONDS, interval_seconds)

    @property
    def are_over(self) -> bool:
        """Whether the time is up. There is a look after the last pause."""
        return self._clock.monotonic() >= self._deadline

    async def pause(self) -> None:
        """Wait until the next look, not beyond the deadline."""
        left = max(0.0, self._deadline - self._clock.monotonic())
        await self._clock.asleep(min(self._delay, left))
        self._delay = min(self._delay * _GROWTH, self._longest)
