"""Whether the observer hears of what happens, said once when it changes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Literal

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

ObserverState = Literal["starting", "healthy", "degraded", "stopped"]

DOWN_SECONDS = 60.0
"""How long a watch may be down before the observer is no longer healthy."""

_REMEMBERED_ERRORS = 10


@dataclass(frozen=True)
class KubernetesObserverHealth:
    """How the observer was at one moment.

    Attributes:
        state: `starting` until all that is to be observed has been listed, `healthy` while it is watched, `degraded`
            when a watch has been down for more than a minute, and `stopped` when nobody observes.
        since: When it came into this state.
        last_success: When the API server last answered; `None` if it never has.
        consecutive_failures: How many requests have failed since.
        recent_errors: What the last failures said, the latest at the end.
        down: What is not watched at present, such as `pods in namespace 'flows'`.
    """

    state: ObserverState = "stopped"
    since: datetime | None = None
    last_success: datetime | None = None
    consecutive_failures: int = 0
    recent_errors: tuple[str, ...] = ()
    down: tuple[str, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether what happens in the cluster is heard of."""
        return self.state == "healthy"

    @property
    def last_error(self) -> str | None:
        """What the last failure said; `None` if there was none."""
        return self.recent_errors[-1] if self.recent_errors else None


class HealthMonitor:
    """Watches over one watch. Any thread may read `health`.

    Args:
        subject: What is watched, for the log.
        logger: Told when the state changes, and only then.
        clock: Time.
    """

    def __init__(self, subject: str, logger: logging.Logger, clock: Clock = SYSTEM_CLOCK) -> None:
        self.subject = subject
        self._logger = logger
        self._clock = clock
        self._down_since: float | None = clock.monotonic()
        self._is_told = False
        self._health = KubernetesObserverHealth("starting", datetime.now(timezone.utc))

    @property
    def health(self) -> KubernetesObserverHealth:
        """How it is now: who was down for too long is degraded, whether or not something has failed."""
        down = self._down_since
        if down is None or self._clock.monotonic() - down <= DOWN_SECONDS:
            return self._health
        return replace(self._health, state="degraded", down=(self.subject,))

    def succeeded(self) -> None:
        """Note that it has begun, or goes on."""
        if self._is_told:
            self._logger.info("Watching %s again.", self.subject)
            self._is_told = False
        self._down_since = None
        self._become("healthy", consecutive_failures=0, last_success=datetime.now(timezone.utc))

    def failed(self, error: str, *, is_lasting: bool = False) -> None:
        """Note that it has failed, and why.

        Args:
            error: What went wrong.
            is_lasting: Whether it will not pass by itself, so that it is said at once.
        """
        now = self._clock.monotonic()
        if self._down_since is None:
            self._down_since = now
        if not self._is_told and (is_lasting or now - self._down_since > DOWN_SECONDS):
            self._logger.warning("Cannot watch %s at present; trying on: %s", self.subject, error)
            self._is_told = True
        health = self._health
        errors = (*health.recent_errors, error)[-_REMEMBERED_ERRORS:]
        state: ObserverState = "degraded" if is_lasting else health.state
        self._become(state, consecutive_failures=health.consecutive_failures + 1, recent_errors=errors)

    def _become(self, state: ObserverState, **changes: object) -> None:
        since = self._health.since if state == self._health.state else datetime.now(timezone.utc)
        self._health = replace(self._health, state=state, since=since, **changes)


def combined(parts: list[KubernetesObserverHealth]) -> KubernetesObserverHealth:
    """The health of an observer: that of its worst watch."""
    if not parts:
        return KubernetesObserverHealth()
    order = ("healthy", "starting", "degraded", "stopped")
    worst = max(parts, key=lambda health: order.index(health.state))
    return replace(worst, down=tuple(subject for health in parts for subject in health.down))
