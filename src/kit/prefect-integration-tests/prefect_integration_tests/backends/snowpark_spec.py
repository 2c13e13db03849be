"""Check the specification of a service, as Snowflake's published reference has it.

See https://docs.snowflake.com/en/developer-guide/snowpark-container-services/specification-reference.
"""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

from .snowpark_sql import SqlError

Json = dict[str, Any]

_SPEC = frozenset(
    {"containers", "volumes", "endpoints", "logExporters", "platformMonitor", "capabilities", "networkPolicyConfig"}
)
_CONTAINER = frozenset(
    {"name", "image", "command", "args", "env", "readinessProbe", "volumeMounts", "resources", "secrets"}
)
_SECRET = frozenset({"snowflakeSecret", "secretKeyRef", "envVarName", "directoryPath"})
_VOLUME = frozenset({"name", "source", "size", "blockConfig", "stageConfig", "uid", "gid"})
_MEMORY = re.compile(r"\d+(\.\d+)?(M|Mi|G|Gi)")
_CPU = re.compile(r"\d+(\.\d+)?|\d+m")


def _invalid(text: str) -> SqlError:
    return SqlError(395018, "22023", f"SQL compilation error:\nInvalid spec: {text}.")


def _only(value: Any, known: frozenset[str], where: str) -> Json:
    if not isinstance(value, dict):
        raise _invalid(f"{where} is not a mapping")
    found = cast("Json", value)
    for name in found:
        if name not in known:
            raise _invalid(f"unknown option '{name}' for '{where}'")
    return found


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _invalid(f"{where} is not a list")
    return cast("list[Any]", value)


def read_specification(text: str) -> Json:
    """Read and check a specification.

    Returns:
        What stands under `spec`.

    Raises:
        SqlError: If it is not one.
    """
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise _invalid(f"cannot be read: {exc}") from exc
    outer = _only(document, frozenset({"spec", "serviceRoles"}), "specification")
    spec = _only(outer.get("spec"), _SPEC, "spec")
    containers = _list(spec.get("containers"), "containers")
    if not containers:
        raise _invalid("no containers")
    volumes = {
        str(_only(volume, _VOLUME, "volume").get("name")) for volume in _list(spec.get("volumes", []), "volumes")
    }
    for container in containers:
        _check_container(_only(container, _CONTAINER, "container"), volumes)
    level = spec.get("logExporters", {}).get("eventTableConfig", {}).get("logLevel", "INFO")
    if level not in {"INFO", "ERROR", "NONE"}:
        raise _invalid(f"logLevel {level!r}")
    return spec


def _check_container(container: Json, volumes: set[str]) -> None:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", str(container.get("name") or "")):
        raise _invalid(f"container name {container.get('name')!r}")
    if not container.get("image"):
        raise _invalid("container has no image")
    for part in ("command", "args"):
        if not all(isinstance(word, str) for word in _list(container.get(part, []), part)):
            raise _invalid(f"{part} is not a list of strings")
    environment: Any = container.get("env", {})
    if not isinstance(environment, dict):
        raise _invalid("env is not a mapping")
    for mount in _list(container.get("volumeMounts", []), "volumeMounts"):
        if _only(mount, frozenset({"name", "mountPath"}), "volumeMount").get("name") not in volumes:
            raise _invalid(f"volume mount {mount.get('name')!r} has no volume")
    for secret in _list(container.get("secrets", []), "secrets"):
        if not _only(secret, _SECRET, "secret").get("snowflakeSecret"):
            raise _invalid("secret without snowflakeSecret")
    resources = _only(container.get("resources", {}), frozenset({"requests", "limits"}), "resources")
    for kind, amounts in resources.items():
        for name, amount in _only(amounts, frozenset({"cpu", "memory", "nvidia.com/gpu"}), kind).items():
            pattern = _MEMORY if name == "memory" else _CPU
            if not pattern.fullmatch(str(amount)):
                raise _invalid(f"{kind}.{name} is {amount!r}")
