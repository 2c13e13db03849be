"""What the Prefect API knows of runs that a test has started."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.exceptions import ObjectNotFound

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import TaskRun

_SECONDS = 60


def eventually(look: Callable[[], Any]) -> Any:
    """Look until there is something to see, and return it.

    Args:
        look: Returns it, or something false.

    Raises:
        AssertionError: If there is nothing within a minute.
    """
    deadline = time.monotonic() + _SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)
    return found


class Seen:
    """Looks into the Prefect API."""

    def task_run(self, task_run_id: UUID) -> TaskRun | None:
        """Read a task run; `None` while the API does not know it."""
        with get_client(sync_client=True) as client:
            try:
                return client.read_task_run(task_run_id)
            except ObjectNotFound:
                return None

    def final_state(self, task_run_id: UUID) -> Any:
        """Wait until a task run has a final state in the API."""

        def look() -> Any:
            found = self.task_run(task_run_id)
            return found.state if found and found.state and found.state.is_final() else None

        return eventually(look)

    def logs(self, flow_run_id: UUID) -> list[Any]:
        """Read the logs of a flow run and its task runs."""
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))
        with get_client(sync_client=True) as client:
            return client.request("POST", "/logs/filter", json={"logs": wanted.model_dump(mode="json")}).json()

    def task_runs(self, flow_run_id: UUID) -> list[TaskRun]:
        """Read the task runs of a flow run."""
        with get_client(sync_client=True) as client:
            return client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])))
