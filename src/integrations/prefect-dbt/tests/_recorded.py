"""What the Prefect server knows of a flow run: its task runs, their states and logs, and events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.sorting import LogSort
from prefect.logging.handlers import APILogWorker

if TYPE_CHECKING:
    from prefect.client.schemas.objects import Log, State, TaskRun

T = TypeVar("T")

DEADLINE_SECONDS = 60


def eventually(look: Callable[[], T | None], what: str) -> T:
    """Look until there is something: the server writes what it hears of a moment later."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{what} was not there in time."
        time.sleep(0.1)
    return found


@contextmanager
def _client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


class Recorded:
    """One flow run as the server has it, when all of its task runs have ended."""

    def __init__(self, flow_run_id: UUID, *, expected: int) -> None:
        """Wait until `expected` task runs have ended."""
        self.flow_run_id = flow_run_id
        self.task_runs = eventually(lambda: self._ended(expected), f"{expected} task runs that have ended")
        self.by_name = {run.name: run for run in self.task_runs}

    def _ended(self, expected: int) -> list[TaskRun] | None:
        with _client() as client:
            runs = client.read_task_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[self.flow_run_id])), limit=200
            )
        done = [run for run in runs if run.state is not None and run.state.is_final()]
        return runs if len(runs) >= expected and len(done) == len(runs) else None

    def state(self, name: str) -> State[Any]:
        """The state of the task run of that name."""
        state = self.by_name[name].state
        assert state is not None
        return state

    def states(self, name: str, *, least: int = 3) -> list[str]:
        """The names of the states that a task run went through, in order of time."""

        def look() -> list[str] | None:
            with _client() as client:
                found = sorted(client.read_task_run_states(self.by_name[name].id), key=lambda state: state.timestamp)
            return [str(state.name) for state in found] if len(found) >= least else None

        return eventually(look, f"the states of {name}")

    def logs(self) -> list[Log]:
        """Every line of the flow run and of its task runs, in order of time."""
        APILogWorker.instance().drain()
        APILogWorker.instance()  # later lines find a new one
        with _client() as client:
            found: list[Log] = []
            while True:
                page = client.read_logs(
                    log_filter=LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self.flow_run_id])),
                    limit=200,
                    offset=len(found),
                    sort=LogSort.TIMESTAMP_ASC,
                )
                found += page
                if len(page) < 200:
                    return found

    def lines(self, name: str | None) -> list[tuple[int, str]]:
        """Level and text of the lines of a task run; of the flow run itself if `name` is `None`."""
        task_run_id = None if name is None else self.by_name[name].id
        return [(log.level, log.message) for log in self.logs() if log.task_run_id == task_run_id]

    def inputs(self, name: str) -> set[str]:
        """Names of the task runs that one waited for."""
        names = {run.id: run.name for run in self.task_runs}
        return {names[each.id] for each in self.by_name[name].task_inputs.get("wait_for", [])}  # type: ignore[union-attr]
