"""What an orchestrator asks of the thing that runs dbt, and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, runtime_checkable

if TYPE_CHECKING:
    from ._manifest import DbtNode

__all__ = [
    "OK_STATUSES",
    "SKIPPED_STATUSES",
    "WARNING_STATUSES",
    "DbtExecutor",
    "ExecutionResult",
    "IndirectSelection",
    "LogMessage",
    "NodeArtifact",
    "command_for",
]

IndirectSelection = Literal["eager", "cautious", "buildable", "empty"]
"""Which tests come along with the selected nodes; see
https://docs.getdbt.com/reference/node-selection/test-selection-examples#indirect-selection."""

OK_STATUSES = frozenset({"success", "pass", "no-op", "reused"})
"""Statuses with which dbt says that a node did what it should."""

WARNING_STATUSES = frozenset({"warn"})
"""Statuses of nodes that did what they should and have something to say."""

SKIPPED_STATUSES = frozenset({"skipped"})
"""Statuses of nodes that dbt did not run."""

_COMMANDS = {
    "model": "run",
    "seed": "seed",
    "snapshot": "snapshot",
    "test": "test",
    "unit_test": "test",
}


def command_for(resource_type: str) -> str:
    """Name the dbt command that executes one node of a type; `build` where no narrower one exists."""
    return _COMMANDS.get(resource_type, "build")


class LogMessage(TypedDict):
    """One line that dbt logged for a node."""

    level: str
    """`debug`, `info`, `warn` or `error`, as dbt says it."""
    message: str


class NodeArtifact(TypedDict, total=False):
    """What dbt's `run_results.json` says of one node, in its words.

    An executor passes on the whole entry of that file; these are the keys that the orchestrator reads. `status` is
    always there.
    """

    unique_id: str
    status: str
    message: str | None
    failures: int | None
    execution_time: float
    """Seconds."""
    timing: list[dict[str, Any]]
    adapter_response: dict[str, Any]
    thread_id: str
    compiled_code: str | None
    relation_name: str | None


@dataclass
class ExecutionResult:
    """How one invocation of dbt ended.

    Attributes:
        success: Whether dbt ended well: no node failed, and the invocation itself did not break. Warnings are success.
        node_ids: Unique ids of the nodes that were asked for; with `execute_wave` also of tests that came along.
        error: Why the invocation broke (no connection, no compilation, time-out), or the failure in words.
        artifacts: For each node that dbt reported on, its entry of `run_results.json`. A node that was asked for and is
            absent did not run.
        log_messages: For each node, what dbt logged about it; under `""` what belongs to no node.
    """

    success: bool
    node_ids: list[str] = field(default_factory=list[str])
    error: Exception | None = None
    artifacts: dict[str, NodeArtifact] | None = None
    log_messages: dict[str, list[LogMessage]] | None = None

    def status_of(self, node_id: str) -> str | None:
        """Return dbt's word for how a node ended; `None` when dbt did not report on it.

        Args:
            node_id: Its unique id.
        """
        artifact = (self.artifacts or {}).get(node_id)
        return None if artifact is None else artifact.get("status")


@runtime_checkable
class DbtExecutor(Protocol):
    """Something that runs nodes with dbt: on this machine, or in dbt Cloud.

    The methods block, may be called from several threads at once, and let an exception thrown into the calling
    thread end what they started. A node that fails is a result; only what the caller did wrong is raised.

    An executor may also have `max_concurrency: int | None`, the number of calls that it can serve at once, and
    `identify_database(target)`, a text that tells the database that it builds in from others; records of the cache go
    by it. An orchestrator closes only the executor that it made itself.
    """

    def execute_node(
        self,
        node: DbtNode,
        command: str,
        full_refresh: bool = False,
        target: str | None = None,
        extra_cli_args: list[str] | None = None,
    ) -> ExecutionResult:
        """Execute one node.

        Args:
            node: The node.
            command: dbt's command for it: `run`, `seed`, `snapshot`, `test` or `build`.
            full_refresh: Rebuild incremental models and seeds; ignored where the command does not know it.
            target: Name of the target in the profile; the profile's own when `None`.
            extra_cli_args: Further arguments of dbt, at the end.
        """
        ...

    def execute_wave(
        self,
        nodes: list[DbtNode],
        full_refresh: bool = False,
        indirect_selection: str | None = None,
        target: str | None = None,
        extra_cli_args: list[str] | None = None,
    ) -> ExecutionResult:
        """Execute nodes that do not depend on each other with one `dbt build`.

        Args:
            nodes: The nodes; at least one.
            full_refresh: Rebuild incremental models and seeds.
            indirect_selection: Which tests come along; dbt's own default when `None`, none with `empty`.
            target: Name of the target in the profile; the profile's own when `None`.
            extra_cli_args: Further arguments of dbt, at the end.
        """
        ...

    def resolve_manifest_path(self) -> Path:
        """Return a file with the manifest of the project, made when it does not exist yet."""
        ...
