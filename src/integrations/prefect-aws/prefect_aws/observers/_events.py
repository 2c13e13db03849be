"""What a message of the queue says: an ECS event, in one of the wrappings that AWS has for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeGuard, cast
from uuid import UUID

from .._ecs import tags as names
from ._filters import EventType

_TYPES: dict[str, EventType] = {
    "ECS Task State Change": "task",
    "ECS Container Instance State Change": "container-instance",
    "ECS Deployment State Change": "deployment",
}
_TASK_ARN = re.compile(r"arn:[\w-]+:ecs:[\w-]*:\d*:task/[\w/-]+", re.ASCII)
_FLOW_RUN_ID = "PREFECT__FLOW_RUN_ID"
_MAX_WRAPPINGS = 4


def read_event(body: str) -> dict[str, Any] | None:
    """Read an event out of a message.

    It may come from EventBridge itself, through an SNS topic (without raw delivery), as a batch of one from a pipe, or
    cut down to its `detail` by the target's input path.

    Args:
        body: Body of the message.

    Returns:
        The event, with `detail-type` and a `detail` that is a dictionary; `None` if there is none, or it is about a
        task that it does not name.
    """
    value: Any = body
    for _ in range(_MAX_WRAPPINGS):
        if isinstance(value, str):
            value = _parse(value)
        elif isinstance(value, list) and len(cast("list[Any]", value)) == 1:
            value = cast("list[Any]", value)[0]
        elif _is_mapping(value) and "Message" in value and "detail" not in value:
            value = value["Message"]
        else:
            break
    return _checked(value) if _is_mapping(value) else None


def type_of(event: Mapping[str, Any]) -> EventType | None:
    """Say what an event is about; `None` if it is about nothing that can be observed."""
    return _TYPES.get(str(event.get("detail-type")))


def tags_of_event(detail: Mapping[str, Any]) -> dict[str, str]:
    """Find out from an event alone whose task it is.

    For a task that ECS does not know yet, or any more, this is all that there is. The worker hands the run's ID to the
    flow's container as an environment variable, and starts the task in the run's name.

    Args:
        detail: The event's `detail`.

    Returns:
        The tags that the task has or must have had; empty if it is nobody's that we know.
    """
    found = names.as_dict(_mappings(detail.get("tags")))
    overrides: Any = detail.get("overrides")
    for container in _mappings(overrides.get("containerOverrides") if _is_mapping(overrides) else None):
        for variable in _mappings(container.get("environment")):
            if variable.get("name") == _FLOW_RUN_ID and _is_uuid(variable.get("value")):
                found.setdefault(names.FLOW_RUN_ID, str(variable["value"]))
                if container.get("name"):
                    found.setdefault(names.CONTAINER_NAME, str(container["name"]))
    started_by = str(detail.get("startedBy") or "").rpartition("/")[2]
    if _is_uuid(started_by):
        found.setdefault(names.FLOW_RUN_ID, started_by)
    return found


def _checked(value: dict[str, Any]) -> dict[str, Any] | None:
    if "taskArn" in value:  # the detail alone
        value = {"detail": value}
    detail: Any = value.get("detail")
    if isinstance(detail, str):
        detail = _parse(detail)
    if not _is_mapping(detail):
        return None
    event: dict[str, Any] = {**value, "detail": detail}
    if "taskArn" in detail and not event.get("detail-type"):
        event["detail-type"] = "ECS Task State Change"
    kind = type_of(event)
    if kind == "task":
        arns = (detail.get("taskArn"), detail.get("clusterArn"), detail.get("lastStatus"))
        if not all(isinstance(text, str) and text for text in arns) or not _TASK_ARN.fullmatch(arns[0] or ""):
            return None
        detail["containers"] = _mappings(detail.get("containers"))
    return event if event.get("detail-type") else None


def _is_mapping(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _mappings(value: Any) -> list[dict[str, Any]]:
    """The dictionaries of what should be a list of them."""
    return [item for item in cast("list[Any]", value) if _is_mapping(item)] if isinstance(value, list) else []


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_uuid(value: Any) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
