"""Whether the observer hears of events, said once when it changes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from prefect_integration_kit import health
from prefect_integration_kit.health import Health
from prefect_integration_kit.health import State as ObserverState

__all__ = ["EcsObserverHealth", "HealthMonitor", "ObserverState", "combined"]


@dataclass(frozen=True)
class EcsObserverHealth(Health):
    """How the observer was at one moment; it is healthy while events that are in the queue are heard of.

    Attributes:
        state: `starting` until the queue has answered, `healthy` while it does, `degraded` after failures in a row, and
            `stopped` when nobody observes.
        since: When it came into this state.
        last_success: When AWS last answered; `None` if it never has.
        consecutive_failures: How many requests have failed since.
        recent_errors: What the last failures said, the latest at the end.
    """


class HealthMonitor(health.HealthMonitor[EcsObserverHealth]):
    """Counts successes and failures of one kind of request. Any thread may read `health`.

    Args:
        subject: What is watched, for the log.
        logger: Told when the state changes, and only then.
        patience: After how many failures in a row the state is `degraded`.
        memory: How many errors are remembered.
    """

    def __init__(self, subject: str, logger: logging.Logger, *, patience: int, memory: int) -> None:
        super().__init__(subject, logger, EcsObserverHealth(), patience=patience, memory=memory)


def combined(queue: EcsObserverHealth, *others: EcsObserverHealth) -> EcsObserverHealth:
    """The health of an observer: that of its queue, unless something else that it needs is degraded."""
    if queue.state in ("stopped", "degraded"):
        return queue
    return next((health for health in others if health.state == "degraded"), queue)
