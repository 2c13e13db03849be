"""How task runs ended whose results Ray has no more: what the Prefect API knows of them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_integration_kit.task_run_ledgers import lost_text

from .errors import RayResultLost

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


def known_end(task_run_id: UUID) -> State[Any] | None:
    """Ask the API how a task run has ended.

    Args:
        task_run_id: The run.

    Returns:
        Its final state, whose result is read from where it was persisted; `None` if it has not ended.

    Raises:
        RayResultLost: If it has completed, and nobody has its result any more.
    """
    from prefect.client.orchestration import get_client

    state: State[Any] | None = None
    with contextlib.suppress(Exception):  # also a run that the API does not know
        state = get_client(sync_client=True).read_task_run(task_run_id).state
    if state is None or not state.is_final():
        return None
    if state.is_completed() and state.data is None:  # else it says where the result is stored
        raise result_lost(task_run_id)
    return state


def result_lost(task_run_id: UUID) -> RayResultLost:
    """Make the error of a task run whose result is gone.

    Args:
        task_run_id: The run.
    """
    return RayResultLost(lost_text(task_run_id, "Ray worker"))
