"""Read what the engine says of a container."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, cast

from .times import nanoseconds


def part(document: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """A part of a document; empty where it has none."""
    found = (document or {}).get(name)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def status_of(document: Mapping[str, Any]) -> str:
    """The container's status, such as `running`."""
    return str(part(document, "State").get("Status") or "")


def name_of(document: Mapping[str, Any]) -> str:
    """The container's name, without the slash that the engine puts in front."""
    return str(document.get("Name") or "").lstrip("/")


def has_terminal(document: Mapping[str, Any] | None) -> bool:
    """Whether the container has a terminal, so that its output is one stream."""
    return bool(part(document, "Config").get("Tty"))


def has_ended(document: Mapping[str, Any]) -> bool:
    """Say whether a container has ended: it ran and does so no more, and is not about to run again."""
    status = status_of(document)
    return status in ("exited", "dead") or (status == "removing" and not part(document, "State").get("Running"))


def exit_code_of(document: Mapping[str, Any]) -> int:
    """The exit code of a container that has ended."""
    return int(part(document, "State").get("ExitCode") or 0)


def ended_at(document: Mapping[str, Any]) -> datetime | None:
    """When a container ended; `None` when it has not, which the engine writes as the year 1."""
    moment = nanoseconds(str(part(document, "State").get("FinishedAt") or ""))
    if moment is None or moment <= 0:
        return None
    return datetime.fromtimestamp(moment / 1e9, tz=timezone.utc)
