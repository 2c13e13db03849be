"""ARM templates of container groups: what belongs to one run is put in, and secrets are taken out of sight.

See https://learn.microsoft.com/azure/templates/microsoft.containerinstance/containergroups for the resource, and
https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions for expressions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

Json = dict[str, Any]

GROUP_NAME = "container_group_name"
CONTAINER_NAME = "container_name"
_OURS = (GROUP_NAME, CONTAINER_NAME)
_TYPE = "microsoft.containerinstance/containergroups"
_COMPARE = (
    "Compare the work pool's job template with the default one (prefect work-pool get-default-base-job-template)."
)
_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|api_?key|private_?key|access_?key|account_?key|credential|auth_string|connection_"
    r"(string|url)|custom_headers",
    re.IGNORECASE,
)
_SECRET_KEYS = frozenset({"secureValue", "password", "storageAccountKey", "workspaceKey"})
_SECRET_MAPS = frozenset({"secret"})  # of a volume: file names and contents
_SECRET_OBJECTS = frozenset({"protectedSettings"})
_HIDDEN = "prefectSecret"
"""Beginning of the names of parameters that are secrets."""
_MOST_PARAMETERS = 256
"""See https://learn.microsoft.com/azure/azure-resource-manager/templates/best-practices#template-limits."""


def literal(text: str) -> str:
    """Write a text so that Resource Manager takes it as it is: one in square brackets would be an expression."""
    return f"[{text}" if text.startswith("[") and text.endswith("]") else text


def is_expression(value: object) -> bool:
    """Whether Resource Manager evaluates a text."""
    return isinstance(value, str) and value.startswith("[") and value.endswith("]") and not value.startswith("[[")


def _plain(text: str) -> str:
    """The opposite of `literal`."""
    return text[1:] if text.startswith("[[") and text.endswith("]") else text


def refers_to(value: object, parameter: str) -> bool:
    """Whether a value is that of a parameter, and nothing else."""
    return isinstance(value, str) and bool(re.fullmatch(rf"\[\s*parameters\(\s*'{parameter}'\s*\)\s*\]", value))


def pruned(document: Any) -> Any:
    """Copy a document without `None`: what a placeholder without a value leaves."""
    if isinstance(document, Mapping):
        return {key: pruned(value) for key, value in cast("Mapping[str, Any]", document).items() if value is not None}
    if isinstance(document, list):
        return [pruned(item) for item in cast("list[Any]", document)]
    return document


def group_of(template: Json) -> Json:
    """The container group of a template: its first one.

    Raises:
        ValueError: If it has none.
    """
    resources = template.get("resources")
    # In the second version of the language resources have symbolic names.
    listed = list(cast("Json", resources).values()) if isinstance(resources, dict) else resources
    if isinstance(listed, list):
        for resource in cast("list[Any]", listed):
            if isinstance(resource, dict) and str(cast("Json", resource).get("type", "")).lower() == _TYPE:
                return cast("Json", resource)
    raise ValueError(
        f"`arm_template` has no resource of the type Microsoft.ContainerInstance/containerGroups. {_COMPARE}"
    )


def container_of(group: Json) -> Json:
    """The container that runs the flow: that which has the parameter `container_name` for its name, else the first.

    Raises:
        ValueError: If there is none.
    """
    containers = _part(group, "properties").get("containers")
    listed = cast("list[Json]", containers) if isinstance(containers, list) else []
    if not listed or not all(isinstance(cast("Any", item), dict) for item in listed):
        raise ValueError(f"`arm_template`: the container group has no list of containers. {_COMPARE}")
    return next((item for item in listed if refers_to(item.get("name"), CONTAINER_NAME)), listed[0])


def _part(document: Json, key: str) -> Json:
    found = document.setdefault(key, {})
    if not isinstance(found, dict):
        raise ValueError(f"`arm_template`: {key} is not an object. {_COMPARE}")  # noqa: TRY004 - a bad value
    return cast("Json", found)


def check_parameters(template: Json) -> None:
    """Refuse a template that Resource Manager would ask values for.

    Raises:
        ValueError: If a parameter has no default value; the message names it.
    """
    declared: Any = template.get("parameters") or {}
    if not isinstance(declared, dict):
        raise ValueError("`arm_template`: parameters is not an object.")  # noqa: TRY004 - a bad value
    for name, parameter in cast("Json", declared).items():
        spec = cast("Json", parameter or {})
        if name not in _OURS and "defaultValue" not in spec and not spec.get("nullable"):
            raise ValueError(
                f"`arm_template`: the parameter {name!r} has no defaultValue, and the worker has no value for it. Give "
                "it one; a placeholder such as {{ my_variable }} is filled in with a job variable."
            )


def is_secret(name: str, secret_names: Iterable[str]) -> bool:
    """Whether a variable of that name goes out as a secure value."""
    return name in secret_names or _SECRET_NAME.search(name) is not None


def environment(given: Any, values: Mapping[str, str | None], secret_names: Iterable[str]) -> list[Json]:
    """Write a container's environment.

    Args:
        given: Entries that the template has already.
        values: Variables of the run; they count where a name is given twice. Those without a value are left out.
        secret_names: Names of variables that go out as secure values, besides those that speak of secrets.

    Returns:
        One entry for each name.
    """
    secrets = frozenset(secret_names)
    entries: dict[str, Json] = {}
    for entry in cast("list[Json]", given or []):
        entries[str(entry.get("name"))] = dict(entry)
    for name, value in values.items():
        if value is not None:
            key = "secureValue" if is_secret(name, secrets) else "value"
            entries[name] = {"name": name, key: literal(str(value))}
    return list(entries.values())


def merged_tags(given: Any, ours: Mapping[str, str], bound: Iterable[str]) -> Any:
    """Put a run's tags to those of a template.

    Args:
        given: Tags of the template: an object, or an expression that gives one.
        ours: Tags of the run.
        bound: Names of those that count more than the template's.
    """
    escaped = {name: literal(value) for name, value in ours.items()}
    if is_expression(given):
        text = json.dumps(dict(ours)).replace("'", "''")
        return f"[union({cast('str', given)[1:-1]}, json('{text}'))]"
    strict = {name: escaped[name] for name in bound if name in escaped}
    return {**escaped, **cast("Json", given or {}), **strict}


@dataclass(frozen=True)
class DeploymentRequest:
    """What is asked of Resource Manager.

    Attributes:
        name: Of the container group, and of the deployment.
        template: The template.
        parameters: Values of its parameters.
        tags: Tags of the deployment.
        secrets: Values that messages must not repeat.
    """

    name: str
    template: Json
    parameters: Json
    tags: dict[str, str]
    secrets: tuple[str, ...]

    def body(self) -> Json:
        """As the API takes it (https://learn.microsoft.com/rest/api/resources/deployments/create-or-update)."""
        properties = {"mode": "Incremental", "template": self.template, "parameters": self.parameters}
        return {"properties": properties, "tags": self.tags}


def deployment_request(template: Json, name: str, tags: Mapping[str, str]) -> DeploymentRequest:
    """Make the request for one container group of a template that was prepared for a run.

    Whatever name the template gives to the group, it gets the given one: two runs must not share a group. Secrets
    become parameters of the type `secureString`, because everybody who may look at a deployment can read its template.

    Args:
        template: The template; it is not changed.
        name: Of the group, and of the deployment.
        tags: Tags of the deployment.

    Raises:
        ValueError: If a parameter has no value, or there are too many secrets.
    """
    made = deepcopy(template)
    check_parameters(made)
    declared = _part(made, "parameters")
    group = group_of(made)
    container = container_of(group)
    parameters: Json = {}
    if not refers_to(group.get("name"), GROUP_NAME):
        group["name"] = f"[parameters('{GROUP_NAME}')]"
    if not container.get("name"):
        container["name"] = f"[parameters('{CONTAINER_NAME}')]"
    for parameter in _OURS:
        if parameter in declared or parameter == GROUP_NAME or refers_to(container.get("name"), parameter):
            declared.setdefault(parameter, {"type": "string"})
            parameters[parameter] = {"value": name}
    secrets: list[Any] = []
    for resource in _resources(made):
        _hide(resource.get("properties"), secrets)
    for number, value in enumerate(secrets):
        declared[f"{_HIDDEN}{number}"] = {"type": "secureString" if isinstance(value, str) else "secureObject"}
        parameters[f"{_HIDDEN}{number}"] = {"value": value}
    if len(declared) > _MOST_PARAMETERS:
        raise ValueError(
            f"`arm_template` has {len(declared)} parameters with the {len(secrets)} secrets of the run; Azure takes at "
            f"most {_MOST_PARAMETERS}. Give the container fewer secrets, such as one that holds several values."
        )
    texts = [value if isinstance(value, str) else json.dumps(value) for value in secrets]
    return DeploymentRequest(name, made, parameters, dict(tags), tuple(text for text in texts if text))


def _resources(template: Json) -> Sequence[Json]:
    resources: Any = template.get("resources") or []
    return list(cast("Json", resources).values()) if isinstance(resources, dict) else cast("list[Json]", resources)


def _hide(document: Any, secrets: list[Any]) -> None:
    """Put parameters in the place of secrets."""
    if isinstance(document, list):
        for item in cast("list[Any]", document):
            _hide(item, secrets)
    if not isinstance(document, dict):
        return
    members = cast("Json", document)
    for key, value in members.items():
        if key in _SECRET_KEYS and isinstance(value, str):
            members[key] = _hidden(value, secrets)
        elif key in _SECRET_MAPS and isinstance(value, dict):
            files = cast("Json", value)
            members[key] = {name: _hidden(text, secrets) for name, text in files.items()}
        elif key in _SECRET_OBJECTS and isinstance(value, dict) and value:
            members[key] = _hidden(value, secrets)
        else:
            _hide(value, secrets)


def _hidden(value: Any, secrets: list[Any]) -> Any:
    if is_expression(value) or value == "":
        return value
    plain = _plain(value) if isinstance(value, str) else value
    if plain not in secrets:
        secrets.append(plain)
    return f"[parameters('{_HIDDEN}{secrets.index(plain)}')]"
