"""What Snowflake says of compute pools, services and containers, as the worker reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .names import ServiceName, labels_in

SUCCEEDED = "DONE"
FAILED = frozenset({"FAILED", "INTERNAL_ERROR", "CANCELLED"})
GOING = frozenset({"DELETING", "DELETED", "CANCELLING"})
"""States of a service that is being dropped, or is."""
WAITING = frozenset({"PENDING", "STARTING", ""})


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


def _is_true(value: Any) -> bool:
    return str(value).lower() in {"true", "y", "yes", "1"}


@dataclass(frozen=True)
class PoolView:
    """A compute pool: its state, and why it is in it."""

    name: str
    state: str
    message: str = ""
    is_auto_resumed: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> PoolView:
        """Read a row of DESCRIBE COMPUTE POOL."""
        return cls(
            name=_text(row, "name"),
            state=_text(row, "state").upper(),
            message=_text(row, "status_message") or _text(row, "error_code"),
            is_auto_resumed=_is_true(row.get("auto_resume")),
        )


@dataclass(frozen=True)
class ContainerView:
    """A container of a service.

    Attributes:
        status: PENDING, READY, DONE, FAILED or UNKNOWN.
        exit_code: Of its process; `None` where Snowflake does not say it.
    """

    name: str
    status: str
    message: str = ""
    restarts: int = 0
    exit_code: int | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ContainerView:
        """Read a row of SHOW SERVICE CONTAINERS."""
        code = _text(row, "last_exit_code").strip()
        return cls(
            name=_text(row, "container_name"),
            status=_text(row, "status").upper(),
            message=_text(row, "message"),
            restarts=int(_text(row, "restart_count") or 0),
            exit_code=int(code) if code.lstrip("-").isdigit() else None,
        )


@dataclass(frozen=True)
class ServiceView:
    """A job service: its place, its state, what its comment says."""

    service: ServiceName
    status: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ServiceView:
        """Read a row of SHOW JOB SERVICES or DESCRIBE SERVICE."""
        created = row.get("created_on")
        if isinstance(created, datetime) and created.tzinfo is None:
            created = created.replace(tzinfo=timezone.utc)
        return cls(
            service=ServiceName(_text(row, "name"), _text(row, "database_name"), _text(row, "schema_name")),
            status=_text(row, "status").upper(),
            labels=labels_in(_text(row, "comment")),
            created_at=created if isinstance(created, datetime) else None,
        )

    @property
    def is_ended(self) -> bool:
        """Whether its container has come to an end, well or not."""
        return self.status == SUCCEEDED or self.status in FAILED

    @property
    def is_going(self) -> bool:
        """Whether it is being dropped."""
        return self.status in GOING


def main_of(containers: Iterable[ContainerView], name: str = "") -> ContainerView | None:
    """The container that runs the flow: the one of the name, else one that has failed, else the first."""
    known = list(containers)
    named = [container for container in known if container.name == name]
    failed = [container for container in known if container.status == "FAILED"]
    return next(iter([*named, *failed, *known]), None)
