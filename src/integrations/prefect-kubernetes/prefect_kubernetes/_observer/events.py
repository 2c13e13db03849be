"""What happens to pods, as events of Prefect next to the flow run that they are for."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from . import names
from .projections import PodView

if TYPE_CHECKING:
    from prefect.events import Event
    from prefect.events.clients import EventsClient

_KINDS = ("flow-run", "flow", "deployment", "work-pool", "work-queue", "worker")
_MAXIMUM_WAITING = 10_000
_BACKOFF = Backoff(initial_seconds=1.0, maximum_seconds=60.0)


def id_of(pod: PodView) -> UUID:
    """The same ID for the same phase of the same pod, whoever sees it and how often."""
    return uuid5(NAMESPACE_URL, f"kubernetes-pod/{pod.uid}/{pod.status_word}")


def event_of(pod: PodView, follows: UUID | None = None) -> Event:
    """Make the event of a pod that has come into a phase.

    Args:
        pod: The pod.
        follows: ID of the event of the phase before it.
    """
    from prefect.events import Event, RelatedResource, Resource

    event = {
        "event": f"prefect.kubernetes.pod.{pod.status_word}",
        "resource": Resource.model_validate(resource_of(pod)),
        "related": [RelatedResource.model_validate(each) for each in related_to(pod.labels)],
        "occurred": _occurred(pod),
        "payload": payload_of(pod),
        "id": id_of(pod),
        "follows": follows,
    }
    return Event.model_validate(event)


def resource_of(pod: PodView) -> dict[str, str]:
    """Describe the pod as a resource of Prefect."""
    return {
        "prefect.resource.id": f"prefect.kubernetes.pod.{pod.uid}",
        "prefect.resource.name": pod.name,
        "kubernetes.namespace": pod.namespace,
    }


def related_to(labels: Mapping[str, str]) -> list[dict[str, str]]:
    """List what of Prefect a pod belongs to, as far as its labels tell."""
    related: list[dict[str, str]] = []
    for kind in _KINDS:
        if identity := labels.get(f"{names.PREFIX}{kind}-id"):
            resource = {"prefect.resource.id": f"prefect.{kind}.{identity}", "prefect.resource.role": kind}
            if name := labels.get(f"{names.PREFIX}{kind}-name"):
                resource["prefect.resource.name"] = name
            related.append(resource)
    return related


def payload_of(pod: PodView) -> dict[str, Any]:
    """Say what of the pod is worth keeping. Its specification, which may hold secrets, is not."""
    said = {"phase": pod.phase, "reason": pod.reason, "message": pod.message, "node": pod.node, "job": pod.job_name}
    payload: dict[str, Any] = {name: value for name, value in said.items() if value}
    containers: list[dict[str, Any]] = []
    for item in pod.containers:
        kept: dict[str, Any] = {"name": item.name, "state": item.state, "restarts": item.restarts}
        if item.reason:
            kept["reason"] = item.reason
        if item.exit_code is not None:
            kept["exitCode"] = item.exit_code
        containers.append(kept)
    if pod.diagnosis is not None:
        payload["diagnosis"] = {
            "level": pod.diagnosis.level.value,
            "category": pod.diagnosis.category.value,
            "summary": pod.diagnosis.summary,
            "detail": pod.diagnosis.detail,
            "resolution": pod.diagnosis.resolution,
        }
    return {**payload, "containers": containers}


def _occurred(pod: PodView) -> datetime:
    when = pod.ended_at if pod.has_ended else pod.changed_at
    return when or pod.changed_at or pod.created_at or datetime.now(timezone.utc)


class EventSender:
    """Sends events in the order in which they come, while everything else goes on.

    Args:
        client: Gives the client that sends.
        logger: Told when events cannot be sent, once.
        clock: Time.
    """

    def __init__(
        self, client: Callable[[], EventsClient | None], logger: logging.Logger, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._client = client
        self._logger = logger
        self._clock = clock
        self._waiting: deque[Event] = deque(maxlen=_MAXIMUM_WAITING)
        self._come = asyncio.Event()
        self._is_told = False

    def send(self, event: Event) -> None:
        """Have an event sent; when too many wait, the oldest is given up."""
        if len(self._waiting) == _MAXIMUM_WAITING and not self._is_told:
            self._tell(f"more than {_MAXIMUM_WAITING} are waiting, and the oldest are given up")
        self._waiting.append(event)
        self._come.set()

    @property
    def is_idle(self) -> bool:
        """Whether all events have been sent."""
        return not self._waiting

    async def run(self) -> None:
        """Send for ever. What fails is tried again."""
        while True:
            await self._come.wait()
            self._come.clear()
            await self.drain()

    async def drain(self) -> None:
        """Send what waits. What fails is tried again."""
        failures = 0
        while self._waiting:
            event = self._waiting[0]
            try:
                await self._emit(event)
            except Exception as exc:  # noqa: BLE001 - the client has errors of many libraries
                failures += 1
                self._tell(f"{type(exc).__name__}: {exc}")
                await self._clock.asleep(_BACKOFF.delay(failures))
                continue
            failures, self._is_told = 0, False
            if self._waiting and self._waiting[0] is event:
                self._waiting.popleft()

    async def _emit(self, event: Event) -> None:
        client = self._client()
        if client is None:
            raise ConnectionError("there is no client of the events API")
        await client.emit(event)

    def _tell(self, why: str) -> None:
        level = logging.DEBUG if self._is_told else logging.WARNING
        self._is_told = True
        self._logger.log(level, "Events of pods cannot be sent to Prefect at present: %s", why)
