"""What dbt's word on a node means to Prefect: the state of its task run, and how a failure is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..errors import DbtRunFailed

if TYPE_CHECKING:
    from prefect.client.schemas.objects import StateType

FAILED = ("error", "fail", "runtime error", "partial success")
SKIPPED = ("skipped",)
WARNED = ("warn",)

FAILURE_MESSAGE = '{resource_type} {resource_name} {status}ed with message: "{message}"'
"""One line of the exception that a failed run raises."""


class NodeOutcome(Protocol):
    """How a node ended, as dbt says it."""

    @property
    def unique_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def resource_type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def message(self) -> str | None: ...


class Ending(NamedTuple):
    """A terminal state in the making."""

    type: StateType
    name: str
    message: str | None


def ending_of(unique_id: str, status: str, message: str | None) -> Ending:
    """Choose the terminal state of a node's task run.

    Args:
        unique_id: dbt's identifier of the node.
        status: dbt's word. One that is not known counts as a success only if it does not sound like a failure.
        message: What dbt says about it.

    Returns:
        Completed for a success; Completed with the warning as its message; Failed; or, for a node that dbt did not run,
        a state named Skipped that is neither.
    """
    from prefect.client.schemas.objects import StateType

    said = " ".join((message or "").split())
    if is_failure(status):
        return Ending(
            StateType.FAILED,
            "Failed",
            f"Task run encountered an exception Exception: Node {unique_id} finished with status {status}",
        )
    if status in SKIPPED:
        reason = f": {said}" if said else ", because a node that it depends on did not succeed"
        return Ending(StateType.CANCELLED, "Skipped", f"dbt skipped node {unique_id}{reason}")
    if status in WARNED:
        return Ending(StateType.COMPLETED, "Completed", f"Node {unique_id} finished with a warning: {said or status}")
    return Ending(StateType.COMPLETED, "Completed", None)


def is_failure(status: str) -> bool:
    """Say whether a status means that the node failed; `runtime error` and words to come count by what they hold."""
    return status in FAILED or "error" in status or "fail" in status


def unended(unique_id: str, *, was_cancelled: bool) -> Ending:
    """Choose the terminal state of a node that dbt began and never ended.

    Args:
        unique_id: dbt's identifier of the node.
        was_cancelled: Whether the run was cancelled; else dbt's process is gone.
    """
    from prefect.client.schemas.objects import StateType

    if was_cancelled:
        return Ending(StateType.CANCELLED, "Cancelled", f"dbt was cancelled while node {unique_id} ran")
    return Ending(StateType.CRASHED, "Crashed", f"dbt ended without a result for node {unique_id}")


def failure_line(node: NodeOutcome) -> str:
    """Tell how one node failed, such as `Test not_null_a_id failed with message: "Got 1 result"`."""
    kind = node.resource_type.replace("_", " ").capitalize() or "Node"
    status = "fail" if node.status == "partial success" else node.status
    message = (node.message or "").strip() or "no message"
    return FAILURE_MESSAGE.format(resource_type=kind, resource_name=node.name, status=status, message=message)


def run_failed(command: str, nodes: Iterable[NodeOutcome]) -> DbtRunFailed:
    """Make the exception of a run in which nodes failed.

    Args:
        command: dbt's command, such as `source freshness`.
        nodes: How the nodes ended, all or those that failed.
    """
    failed = [node for node in nodes if is_failure(node.status)]
    lines = [failure_line(node) for node in failed] or ["dbt reported a failure and named no node; see its log."]
    message = "\n".join([f"Failures detected during invocation of dbt command '{command}':", *lines])
    return DbtRunFailed(message, node_ids=[node.unique_id for node in failed])
