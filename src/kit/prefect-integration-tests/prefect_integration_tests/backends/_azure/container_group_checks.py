"""What Azure Container Instances refuses.

https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits and
https://learn.microsoft.com/azure/container-instances/container-instances-troubleshooting
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .arm_errors import ArmError, Json, object_of, rows_of

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_OS_TYPES = ("Linux", "Windows")
_POLICIES = ("Always", "OnFailure", "Never")
_MAX_CONTAINERS = 60


def check_group(name: str, data: Json) -> None:
    """Check a container group beyond its schema.

    Args:
        name: Its name.
        data: The request.

    Raises:
        ArmError: 400.
    """
    if not _NAME.match(name):
        said = f"The container group name '{name}' is invalid: it must have 1 to 63 lower case letters, numbers or "
        raise ArmError(400, "InvalidContainerGroupName", f"{said}hyphens, and begin and end with a letter or number.")
    if not data.get("location"):
        said = "The location property is required for this definition."
        raise ArmError(400, "LocationRequired", said)
    properties: Json = data["properties"]
    _one_of(properties["osType"], _OS_TYPES, "InvalidOSType", "osType")
    _one_of(properties.get("restartPolicy", "Always"), _POLICIES, "InvalidRestartPolicy", "restartPolicy")
    containers: list[Json] = properties["containers"]
    if not 1 <= len(containers) <= _MAX_CONTAINERS:
        said = f"The number of containers in container group '{name}' must be between 1 and {_MAX_CONTAINERS}."
        raise ArmError(400, "InvalidContainerCount", said)
    everyone = [*rows_of(properties, "initContainers"), *containers]
    names = [each["name"] for each in everyone]
    if twice := _twice(names):
        raise ArmError(400, "DuplicateContainerName", f"The container name '{twice}' is used more than once.")
    volumes = {each["name"] for each in rows_of(properties, "volumes")}
    for each in everyone:
        _check_container(name, each, volumes)
    _check_registries(name, data)


def _check_container(group: str, container: Json, volumes: set[str]) -> None:
    name, properties = container["name"], container["properties"]
    where = f"container '{name}' in container group '{group}'"
    if not _NAME.match(name):
        said = f"The container name '{name}' is invalid: it must have 1 to 63 lower case letters, numbers or hyphens, "
        raise ArmError(400, "InvalidContainerName", f"{said}and begin and end with a letter or number.")
    if not properties.get("image", "").strip():
        raise ArmError(400, "InvalidImageName", f"The image name of {where} is empty.")
    for kind in ("cpu", "memoryInGB"):
        amount = object_of(properties, "resources").get("requests", {}).get(kind, 1)
        if amount <= 0:
            said = f"The {kind} requests of '{amount}' for {where} is invalid: it must be above 0."
            raise ArmError(400, "InvalidResourceRequests", said)
    variables: list[Json] = rows_of(properties, "environmentVariables")
    if twice := _twice(each["name"] for each in variables):
        said = f"The environment variable '{twice}' of {where} is set more than once."
        raise ArmError(400, "DuplicateEnvironmentVariable", said)
    for each in variables:
        if ("value" in each) == ("secureValue" in each):
            both = "both of" if "value" in each else "neither of"
            said = f"The environment variable '{each['name']}' of {where} has {both} 'value' and 'secureValue'."
            raise ArmError(400, "InvalidEnvironmentVariable", said)
    for mount in rows_of(properties, "volumeMounts"):
        if mount["name"] not in volumes:
            said = f"The volume '{mount['name']}' that {where} mounts is not found."
            raise ArmError(400, "VolumeNotFound", said)


def _check_registries(group: str, data: Json) -> None:
    known = {name.lower() for name in object_of(data, "identity").get("userAssignedIdentities", {})}
    for each in rows_of(data["properties"], "imageRegistryCredentials"):
        server = each["server"]
        if not server or "://" in server:
            said = f"The image registry server '{server}' of container group '{group}' is invalid: give its host name."
            raise ArmError(400, "InvalidImageRegistryServer", said)
        identity = each.get("identity", "")
        if identity and identity.lower() not in known:
            said = f"The identity '{identity}' of image registry '{server}' is not one of container group '{group}'."
            raise ArmError(400, "InvalidImageRegistryIdentity", said)
        if not identity and not (each.get("username") and each.get("password")):
            said = f"The credentials of image registry '{server}' in container group '{group}' lack user or password."
            raise ArmError(400, "InvalidImageRegistryCredential", said)


def _one_of(value: str, known: tuple[str, ...], code: str, field: str) -> None:
    if value.lower() not in [each.lower() for each in known]:
        said = f"The value '{value}' of '{field}' is invalid: it must be one of {', '.join(known)}."
        raise ArmError(400, code, said)


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""
