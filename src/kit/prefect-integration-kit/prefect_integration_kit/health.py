"""Whether something that asks a service again and again is answered, said once when it changes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Generic, Literal, TypeVar

State = Literal["starting", "healthy", "degraded", "stopped"]


@dataclass(frozen=True)
class Health:
    """How it was at one moment.

    Attributes:
        state: `starting` until the service has answered, `healthy` while it does, `degraded` after failures in a row,
            and `stopped` when nobody asks.
        since: When it came into this state.
        last_success: When the service last answered; `None` if it never has.
        consecutive_failures: How many requests have failed since.
        recent_errors: What the last failures said, the latest at the end.
    """

    state: State = "stopped"
    since: datetime | None = None
    last_success: datetime | None = None
    consecutive_failures: int = 0
    recent_errors: tuple[str, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether the service answers."""
        return self.state == "healthy"

    @property
    def last_error(self) -> str | None:
        """What the last failure said; `None` if there was none."""
        return self.recent_errors[-1] if self.recent_errors else None


H = TypeVar("H", bound=Health)


class HealthMonitor(Generic[H]):
    """Counts successes and failures of one kind of request. Any thread may read `health`.

    Args:
        subject: What is watched, for the log.
        logger: Told when the state changes, and only then.
        initial: The health to begin with.
        patience: After how many failures in a row the state is `degraded`.
        memory: How many errors are remembered.
    """

    def __init__(
        self,
        subject: str,
        logger: logging.Logger | logging.LoggerAdapter[Any],
        initial: H,
        *,
        patience: int,
        memory: int,
    ) -> None:
        self._subject = subject
        self._logger = logger
        self._patience = patience
        self._memory = memory
        self.health: H = initial

    def starting(self) -> None:
        """Note that requests are about to be made."""
        self._become("starting", consecutive_failures=0)

    def stopped(self) -> None:
        """Note that no more requests will be made."""
        self._become("stopped", consecutive_failures=0)

    def succeeded(self) -> None:
        """Note that a request was answered."""
        if self.health.state == "degraded":
            failures = self.health.consecutive_failures
            self._logger.info("%s: back after %d failures.", self._subject, failures)
        self._become("healthy", consecutive_failures=0, last_success=datetime.now(timezone.utc))

    def failed(self, error: str) -> None:
        """Note that a request failed, and why."""
        failures = self.health.consecutive_failures + 1
        is_degraded = failures >= self._patience
        if is_degraded and self.health.state != "degraded":
            self._logger.warning("%s: %d failures in a row; trying on. %s", self._subject, failures, error)
        errors = (*self.health.recent_errors, error)[-self._memory :]
        state = "degraded" if is_degraded else self.health.state
        self._become(state, consecutive_failures=failures, recent_errors=errors)

    def _become(self, state: State, **changes: object) -> None:
        since = self.health.since if state == self.health.state else datetime.now(timezone.utc)
        self.health = replace(self.health, state=state, since=since, **changes)
