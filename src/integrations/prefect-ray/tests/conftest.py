"""Ray to run tasks on, and looks at what Prefect knows of their runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId

from prefect_ray import RayTaskRunner

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun

    from prefect_integration_tests.backends.ray import RayCluster

DEADLINE_SECONDS = 60


def _eventually(look: Callable[[], Any]) -> Any:
    """Look until there is something to see, and return it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)
    return found


class Seen:
    """What the Prefect API knows."""

    def task_run(self, task_run_id: UUID) -> TaskRun | None:
        with get_client(sync_client=True) as client:
            try:
                return client.read_task_run(task_run_id)
            except Exception:
                return None

    def final_state(self, task_run_id: UUID) -> Any:
        """Wait until a task run has a final state in the API."""

        def look() -> Any:
            found = self.task_run(task_run_id)
            return found.state if found and found.state and found.state.is_final() else None

        return _eventually(look)

    def logs(self, flow_run_id: UUID) -> list[Any]:
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))
        with get_client(sync_client=True) as client:
            return client.request("POST", "/logs/filter", json={"logs": wanted.model_dump(mode="json")}).json()

    def task_runs(self, flow_run_id: UUID) -> list[TaskRun]:
        with get_client(sync_client=True) as client:
            return client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])))


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Looks until there is something to see, and returns it."""
    return _eventually


@pytest.fixture(scope="session")
def seen(prefect_harness: None) -> Seen:
    """Looks into the Prefect API."""
    return Seen()


@pytest.fixture
def runner(prefect_harness: None, ray_cluster: RayCluster) -> RayTaskRunner[Any]:
    """A task runner on the cluster that this process is connected to."""
    return RayTaskRunner()


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker of pytest-xdist have Ray: it takes long to start, and much memory."""
    for item in items:
        if "ray_cluster_processes" in getattr(item, "fixturenames", ()) and item.path.parent == Path(__file__).parent:
            # Groups add up to others, and the pages of a guide have theirs.
            item.own_markers[:] = [mark for mark in item.own_markers if mark.name != "xdist_group"]
            item.add_marker(pytest.mark.xdist_group("ray"))
