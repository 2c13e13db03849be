"""The present, by a clock that tests can set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

Now = Callable[[], datetime]


def calendar(clock: Clock) -> Now:
    """Make a function that tells date and time, which pass as the clock's seconds do.

    Args:
        clock: The clock; by the system's own, this is the system's time.
    """
    if clock is SYSTEM_CLOCK:
        return lambda: datetime.now(timezone.utc)
    start, first = datetime.now(timezone.utc), clock.monotonic()
    return lambda: start + timedelta(seconds=clock.monotonic() - first)
