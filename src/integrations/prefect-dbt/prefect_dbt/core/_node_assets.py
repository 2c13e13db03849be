"""The assets of a run, from what dbt's process tells of its nodes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .._dbt.events import NodeDetails, NodeResult
from ._assets import AssetRecorder, NodeOutcome, assets_enabled_in_project
from ._manifest import DbtNode
from ._scope import RunScope

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun


class NodeAssets:
    """Hands nodes that have ended on to an `AssetRecorder`, which is made when the kind of database is known."""

    def __init__(self, scope: RunScope, project_dir: Path, *, include_compiled_code: bool, checks: bool) -> None:
        """Record for the run of `scope`.

        Args:
            scope: Who invokes dbt.
            project_dir: The project, whose file may turn assets off.
            include_compiled_code: Whether the SQL that ran is appended to descriptions.
            checks: Whether outcomes of tests are recorded on the assets that they test.
        """
        self._scope = scope
        self._project_dir = project_dir
        self._include_compiled_code = include_compiled_code
        self._checks = checks
        self._recorder: AssetRecorder | None = None

    def node_finished(
        self, details: NodeDetails, result: NodeResult, task_run: TaskRun | None, upstream: Iterable[NodeDetails]
    ) -> None:
        """Record a node that has ended, as its task run.

        Args:
            details: The node.
            result: How it ended.
            task_run: The task run that stands for it.
            upstream: What it reads, through ephemeral models; for a test what it tests.
        """
        if self._recorder is None:
            self._recorder = self._scope.call(self._make, details.adapter_type)
        begins = [start for _, start, _ in result.timing if start]
        ends = [end for _, _, end in result.timing if end]
        outcome = NodeOutcome(
            status=result.status,
            started_at=min(begins, default=None) or _iso(task_run, "start_time"),
            finished_at=max(ends, default=None) or _iso(task_run, "end_time"),
            message=result.message or None,
            failures=result.failures,
            compiled_code=result.compiled_code,
        )
        self._recorder.node_finished(
            as_node(details), outcome, upstream=[as_node(each) for each in upstream], task_run=task_run
        )

    def _make(self, adapter_type: str) -> AssetRecorder:
        return AssetRecorder(
            adapter_type,
            include_compiled_code=self._include_compiled_code,
            checks=self._checks,
            enabled_by_default=assets_enabled_in_project(self._project_dir),
            logger=self._scope.logger,
        )


def as_node(details: NodeDetails) -> DbtNode:
    """Make the node that the rest of this package knows of what dbt's process tells.

    Args:
        details: What it tells.
    """
    config = {
        "materialized": details.materialized,
        "prefect": details.prefect,
        "severity": details.severity,
        "meta": details.meta,
    }
    relation = details.relation
    return DbtNode(
        unique_id=details.unique_id,
        name=details.name,
        resource_type=details.resource_type,
        depends_on=details.depends_on,
        package_name=details.package_name,
        materialization=details.materialized or None,
        relation_name=relation.relation_name,
        database=relation.database,
        schema_name=relation.schema,
        alias=relation.alias,
        original_file_path=details.original_file_path or None,
        path=details.path or None,
        config={name: value for name, value in config.items() if value},
        meta=details.meta,
        description=details.description,
        tags=details.tags,
        source_name=details.source_name or None,
        attached_node=details.test_of[0] if len(details.test_of) == 1 else None,
        column_name=details.column_name or None,
        test_name=details.test_name or None,
    )


def slim(details: NodeDetails) -> NodeDetails:
    """Keep of a node that has ended what those that read it need; a source is needed whole.

    Args:
        details: The node.
    """
    if details.resource_type == "source":
        return details._replace(columns={})
    return details._replace(description="", depends_on=(), tags=(), meta={}, owner=None, columns={}, test_of=())


def _iso(task_run: TaskRun | None, name: str) -> str | None:
    moment = getattr(task_run, name, None)
    return None if moment is None else moment.isoformat()
