"""What the tests of the orchestrator share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

from prefect_dbt.core.orchestrator import PrefectDbtOrchestrator
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_integration_kit.waiting import poll

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, TaskRun

    from prefect_integration_tests.backends.dbt_projects import DbtProject

T = TypeVar("T")


def orchestrator_of(project: DbtProject, **options: Any) -> PrefectDbtOrchestrator:
    """An orchestrator of a project, without what a test does not look at."""
    settings = PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)
    return PrefectDbtOrchestrator(settings, **{"create_summary_artifact": False, **options})


class InFlow:
    """Runs a function as a flow, and shows what Prefect knows of it afterwards."""

    def __init__(self, body: Callable[[], Any], **options: Any) -> None:
        self.name = f"orchestrated-{uuid4().hex[:8]}"
        state: Any = flow(name=self.name, flow_run_name=self.name, **options)(body)(return_state=True)
        self.state = state
        self.result: Any = state.result(raise_on_failure=False) if not isinstance(state, Exception) else state

    def task_runs(self, count: int) -> dict[str, TaskRun]:
        """The task runs by name, when so many names have ended; the server learns of them a little later."""
        return {run.name: run for run in self._ended(count)}

    def names(self, count: int) -> list[str]:
        """Names of the task runs, sorted; a name comes as often as there are task runs of it."""
        return sorted(run.name for run in self._ended(count))

    def _ended(self, count: int) -> list[TaskRun]:

        async def read() -> list[TaskRun]:
            async with get_client() as client:
                by_name = FlowRunFilter(name=FlowRunFilterName(any_=[self.name]))
                return await client.read_task_runs(flow_run_filter=by_name, limit=200)

        def look() -> list[TaskRun] | None:
            ended = [run for run in asyncio.run(read()) if run.state is not None and run.state.is_final()]
            return ended if len({run.name for run in ended}) >= count else None

        return poll(look, subject=f"{count} task runs of {self.name}", interval_seconds=0.2, timeout_seconds=30)

    def states(self, count: int) -> dict[str, str]:
        """Names of the states of the task runs."""
        return {name: str(run.state_name) for name, run in self.task_runs(count).items()}

    def flow_run(self) -> FlowRun:
        """The flow run."""

        async def read() -> list[FlowRun]:
            async with get_client() as client:
                return await client.read_flow_runs(
                    flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[self.name]))
                )

        return asyncio.run(read())[0]
