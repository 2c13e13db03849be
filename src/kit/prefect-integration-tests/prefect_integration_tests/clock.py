"""A clock that tests set: waiting takes no time and leaves a record."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Time that passes only when somebody sleeps; fits `prefect_integration_kit.waiting.Clock`.

    Attributes:
        now_seconds: What `monotonic` returns.
        sleeps: Every sleep so far, in seconds and in order.
    """

    def __init__(self, start_seconds: float = 1000.0) -> None:
        """Set the clock.

        Args:
            start_seconds: The first reading. It is not zero, so that code which confuses a reading
                with a duration is found out.
        """
        self.now_seconds = start_seconds
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        """Read the clock, in seconds."""
        return self.now_seconds

    def sleep(self, seconds: float) -> None:
        """Move the clock forward at once and record the sleep.

        Raises:
            ValueError: If `seconds` is negative, as `time.sleep` does.
        """
        if seconds < 0:
            raise ValueError(f"Cannot sleep for {seconds} seconds.")
        self.sleeps.append(seconds)
        self.now_seconds += seconds

    async def asleep(self, seconds: float) -> None:
        """Async form of `sleep`; other coroutines get their turn."""
        self.sleep(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move the clock forward without a sleep, as slow work would."""
        self.now_seconds += seconds
