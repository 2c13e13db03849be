"""What a service keeps of a task run that has ended, so that it never runs again."""

# cloudpickle is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cloudpickle

from .task_run_losses import with_data

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import State

KEPT_BYTES = 16_000
"""What is larger is not kept: ledgers stay until the flow run has ended."""


def small(outcome: Any) -> bytes | None:
    """Pickle what a task run has returned, if that is small and can be pickled.

    Args:
        outcome: Its final state, or its result.
    """
    try:
        content: bytes = cloudpickle.dumps(outcome)
    except Exception:  # noqa: BLE001 - whatever a result's own pickling raises; the service says so where it matters
        return None
    return content if len(content) <= KEPT_BYTES else None


def persisted(state: State[Any]) -> State[Any] | None:
    """Make a state that reads its result from where it was persisted; `None` if it was not.

    Args:
        state: The final state.
    """
    record: Any = state.data
    return with_data(state, record.metadata) if getattr(record, "is_persisted", False) else None


def lost_text(task_run_id: UUID, worker: str) -> str:
    """Say that the result of a task run is gone.

    Args:
        task_run_id: The run.
        worker: What a process that runs tasks is called, such as `Dask worker`.
    """
    return (
        f"Task run '{task_run_id}' has ended, but its result was lost with the {worker} that held it. "
        "It was not run again. Set `persist_result=True` on the task to keep its result."
    )
