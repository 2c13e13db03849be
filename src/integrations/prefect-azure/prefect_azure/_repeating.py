"""Requests of tasks, repeated while Azure is not available."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, Verdict, retry

from .errors import is_transient

T = TypeVar("T")


def _backoff() -> Backoff:
    return Backoff(initial_seconds=0.5, maximum_seconds=10, deadline_seconds=120)


@dataclass
class Waits:
    """Delays, deadline and time; the SDKs' own retries come before."""

    backoff: Backoff = field(default_factory=_backoff)
    clock: Clock = SYSTEM_CLOCK


waits = Waits()


def repeated(call: Callable[[], T], may_repeat: Callable[[Exception], Verdict] = is_transient) -> T:
    """Call until it succeeds, fails for good, or two minutes are over.

    Args:
        call: What to do. It must be safe to repeat after the errors that `may_repeat` takes.
        may_repeat: Says of an error whether to try again; a number of seconds is the service's wish.

    Raises:
        Exception: The last error of `call`.
    """
    return retry(call, is_transient=may_repeat, backoff=waits.backoff, clock=waits.clock)
