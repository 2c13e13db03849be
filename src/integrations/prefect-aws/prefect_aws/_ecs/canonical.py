"""Task definitions in one form, so that equal ones are seen to be equal.

ECS answers with more than it was given: it fills defaults in, adds fields of its own and keeps no order in lists that
have none. `canonical` undoes all three, so `canonical(describe(register(x))) == canonical(x)`. The defaults are those
of https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

SERVER_FIELDS = (
    "compatibilities",
    "deregisteredAt",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "taskDefinitionArn",
)
"""What ECS adds to a registered task definition."""

_NOT_COMPARED = {*SERVER_FIELDS, "tags", "deleteRequestedAt"}

# By the name of the enclosing field ("" is the definition itself): values that mean the same as nothing.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "": {"requiresCompatibilities": ["EC2"], "enableFaultInjection": False},
    "containerDefinitions": {
        "cpu": 0,
        "essential": True,
        "disableNetworking": False,
        "interactive": False,
        "privileged": False,
        "pseudoTerminal": False,
        "readonlyRootFilesystem": False,
        "versionConsistency": "enabled",
    },
    "portMappings": {"protocol": "tcp", "hostPort": 0},
    "mountPoints": {"readOnly": False},
    "volumesFrom": {"readOnly": False},
    "healthCheck": {"interval": 30, "timeout": 5, "retries": 3},
    "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"},
    "efsVolumeConfiguration": {"rootDirectory": "/", "transitEncryption": "DISABLED"},
    "authorizationConfig": {"iam": "DISABLED"},
    "dockerVolumeConfiguration": {"autoprovision": False, "driver": "local"},
    "linuxParameters": {"initProcessEnabled": False},
    "ephemeralStorage": {},
    "volumes": {"configuredAtLaunch": False},
    "repositoryCredentials": {},
    "restartPolicy": {"enabled": False, "restartAttemptPeriod": 300},
}

# Lists whose order carries meaning; all others are sets.
_ORDERED = {"command", "entryPoint", "dnsServers", "dnsSearchDomains", "links"}

_UNITS = {"vcpu": 1024, "gb": 1024, "mb": 1, "": 1}


def size(value: object) -> str:
    """Read a CPU or memory size as ECS does: `1024`, `"1024"`, `"1 vCPU"` and `"1GB"` are the same.

    Args:
        value: CPU units or MiB, or a text with a unit.

    Returns:
        The number of CPU units or MiB; the text as it is when it is no size.
    """
    text = str(value).strip().lower().replace(" ", "")
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        units = float(number) * _UNITS[text[len(number) :]]
    except (KeyError, ValueError):
        return str(value)
    return f"{units:.0f}" if units.is_integer() else f"{units:g}"


def canonical(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Write a task definition in the one form.

    Args:
        definition: What `RegisterTaskDefinition` takes or `DescribeTaskDefinition` answers with.

    Returns:
        A new dictionary: no server-added fields, no defaults, no empty values, sets in order. Two definitions are
        the same to ECS when theirs are equal.
    """
    kept = {name: value for name, value in definition.items() if name not in _NOT_COMPARED}
    for name in ("cpu", "memory"):
        if kept.get(name) is not None:
            kept[name] = size(kept[name])
    mode = kept.get("networkMode") or "bridge"
    fargate = "FARGATE" in (kept.get("requiresCompatibilities") or ())
    if mode == "bridge" or (mode == "awsvpc" and fargate):
        kept.pop("networkMode", None)
    form = cast("dict[str, Any]", _form("", kept)) or {}
    if mode in ("awsvpc", "host"):
        for container in form.get("containerDefinitions", []):
            _forget_host_ports(container)
    return form


def _forget_host_ports(container: dict[str, Any]) -> None:
    """Without a bridge, the host's port is the container's; ECS writes it in."""
    for port in container.get("portMappings", []):
        if port.get("hostPort") == port.get("containerPort"):
            port.pop("hostPort", None)


def _form(field: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        defaults = _DEFAULTS.get(field, {})
        members = {str(name): _form(str(name), member) for name, member in cast("Mapping[str, Any]", value).items()}
        return {
            name: member
            for name, member in sorted(members.items())
            if not _is_nothing(member) and not (name in defaults and defaults[name] == member)
        }
    if isinstance(value, list | tuple):
        items = [_form(field, item) for item in cast("list[Any]", value)]
        return items if field in _ORDERED else sorted(items, key=_text)
    return value


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, list | dict | str) and not value)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def digest(definition: Mapping[str, Any]) -> str:
    """Hash the canonical form; equal definitions have equal digests.

    Args:
        definition: A task definition.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(_text(canonical(definition)).encode()).hexdigest()
