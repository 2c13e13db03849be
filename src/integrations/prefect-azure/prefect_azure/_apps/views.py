"""Jobs and executions of Container Apps as we see them, read from what Azure Resource Manager says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .._workers.names import made_at

Json = Mapping[str, Any]
_NOTHING: Json = {}

_ENDED = {"succeeded", "failed", "stopped"}
# What Kubernetes says of an image that does not come, and what the platform makes of it:
# https://learn.microsoft.com/azure/container-apps/troubleshoot-image-pull-failures
_PULL_PROBLEM = re.compile(
    r"ImagePull|ErrImage|InvalidImageName|pull(ing)? (the )?image|image pull|manifest (unknown|not found)|"
    r"pull access denied",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class JobView:
    """A job."""

    id: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime | None = None
    provisioning_state: str = ""
    environment_id: str = ""
    replica_timeout: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can be started."""
        return self.provisioning_state.lower() == "succeeded"

    @property
    def is_broken(self) -> bool:
        """Whether it will never be ready."""
        return self.provisioning_state.lower() in ("failed", "canceled")


@dataclass(frozen=True)
class ContainerView:
    """How a container of an execution is, or was at its end."""

    name: str
    exit_code: int | None = None
    status: str = ""
    information: str = ""


@dataclass(frozen=True)
class ExecutionView:
    """An execution."""

    name: str
    status: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    message: str = ""
    containers: Sequence[ContainerView] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Plain variables of its containers."""

    @property
    def succeeded(self) -> bool:
        """Whether it ended as it should."""
        return self.status.lower() == "succeeded"

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has stopped it."""
        return self.status.lower() == "stopped"

    @property
    def is_ended(self) -> bool:
        """Whether it has ended. `Degraded` and `Unknown` are ends only where there is a time of the end."""
        return self.status.lower() in _ENDED or self.ended_at is not None

    @property
    def said(self) -> str:
        """All that is said about it, to be searched."""
        parts = [self.reason, self.message]
        for container in self.containers:
            parts += [container.status, container.information]
        return " ".join(part for part in parts if part)

    @property
    def has_pull_problem(self) -> bool:
        """Whether an image cannot be pulled."""
        return not self.succeeded and _PULL_PROBLEM.search(self.said) is not None


def job_view(data: Json) -> JobView:
    """Read a job.

    Args:
        data: As the API gives it.
    """
    properties: Json = data.get("properties") or _NOTHING
    configuration: Json = properties.get("configuration") or _NOTHING
    system: Json = data.get("systemData") or _NOTHING
    timeout = configuration.get("replicaTimeout")
    return JobView(
        id=str(data.get("id") or ""),
        name=str(data.get("name") or ""),
        tags=data.get("tags") or {},
        created_at=moment(system.get("createdAt")) or made_at(data.get("tags")),
        provisioning_state=str(properties.get("provisioningState") or ""),
        environment_id=str(properties.get("environmentId") or ""),
        replica_timeout=int(timeout) if timeout is not None else None,
    )


def execution_view(data: Json) -> ExecutionView:
    """Read an execution.

    Args:
        data: As the API gives it. Older versions of it, and of the SDK, know less of an end.
    """
    properties: Json = data.get("properties") or _NOTHING
    details: Json = properties.get("detailedStatus") or _NOTHING
    replicas: Sequence[Json] = details.get("replicas") or ()
    template: Json = properties.get("template") or _NOTHING
    containers: Sequence[Json] = template.get("containers") or ()
    return ExecutionView(
        name=str(data.get("name") or ""),
        status=str(properties.get("status") or ""),
        started_at=moment(properties.get("startTime")),
        ended_at=moment(properties.get("endTime")),
        reason=str(properties.get("reason") or ""),
        message=str(properties.get("message") or ""),
        containers=[_container(each) for replica in replicas for each in replica.get("containers") or ()],
        variables={
            str(entry.get("name")): str(entry.get("value"))
            for container in containers
            for entry in container.get("env") or ()
            if entry.get("value") is not None
        },
    )


def _container(data: Json) -> ContainerView:
    code = data.get("code")
    return ContainerView(
        name=str(data.get("name") or ""),
        exit_code=int(code) if code is not None else None,
        status=str(data.get("status") or ""),
        information=str(data.get("additionalInformation") or ""),
    )


def moment(text: object) -> datetime | None:
    """Read a time; `None` when there is none. One without a zone is in UTC."""
    if not text:
        return None
    if isinstance(text, datetime):
        return text
    from datetime import timezone

    from dateutil.parser import isoparse  # comes with Prefect; Python 3.10 itself cannot read seven digits

    try:
        found = isoparse(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)
