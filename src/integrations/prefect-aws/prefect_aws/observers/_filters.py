"""Handlers of events, and which events they want."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal, NamedTuple, Protocol, TypedDict

EcsTaskLastStatus = Literal[
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
    "DELETED",
]
"""What ECS calls the stations of a task:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html"""

EventType = Literal["task", "container-instance", "deployment"]


class FilterCase(Enum):
    """What a tag may be asked for instead of a value: that it is there, or that it is not."""

    PRESENT = 1
    ABSENT = 2


class EcsEventHandler(Protocol):
    """A plain function that handles events. It is called in a thread, so that it may block."""

    def __call__(self, event: dict[str, Any], tags: dict[str, str]) -> None:
        """Handle one event.

        Args:
            event: The event, as
                [EventBridge](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html) gives it.
            tags: The task's tags; none for events that are not about tasks.
        """
        ...


class AsyncEcsEventHandler(Protocol):
    """A coroutine function that handles events."""

    async def __call__(self, event: dict[str, Any], tags: dict[str, str]) -> None:
        """Handle one event; see `EcsEventHandler`."""
        ...


class TagsFilter:
    """Which tags a task must have.

    Attributes:
        tags: For each tag its value, or whether it is to be there at all.
    """

    def __init__(self, **tags: str | FilterCase) -> None:
        """Say which tags to ask for.

        Args:
            tags: For each tag its value, or a `FilterCase`. Names that Python does not allow as keywords are given as
                `**{"prefect.io/flow-run-id": FilterCase.PRESENT}`.
        """
        self.tags = tags

    def is_match(self, tags: dict[str, str]) -> bool:
        """Say whether a task with these tags is wanted.

        Args:
            tags: All tags of the task.
        """
        return all(_is_wanted(tags.get(name), wanted) for name, wanted in self.tags.items())


def _is_wanted(value: str | None, wanted: str | FilterCase) -> bool:
    if isinstance(wanted, FilterCase):
        return (value is not None) is (wanted is FilterCase.PRESENT)
    return value == wanted


class LastStatusFilter:
    """Which status a task must have.

    Attributes:
        statuses: The statuses that are wanted; every one if there are none.
    """

    def __init__(self, *statuses: EcsTaskLastStatus) -> None:
        """Say which statuses to ask for.

        Args:
            statuses: Values of `lastStatus`; none for all.
        """
        self.statuses = statuses

    def is_match(self, last_status: EcsTaskLastStatus) -> bool:
        """Say whether a task of this status is wanted.

        Args:
            last_status: The event's `lastStatus`.
        """
        return not self.statuses or last_status in self.statuses


class EventHandlerFilters(TypedDict):
    """What a handler asks of an event."""

    tags: TagsFilter
    last_status: LastStatusFilter


class HandlerWithFilters(NamedTuple):
    """A handler, and what it asks of an event."""

    handler: EcsEventHandler | AsyncEcsEventHandler
    filters: EventHandlerFilters
