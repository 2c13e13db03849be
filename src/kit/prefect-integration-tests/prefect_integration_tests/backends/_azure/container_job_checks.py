"""What Container Apps refuses of a job.

https://learn.microsoft.com/azure/container-apps/jobs
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .arm_errors import ArmError, Json, object_of, rows_of
from .job_execution import bytes_of

_NAME = re.compile(r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")
_SECRET = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
_CONTAINER = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_TRIGGERS = {"Manual": "manualTriggerConfig", "Schedule": "scheduleTriggerConfig", "Event": "eventTriggerConfig"}
_STEP_CPU, _MAX_CPU = 0.25, 4.0
_GIB = 1 << 30


def check_job(name: str, data: Json) -> None:
    """Check a job beyond its schema.

    Args:
        name: Its name.
        data: The request, or what it makes of the job that is there.

    Raises:
        ArmError: 400.
    """
    if not _NAME.match(name) or "--" in name:
        raise ArmError(
            400,
            "ContainerAppInvalidName",
            f"Invalid Job name '{name}'. A name must consist of lower case alphanumeric characters or '-', start with "
            "an alphabetic character, and end with an alphanumeric character and cannot have '--'. The length must "
            "not be more than 32 characters.",
        )
    if not data.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    properties: Json = object_of(data, "properties")
    for part in ("environmentId", "configuration", "template"):
        if not properties.get(part):
            raise _missing(part)
    _check_configuration(properties["configuration"], data)
    check_template(properties["template"], properties)


def _check_configuration(configuration: Json, data: Json) -> None:
    trigger = configuration["triggerType"]
    if trigger not in _TRIGGERS:
        said = f"The trigger type '{trigger}' is invalid: it must be one of {', '.join(_TRIGGERS)}."
        raise ArmError(400, "JobInvalidTriggerType", said)
    if trigger != "Manual" and not configuration.get(_TRIGGERS[trigger]):
        raise _missing(f"configuration.{_TRIGGERS[trigger]}")
    if configuration["replicaTimeout"] <= 0:
        raise _invalid("configuration.replicaTimeout", f'Invalid value: "{configuration["replicaTimeout"]}"')
    if (configuration.get("replicaRetryLimit") or 0) < 0:
        raise _invalid("configuration.replicaRetryLimit", f'Invalid value: "{configuration["replicaRetryLimit"]}"')
    manual: Json = object_of(configuration, "manualTriggerConfig")
    for part in ("parallelism", "replicaCompletionCount"):
        if manual.get(part) is not None and manual[part] < 1:
            raise _invalid(f"configuration.manualTriggerConfig.{part}", f'Invalid value: "{manual[part]}"')
    secrets: list[Json] = rows_of(configuration, "secrets")
    _check_secrets(secrets)
    known = {each["name"] for each in secrets}
    identities = {each.lower() for each in object_of(object_of(data, "identity"), "userAssignedIdentities")}
    for each in rows_of(configuration, "registries"):
        _check_registry(each, known, identities)


def _check_secrets(secrets: list[Json]) -> None:
    names = [str(each.get("name", "")) for each in secrets]
    wrong = [name for name in names if not _SECRET.match(name)]
    if wrong:
        said = (
            f"Invalid secret name(s) '{', '.join(wrong)}'. A name must consist of lower case alphanumeric characters, "
        )
        raise ArmError(
            400, "ContainerAppInvalidSecretName", f"{said}'-' or '.', and begin and end with a letter or number."
        )
    if twice := _twice(names):
        raise ArmError(400, "ContainerAppDuplicateSecret", f"The secret '{twice}' is given more than once.")
    empty = [
        each["name"]
        for each in secrets
        if not (each.get("value") or (each.get("keyVaultUrl") and each.get("identity")))
    ]
    if empty:
        said = f"Invalid Request: Container app secret(s) with name(s) '{', '.join(empty)}' are invalid: value or "
        raise ArmError(400, "ContainerAppSecretInvalid", f"{said}keyVaultUrl and identity should be provided.")


def _check_registry(registry: Json, secrets: set[str], identities: set[str]) -> None:
    server = registry.get("server") or ""
    if not server:
        raise _missing("configuration.registries.server")
    identity = registry.get("identity") or ""
    if identity:
        if identity.lower() not in {*identities, "system", "system-environment"}:
            said = f"The identity '{identity}' of registry '{server}' is not assigned to the job."
            raise ArmError(400, "ContainerAppRegistryIdentityNotFound", said)
        return
    reference = registry.get("passwordSecretRef") or ""
    if not registry.get("username") or not reference:
        raise ArmError(400, "ContainerAppRegistryInvalid", f"Registry '{server}' lacks a user name or a password.")
    if reference not in secrets:
        said = f"SecretRef '{reference}' defined for registry server '{server}' not found."
        raise ArmError(400, "ContainerAppSecretRefNotFound", said)


def check_template(template: Json, properties: Json) -> None:
    """Check the containers of a job, or of an execution.

    Args:
        template: With `containers` and perhaps `initContainers`.
        properties: Of the job.

    Raises:
        ArmError: 400.
    """
    containers: list[Json] = rows_of(template, "containers")
    if not containers:
        raise _missing("template.containers")
    everyone = [*rows_of(template, "initContainers"), *containers]
    names = [str(each.get("name") or "") for each in everyone]
    if twice := _twice(names):
        said = f"Container name '{twice}' is used more than once."
        raise ArmError(400, "ContainerAppDuplicateContainerName", said)
    configuration: Json = properties["configuration"]
    secrets = {each["name"] for each in rows_of(configuration, "secrets")}
    volumes = {each["name"] for each in rows_of(properties["template"], "volumes")}
    for each in everyone:
        _check_container(each, secrets, volumes)
    if properties.get("workloadProfileName") in (None, "", "Consumption"):
        _check_size(containers)


def _check_container(container: Json, secrets: set[str], volumes: set[str]) -> None:
    name = str(container.get("name") or "")
    if not _CONTAINER.match(name):
        raise _invalid("template.containers.name", f'Invalid value: "{name}"')
    if not (container.get("image") or "").strip():
        raise _missing(f"template.containers.{name}.image")
    rows: list[Json] = rows_of(container, "env")
    if twice := _twice(str(each.get("name") or "") for each in rows):
        raise _invalid(f"template.containers.{name}.env", f'Duplicate value: "{twice}"')
    for each in rows:
        if not each.get("name"):
            raise _missing(f"template.containers.{name}.env.name")
        reference = each.get("secretRef")
        if reference and each.get("value"):
            raise _invalid(f"template.containers.{name}.env.{each['name']}", "value and secretRef are both set")
        if reference and reference not in secrets:
            said = f"SecretRef '{reference}' defined for container '{name}' not found."
            raise ArmError(400, "ContainerAppSecretRefNotFound", said)
    for mount in rows_of(container, "volumeMounts"):
        if mount.get("volumeName") not in volumes:
            said = f"The volume '{mount.get('volumeName')}' that container '{name}' mounts is not found."
            raise ArmError(400, "ContainerAppVolumeNotFound", said)


def _check_size(containers: list[Json]) -> None:
    cpu, memory = 0.0, 0.0
    for each in containers:
        size: Json = {"cpu": 0.5, "memory": "1Gi", **object_of(each, "resources")}
        cpu += size["cpu"]
        try:
            memory += bytes_of(size["memory"])
        except ValueError:
            raise _invalid(
                f"template.containers.{each['name']}.resources.memory", f'Invalid value: "{size["memory"]}"'
            ) from None
    steps = cpu / _STEP_CPU
    if steps != int(steps) or not 0 < cpu <= _MAX_CPU or memory != cpu * 2 * _GIB:
        count = int(_MAX_CPU / _STEP_CPU)
        known = "; ".join(
            f"[cpu: {step * _STEP_CPU}, memory: {step * _STEP_CPU * 2}Gi]" for step in range(1, count + 1)
        )
        raise ArmError(
            400,
            "ContainerAppInvalidResourceTotal",
            f"The total requested CPU and memory resources for this application (CPU: {cpu}, memory: "
            f"{memory / _GIB}) is invalid. Total CPU and memory for all containers defined in a Container App must add "
            f"up to one of the following CPU - Memory combinations: {known}.",
        )


def _missing(field: str) -> ArmError:
    said = f"The following field(s) are either invalid or missing. Field '{field}' is required."
    return ArmError(400, "InvalidParameterValueInContainerTemplate", said)


def _invalid(field: str, problem: str) -> ArmError:
    said = (
        f"The following field(s) are either invalid or missing. Field '{field}' is invalid with details: '{problem}';."
    )
    return ArmError(400, "InvalidParameterValueInContainerTemplate", said)


def image_missing(container: str, image: str) -> ArmError:
    """400, of an image that cannot be pulled."""
    tag = image.rpartition(":")[2]
    said = f'Invalid value: "{image}": GET https:: MANIFEST_UNKNOWN: manifest tagged by "{tag}" is not found'
    return _invalid(f"template.containers.{container}.image", said)


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""
