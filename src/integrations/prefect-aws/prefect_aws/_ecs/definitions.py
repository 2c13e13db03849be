"""The task definition that a job configuration asks for. Pure: nothing here talks to AWS."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from slugify import slugify

from . import fargate
from .canonical import size

if TYPE_CHECKING:
    from ..workers._ecs_configuration import ECSJobConfiguration

DEFAULT_CONTAINER_NAME = "prefect"
DEFAULT_CPU = 1024
DEFAULT_MEMORY = 2048
DEFAULT_FAMILY = "prefect"
DEFAULT_LAUNCH_TYPE = "FARGATE"
DEFAULT_LOG_GROUP = "prefect"
_MAX_FAMILY = 255


def family_of(*parts: str | None) -> str:
    """Make a family name: up to 255 letters, digits, hyphens and underscores.

    Args:
        parts: What the name is made of; what is `None` or empty is left out.
    """
    joined = "_".join(str(part) for part in parts if part)
    slug = slugify(joined, max_length=_MAX_FAMILY, regex_pattern=r"[^a-zA-Z0-9-_]+", lowercase=False)
    return slug or DEFAULT_FAMILY


def entries(owner: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """A list of structures in a request or answer; empty when it is absent or null."""
    return cast("list[dict[str, Any]]", owner.get(field) or [])


def launch_type_of(configuration: ECSJobConfiguration) -> str | None:
    """Where the task runs: a launch type, or `None` when a capacity provider strategy decides."""
    request = configuration.task_run_request
    if request.get("capacityProviderStrategy"):
        return None
    return request.get("launchType") or DEFAULT_LAUNCH_TYPE


def runs_on_fargate(configuration: ECSJobConfiguration) -> bool:
    """Say whether Fargate, on demand or spot, runs the task."""
    if strategy := entries(configuration.task_run_request, "capacityProviderStrategy"):
        return all(str(entry.get("capacityProvider", "")).startswith("FARGATE") for entry in strategy)
    return str(launch_type_of(configuration)).startswith("FARGATE")


def build_definition(
    configuration: ECSJobConfiguration, *, family: str, region: str | None, image: str
) -> dict[str, Any]:
    """Write the task definition to register.

    The template's own content has precedence; variables fill what it leaves open.

    Args:
        configuration: What the run asks for.
        family: Name to use when neither template nor variable names one.
        region: Region for the log driver.
        image: Image to use when none is named.

    Returns:
        Arguments of `RegisterTaskDefinition`.

    Raises:
        ValueError: If the parts contradict each other. The message names the variable and what to change.
    """
    definition = copy.deepcopy(configuration.task_definition)
    containers: list[dict[str, Any]] = definition.setdefault("containerDefinitions", [])
    container = orchestration_container(containers, configuration.container_name)
    if not container.get("image"):
        container["image"] = image
    # The sidecars' end must not end the run, and the run's end must end the task.
    container.setdefault("essential", True)
    definition["family"] = family_of(definition.get("family") or family)
    if configuration.execution_role_arn and not definition.get("executionRoleArn"):
        definition["executionRoleArn"] = configuration.execution_role_arn
    for each in containers:
        if isinstance(each.get("environment"), Mapping):
            each["environment"] = environment_list(each["environment"])
    _add_secrets(container, configuration)
    _add_sidecars(containers, configuration.sidecars)
    _add_volumes(definition, container, configuration)
    _add_platform(definition, container, configuration)
    if configuration.configure_cloudwatch_logs:
        _add_logs(container, configuration, region, str(definition["family"]))
    if runs_on_fargate(configuration):
        definition["requiresCompatibilities"] = ["FARGATE"]
        definition["networkMode"] = "awsvpc"
        _settle_size(definition)
    else:
        _settle_size_on_instances(definition, container, containers)
    _refuse_duplicates(containers)
    return cast("dict[str, Any]", _without_empty(definition))


def orchestration_container(containers: list[dict[str, Any]], name: str | None) -> dict[str, Any]:
    """Find the container that runs the flow; it is added in front when there is none.

    Args:
        containers: Container definitions, or container overrides.
        name: Its name.
    """
    name = name or DEFAULT_CONTAINER_NAME
    for container in containers:
        if container.get("name") == name:
            return container
    for container in containers:
        if not container.get("name"):
            container["name"] = name
            return container
    containers.insert(0, {"name": name})
    return containers[0]


def container_name_in(definition: Mapping[str, Any]) -> str:
    """Guess which container of a definition runs the flow: `prefect`, else the first essential one, else the first."""
    containers = entries(definition, "containerDefinitions")
    names = [str(container["name"]) for container in containers if container.get("name")]
    if DEFAULT_CONTAINER_NAME in names or not names:
        return DEFAULT_CONTAINER_NAME
    essential = (str(c["name"]) for c in containers if c.get("name") and c.get("essential", True))
    return next(essential, names[0])


def environment_list(environment: Mapping[str, Any]) -> list[dict[str, str]]:
    """Write environment variables as ECS takes them; those that are `None` are left out."""
    return [{"name": name, "value": str(value)} for name, value in environment.items() if value is not None]


def secrets_of(configuration: ECSJobConfiguration) -> dict[str, str]:
    """Names of environment variables whose values ECS takes from a secret, with the secret's ARN."""
    secrets = dict(configuration.secrets)
    for name, arn in (
        ("PREFECT_API_KEY", configuration.prefect_api_key_secret_arn),
        ("PREFECT_API_AUTH_STRING", configuration.prefect_api_auth_string_secret_arn),
    ):
        if arn:
            secrets.setdefault(name, arn)
    return secrets


def _add_secrets(container: dict[str, Any], configuration: ECSJobConfiguration) -> None:
    added = secrets_of(configuration)
    if not added:
        return
    own = {str(entry.get("name")): entry for entry in entries(container, "secrets")}
    own.update({name: {"name": name, "valueFrom": arn} for name, arn in added.items()})
    container["secrets"] = [own[name] for name in sorted(own)]
    # ECS refuses a name that is both.
    if container.get("environment"):
        container["environment"] = [entry for entry in container["environment"] if entry.get("name") not in own]


def _add_sidecars(containers: list[dict[str, Any]], sidecars: Iterable[Mapping[str, Any]]) -> None:
    for number, sidecar in enumerate(sidecars):
        for key in ("name", "image"):
            if not sidecar.get(key):
                raise ValueError(
                    f"sidecars[{number}] has no {key!r}. A sidecar is a container definition with a name and an image."
                )
        containers.append({"essential": False, **copy.deepcopy(dict(sidecar))})


def _add_volumes(definition: dict[str, Any], container: dict[str, Any], configuration: ECSJobConfiguration) -> None:
    volumes = [*entries(definition, "volumes"), *copy.deepcopy(configuration.volumes)]
    definition["volumes"] = volumes
    names = {volume.get("name") for volume in volumes}
    for number, mount in enumerate(configuration.mount_points):
        if mount.get("sourceVolume") not in names:
            raise ValueError(
                f"mount_points[{number}] names the volume {mount.get('sourceVolume')!r}, which is not among `volumes`. "
                "Add a volume of this name, or correct sourceVolume."
            )
    container["mountPoints"] = [*entries(container, "mountPoints"), *copy.deepcopy(configuration.mount_points)]


def _add_platform(definition: dict[str, Any], container: dict[str, Any], configuration: ECSJobConfiguration) -> None:
    platform = {
        "cpuArchitecture": configuration.cpu_architecture,
        "operatingSystemFamily": configuration.operating_system_family,
    }
    if any(platform.values()):
        named = {name: value for name, value in platform.items() if value}
        definition["runtimePlatform"] = {**(definition.get("runtimePlatform") or {}), **named}
    if configuration.ephemeral_storage_gib:
        if not runs_on_fargate(configuration):
            raise ValueError(
                "ephemeral_storage_gib is for Fargate; on other launch types the disk belongs to the instance. "
                "Leave it out, or choose the launch type FARGATE."
            )
        definition["ephemeralStorage"] = {"sizeInGiB": configuration.ephemeral_storage_gib}
    if configuration.gpu:
        if runs_on_fargate(configuration):
            raise ValueError("gpu is set, and Fargate has no GPUs. Choose the launch type EC2, or a capacity provider.")
        others = [need for need in entries(container, "resourceRequirements") if need.get("type") != "GPU"]
        container["resourceRequirements"] = [*others, {"type": "GPU", "value": str(configuration.gpu)}]


def _add_logs(container: dict[str, Any], configuration: ECSJobConfiguration, region: str | None, family: str) -> None:
    if container.get("logConfiguration"):
        return
    options = {
        "awslogs-create-group": "true",
        "awslogs-group": DEFAULT_LOG_GROUP,
        "awslogs-region": region,
        # Not the run's name: the definition serves all runs of a deployment.
        "awslogs-stream-prefix": configuration.cloudwatch_logs_prefix or family,
        **configuration.cloudwatch_logs_options,
    }
    container["logConfiguration"] = {
        "logDriver": "awslogs",
        "options": {name: value for name, value in options.items() if value is not None},
    }


def _settle_size(definition: dict[str, Any]) -> None:
    cpu, memory = definition.get("cpu"), definition.get("memory")
    if not cpu:
        cpu = fargate.fitting_cpu(memory, DEFAULT_CPU) if memory else DEFAULT_CPU
    if not memory:
        memory = fargate.fitting_memory(cpu, DEFAULT_MEMORY)
    platform: dict[str, Any] = definition.get("runtimePlatform") or {}
    windows = str(platform.get("operatingSystemFamily", "")).startswith("WINDOWS")
    if not windows and (problem := fargate.conflict(cpu, memory)):
        raise ValueError(problem)
    definition["cpu"], definition["memory"] = str(cpu), str(memory)


def _settle_size_on_instances(
    definition: dict[str, Any], container: dict[str, Any], containers: list[dict[str, Any]]
) -> None:
    """Outside of Fargate sizes stand at the container that runs the flow: all of the task's that others do not take."""
    others = [each for each in containers if each is not container]
    sized = all(each.get("memory") or each.get("memoryReservation") for each in others)
    for name, default in (("cpu", DEFAULT_CPU), ("memory", DEFAULT_MEMORY)):
        of_task = definition.get(name)
        if of_task or not sized:
            # A container without memory shares the task's.
            definition[name] = str(of_task or default)
        if container.get(name):
            container[name] = _whole(container[name])
        elif sized and not (name == "memory" and container.get("memoryReservation")):
            left = _whole(of_task or default)
            if of_task and isinstance(left, int):
                soft = "memoryReservation" if name == "memory" else name
                taken = [_whole(each.get(name) or each.get(soft) or 0) for each in others]
                left -= sum(number for number in taken if isinstance(number, int))
            if isinstance(left, int) and left > 0:
                container[name] = left


def _whole(value: Any) -> Any:
    """Read a size as the number that ECS takes at a container; what is none is left to ECS to refuse."""
    try:
        return int(size(value))
    except ValueError:
        return value


def _refuse_duplicates(containers: list[dict[str, Any]]) -> None:
    names = [container.get("name") for container in containers]
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise ValueError(f"Two containers are called {twice[0]!r}. Each container of a task needs a name of its own.")


def _without_empty(value: Any) -> Any:
    """Leave out what is empty: `RegisterTaskDefinition` takes an absent field, but not a null or an empty text."""
    if isinstance(value, Mapping):
        members = {name: _without_empty(member) for name, member in cast("Mapping[str, Any]", value).items()}
        # An environment variable may well be empty.
        return {name: member for name, member in members.items() if name == "value" or member not in (None, "", [], {})}
    if isinstance(value, list | tuple):
        return [_without_empty(item) for item in cast("list[Any]", value)]
    return value
