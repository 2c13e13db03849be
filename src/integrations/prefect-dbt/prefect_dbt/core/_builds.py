"""What an orchestrator's run of `dbt build` came to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, cast
from uuid import UUID, uuid4

from ._executor import OK_STATUSES, WARNING_STATUSES, NodeArtifact
from ._failures import is_failure
from ._manifest import DbtNode

__all__ = ["BuildResult", "NodeBuild", "write_run_results"]

_SCHEMA = "https://schemas.getdbt.com/dbt/run-results/v6.json"


@dataclass(frozen=True)
class NodeBuild:
    """How one node ended.

    Attributes:
        unique_id: dbt's identifier.
        name: The node's name.
        resource_type: `model`, `seed`, `snapshot`, `test`, `unit_test`, ...
        status: dbt's word: `success`, `pass`, `warn`, `error`, `fail`, `skipped`, ...
        message: What dbt said of it; for a skipped node why it was skipped.
        failures: For a test, the number of rows that failed.
        execution_seconds: How long dbt worked on it, in the last attempt; 0 if it did not run.
        is_reused: Whether it was not run because nothing that it is made of has changed; then the rest is of its last
            build.
        task_run_id: The task run that stands for it.
        artifact: Its entry of `run_results.json`.
    """

    unique_id: str
    name: str
    resource_type: str
    status: str
    message: str | None = None
    failures: int | None = None
    execution_seconds: float = 0.0
    is_reused: bool = False
    task_run_id: UUID | None = None
    artifact: NodeArtifact = field(default_factory=NodeArtifact, repr=False)

    @property
    def has_succeeded(self) -> bool:
        """Whether it did what it should, maybe with a warning, so that what builds on it can run."""
        return self.status in OK_STATUSES or self.status in WARNING_STATUSES

    @property
    def has_failed(self) -> bool:
        """Whether it ran, or was to run, and did not do what it should. A skipped node has not failed."""
        return is_failure(self.status) or not (self.has_succeeded or self.status == "skipped")

    @classmethod
    def of(
        cls, node: DbtNode, artifact: Mapping[str, Any], *, is_reused: bool = False, task_run_id: UUID | None = None
    ) -> NodeBuild:
        """Take the outcome of a node from its entry of `run_results.json`.

        Args:
            node: The node.
            artifact: The entry.
            is_reused: Whether it is the entry of an earlier build.
            task_run_id: The task run that stands for it.
        """
        failures, seconds, message = artifact.get("failures"), artifact.get("execution_time"), artifact.get("message")
        entry = cast("NodeArtifact", {**artifact, "unique_id": node.unique_id})
        return cls(
            unique_id=node.unique_id,
            name=node.name,
            resource_type=node.resource_type,
            status=str(artifact.get("status") or "error"),
            message=None if message is None else str(message),
            failures=failures if isinstance(failures, int) else None,
            execution_seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
            is_reused=is_reused,
            task_run_id=task_run_id,
            artifact=entry,
        )

    @classmethod
    def without_run(cls, node: DbtNode, status: str, message: str, *, task_run_id: UUID | None = None) -> NodeBuild:
        """Say how a node ended that dbt has no entry for.

        Args:
            node: The node.
            status: dbt's word.
            message: Why.
            task_run_id: The task run that stands for it.
        """
        artifact = NodeArtifact(
            unique_id=node.unique_id,
            status=status,
            message=message,
            failures=None,
            execution_time=0.0,
            timing=[],
            adapter_response={},
            thread_id="",
            compiled_code=None,
            relation_name=node.relation_name,
        )
        return cls.of(node, artifact, task_run_id=task_run_id)


class BuildResult(Mapping[str, NodeBuild]):
    """How the nodes of one run ended, by unique id, in the order in which they ended.

    Example:
        ```python
        result = orchestrator.run_build(select=["staging"])
        print(result.success, [node.name for node in result.reused])
        ```
    """

    def __init__(self, nodes: Iterable[NodeBuild], *, elapsed_seconds: float = 0.0) -> None:
        """Hold the outcomes of nodes.

        Args:
            nodes: The outcomes, in the order in which the nodes ended.
            elapsed_seconds: How long the run took.
        """
        self._nodes = {node.unique_id: node for node in nodes}
        self.elapsed_seconds = elapsed_seconds

    def __getitem__(self, unique_id: str) -> NodeBuild:
        return self._nodes[unique_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __repr__(self) -> str:
        parts = {
            "nodes": len(self),
            "failed": len(self.failed),
            "skipped": len(self.skipped),
            "reused": len(self.reused),
        }
        return f"BuildResult({', '.join(f'{name}={count}' for name, count in parts.items())})"

    @property
    def success(self) -> bool:
        """Whether no node failed."""
        return not self.failed

    @property
    def failed(self) -> list[NodeBuild]:
        """The nodes that failed."""
        return [node for node in self._nodes.values() if node.has_failed]

    @property
    def skipped(self) -> list[NodeBuild]:
        """The nodes that were not run because of another one, or of a stale source."""
        return [node for node in self._nodes.values() if node.status == "skipped"]

    @property
    def reused(self) -> list[NodeBuild]:
        """The nodes that were not run because nothing that they are made of has changed."""
        return [node for node in self._nodes.values() if node.is_reused]


def run_results_of(result: BuildResult, *, dbt_version: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Put a result into the form of `run_results.json`, which `dbt retry`, `--select result:` and other tools read.

    Args:
        result: The result.
        dbt_version: The version of dbt.
        args: dbt's parameters by name; `which` is the command.
    """
    defaults = {"compiled": None, "compiled_code": None, "relation_name": None, "failures": None, "message": None}
    return {
        "metadata": {
            "dbt_schema_version": _SCHEMA,
            "dbt_version": dbt_version,
            "generated_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "invocation_id": str(uuid4()),
            "env": {},
        },
        "results": [{**defaults, **node.artifact} for node in result.values()],
        "elapsed_time": result.elapsed_seconds,
        "args": dict(args),
    }


def write_run_results(path: Path, content: Mapping[str, Any]) -> None:
    """Write `run_results.json` so that a reader sees the old file or the new one, and never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=".run_results-", delete=False, encoding="utf-8") as file:
        json.dump(content, file, default=str)
    written = Path(file.name)
    written.chmod(0o644)
    written.replace(path)
