"""ECS events as events of Prefect, next to the flow run that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from .._ecs import tags as names
from .._ecs.containers import exit_code_of
from .._ecs.times import time_of
from ._bounded import RecentlyUsed

if TYPE_CHECKING:
    from prefect.events import Event

_REMEMBERED_TASKS = 1_000

_RELATED = (
    ("flow-run", names.FLOW_RUN_ID, names.FLOW_RUN_NAME),
    ("flow", names.FLOW_ID, names.FLOW_NAME),
    ("deployment", names.DEPLOYMENT_ID, names.DEPLOYMENT_NAME),
    ("work-pool", names.WORK_POOL_ID, names.WORK_POOL_NAME),
    ("work-queue", "prefect.io/work-queue-id", "prefect.io/work-queue-name"),
)

# Neither `overrides` nor `attachments`: overrides hold the environment of containers, and that holds secrets.
_PAYLOAD = (
    "lastStatus",
    "desiredStatus",
    "stopCode",
    "stoppedReason",
    "launchType",
    "capacityProviderName",
    "cpu",
    "memory",
    "availabilityZone",
    "version",
)

_last: RecentlyUsed[str, Event] = RecentlyUsed(_REMEMBERED_TASKS)


def emit(event: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Send an event about a task to Prefect, once however often it comes.

    Args:
        event: The event that EventBridge gave.
        tags: The task's tags.
    """
    from prefect.events import emit_event

    detail: Mapping[str, Any] = event["detail"]
    task_arn = str(detail["taskArn"])
    event_id, before = id_of(event), _last.get(task_arn)
    if before is not None and before.id == event_id:
        return
    emitted = emit_event(
        event=f"prefect.ecs.task.{str(detail.get('lastStatus')).lower()}",
        resource=resource_of(detail),
        occurred=time_of(event, "time") or time_of(detail, "updatedAt") or datetime.now(timezone.utc),
        related=related_to(tags),
        payload=payload_of(detail),
        id=event_id,
        follows=before if before is not None and _is_earlier(before, event) else None,
    )
    if emitted is not None and (before is None or _is_earlier(before, event)):
        _last.put(task_arn, emitted)


def id_of(event: Mapping[str, Any]) -> UUID:
    """The same ID for the same event: EventBridge's, or one made from what tells the event from others."""
    try:
        return UUID(str(event.get("id")))
    except ValueError:
        detail: Mapping[str, Any] = event["detail"]
        return uuid5(NAMESPACE_URL, f"{detail.get('taskArn')}#{detail.get('version')}#{detail.get('lastStatus')}")


def resource_of(detail: Mapping[str, Any]) -> dict[str, str]:
    """Describe the task as a resource of Prefect."""
    task_arn = str(detail["taskArn"])
    found = {
        "prefect.resource.id": f"prefect.ecs.task.{task_arn.rpartition('/')[2]}",
        "prefect.resource.name": task_arn.rpartition("/")[2],
        "ecs.taskArn": task_arn,
    }
    for name in ("clusterArn", "taskDefinitionArn"):
        if detail.get(name):
            found[f"ecs.{name}"] = str(detail[name])
    return found


def related_to(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """List what of Prefect a task belongs to, as far as its tags tell."""
    related: list[dict[str, str]] = []
    for kind, id_tag, name_tag in _RELATED:
        if identity := tags.get(id_tag):
            resource = {"prefect.resource.id": f"prefect.{kind}.{identity}", "prefect.resource.role": kind}
            if name := tags.get(name_tag):
                resource["prefect.resource.name"] = name
            related.append(resource)
    return related


def payload_of(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Say what of an event is worth keeping, and holds no secret."""
    payload: dict[str, Any] = {name: detail[name] for name in _PAYLOAD if detail.get(name) is not None}
    containers: list[dict[str, Any]] = []
    for container in detail.get("containers") or ():
        kept = {name: container[name] for name in ("name", "lastStatus", "image", "reason") if container.get(name)}
        if (code := exit_code_of(container)) is not None:
            kept["exitCode"] = code
        containers.append(kept)
    return {**payload, "containers": containers}


def _is_earlier(before: Event, event: Mapping[str, Any]) -> bool:
    time = time_of(event, "time") or time_of(event["detail"], "updatedAt")
    return time is None or before.occurred <= time
