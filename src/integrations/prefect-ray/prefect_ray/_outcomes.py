"""How task runs ended whose results Ray has no more: what the Prefect API knows of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .errors import RayResultLost

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

_AT_A_TIME = 200
"""The API returns no more task runs than that."""


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


def ended(task_run_ids: Iterable[UUID]) -> set[UUID]:
    """Ask the API which of these task runs it knows to have ended.

    Args:
        task_run_ids: The runs.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId

    wanted, found = list(task_run_ids), set[UUID]()
    client = get_client(sync_client=True)
    for first in range(0, len(wanted), _AT_A_TIME):
        some = wanted[first : first + _AT_A_TIME]
        runs = client.read_task_runs(task_run_filter=TaskRunFilter(id=TaskRunFilterId(any_=some)), limit=len(some))
        found.update(each.id for each in runs if each.state is not None and each.state.is_final())
    return found


def result_lost(task_run_id: UUID) -> RayResultLost:
    """Make the error of a task run whose result is gone.

    Args:
        task_run_id: The run.
    """
    return RayResultLost(
        f"Task run '{task_run_id}' has ended, but its result was lost with the Ray worker that held it. "
        "It was not run again. Set `persist_result=True` on the task to keep its result."
    )
