"""dbt's nodes as Prefect assets: keys, properties, lineage, and the checks that tests are.

Assets go out as events of Prefect's own `AssetContext`, within the task run of the node. What Prefect has no event for,
the outcome of a test on an asset, is an event `dbt.asset.check.*` on the asset, which automations can wait for.

Everything here is total: a node that has no relation, or whose fields make no valid asset, has no asset.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from prefect.assets import Asset, AssetProperties
from prefect.assets.core import MAX_ASSET_DESCRIPTION_LENGTH
from prefect.logging import get_logger

from ..utilities import format_resource_id, identifiers
from ._manifest import DbtNode, Manifest, through_ephemeral

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun

    from prefect_integration_kit.logs import Log

MATERIALIZED_TYPES = frozenset({"model", "seed", "snapshot"})
"""Types of nodes that dbt makes: an event says that the asset was materialized."""

REFERENCED_TYPES = MATERIALIZED_TYPES | {"source"}
"""Types of nodes that others read: an event says that the asset was referenced."""

RECORDED_COMMANDS = frozenset(
    {"build", "run", "seed", "snapshot", "clone", "retry", "test", "source freshness", "source snapshot-freshness"}
)
"""Commands that touch the database for the nodes they name; `compile`, `docs generate` and others only read them."""

_SUCCEEDED = frozenset({"success", "warn"})
_FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
_CHECKS: Mapping[str, Literal["succeeded", "warned", "failed"]] = {
    "pass": "succeeded",
    "success": "succeeded",
    "warn": "warned",
    "fail": "failed",
    "error": "failed",
    "runtime error": "failed",
}

# A Prefect server refuses events with more than 100 related resources, unless it is set otherwise
# (`PREFECT_SERVER_EVENTS_MAXIMUM_RELATED_RESOURCES`); the runs, the flow, the deployment and the tags are among them.
_MAX_UPSTREAM = 75

# Far below the 1.5 MB of `PREFECT_SERVER_EVENTS_MAXIMUM_SIZE_BYTES`, above which Prefect sends no event at all.
_MAX_META_CHARACTERS = 100_000


@dataclass(frozen=True)
class NodeOutcome:
    """How dbt's work on one node ended.

    Attributes:
        status: dbt's own word, such as `success`, `error`, `pass`, `skipped`.
        started_at: When dbt began, in UTC.
        finished_at: When dbt ended, in UTC.
        message: What dbt says of it.
        failures: For a test, the number of rows that failed.
        compiled_code: The SQL that was run, if it is known.
    """

    status: str
    started_at: datetime | str | None = None
    finished_at: datetime | str | None = None
    message: str | None = None
    failures: int | None = None
    compiled_code: str | None = None


class AssetRecorder:
    """Emits the asset events of one dbt run. Its methods may be called from any thread, and never raise."""

    def __init__(
        self,
        adapter_type: str | None,
        *,
        include_compiled_code: bool = False,
        checks: bool = False,
        enabled_by_default: bool = True,
        logger: Log | None = None,
    ) -> None:
        """Bind the recorder to the flow run or task run that it is made in.

        Args:
            adapter_type: The kind of database, such as `duckdb`: keys begin with it.
            include_compiled_code: Whether to append the compiled SQL to the descriptions of models.
            checks: Whether the outcome of a test is recorded on the assets that it tests.
            enabled_by_default: Whether nodes that say nothing of `enable_assets` have assets.
            logger: Where a problem is reported, once for each kind.
        """
        self._adapter_type = adapter_type or "dbt"
        self._include_compiled_code = include_compiled_code
        self._checks = checks
        self._enabled_by_default = enabled_by_default
        self._logger = logger or get_logger(__name__)
        self._reported: set[str] = set()
        self._context = copy_context()

    def node_finished(
        self,
        node: DbtNode,
        outcome: NodeOutcome,
        *,
        upstream: Iterable[DbtNode] = (),
        task_run: TaskRun | None = None,
    ) -> None:
        """Emit what there is to say of a node that ended.

        A model, seed or snapshot gives a materialization, succeeded or failed, and a reference to each asset that it
        reads. A test gives a check on each asset that it tests. A source whose freshness was looked at gives a
        reference and a check. A node that was skipped gives nothing.

        Args:
            node: The node.
            outcome: How it ended.
            upstream: What it reads: ephemeral models among them are left out, so resolve them first.
            task_run: The task run of the node; the events belong to it. Without one they belong to the run that the
                recorder was made in.
        """
        try:
            if node.is_test:
                self._record_checks(node, outcome, upstream, task_run)
            elif node.resource_type == "source":
                self._record_freshness(node, outcome, task_run)
            elif node.resource_type in MATERIALIZED_TYPES:
                self._record_materialization(node, outcome, upstream, task_run)
        except Exception as exc:  # noqa: BLE001 - an odd node has no asset, and harms neither dbt nor the run
            self._report(exc, node)

    def asset_of(self, node: DbtNode, compiled_code: str | None = None) -> Asset | None:
        """Make the asset that a node is.

        Args:
            node: The node.
            compiled_code: SQL to append to the description, where the recorder includes it.

        Returns:
            The asset; `None` if the node has no relation in the database, or wants no asset.
        """
        if not self._has_asset(node):
            return None
        try:
            description = _description(node.description, compiled_code if self._include_compiled_code else None)
            return Asset(
                key=format_resource_id(self._adapter_type, node.relation_name or ""),
                properties=AssetProperties(
                    name=node.name, description=description or None, owners=owners_of(node.meta) or None
                ),
            )
        except ValueError as exc:  # Prefect refuses the key or a property
            self._report(exc, node)
            return None

    def _record_materialization(
        self, node: DbtNode, outcome: NodeOutcome, upstream: Iterable[DbtNode], task_run: TaskRun | None
    ) -> None:
        from prefect.context import AssetContext
        from prefect.states import Completed, Failed

        failed = outcome.status in _FAILED
        if not failed and outcome.status not in _SUCCEEDED:
            return
        asset = self.asset_of(node, outcome.compiled_code)
        if asset is None:
            return
        context = AssetContext(
            downstream_assets={asset},
            # A source may be the very table that the project makes.
            upstream_assets={read for read in self._references(upstream) if read.key != asset.key},
            materialized_by="dbt",
            task_run_id=None if task_run is None else task_run.id,
            materialization_metadata={asset.key: asset_metadata(node, outcome)},
        )

        def emit() -> None:
            context.update_tracked_assets()
            context.emit_events(Failed() if failed else Completed())

        self._run_within(task_run, emit)

    def _record_freshness(self, source: DbtNode, outcome: NodeOutcome, task_run: TaskRun | None) -> None:
        from prefect.context import AssetContext
        from prefect.events import emit_event

        asset = self.asset_of(source) if outcome.status in _CHECKS else None
        if asset is None:
            return
        resource = AssetContext.asset_as_resource(asset)
        self._run_within(task_run, lambda: emit_event("prefect.asset.referenced", resource, related=[]))
        self._record_check(source, source, outcome, task_run)

    def _record_checks(
        self, test: DbtNode, outcome: NodeOutcome, upstream: Iterable[DbtNode], task_run: TaskRun | None
    ) -> None:
        for tested in upstream:
            if tested.unique_id in test.tested_nodes:
                self._record_check(tested, test, outcome, task_run)

    def _record_check(self, tested: DbtNode, test: DbtNode, outcome: NodeOutcome, task_run: TaskRun | None) -> None:
        from prefect.events import emit_event

        verdict = _CHECKS.get(outcome.status) if self._checks else None
        asset = self.asset_of(tested) if verdict else None
        if asset is not None:
            resource = {"prefect.resource.id": asset.key, "prefect.resource.name": tested.name}
            payload, event = check_metadata(test, outcome), f"dbt.asset.check.{verdict}"
            self._run_within(task_run, lambda: emit_event(event, resource, related=[], payload=payload))

    def _run_within(self, task_run: TaskRun | None, emit: Callable[[], object]) -> None:
        """Emit in the context of the run, with the node's task run as the current one."""
        from prefect.context import TaskRunContext

        context = self._context.copy()
        if task_run is not None:
            # Not validated: events only look at the task run, and the rest belongs to an engine that does not run here.
            context.run(TaskRunContext.__var__.set, TaskRunContext.model_construct(task_run=task_run))
        context.run(emit)

    def _references(self, upstream: Iterable[DbtNode]) -> list[Asset]:
        """Make the assets that are read. Only a source brings its properties: others set theirs when they are made."""
        assets: dict[str, Asset] = {}
        for node in upstream:
            asset = self.asset_of(node)
            if asset is not None:
                assets.setdefault(asset.key, asset if node.resource_type == "source" else Asset(key=asset.key))
        return list(assets.values())[:_MAX_UPSTREAM]

    def _has_asset(self, node: DbtNode) -> bool:
        if node.resource_type not in REFERENCED_TYPES or node.is_ephemeral or not identifiers(node.relation_name or ""):
            return False
        enabled = assets_enabled(node)
        return self._enabled_by_default if enabled is None else enabled

    def _report(self, exc: Exception, node: DbtNode) -> None:
        kind = type(exc).__name__
        level = logging.DEBUG if kind in self._reported else logging.WARNING
        self._reported.add(kind)
        self._logger.log(level, "No asset is recorded for dbt node %s: %s: %s", node.unique_id, kind, exc)


def record_run_results(recorder: AssetRecorder, manifest: Manifest, results: Iterable[Mapping[str, Any]]) -> None:
    """Emit the asset events of a whole run after it, as of a run in dbt Cloud.

    Args:
        recorder: Where to record.
        manifest: The manifest of the same run.
        results: The entries of `results` in its `run_results.json`.
    """
    for result in results:
        node = manifest.nodes.get(str(result.get("unique_id")))
        if node is not None:
            recorder.node_finished(node, outcome_of(result), upstream=upstream_nodes(node, manifest.nodes))


def upstream_nodes(node: DbtNode, nodes: Mapping[str, DbtNode]) -> Sequence[DbtNode]:
    """Find what a node reads among known nodes, seeing through ephemeral ones.

    Args:
        node: The node.
        nodes: Known nodes by unique id, such as those of a manifest.
    """
    return [nodes[unique_id] for unique_id in through_ephemeral(node.depends_on, nodes) if unique_id in nodes]


def outcome_of(result: Mapping[str, Any]) -> NodeOutcome:
    """Take the outcome of a node from its entry in `run_results.json`."""
    timing = [cast("Mapping[str, Any]", part) for part in result.get("timing") or () if isinstance(part, Mapping)]
    begins = [text for part in timing if isinstance(text := part.get("started_at"), str)]
    ends = [text for part in timing if isinstance(text := part.get("completed_at"), str)]
    failures = result.get("failures")
    return NodeOutcome(
        status=str(result.get("status") or ""),
        started_at=min(begins, default=None),
        finished_at=max(ends, default=None),
        message=_text_or_none(result.get("message")),
        failures=failures if isinstance(failures, int) else None,
        compiled_code=_text_or_none(result.get("compiled_code")),
    )


def assets_enabled(node: DbtNode) -> bool | None:
    """Read `prefect: enable_assets` of a node's config or of its `meta`; `None` if neither says anything."""
    for place in (node.config, node.meta):
        enabled = _enable_assets(place.get("prefect"))
        if enabled is not None:
            return enabled
    return None


def assets_enabled_in_project(project_dir: Path) -> bool:
    """Read `prefect: enable_assets` of a `dbt_project.yml`: at its top, or among its `vars`.

    A setting of all models, as `models: {+meta: {prefect: {enable_assets: false}}}`, is dbt's to apply: it is in the
    config of each node.

    Args:
        project_dir: The folder of the project.

    Returns:
        False only where the file turns assets off; a file that cannot be read turns nothing off.
    """
    import yaml

    try:
        content: Any = yaml.safe_load((project_dir / "dbt_project.yml").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return True
    project = _mapping(content)
    places = (project.get("prefect"), _mapping(project.get("vars")).get("prefect"))
    return not any(_enable_assets(place) is False for place in places)


def owners_of(meta: Mapping[str, Any]) -> list[str]:
    """Read the owners of a node: `meta.owner` may be one name, a list of names, or objects with an email or a name."""
    given: Any = meta.get("owner")
    owners: list[str] = []
    for owner in cast("list[Any]", given) if isinstance(given, list | tuple) else [given]:
        name: Any = owner
        if isinstance(owner, Mapping):
            fields = cast("Mapping[str, Any]", owner)
            name = fields.get("email") or fields.get("name")
        if isinstance(name, str | int) and not isinstance(name, bool) and str(name).strip():
            owners.append(str(name).strip())
    return owners


def asset_metadata(node: DbtNode, outcome: NodeOutcome) -> dict[str, Any]:
    """Say how a node was made, in the shape that the documentation shows.

    Times are in UTC, in ISO 8601 without an offset, as dbt writes them.
    """
    return {
        "node_path": node.path,
        "node_name": node.name,
        "unique_id": node.unique_id,
        "resource_type": node.resource_type,
        "materialized": node.materialization,
        "node_status": outcome.status,
        "node_started_at": _utc(outcome.started_at),
        "node_finished_at": _utc(outcome.finished_at),
        "meta": _json_of(node.meta),
        "node_relation": {
            "database": node.database,
            "schema": node.schema_name,
            "alias": node.alias,
            "relation_name": node.relation_name,
        },
    }


_TEST_TYPES = {"unit_test": "unit", "source": "freshness"}


def check_metadata(node: DbtNode, outcome: NodeOutcome) -> dict[str, Any]:
    """Say how a test ended: what the event of a check carries."""
    return {
        "test_name": node.name,
        "test_type": node.test_name or _TEST_TYPES.get(node.resource_type, "singular"),
        "unique_id": node.unique_id,
        "column_name": node.column_name,
        "severity": str(node.config.get("severity") or "error").lower(),
        "node_status": outcome.status,
        "failures": outcome.failures,
        "message": None if outcome.message is None else _cut(outcome.message, MAX_ASSET_DESCRIPTION_LENGTH),
        "node_started_at": _utc(outcome.started_at),
        "node_finished_at": _utc(outcome.finished_at),
    }


_CODE_HEADING = "\n### Compiled code\n```sql\n"
_CODE_END = "\n```"
_CODE_CUT = "\n-- shortened"


def _description(description: str, compiled_code: str | None) -> str:
    """Write a description with SQL below it, no longer than Prefect takes; the description goes before the SQL."""
    text = _cut(description, MAX_ASSET_DESCRIPTION_LENGTH)
    code = (compiled_code or "").strip()
    room = MAX_ASSET_DESCRIPTION_LENGTH - len(text) - len(_CODE_HEADING) - len(_CODE_END)
    if not code or room <= len(_CODE_CUT):
        return text
    if len(code) > room:
        code = code[: room - len(_CODE_CUT)] + _CODE_CUT
    return text + _CODE_HEADING + code.replace("```", "'''") + _CODE_END


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _enable_assets(prefect: Any) -> bool | None:
    enabled = _mapping(prefect).get("enable_assets")
    if isinstance(enabled, str):
        enabled = {"false": False, "true": True}.get(enabled.strip().lower())
    return enabled if isinstance(enabled, bool) else None


def _utc(time: datetime | str | None) -> str | None:
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time.replace("Z", "+00:00"))
        except ValueError:
            return time or None
    if time is None:
        return None
    if time.tzinfo is not None:
        time = time.astimezone(timezone.utc).replace(tzinfo=None)
    return time.isoformat(timespec="microseconds")


def _json_of(value: Any) -> Any:
    """Keep what JSON can say, the rest becomes text; nothing of what would make the event too large to be sent."""
    try:
        text = json.dumps(value, default=str, skipkeys=True)
    except (ValueError, RecursionError):
        return {}
    return json.loads(text) if len(text) <= _MAX_META_CHARACTERS else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
