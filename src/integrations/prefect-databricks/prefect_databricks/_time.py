"""Time, as this package sees it; tests set another."""

from __future__ import annotations

import time
from collections.abc import Callable

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

clock: Clock = SYSTEM_CLOCK
"""What waits are measured by."""

now: Callable[[], float] = time.time
"""Seconds since the epoch, by which tokens end."""
