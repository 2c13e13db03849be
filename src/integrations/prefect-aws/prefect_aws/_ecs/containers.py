"""Which container of a task runs the flow, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import tags as names

DEFAULT_NAME = "prefect"


def orchestration_container(task: Mapping[str, Any], tags: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Find the container whose end decides.

    It is the one that the task's tag names, else `prefect`, else the only one. Neither DescribeTasks nor an event says
    which containers are essential, so of several without such a name the one that failed is taken, or else one that
    ended.

    Args:
        task: A task in the shape of DescribeTasks.
        tags: The task's tags.

    Returns:
        The container; `None` when the task has none, or none of the name that its tag gives.
    """
    containers: list[Mapping[str, Any]] = [item for item in task.get("containers") or () if isinstance(item, Mapping)]
    by_name = {str(container.get("name")): container for container in containers}
    wanted = tags.get(names.CONTAINER_NAME)
    if wanted:
        return by_name.get(wanted)
    if DEFAULT_NAME in by_name:
        return by_name[DEFAULT_NAME]
    if len(containers) <= 1:
        return containers[0] if containers else None
    ended = [container for container in containers if exit_code_of(container) is not None]
    failed = [container for container in ended if exit_code_of(container) != 0]
    return next(iter(failed or ended or containers))


def exit_code_of(container: Mapping[str, Any] | None) -> int | None:
    """Read a container's exit code; `None` when it never ran, or its end is not known."""
    code = container.get("exitCode") if container else None
    return code if isinstance(code, int) else None
