"""Start one task, and do not give up on what passes by itself."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ..errors import AwsConnectionFailed, AwsError, AwsThrottled, AwsUnavailable, EcsTaskNotStarted, aws_errors
from .calls import in_thread
from .definitions import entries

if TYPE_CHECKING:
    from ..settings import EcsWorkerSettings

TRANSIENT = (AwsThrottled, AwsUnavailable, AwsConnectionFailed)
_SECRET_NAME = re.compile("key|secret|token|pass|auth|credential|dsn|connection", re.IGNORECASE)
_MAX_DELAY_SECONDS = 30.0

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
_CAPACITY = ("RESOURCE", "AGENT", "EMPTY CAPACITY PROVIDER", "CAPACITY IS UNAVAILABLE", "LIMIT ON THE NUMBER OF TASKS")
_REMEDIES = {
    "RESOURCE": "Add instances to the cluster, ask for less CPU or memory, or choose another launch type.",
    "AGENT": "The cluster's instances are not connected: look at their ECS agents.",
    "ATTRIBUTE": "No instance has an attribute that the task definition asks for: look at requiresAttributes.",
    "LOCATION": "No instance has the availability zone or location that the request asks for.",
    "MISSING": "Check that the cluster has instances, and that the task definition exists.",
    "INACTIVE": "The cluster or an instance is inactive.",
}


def client_token(*parts: object) -> str:
    """Make the token by which ECS knows a repeated request to be the same, 64 characters.

    Args:
        parts: What the request is for.
    """
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class Failure:
    """Why ECS started no task."""

    reason: str
    detail: str = ""

    @property
    def is_capacity(self) -> bool:
        """Whether there may be room in a while."""
        return self.reason.upper().startswith(_CAPACITY) or any(hint in self.reason.upper() for hint in _CAPACITY[3:])

    def as_error(self, cluster: str) -> EcsTaskNotStarted:
        """The error that says so."""
        remedy = next((text for start, text in _REMEDIES.items() if self.reason.upper().startswith(start)), "")
        detail = f" ({self.detail})" if self.detail else ""
        return EcsTaskNotStarted(
            f"ECS cluster {cluster!r}: the task was not started: {self.reason}{detail}. {remedy}".rstrip(),
            subject=f"ECS cluster {cluster!r}",
            code=self.reason,
        )


def run_task(ecs: Any, request: Mapping[str, Any]) -> dict[str, Any] | Failure:
    """Ask for the task once. Blocks.

    Args:
        ecs: A client of ECS.
        request: Arguments of `RunTask`.

    Returns:
        The task, or why there is none.

    Raises:
        AwsError: If ECS refuses the request.
    """
    subject = f"ECS cluster {request.get('cluster', 'default')!r}, definition {request['taskDefinition']!r}"
    with aws_errors(subject, secrets=_secrets_in(request)):
        answer = ecs.run_task(**request)
    if answer.get("tasks"):
        return answer["tasks"][0]
    failures: list[dict[str, Any]] = answer.get("failures") or [{"reason": "ECS gave no reason"}]
    return Failure(str(failures[0].get("reason", "")), str(failures[0].get("detail") or ""))


def _secrets_in(request: Mapping[str, Any]) -> list[str]:
    """Values of the run's environment that a message of AWS must not repeat."""
    containers = entries(request.get("overrides") or {}, "containerOverrides")
    variables = [entry for container in containers for entry in entries(container, "environment")]
    return [entry["value"] for entry in variables if _SECRET_NAME.search(entry["name"])]


@dataclass
class Starter:
    """Starts a task, trying again within the limits that the settings set."""

    settings: EcsWorkerSettings
    clock: Clock = SYSTEM_CLOCK
    jitter: Callable[[float, float], float] = random.uniform

    async def start(
        self,
        ecs: Any,
        request: Mapping[str, Any],
        *,
        token: str,
        is_wanted: Callable[[], bool],
        on_retry: Callable[[AwsError, float], None],
    ) -> dict[str, Any] | None:
        """Start the task.

        A request whose answer was lost is sent again with the same token, so it starts no second task; one that
        started nothing is sent with another, since ECS would repeat its answer.

        Args:
            ecs: A client of ECS.
            request: Arguments of `RunTask`, but for the token.
            token: What the request is for, made by `client_token`.
            is_wanted: Says before each attempt whether the task is still wanted.
            on_retry: Told the error and the seconds until the next attempt.

        Returns:
            The task; `None` when it was no longer wanted.

        Raises:
            EcsTaskNotStarted: If there is no room, or ECS has another reason.
            AwsError: If ECS refuses.
        """
        began = self.clock.monotonic()
        attempt = refusals = 0
        while is_wanted():
            attempt += 1
            current = {**request, "clientToken": client_token(token, refusals) if refusals else token}
            cause: Exception | None = None
            try:
                answer = await in_thread(run_task, ecs, current)
            except AwsError as exc:
                answer, cause = Failure(str(exc)), exc
            if not isinstance(answer, Failure):
                return answer
            error = cause if isinstance(cause, AwsError) else answer.as_error(str(request.get("cluster", "default")))
            delay = self._delay(attempt, self.clock.monotonic() - began, error, answer)
            if delay is None:
                raise error
            refusals += cause is None
            on_retry(error, delay)
            await self.clock.asleep(delay)
        return None

    def _delay(self, attempt: int, elapsed: float, error: AwsError, failure: Failure) -> float | None:
        settings = self.settings
        least = float(settings.create_task_run_min_delay_seconds)
        jitter = self.jitter(
            settings.create_task_run_min_delay_jitter_seconds,
            max(settings.create_task_run_min_delay_jitter_seconds, settings.create_task_run_max_delay_jitter_seconds),
        )
        delay = least + jitter
        if failure.is_capacity:
            # A full cluster empties slowly: ask less and less often.
            delay = min(_MAX_DELAY_SECONDS, max(least, 0.5) * 2 ** min(attempt - 1, 8)) + jitter
            if elapsed + delay <= settings.create_task_run_capacity_timeout_seconds:
                return delay
        elif not isinstance(error, TRANSIENT):
            return None
        return delay if attempt < settings.create_task_run_max_attempts else None
