"""The specification of a job, made of a work pool's manifest.

See https://docs.snowflake.com/en/developer-guide/snowpark-container-services/specification-reference.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from .constants import SECRET_VARIABLES
from .names import container_name, secret_name

Json = dict[str, Any]

_HOST = re.compile(r"[^/]+\.[^/:]+(:\d+)?/|localhost(:\d+)?/")
_PARTS_OF_A_REPOSITORY = 3  # database, schema, repository


def pruned(value: Any) -> Any:
    """Copy without what has no value: `None`, and what is empty when that is left out.

    Args:
        value: Dictionaries, lists, plain values.
    """
    if isinstance(value, Mapping):
        members = {
            key: pruned(member) for key, member in cast("Mapping[str, Any]", value).items() if member is not None
        }
        return {key: member for key, member in members.items() if member not in ({}, [])}
    if isinstance(value, list):
        return [pruned(member) for member in cast("list[Any]", value) if member is not None]
    return value


def main_container(manifest: Mapping[str, Any]) -> Json:
    """The container that runs the flow: the first one.

    Raises:
        ValueError: If the manifest has none.
    """
    specification: Any = manifest.get("spec")
    containers: Any = specification.get("containers") if isinstance(specification, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if not isinstance(containers, list) or not containers or not isinstance(containers[0], dict):
        raise ValueError("`job_manifest` has no `spec.containers` with a container in it, which is to run the flow.")
    return cast("Json", containers[0])


def image_of(image: str, registry: str | None) -> str:
    """Put a registry before an image that names none itself.

    Args:
        image: `name:tag`, an image's path in Snowflake (`/database/schema/repository/name:tag`), or one with a host.
        registry: A repository, as a path or with its host.
    """
    registry = (registry or "").rstrip("/")
    repository = _HOST.sub("", registry).strip("/")
    path = image.lstrip("/")
    is_whole = image.startswith("/") and path.count("/") >= _PARTS_OF_A_REPOSITORY
    if not registry or is_whole or _HOST.match(image) or path.lower().startswith(f"{repository}/".lower()):
        return image
    return f"{registry}/{path}"


def limited(resources: Mapping[str, Any]) -> Json:
    """Resources in which the memory that is asked for is the limit, too, unless they name another."""
    asked: Json = resources.get("requests") or {}
    limits: Json = resources.get("limits") or {}
    if not asked.get("memory") or limits.get("memory"):
        return dict(resources)
    return {**resources, "limits": {**limits, "memory": asked["memory"]}}


def variables_of(secrets: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the variables that get their values from secrets."""
    return {str(secret["envVarName"]) for secret in secrets if secret.get("envVarName")}


def checked_secrets(secrets: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Check what a run says of its secrets.

    Raises:
        ValueError: If an entry does not say which secret goes where.
    """
    checked: list[Json] = []
    for index, secret in enumerate(secrets):
        field = f"secrets[{index}]"
        named: Any = secret.get("snowflakeSecret")
        if isinstance(named, Mapping):
            names = cast("Mapping[str, Any]", named)
            named = names.get("objectName") or names.get("objectReference")
        if not isinstance(named, str) or not named:
            raise ValueError(
                f"`{field}` names no secret. Give it `snowflakeSecret`, such as MY_DB.MY_SCHEMA.MY_SECRET; never the "
                "secret's value."
            )
        secret_name(named, f"{field}.snowflakeSecret")
        if bool(secret.get("envVarName")) == bool(secret.get("directoryPath")):
            raise ValueError(f"`{field}` must have either `envVarName` or `directoryPath`, where the value is put.")
        entry = dict(secret)
        if secret.get("envVarName"):
            # A variable needs to know which part of the secret it gets.
            entry.setdefault("secretKeyRef", "secret_string")
        checked.append(entry)
    return checked


def with_api_secrets(
    environment: Mapping[str, str], secrets: Sequence[Mapping[str, Any]], named: Mapping[str, str | None]
) -> tuple[dict[str, str], list[Json]]:
    """Take what signs in at the Prefect API out of the environment, and let it come from secrets.

    Args:
        environment: The run's variables.
        secrets: What the run says of its secrets.
        named: For each variable, the secret that the operator has named.

    Returns:
        The environment that may stand in a statement, and the secrets.

    Raises:
        ValueError: If a variable has no secret: its value would stand in Snowflake's query history.
    """
    checked = checked_secrets(secrets)
    provided = variables_of(checked)
    open_ones = {name: value for name, value in environment.items() if name not in provided}
    for name in SECRET_VARIABLES:
        if name not in open_ones:
            continue
        if not is_secret(name, open_ones[name]):
            continue
        del open_ones[name]
        if not (secret := named.get(name)):
            raise ValueError(missing_secret(name))
        checked.append(
            {
                "snowflakeSecret": secret_name(secret, _setting_of(name)),
                "secretKeyRef": "secret_string",
                "envVarName": name,
            }
        )
    return open_ones, checked


def is_secret(name: str, value: str) -> bool:
    """Whether one of `SECRET_VARIABLES` has a value that nobody may see: headers may be harmless."""
    if name == "PREFECT_CLIENT_CUSTOM_HEADERS":
        return bool(re.search(r"auth|token|key|secret|cookie|password", value, re.IGNORECASE))
    return bool(value)


def _setting_of(variable: str) -> str:
    part = variable.removeprefix("PREFECT_")
    return f"PREFECT_INTEGRATIONS_SNOWFLAKE_SPCS_WORKER_{part}_SECRET"


def missing_secret(variable: str) -> str:
    """Say that a variable would go out as plain text, and what to do."""
    return (
        f"{variable} is in the run's environment, and would stand in the text of a statement, which Snowflake keeps in "
        f"its query history. Store the value in a secret of Snowflake (CREATE SECRET my_secret TYPE = GENERIC_STRING "
        f"SECRET_STRING = '...'), and name it in `secrets` of the work pool or the deployment, as "
        f'[{{"snowflakeSecret": "MY_DB.MY_SCHEMA.MY_SECRET", "secretKeyRef": "secret_string", "envVarName": '
        f'"{variable}"}}], or for all '
        f"runs of the worker in its variable {_setting_of(variable)}."
    )


def specification_of(
    manifest: Mapping[str, Any],
    *,
    image: str,
    command: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    secrets: Sequence[Mapping[str, Any]],
) -> Json:
    """Make a job's specification. What a manifest spells out goes before what a run says.

    Args:
        manifest: The work pool's, with the values of a run.
        image: The image, with its registry, where the manifest has none of its own.
        command: What is started, where the manifest has no list of words; that of the image when empty.
        arguments: Its arguments, likewise.
        environment: Variables that may stand in plain text.
        secrets: Where secrets of Snowflake go.

    Returns:
        The specification, `spec` outermost.

    Raises:
        ValueError: If the manifest lacks a container, or one beside the main one has a secret in plain text.
    """
    made = copy.deepcopy(dict(manifest))
    container = main_container(made)
    container["name"] = container_name(str(container.get("name") or ""))
    container["image"] = image
    for part, words in (("command", command), ("args", arguments)):
        if not isinstance(container.get(part), list):
            container[part] = list(words)
    container["env"] = {str(name): str(value) for name, value in environment.items()}
    container["secrets"] = [dict(secret) for secret in secrets]
    others: list[Json] = made["spec"]["containers"][1:]
    for other in others:
        plain: Json = other.get("env") or {}
        for name in SECRET_VARIABLES:
            if is_secret(name, str(plain.get(name) or "")):
                raise ValueError(missing_secret(name))
    return pruned(made)
