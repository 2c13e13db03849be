"""Names and identifiers of Container Apps jobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

LONGEST_NAME = 32
"""Most characters of a job's name: lower-case letters, digits and single hyphens, a letter first
(https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftapp)."""

WORKSPACE = "prefect-io-log-analytics-workspace"
"""Tag with the Log Analytics workspace that a run's variables name, so that the next worker knows it, too."""

_NAME = r"[a-z](?:-?[a-z0-9])*"
# An address loses `..`, and what follows a `?` is no part of a name.
_SUBSCRIPTION = r"[\w-]+"
# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftresources
_GROUP = r"[-\w.()]{0,89}[-\w()]"
_PLACE = rf"/subscriptions/(?P<subscription>{_SUBSCRIPTION})/resourceGroups/(?P<group>{_GROUP})/providers/"
_JOB_ID = re.compile(
    rf"{_PLACE}Microsoft\.App/jobs/(?P<name>[\w-]+)(?:/executions/(?P<execution>[\w-]+))?",
    re.IGNORECASE,
)
_ENVIRONMENT_ID = re.compile(
    rf"{_PLACE}Microsoft\.App/(?:managedEnvironments|connectedEnvironments)/(?P<name>[\w-]+)",
    re.IGNORECASE,
)
_IDENTITY_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/]+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class JobId:
    """Where a job is, as its resource ID says.

    Attributes:
        subscription: The subscription's ID.
        group: Name of the resource group.
        name: Name of the job.
        execution: Name of an execution, where the ID is that of one.
    """

    subscription: str
    group: str
    name: str
    execution: str = ""

    def __str__(self) -> str:
        """The resource ID of the job."""
        place = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{place}/providers/Microsoft.App/jobs/{self.name}"


def job_id_in(identifier: str) -> JobId:
    """Read the resource ID of a job, or of one of its executions.

    Raises:
        ValueError: If it is none.
    """
    found = _JOB_ID.fullmatch(identifier)
    if found is None:
        raise ValueError(
            f"{identifier!r} does not name a Container Apps job; expected its resource ID, "
            "'/subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.App/jobs/{name}'."
        )
    return JobId(found["subscription"], found["group"], found["name"], found["execution"] or "")


@dataclass(frozen=True)
class EnvironmentId:
    """Where a Container Apps environment is."""

    subscription: str
    group: str
    name: str


def environment_id_in(identifier: str) -> EnvironmentId:
    """Read the resource ID of a Container Apps environment.

    Raises:
        ValueError: If it is none.
    """
    found = _ENVIRONMENT_ID.fullmatch(identifier.rstrip("/"))
    if found is None:
        raise ValueError(
            f"{identifier!r} is no resource ID of a Container Apps environment; expected '/subscriptions/{{id}}/"
            "resourceGroups/{group}/providers/Microsoft.App/managedEnvironments/{name}', as `az containerapp env show "
            "--query id` prints it."
        )
    return EnvironmentId(found["subscription"], found["group"], found["name"])


def check_identity(identity: str, field: str) -> None:
    """Refuse what names no managed identity.

    Args:
        identity: `system`, or the resource ID of a user-assigned identity.
        field: Names it in the message.

    Raises:
        ValueError: If it is neither.
    """
    if identity.lower() != "system":
        _check_user_assigned(identity, field)


def check_reader(identity: str, field: str, *, may_be_environment: bool = False) -> None:
    """Refuse an identity that can read nothing when a job is made.

    Args:
        identity: The resource ID of a user-assigned identity.
        field: Names it in the message.
        may_be_environment: Whether `system-environment`, the identity of the environment, is one, too.

    Raises:
        ValueError: If it is none, or the job's own one, which has no role yet: each run has a new job.
    """
    if identity.lower() == "system":
        raise ValueError(
            f"`{field}`: 'system' is the identity of the job itself. Each run has a new job, whose identity has no "
            "role yet, so it can read nothing. Give the resource ID of a user-assigned identity."
        )
    if not (may_be_environment and identity.lower() == "system-environment"):
        _check_user_assigned(identity, field)


def _check_user_assigned(identity: str, field: str) -> None:
    if not _IDENTITY_ID.fullmatch(identity):
        raise ValueError(
            f"`{field}`: {identity!r} is no managed identity; give its resource ID, '/subscriptions/{{id}}/"
            "resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}'."
        )


def is_subscription(text: str) -> bool:
    """Whether it can be the ID of a subscription."""
    return re.fullmatch(_SUBSCRIPTION, text) is not None


def is_group(text: str) -> bool:
    """Whether a resource group may have the name."""
    return re.fullmatch(_GROUP, text) is not None


def is_job_name(name: str) -> bool:
    """Whether a job may have the name."""
    return 1 < len(name) <= LONGEST_NAME and re.fullmatch(_NAME, name) is not None


def secret_names(variables: Collection[str]) -> dict[str, str]:
    """Name the job secrets of environment variables: lower-case letters, digits and hyphens.

    Args:
        variables: Names of the variables.

    Returns:
        A name for each. Variables that would share one have a digest in it.
    """
    named: dict[str, str] = {}
    for variable in sorted(variables):
        plain = re.sub(r"[^a-z0-9]+", "-", variable.lower()).strip("-") or "secret"
        if plain in named.values():
            plain = f"{plain}-{hashlib.sha256(variable.encode()).hexdigest()[:8]}"
        named[variable] = plain
    return named


def registry_host(url: str) -> str:
    """The host of a registry as Container Apps calls it, `docker.io` of Docker Hub.

    Args:
        url: Its address, with or without scheme and path.
    """
    host = url.partition("://")[2] if "://" in url else url
    host = host.partition("/")[0].lower()
    return "docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host
