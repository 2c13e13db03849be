"""What ECS refuses, in its words, of what the emulator behind would take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ._aws_front import Refused
from .aws_faults import AwsError

Body = Mapping[str, Any]

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
_MAX_COUNT = 10
_MAX_OVERRIDES = 8192
_MAX_TAGS = 50

# CPU units, and the MiB of memory that go with them:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
_FARGATE_SIZES: Mapping[int, range | tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}


def refused(code: str, message: str) -> Refused:
    """Make a refusal with a code of ECS."""
    return Refused(AwsError(code, message))


def invalid(message: str) -> Refused:
    """Make a refusal of a parameter."""
    return refused("InvalidParameterException", message)


def check_definition(body: Body) -> None:
    """Refuse a task definition as RegisterTaskDefinition does.

    Raises:
        Refused: If it has no essential container, or asks Fargate for a size that there is not.
    """
    containers = body.get("containerDefinitions", [])
    if not any(container.get("essential", True) for container in containers):
        raise refused("ClientException", "At least one essential container must be specified.")
    if "FARGATE" in body.get("requiresCompatibilities", []):
        if body.get("networkMode") != "awsvpc":
            raise refused("ClientException", "Fargate only supports network mode 'awsvpc'.")
        _check_size(body.get("cpu"), body.get("memory"))


def _check_size(cpu: str | None, memory: str | None) -> None:
    if cpu is None or memory is None:
        raise refused("ClientException", "Fargate requires that 'cpu' and 'memory' be defined at the task level.")
    if not (cpu.isdecimal() and memory.isdecimal()):
        return  # "1 vCPU" and "2 GB" are read by AWS alone
    if int(memory) not in _FARGATE_SIZES.get(int(cpu), ()):
        raise refused(
            "ClientException", f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory."
        )


def check_run(body: Body, definition: Body) -> None:
    """Refuse a request as RunTask does.

    Args:
        body: The request.
        definition: The task definition that it names.

    Raises:
        Refused: If AWS would.
    """
    if not 1 <= body.get("count", 1) <= _MAX_COUNT:
        raise invalid(f"Number of tasks to launch must be between 1 and {_MAX_COUNT}.")
    _check_placement(body, definition)
    overrides = body.get("overrides", {})
    names = {item["name"] for item in definition["containerDefinitions"]}
    for override in overrides.get("containerOverrides", []):
        name = override.get("name")
        if name not in names:
            raise invalid(f"Override for container named {name} is not a container in the TaskDefinition.")
    if len(json.dumps(overrides, separators=(",", ":"))) > _MAX_OVERRIDES:
        raise invalid(f"Container Overrides length must be at most {_MAX_OVERRIDES}")
    if body.get("launchType") == "FARGATE" and ("cpu" in overrides or "memory" in overrides):
        _check_size(overrides.get("cpu") or definition.get("cpu"), overrides.get("memory") or definition.get("memory"))
    tags = body.get("tags", [])
    if len(tags) > _MAX_TAGS:
        raise invalid(f"Too many tags. The maximum is {_MAX_TAGS}.")
    if any(tag["key"].lower().startswith("aws:") for tag in tags):
        raise invalid("Tag keys must not start with 'aws:'.")


def _check_placement(body: Body, definition: Body) -> None:
    if body.get("launchType") and body.get("capacityProviderStrategy"):
        raise invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    network = body.get("networkConfiguration", {}).get("awsvpcConfiguration")
    mode = definition.get("networkMode")
    if mode == "awsvpc" and network is None:
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if mode != "awsvpc" and network is not None:
        raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")
    if body.get("launchType") == "FARGATE" and mode != "awsvpc":
        raise invalid("The launch type FARGATE needs a task definition with networkMode 'awsvpc'.")
    if body.get("launchType") == "FARGATE" and "FARGATE" not in definition.get("requiresCompatibilities", ["FARGATE"]):
        raise invalid("Task definition does not support launch_type FARGATE.")
