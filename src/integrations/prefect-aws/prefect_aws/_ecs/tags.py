"""Names of the tags that the worker puts on the ECS tasks it starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

FLOW_RUN_ID = "prefect.io/flow-run-id"
"""The flow run that the task is for; what marks a task as ours."""

FLOW_RUN_NAME = "prefect.io/flow-run-name"
FLOW_ID = "prefect.io/flow-id"
FLOW_NAME = "prefect.io/flow-name"
DEPLOYMENT_ID = "prefect.io/deployment-id"
DEPLOYMENT_NAME = "prefect.io/deployment-name"
WORK_POOL_ID = "prefect.io/work-pool-id"
WORK_POOL_NAME = "prefect.io/work-pool-name"
WORKER_NAME = "prefect.io/worker-name"

CONTAINER_NAME = "prefect.io/container-name"
"""The container that runs the flow; what the others do decides nothing."""

DEREGISTER = "prefect.io/degregister-task-definition"
"""`true` when the task's definition is to be deregistered once the task has ended.

The name is spelt as in 0.7.12: its tasks may end under this worker, and those of this worker under its observer.
"""

_REFUSED = re.compile(r"[^\w\s.:/=+\-@]", re.UNICODE)
_MAX_TAGS = 50
_MAX_KEY = 128
_MAX_VALUE = 256


def as_list(labels: Mapping[str, str]) -> list[dict[str, str]]:
    """Write labels as tags.

    They are brought within what
    [AWS allows](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html): characters that no
    tag may have become `-`, long texts are cut, `aws:` gets an `x-` in front, and what goes beyond the fiftieth is left
    out; the worker's own come first.

    Args:
        labels: Names and values.
    """
    tags: dict[str, str] = {}
    for label in sorted(labels, key=lambda name: not name.startswith("prefect.io/")):
        key = _REFUSED.sub("-", label).strip()[:_MAX_KEY]
        if key.lower().startswith("aws:"):
            key = f"x-{key}"[:_MAX_KEY]
        if key and len(tags) < _MAX_TAGS:
            tags.setdefault(key, _REFUSED.sub("-", str(labels[label]))[:_MAX_VALUE])
    return [{"key": key, "value": value} for key, value in tags.items()]


def as_dict(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Read the tags of a task, as ECS lists them."""
    return {str(tag["key"]): str(tag.get("value", "")) for tag in tags or () if "key" in tag}
