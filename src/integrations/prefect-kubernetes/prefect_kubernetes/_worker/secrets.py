"""Keep secret values out of a job's manifest: they stand in a Secret, and the manifest refers to it.

The Secret is made after the job, which owns it, so that it goes when the job goes and never stays behind alone. A pod
that should be quicker waits for it: it does not start without.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from .checks import ManifestInvalid, main_container
from .environment import expanded, values_of

if TYPE_CHECKING:
    from ..settings import KubernetesWorkerSettings

MAX_SECRET_BYTES = 1_048_576
"""https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size"""

DEFAULT_KEY = "value"
"""Key of a Secret that settings name without one."""

_NAMED_BY_SETTINGS = {"PREFECT_API_KEY": "api_key", "PREFECT_API_AUTH_STRING": "api_auth_string"}


@dataclass(frozen=True)
class Protected:
    """A manifest whose secrets are elsewhere.

    Attributes:
        manifest: The manifest.
        data: What the job's own Secret must hold; empty when it needs none.
        plain: Names of the secret variables whose values stand in the manifest all the same.
    """

    manifest: dict[str, Any]
    data: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    plain: tuple[str, ...] = ()


@cache
def secret_variables() -> frozenset[str]:
    """Names of the environment variables by which Prefect is told secrets."""
    from prefect.settings.models.root import Settings
    from pydantic import SecretStr

    names = {"PREFECT_CLIENT_CUSTOM_HEADERS"}  # an authorization among them, more often than not

    def look_at(model: Any) -> None:
        prefix = str(model.model_config.get("env_prefix") or "")
        for name, info in model.model_fields.items():
            kinds = {info.annotation, *get_args(info.annotation)}
            if SecretStr in kinds:
                aliases = getattr(info.validation_alias, "choices", ())
                names.update({f"{prefix}{name}".upper(), *(each.upper() for each in aliases if isinstance(each, str))})
            elif hasattr(info.annotation, "model_fields"):
                look_at(info.annotation)

    look_at(Settings)
    return frozenset(names)


def demands(settings: KubernetesWorkerSettings) -> bool:
    """Say whether a run must not start when its secrets cannot be kept in a Secret."""
    return settings.store_env_as_secret or settings.create_secret_for_api_key or settings.protect_secrets == "always"


def wants(settings: KubernetesWorkerSettings) -> bool:
    """Say whether secrets are kept in a Secret where that is allowed."""
    return demands(settings) or settings.protect_secrets == "when_allowed"


def protect(
    manifest: Mapping[str, Any],
    settings: KubernetesWorkerSettings,
    *,
    secret_name: str,
    may_create: bool,
    references: Mapping[str, Mapping[str, Any]] | None = None,
) -> Protected:
    """Take secret values out of the environment of the container that runs the flow.

    Args:
        manifest: A manifest that was filled in.
        settings: Which values are to be kept where.
        secret_name: Name of the Secret to be made.
        may_create: Whether one may be made.
        references: Variables of the worker's own pod that come from Secrets of the job's namespace, and their
            `valueFrom`: the job refers to the same.

    Returns:
        The manifest, and what its Secret must hold.

    Raises:
        ManifestInvalid: If it is more than a Secret can hold.
    """
    result = deepcopy(dict(manifest))
    container = main_container(result)
    env: list[dict[str, Any]] = list(container.get("env") or [])
    env = _refer_to_existing(env, settings)
    env = [_with_reference(entry, references or {}) for entry in env]
    values = values_of(env)
    moving = _to_move(values, settings) if may_create else set[str]()
    known: dict[str, str | None] = {}
    data: dict[str, str] = {}
    for entry in env:
        name = entry["name"]
        if "valueFrom" in entry:
            known[name] = None
            continue
        known[name] = expanded(values[name], known)
        if name not in moving:
            continue
        value = values[name] if name in secret_variables() else known[name]
        if value is None:  # only the kubelet can put it together, from Secrets as it is
            continue
        data[name] = value
        del entry["value"]
        entry["valueFrom"] = {"secretKeyRef": {"name": secret_name, "key": name}}
    size = sum(len(name) + len(value.encode()) for name, value in data.items())
    if size > MAX_SECRET_BYTES:
        largest = max(data, key=lambda name: len(data[name]))
        raise ManifestInvalid(
            f"The environment takes {size} bytes, and a Secret holds {MAX_SECRET_BYTES} at most. The largest variable "
            f"is {largest}; put it into a file or an object store."
        )
    container["env"] = env
    plain = sorted(secret_variables() & set(values_of(env)))
    return Protected(result, data, tuple(plain))


def secret_body(job: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, Any]:
    """Write the Secret of a job.

    Args:
        job: Metadata of the job, its uid included.
        data: Names and values.
    """
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job["name"], "uid": job["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": job["name"],
            "namespace": job["namespace"],
            "labels": dict(job["labels"]),
            "ownerReferences": [owner],
        },
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in data.items()},
    }


def _refer_to_existing(env: list[dict[str, Any]], settings: KubernetesWorkerSettings) -> list[dict[str, Any]]:
    """Take what settings name an existing Secret for from there."""
    env = [dict(entry) for entry in env]
    for name, subject in _NAMED_BY_SETTINGS.items():
        secret = getattr(settings, f"{subject}_secret_name")
        if not secret:
            continue
        key = getattr(settings, f"{subject}_secret_key") or DEFAULT_KEY
        reference = {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        at = next((index for index, entry in enumerate(env) if entry["name"] == name), None)
        if at is None:
            env.append(reference)
        elif "valueFrom" not in env[at]:
            env[at] = reference
    return env


def _with_reference(entry: dict[str, Any], references: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if entry["name"] not in references or "valueFrom" in entry:
        return entry
    return {"name": entry["name"], "valueFrom": deepcopy(dict(references[entry["name"]]))}


def _to_move(values: Mapping[str, str], settings: KubernetesWorkerSettings) -> set[str]:
    if settings.store_env_as_secret:
        return set(values)
    return set(values) & secret_variables() if wants(settings) else set()
