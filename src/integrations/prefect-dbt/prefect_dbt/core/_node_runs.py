"""Task runs that show dbt's nodes in Prefect.

dbt runs the nodes; Prefect only hears of it. So there is no engine, thread or request for a node: its states are sent
as the events that Prefect's own task engine emits (`emit_task_run_state_change_event`), in batches by Prefect's events
worker, and the server makes task runs of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from prefect.client.schemas.objects import (
    State,
    StateDetails,
    StateType,
    TaskRun,
    TaskRunPolicy,
    TaskRunResult,
)
from prefect.utilities.engine import emit_task_run_state_change_event

from ._failures import Ending
from ._logs import RunLogs
from ._scope import RunScope
from ._tracker import NodeTaskTracker

if TYPE_CHECKING:
    from prefect.events.schemas.events import Event

# The server keeps the state with the latest time, so two states of a run need different ones.
_TICK = timedelta(microseconds=1)

_FINISHED_LEVELS = {StateType.COMPLETED: logging.INFO, StateType.CANCELLED: logging.WARNING}


@dataclass
class _Running:
    """A node that dbt works on; forgotten when it ends."""

    __slots__ = ("context", "last_event", "task_run")

    task_run: TaskRun
    context: Context
    last_event: Event | None


class NodeRuns:
    """Records a task run for each node that dbt begins with."""

    def __init__(self, scope: RunScope, tracker: NodeTaskTracker, logs: RunLogs) -> None:
        """Record under the run of `scope`; which task run stands for which node is noted in `tracker`."""
        self._scope = scope
        self._tracker = tracker
        self._logs = logs
        self._running: dict[str, _Running] = {}
        self._labels: dict[str, str] = {}

    def start(self, node_id: str, resource_type: str, name: str, upstream: Iterable[str], started_at: datetime) -> None:
        """Record that dbt has begun with a node: its task run is Pending, then Running.

        Args:
            node_id: dbt's unique id.
            resource_type: Such as `model`; the task run is called by it and by the name.
            name: The node's name.
            upstream: Unique ids of the nodes that it reads. Those with a task run become inputs.
            started_at: dbt's time.
        """
        if node_id in self._running or self._tracker.get_task_run_id(node_id) is not None:
            return
        scope, label = self._scope, f"{resource_type} {name}"
        inputs: dict[str, Any] = {}
        if scope.task_run_id is not None:
            inputs["__parents__"] = [TaskRunResult(id=scope.task_run_id)]
        found = dict.fromkeys(self._tracker.get_task_run_id(other) for other in upstream)
        if edges := [TaskRunResult(id=task_run_id) for task_run_id in found if task_run_id is not None]:
            inputs["wait_for"] = edges
        pending = State[Any](type=StateType.PENDING, name="Pending", timestamp=started_at - _TICK)
        times: dict[str, Any] = {"expected_start_time": started_at}
        task_run = TaskRun(
            name=label,
            flow_run_id=scope.flow_run_id,
            task_key=node_id,
            dynamic_key=str(uuid4()),
            empirical_policy=TaskRunPolicy(retries=0, retry_delay=0),
            tags=list(scope.tags),
            task_inputs=inputs,
            flow_run_run_count=scope.flow_run_count,
            **times,
        )
        running = _Running(task_run, scope.context_of(task_run), None)
        self._running[node_id] = running
        self._labels[node_id] = label
        self._tracker.start_node(node_id, task_run.id)
        self._set_state(running, pending)
        _set(task_run, start_time=started_at)
        task_run.run_count = 1
        self._set_state(running, State[Any](type=StateType.RUNNING, name="Running", timestamp=started_at))

    def finish(
        self, node_id: str, ending: Ending, finished_at: datetime, told_at: float | None = None
    ) -> TaskRun | None:
        """Record that a node has ended.

        Args:
            node_id: dbt's unique id.
            ending: The terminal state.
            finished_at: dbt's time.
            told_at: When dbt told of it, in seconds since the epoch: after its last log line. Now when not given.

        Returns:
            The task run; `None` if the node had none, or its end is recorded already.
        """
        running = self._running.pop(node_id, None)
        if running is None:
            return None
        task_run = running.task_run
        began = task_run.start_time or finished_at
        finished_at = max(finished_at, began + _TICK)
        _set(task_run, end_time=finished_at, total_run_time=finished_at - began)
        state = State[Any](type=ending.type, name=ending.name, message=ending.message, timestamp=finished_at)
        self._set_state(running, state)
        level = _FINISHED_LEVELS.get(ending.type, logging.ERROR)
        if ending.type is StateType.COMPLETED and ending.message:
            level = logging.WARNING
        self.write(node_id, level, f"Finished in state {state}", told_at, running)
        return task_run

    @property
    def running(self) -> list[str]:
        """Unique ids of the nodes that dbt has begun with and not ended."""
        return list(self._running)

    def write(
        self, node_id: str, level: int, message: str, timestamp: float | None, running: _Running | None = None
    ) -> bool:
        """Write a line to a node's task run, also after its end.

        Returns:
            Whether the node has a task run.
        """
        running = running or self._running.get(node_id)
        task_run_id = running.task_run.id if running else self._tracker.get_task_run_id(node_id)
        if task_run_id is None:
            return False
        name = self._labels.get(node_id, node_id)
        if running and self._scope.flow_run_id is None:
            running.context.run(self._logs.write_for, task_run_id, name, level, message, timestamp)
        else:
            self._logs.write_for(task_run_id, name, level, message, timestamp)
        return True

    def _set_state(self, running: _Running, state: State[Any]) -> None:
        task_run, before = running.task_run, running.task_run.state
        state.state_details = StateDetails(task_run_id=task_run.id, flow_run_id=task_run.flow_run_id)
        task_run.state = state
        task_run.state_id, task_run.state_type, task_run.state_name = state.id, state.type, state.name
        running.last_event = running.context.run(
            emit_task_run_state_change_event,
            task_run=task_run,
            initial_state=before,
            validated_state=state,
            follows=running.last_event,
        )


def _set(task_run: TaskRun, **values: Any) -> None:
    """Set fields whose declared type is Prefect's own class of times; plain ones are as good there."""
    for name, value in values.items():
        setattr(task_run, name, value)


def as_time(text: str | None, otherwise: float) -> datetime:
    """Read a time as dbt writes it: ISO 8601, in UTC where it has no offset.

    Args:
        text: The time; `None` or empty where dbt gives none.
        otherwise: Seconds since the epoch, used when `text` says nothing.
    """
    try:
        moment = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return datetime.fromtimestamp(otherwise, timezone.utc)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
