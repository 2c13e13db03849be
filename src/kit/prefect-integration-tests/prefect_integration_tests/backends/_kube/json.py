"""Parts of Kubernetes objects, with types."""

from __future__ import annotations

from typing import Any, cast

Json = dict[str, Any]


def at(data: Json, *path: str) -> Json:
    """Give the object at a path; an empty one where there is none."""
    for key in path:
        data = data.get(key) or {}
    return data


def items(data: Json, key: str) -> list[Json]:
    """Give a list of objects; an empty one where there is none."""
    return cast("list[Json]", data.get(key) or [])


def container_statuses(pod: Json) -> list[Json]:
    """Give the statuses of a pod's containers, those of init containers last."""
    status = at(pod, "status")
    return [*items(status, "containerStatuses"), *items(status, "initContainerStatuses")]


def is_true(text: str | None) -> bool:
    """Read a truth value in a query, as Go does."""
    return text in ("1", "t", "T", "true", "TRUE", "True")
