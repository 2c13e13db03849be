"""The `RunTask` request that a job configuration asks for. Pure: nothing here talks to AWS."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect.utilities.processutils import command_from_string

from . import tags
from .canonical import size
from .definitions import entries, environment_list, launch_type_of, orchestration_container, secrets_of

if TYPE_CHECKING:
    from ..workers.ecs_worker import ECSJobConfiguration

DEFAULT_COMMAND = "python -m prefect.engine"

MAX_OVERRIDES = 8192
"""Characters that `overrides` may have as JSON:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html."""


def build_request(configuration: ECSJobConfiguration, definition_arn: str, *, given: bool) -> dict[str, Any]:
    """Write the request that runs the task.

    Args:
        configuration: What the run asks for.
        definition_arn: ARN, or family and revision, of the task definition.
        given: Whether the user named the definition. It is not ours to shape then, so what can be is overridden here.

    Returns:
        Arguments of `RunTask`, but for network configuration and client token.

    Raises:
        ValueError: If the overrides are longer than ECS allows. The message names the longest variables, not values.
    """
    request = copy.deepcopy(configuration.task_run_request)
    request["taskDefinition"] = definition_arn
    if configuration.cluster:
        request["cluster"] = configuration.cluster
    _choose_capacity(request, configuration)
    request["overrides"] = _overrides(request.get("overrides") or {}, configuration, given=given)
    request["tags"] = tags.as_list(
        {
            **_tags_of(request.get("tags")),
            **configuration.labels,
            **configuration.tags,
            tags.CONTAINER_NAME: str(configuration.container_name),
            **({tags.DEREGISTER: "true"} if configuration.auto_deregister_task_definition and not given else {}),
        }
    )
    if run_id := configuration.labels.get(tags.FLOW_RUN_ID):
        request.setdefault("startedBy", run_id)
    if configuration.propagate_tags:
        request["propagateTags"] = configuration.propagate_tags
    if configuration.enable_execute_command is not None:
        request["enableExecuteCommand"] = configuration.enable_execute_command
    if configuration.platform_version:
        request["platformVersion"] = configuration.platform_version
    request["count"] = 1
    return {name: value for name, value in request.items() if value not in (None, "", [], {})}


def _choose_capacity(request: dict[str, Any], configuration: ECSJobConfiguration) -> None:
    """A strategy and a launch type exclude each other; spot is a strategy, whatever it is called."""
    launch_type = launch_type_of(configuration)
    request.pop("launchType", None)
    if launch_type == "FARGATE_SPOT":
        request["capacityProviderStrategy"] = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    elif launch_type:
        request["launchType"] = launch_type


def _overrides(overrides: dict[str, Any], configuration: ECSJobConfiguration, *, given: bool) -> dict[str, Any]:
    containers = [dict(entry) for entry in entries(overrides, "containerOverrides")]
    container = orchestration_container(containers, configuration.container_name)
    container["command"] = command_of(configuration.command or container.get("command"))
    secret = secrets_of(configuration)
    environment = {**configuration.env, **_environment_of(container.get("environment"))}
    # What ECS takes from a secret must not stand here as text; ECS would also refuse a name that is both.
    shown = {name: value for name, value in environment.items() if name not in secret}
    container["environment"] = environment_list(shown)
    for number in ("cpu", "memory", "memoryReservation"):
        if container.get(number):
            container[number] = int(size(container[number]))
    written = {
        **overrides,
        "containerOverrides": [
            {name: value for name, value in entry.items() if value not in (None, "", [], {})} for entry in containers
        ],
    }
    if given and configuration.execution_role_arn:
        written.setdefault("executionRoleArn", configuration.execution_role_arn)
    if given and configuration.ephemeral_storage_gib:
        written.setdefault("ephemeralStorage", {"sizeInGiB": configuration.ephemeral_storage_gib})
    for number in ("cpu", "memory"):
        if written.get(number):
            written[number] = size(written[number])
    written = {name: value for name, value in written.items() if value not in (None, "", [], {})}
    _refuse_long(written, shown)
    return written


def command_of(command: str | list[str] | None) -> list[str]:
    """Split a command into its words, as the shell would."""
    if isinstance(command, list):
        return [str(word) for word in command]
    return command_from_string(command or DEFAULT_COMMAND)


def _environment_of(environment: Any) -> dict[str, str]:
    """Read a template's environment, which may be a mapping or ECS's own list."""
    if isinstance(environment, Mapping):
        return dict(cast("Mapping[str, str]", environment))
    entries: list[dict[str, str]] = environment or []
    return {str(entry.get("name")): entry["value"] for entry in entries if "value" in entry}


def _tags_of(given: Any) -> dict[str, str]:
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in cast("Mapping[str, Any]", given).items()}
    return tags.as_dict(given)


def _refuse_long(overrides: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
    length = len(json.dumps(overrides, separators=(",", ":")))
    if length > MAX_OVERRIDES:
        longest = sorted(environment, key=lambda name: -len(str(environment[name])))[:3]
        raise ValueError(
            f"The overrides of the ECS task are {length} characters long; ECS allows {MAX_OVERRIDES}. "
            f"The longest environment variables are {', '.join(longest)}. Put them into the image, the task "
            "definition, or `secrets`."
        )
