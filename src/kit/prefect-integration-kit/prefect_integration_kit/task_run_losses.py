"""Task runs that the service which ran them has lost: their final state, which no worker reports any more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed, Pending
from prefect.types._datetime import now
from prefect.utilities.asyncutils import run_coro_as_sync
from prefect.utilities.engine import emit_task_run_state_change_event

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import RunInput, State, TaskRun
    from prefect.context import FlowRunContext, TaskRunContext


_AT_A_TIME = 200
"""The API returns no more task runs than that."""


@dataclass(frozen=True)
class Submitted:
    """What is needed to report on a task run that no worker speaks for.

    Attributes:
        task: Its task.
        flow_run_context: Where it was submitted.
        task_run_context: Where it was submitted.
        dependencies: Its known inputs.
    """

    task: Task[..., Any]
    flow_run_context: FlowRunContext | None
    task_run_context: TaskRunContext | None
    dependencies: dict[str, set[RunInput]] | None


def crashed_state(task_run_id: UUID, error: BaseException) -> State[Any]:
    """Make the final state of a task run that was lost.

    Args:
        task_run_id: The run.
        error: Which says what became of it.
    """
    state: State[Any] = Crashed(message=str(error), data=error)
    state.state_details.task_run_id = task_run_id
    return state


def not_ready_state(task_run_id: UUID, upstream: UUID) -> State[Any]:
    """Make the state of a task run that did not start, since it waited for a lost one.

    Args:
        task_run_id: The run.
        upstream: The one that it waited for.
    """
    state: State[Any] = Pending(
        name="NotReady", message=f"Upstream task run '{upstream}' did not reach a 'COMPLETED' state."
    )
    state.state_details.task_run_id = task_run_id
    return state


def with_data(state: State[Any], data: Any) -> State[Any]:
    """Copy a state, with other data.

    Args:
        state: The state.
        data: What takes the place of its result.
    """
    # By itself, a copy of Prefect's states has no time.
    return state.model_copy(update={"data": data, "timestamp": state.timestamp})


def report(submitted: Submitted, task_run_id: UUID, state: State[Any]) -> State[Any]:
    """Report a state that no worker reports; one that the API knows to be final stays.

    Args:
        submitted: What the run was submitted with.
        task_run_id: The run.
        state: Its state.

    Returns:
        The state that the run is in.
    """
    if submitted.flow_run_context is None:
        return state
    with contextlib.suppress(Exception):  # the flow must end, whether the API answers or not
        known = _known(task_run_id)
        if known is None:
            known = run_coro_as_sync(
                submitted.task.create_local_run(
                    id=task_run_id,
                    flow_run_context=submitted.flow_run_context,
                    parent_task_run_context=submitted.task_run_context,
                )
            )
            emit_task_run_state_change_event(task_run=known, initial_state=None, validated_state=_of(known))
        elif known.state is not None and known.state.is_final():
            return state
        report_of(known, state)
    return state


def report_of(task_run: TaskRun, state: State[Any]) -> None:
    """Report a state of a task run that the API knows.

    Args:
        task_run: The run, with the state that it has there.
        state: Its new state.
    """
    state.state_details.task_run_id = task_run.id
    state.state_details.flow_run_id = task_run.flow_run_id
    before = _of(task_run)
    # The API takes the later one for the present one.
    state.timestamp = max(now("UTC"), before.timestamp + timedelta(microseconds=1))
    task_run.state = state
    task_run.state_id, task_run.state_type, task_run.state_name = state.id, state.type, state.name
    emit_task_run_state_change_event(task_run=task_run, initial_state=before, validated_state=state)


def _of(task_run: TaskRun) -> State[Any]:
    return task_run.state or Pending()


def _known(task_run_id: UUID) -> TaskRun | None:
    client = get_client(sync_client=True)
    try:
        return client.read_task_run(task_run_id)
    except ObjectNotFound:
        return None


def started(task_run_ids: Iterable[UUID]) -> set[UUID]:
    """Ask the API which of these task runs have started.

    Args:
        task_run_ids: The runs.
    """
    found: set[UUID] = set()
    for some in _batches(task_run_ids):
        with contextlib.suppress(Exception):  # the flow must end, whether the API answers or not
            found.update(each.id for each in known_runs(some))
    return found


def ended(task_run_ids: Iterable[UUID]) -> set[UUID]:
    """Ask the API which of these task runs have a final state there.

    Args:
        task_run_ids: The runs.
    """
    return {each.id for each in known_runs(task_run_ids) if each.state is not None and each.state.is_final()}


def known_runs(task_run_ids: Iterable[UUID]) -> Iterator[TaskRun]:
    """Read those of some task runs that the API knows.

    Args:
        task_run_ids: The runs.
    """
    client = get_client(sync_client=True)
    for some in _batches(task_run_ids):
        yield from client.read_task_runs(task_run_filter=TaskRunFilter(id=TaskRunFilterId(any_=some)), limit=len(some))


def _batches(task_run_ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    wanted = list(task_run_ids)
    for first in range(0, len(wanted), _AT_A_TIME):
        yield wanted[first : first + _AT_A_TIME]
