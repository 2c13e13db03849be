"""dbt's events as the records that the parent gets.

An event is looked at twice: `Filter.wants` on dbt's own thread, which must be quick, and `Encoder.encode` on the
thread that writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from .records import DbtEvent, NodeInfo, Relation
from .scrubbing import Scrubber

LIFE_CYCLE = frozenset(
    {"NodeStart", "NodeCompiling", "NodeExecuting", "NodeFinished", "ConcurrencyLine", "SkippingDetails"}
    | {"LogSkipBecauseError", "CommandCompleted", "MainReportVersion", "MarkSkippedChildren", "LogCancelLine"}
)
"""Sent at whatever level: the parent follows nodes by them."""

_PRINTED = frozenset({"PrintEvent", "ShowNode", "CompiledNode"})
"""Shown even when dbt is quiet, as dbt does (`dbt_common.events.logger.PRINT_EVENT_NAMES`)."""

_CACHE_EVENTS = frozenset({"CacheAction", "CacheDumpGraph"})
_RANKS = {"test": 0, "debug": 0, "info": 1, "warn": 2, "error": 3, "none": 9}
_LONGEST_FIELD = 2000


class Filter:
    """Which events the parent needs, by dbt's flags once those are known."""

    def __init__(self) -> None:
        self.rank = _RANKS["info"]
        self.shows_cache_events = False

    def set_flags(self, flags: Any) -> None:
        """Take over the console's level, as `dbt.events.logging.setup_event_logger` finds it."""
        level = str(getattr(flags, "LOG_LEVEL", "info"))
        if level != "none":
            level = "error" if getattr(flags, "QUIET", False) else "debug" if getattr(flags, "DEBUG", False) else level
        self.rank = _RANKS.get(level, 1)
        self.shows_cache_events = bool(getattr(flags, "LOG_CACHE_EVENTS", False))

    def shows(self, info: Any) -> bool:
        """Whether dbt's console shows an event."""
        name = info.name
        if name in _PRINTED:
            return self.rank <= _RANKS["error"]
        if name in _CACHE_EVENTS and not self.shows_cache_events:
            return False
        return _RANKS.get(info.level, 1) >= self.rank

    def wants(self, info: Any) -> bool:
        """Whether the parent needs it."""
        return info.name in LIFE_CYCLE or self.shows(info)


class Encoder:
    """Makes records of events."""

    def __init__(self, scrub: Scrubber) -> None:
        self._scrub = scrub
        self._with_node: dict[type[Any], bool] = {}

    def encode(self, message: Any, shown: bool) -> DbtEvent:
        """One event as a record."""
        info, data = message.info, message.data
        kind = cast("type[Any]", type(data))
        has_node = self._with_node.get(kind)
        if has_node is None:
            has_node = self._with_node[kind] = "node_info" in data.DESCRIPTOR.fields_by_name
        stamp = info.ts
        return DbtEvent(
            name=info.name,
            code=info.code,
            level=info.level,
            message=self._scrub(info.msg),
            timestamp=stamp.seconds + stamp.nanos / 1e9,
            thread=info.thread,
            node=node_info(data.node_info) if has_node else None,
            data=dict(self._fields(data)),
            shown=shown,
        )

    def _fields(self, data: Any) -> Iterator[tuple[str, Any]]:
        for field, value in data.ListFields():
            if field.message_type is not None or field.name == "msg":
                continue
            if isinstance(value, str):
                yield field.name, self._scrub(value[:_LONGEST_FIELD])
            elif isinstance(value, (int, float)):
                yield field.name, value


def node_info(node: Any) -> NodeInfo | None:
    """The node of an event, if it has one."""
    if not node.unique_id:
        return None
    relation = node.node_relation
    return NodeInfo(
        node.unique_id,
        node.node_name,
        node.resource_type,
        node.node_status,
        node.node_path,
        node.materialized,
        node.node_started_at,
        node.node_finished_at,
        Relation(
            relation.database or None,
            relation.schema or None,
            relation.alias or None,
            relation.relation_name or None,
        ),
    )


def iso(value: Any) -> str:
    """A time as ISO 8601 in UTC without an offset, as dbt writes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if value else ""
