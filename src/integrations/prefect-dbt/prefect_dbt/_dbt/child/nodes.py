"""What the manifest knows of nodes, and how nodes ended. Total: an odd node gives empty fields, never an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from .encoding import iso
from .records import NodeDetails, NodeResult, Relation
from .scrubbing import Scrubber

_COLLECTIONS = (
    "nodes",
    "sources",
    "exposures",
    "unit_tests",
    "saved_queries",
    "functions",
    "semantic_models",
    "metrics",
)


class Nodes:
    """Details of the nodes of one manifest."""

    def __init__(self, manifest: Any, adapter_type: str, scrub: Scrubber) -> None:
        self._manifest = manifest
        self._adapter_type = adapter_type
        self._scrub = scrub
        self._sent: set[str] = set()
        self._collections = [found for name in _COLLECTIONS if (found := getattr(manifest, name, None)) is not None]

    def find(self, unique_id: str) -> Any:
        """The node, source or test of that id."""
        for collection in self._collections:
            found = collection.get(unique_id)
            if found is not None:
                return found
        return None

    def unsent(self, unique_id: str) -> Iterator[NodeDetails]:
        """Details of a node and what it reads or tests, as far as they were not given before."""
        if unique_id in self._sent:
            return
        details = self.details(unique_id)
        if details is None:
            return
        for other in (*details.depends_on, *details.test_of):
            if other in self._sent:
                continue
            found = self.details(other)
            if found is not None:
                self._sent.add(other)
                yield found
        self._sent.add(unique_id)
        yield details

    def details(self, unique_id: str) -> NodeDetails | None:
        """What is known of one node."""
        node = self.find(unique_id)
        if node is None:
            return None
        config = getattr(node, "config", None)
        meta = _meta(node, config)
        depends_on = tuple(self._read(node, {unique_id}))
        resource_type = _text(getattr(node, "resource_type", ""))
        is_test = resource_type in ("test", "unit_test")
        metadata = getattr(node, "test_metadata", None)
        return NodeDetails(
            unique_id=unique_id,
            name=_text(getattr(node, "name", "")),
            resource_type=resource_type,
            package_name=_text(getattr(node, "package_name", "")),
            path=_text(getattr(node, "path", "")),
            original_file_path=_text(getattr(node, "original_file_path", "")),
            materialized=_text(_of(config, "materialized")),
            relation=_relation(node),
            description=self._scrub(_text(getattr(node, "description", ""))),
            depends_on=depends_on,
            tags=tuple(_text(tag) for tag in getattr(node, "tags", None) or ()),
            meta=meta,
            owner=meta.get("owner") or self._group_owner(node, config),
            columns=dict(_columns(node)),
            prefect=_prefect(config, meta),
            adapter_type=self._adapter_type,
            test_of=self._tested(node, depends_on) if is_test else (),
            column_name=_text(getattr(node, "column_name", "")),
            severity=_text(_of(config, "severity")).lower() if is_test else "",
            test_name=_text(getattr(metadata, "name", "")),
            compiled_path=_text(getattr(node, "compiled_path", "")),
            source_name=_text(getattr(node, "source_name", "")),
        )

    def _read(self, node: Any, seen: set[str]) -> Iterator[str]:
        """Ids of what a node reads, through ephemeral models."""
        for other in getattr(getattr(node, "depends_on", None), "nodes", None) or ():
            if other in seen:
                continue
            seen.add(other)
            found = self.find(other)
            if found is None:
                continue
            if _of(getattr(found, "config", None), "materialized") == "ephemeral":
                yield from self._read(found, seen)
            else:
                yield other

    def _tested(self, node: Any, depends_on: tuple[str, ...]) -> tuple[str, ...]:
        attached = getattr(node, "attached_node", None) or getattr(node, "tested_node_unique_id", None)
        if isinstance(attached, str) and attached:
            return (attached,)
        return depends_on

    def _group_owner(self, node: Any, config: Any) -> Any:
        name = _of(config, "group") or getattr(node, "group", None)
        if not name:
            return None
        groups: dict[str, Any] = getattr(self._manifest, "groups", None) or {}
        for group in groups.values():
            if getattr(group, "name", None) == name:
                owner = getattr(group, "owner", None)
                return plain(getattr(owner, "name", None) or getattr(owner, "email", None))
        return None


def _relation(node: Any) -> Relation:
    name = getattr(node, "relation_name", None)
    alias = getattr(node, "alias", None) or getattr(node, "identifier", None)
    return Relation(
        _optional(getattr(node, "database", None)),
        _optional(getattr(node, "schema", None)),
        _optional(alias),
        _optional(name),
    )


def _meta(node: Any, config: Any) -> dict[str, Any]:
    found = _of(config, "meta") or getattr(node, "meta", None)
    value = plain(found)
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _prefect(config: Any, meta: dict[str, Any]) -> dict[str, Any]:
    for value in (plain(_of(config, "prefect")), meta.get("prefect")):
        if isinstance(value, dict) and value:
            return value  # pyright: ignore[reportUnknownVariableType]
    return {}


def _columns(node: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    columns: dict[str, Any] = getattr(node, "columns", None) or {}
    for name, column in columns.items():
        yield _text(name), (_text(getattr(column, "description", "")), _text(getattr(column, "data_type", "")))


def _of(config: Any, name: str) -> Any:
    """A value of a node's config, whichever way that version of dbt keeps it."""
    if config is None:
        return None
    try:
        return config.get(name)
    except Exception:  # noqa: BLE001 - some configs have no `get`, some raise for what they do not know
        return getattr(config, name, None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str.__str__(str(getattr(value, "value", value)))  # an enum's value, on Python before and after 3.11


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)


def plain(value: Any, depth: int = 6) -> Any:
    """The value as JSON has it, in types of Python alone; what is none is given as text.

    The parent would import the module of a subclass, and so dbt, when it loads one.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    if depth and isinstance(value, dict):
        items = cast("dict[Any, Any]", value)
        return {str(plain(key, 0)): plain(item, depth - 1) for key, item in items.items()}
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        each = cast("list[Any]", value)
        return [plain(item, depth - 1) for item in each]
    return str.__str__(str(value))


def from_event(data: Any, nodes: Nodes | None, scrub: Scrubber, with_code: bool) -> NodeResult:
    """How a node ended, by its `NodeFinished` event."""
    from google.protobuf.json_format import MessageToDict

    info, run = data.node_info, data.run_result
    node = None if nodes is None else nodes.find(info.unique_id)
    response: dict[str, Any] = MessageToDict(run.adapter_response) if len(run.adapter_response) else {}
    timing = [(t.name, _stamp(t.started_at), _stamp(t.completed_at)) for t in run.timing_info]
    failures = run.num_failures
    is_test = info.resource_type in ("test", "unit_test")
    return NodeResult(
        unique_id=info.unique_id,
        name=info.node_name,
        resource_type=info.resource_type,
        status=str(run.status),
        message=scrub(run.message),
        failures=failures if failures or is_test else None,
        execution_time=run.execution_time,
        thread=run.thread,
        timing=tuple(timing),
        adapter_response=response,
        relation_name=info.node_relation.relation_name or "",
        path=_text(getattr(node, "original_file_path", "")) or info.node_path,
        compiled_path=_text(getattr(node, "compiled_path", "")),
        compiled_code=_code(node) if with_code else None,
        column_name=_text(getattr(node, "column_name", "")),
    )


def _code(node: Any) -> str | None:
    code = getattr(node, "compiled_code", None)
    return code if isinstance(code, str) else None


def _stamp(value: Any) -> str:
    return value.ToDatetime().isoformat() if value.seconds else ""


def from_result(result: Any, scrub: Scrubber, with_code: bool) -> NodeResult | None:
    """How a node ended, by dbt's result."""
    node = getattr(result, "node", None)
    unique_id = getattr(node, "unique_id", None) or getattr(result, "unique_id", None)
    if not unique_id:
        return None
    response: dict[str, Any] = plain(getattr(result, "adapter_response", None) or {})
    return NodeResult(
        unique_id=str(unique_id),
        name=_text(getattr(node, "name", "")),
        resource_type=_text(getattr(node, "resource_type", "")),
        status=_text(getattr(result, "status", "")),
        message=scrub(_text(getattr(result, "message", ""))),
        failures=plain(getattr(result, "failures", None)),
        execution_time=float(getattr(result, "execution_time", 0.0) or 0.0),
        thread=_text(getattr(result, "thread_id", "")),
        timing=tuple(
            (_text(step.name), iso(step.started_at), iso(step.completed_at))
            for step in getattr(result, "timing", None) or ()
        ),
        adapter_response=response,
        relation_name=_text(getattr(node, "relation_name", "")),
        path=_text(getattr(node, "original_file_path", "")),
        compiled_path=_text(getattr(node, "compiled_path", "")),
        compiled_code=_code(node) if with_code else None,
        column_name=_text(getattr(node, "column_name", "")),
    )
