"""What `dbt source freshness` found out, and what follows from it for the nodes that read the sources."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

from ..errors import DbtStateError

__all__ = ["SourceFreshness", "read_freshness", "stale_upstream", "time_to_stale", "upstream_sources"]

_STALE_STATUSES = frozenset({"error", "runtime error"})
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True)
class SourceFreshness:
    """How fresh one source is.

    Attributes:
        unique_id: The source.
        status: `pass`, `warn`, `error` (older than `error_after`) or `runtime error` (it could not be asked).
        max_loaded_at: When its newest row was loaded; `None` if not known.
        snapshotted_at: When the source was asked.
        warn_after: Age at which it counts as late.
        error_after: Age at which it counts as stale.
        message: What went wrong when it was asked.
    """

    unique_id: str
    status: str
    max_loaded_at: datetime | None = None
    snapshotted_at: datetime | None = None
    warn_after: timedelta | None = None
    error_after: timedelta | None = None
    message: str | None = None

    @property
    def is_stale(self) -> bool:
        """Whether what reads the source should not be built: it is too old, or could not be asked."""
        return self.status in _STALE_STATUSES

    @property
    def time_left(self) -> timedelta | None:
        """How long the source stayed within `warn_after`, else `error_after`, when it was asked; never negative."""
        limit = self.warn_after or self.error_after
        if limit is None or self.max_loaded_at is None or self.snapshotted_at is None:
            return None
        return max(timedelta(), self.max_loaded_at + limit - self.snapshotted_at)

    def describe(self) -> str:
        """Say in words why the source is stale."""
        if self.status == "runtime error":
            return f"the freshness of {self.unique_id} could not be found out ({self.message or 'no reason given'})"
        loaded = "at an unknown time" if self.max_loaded_at is None else f"at {self.max_loaded_at.isoformat()}"
        limit = "" if self.error_after is None else f", and error_after is {self.error_after}"
        return f"{self.unique_id} is stale: its newest row was loaded {loaded}{limit}"


def read_freshness(path: Path) -> dict[str, SourceFreshness]:
    """Read a `sources.json`; see https://docs.getdbt.com/reference/artifacts/sources-json.

    Raises:
        DbtStateError: If the file is missing or is none of dbt's.
    """
    try:
        data: Any = json.loads(path.read_bytes())
        entries: Any = data["results"]
        return {entry["unique_id"]: _freshness(entry) for entry in entries}
    except OSError as exc:
        raise DbtStateError(f"dbt wrote no freshness results to {path}. Is `write_json` off?") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise DbtStateError(f"{path} holds no freshness results of dbt: {exc!r}.") from exc


def upstream_sources(depends_on: Mapping[str, Collection[str]], node: str) -> set[str]:
    """Name all sources that a node reads, however far up."""
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        for parent in depends_on.get(waiting.pop(), ()):
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return {parent for parent in seen if parent.startswith("source.")}


def stale_upstream(
    freshness: Mapping[str, SourceFreshness], depends_on: Mapping[str, Collection[str]], node: str
) -> SourceFreshness | None:
    """Find a stale source upstream of a node; `None` if all that were asked are fresh."""
    stale = (freshness[source] for source in sorted(upstream_sources(depends_on, node)) if source in freshness)
    return next((source for source in stale if source.is_stale), None)


def time_to_stale(
    freshness: Mapping[str, SourceFreshness], depends_on: Mapping[str, Collection[str]], node: str
) -> timedelta | None:
    """Say how long all sources upstream of a node stay within their limits; `None` if none has one."""
    left = (freshness[source].time_left for source in upstream_sources(depends_on, node) if source in freshness)
    return min((time for time in left if time is not None), default=None)


def _freshness(entry: Mapping[str, Any]) -> SourceFreshness:
    limits = _mapping(entry.get("criteria"))
    return SourceFreshness(
        unique_id=entry["unique_id"],
        status=str(entry["status"]),
        max_loaded_at=_moment(entry.get("max_loaded_at")),
        snapshotted_at=_moment(entry.get("snapshotted_at")),
        warn_after=_period(limits.get("warn_after")),
        error_after=_period(limits.get("error_after")),
        message=entry.get("error") if isinstance(entry.get("error"), str) else None,
    )


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _period(value: Any) -> timedelta | None:
    period = _mapping(value)
    count, unit = period.get("count"), _UNITS.get(str(period.get("period")))
    return unit * count if unit is not None and isinstance(count, int) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
