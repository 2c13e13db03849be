"""Bodies of jobs and their names: what a user may say, defaults, overrides of one execution."""

from __future__ import annotations

import copy
import random
import string
from typing import cast

from .errors import Json, invalid_argument

_OF_USERS = (
    "annotations",
    "binaryAuthorization",
    "client",
    "clientVersion",
    "labels",
    "launchStage",
    "runExecutionToken",
    "startExecutionToken",
    "template",
)


def overridden(template: Json, overrides: Json) -> Json:
    """Apply the overrides of an execution to the template of its job.

    Raises:
        ApiError: 400, of a container that is not there.
    """
    template = copy.deepcopy(template)
    if "taskCount" in overrides:
        template["taskCount"] = overrides["taskCount"]
        template["parallelism"] = min(template.get("parallelism", 0), overrides["taskCount"])
    if "timeout" in overrides:
        template["template"]["timeout"] = overrides["timeout"]
    containers = cast("list[Json]", template["template"]["containers"])
    for index, override in enumerate(cast("list[Json]", overrides.get("containerOverrides", []))):
        name = override.get("name")
        found = next((each for each in containers if each.get("name") == name), None) if name else containers[0]
        if found is None:
            field = f"RunJobRequest.overrides.container_overrides[{index}].name"
            raise invalid_argument(f"Violation in {field}: no container {name!r}.", (field, "unknown container"))
        if override.get("clearArgs"):
            found["args"] = []
        if override.get("args"):
            found["args"] = override["args"]
        given = {each["name"]: each for each in cast("list[Json]", override.get("env", []))}
        kept = [each for each in cast("list[Json]", found.get("env", [])) if each["name"] not in given]
        if given:
            found["env"] = [*kept, *given.values()]
    return template


def owned(body: Json) -> Json:
    """What a user may say of a job; the rest is the server's."""
    names = ("annotations", "client", "clientVersion", "labels", "launchStage", "template", "binaryAuthorization")
    return copy.deepcopy(
        {key: body[key] for key in (*names, "startExecutionToken", "runExecutionToken") if key in body}
    )


def with_defaults(body: Json) -> Json:
    """Fill in what Cloud Run fills in."""
    template = body["template"]
    template.setdefault("taskCount", 1)
    task: Json = template["template"]
    task.setdefault("maxRetries", 3)
    task.setdefault("timeout", "600s")
    task.setdefault("executionEnvironment", "EXECUTION_ENVIRONMENT_GEN2")
    for container in task["containers"]:
        limits = container.setdefault("resources", {}).setdefault("limits", {})
        limits.setdefault("cpu", "1000m")
        limits.setdefault("memory", "512Mi")
    return body


def new_suffix(length: int) -> str:
    """Make the random end of a name."""
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=length))


def project_of(name: str) -> str:
    """Project of a full name."""
    return name.split("/")[1]


def region_of(name: str) -> str:
    """Region of a full name."""
    return name.split("/")[3]
