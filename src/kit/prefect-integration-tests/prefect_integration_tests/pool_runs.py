"""Runs of a work pool whose worker runs in the test itself: made as a worker has them, and what becomes of them."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.states import Pending, Scheduled

from prefect_integration_kit.waiting import apoll

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.workers.base import BaseWorker

    W = TypeVar("W", bound=BaseWorker[Any, Any, Any])
else:
    W = TypeVar("W")


@flow
def nothing() -> None:
    """A flow that is never called: what its runs run in is played, or runs other commands."""


class NewPool(ABC, Generic[W]):
    """A new work pool of the test server, for one worker.

    Args:
        worker_class: The worker.
    """

    def __init__(self, worker_class: type[W]) -> None:
        self.worker_class = worker_class
        self.name = f"{worker_class.type}-{uuid.uuid4().hex[:8]}"
        self.template: dict[str, Any] = worker_class.get_default_base_job_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(
                WorkPoolCreate(name=self.name, type=worker_class.type, base_job_template=self.template)
            )
            self.work_pool = client.read_work_pool(self.name)

    def worker(self, **options: Any) -> W:
        """Make a worker of the pool."""
        return self.worker_class(work_pool_name=self.name, **options)

    async def new_run(self, state: State[Any] | None = None, **variables: Any) -> FlowRun:
        """Make a run as a worker has it in hand, with job variables of its own."""
        return await new_run(nothing, self.name, state, **variables)

    @abstractmethod
    def configured(self, **variables: Any) -> Any:
        """Make a configuration that leads to the service under test, before it is prepared for a run."""

    def configure(self, run: FlowRun, **variables: Any) -> Any:
        """Make the configuration of a run, prepared for it."""
        configuration = self.configured(**variables)
        configuration.prepare_for_flow_run(run, work_pool=self.work_pool)
        return configuration

    async def submit(self, worker: W, **variables: Any) -> Any:
        """Run a new flow run to its end; give it and what the worker says of it."""
        run = await self.new_run()
        return run, await worker.run(run, self.configure(run, **variables))


async def new_run(flow: Flow[Any, Any], pool: str, state: State[Any] | None = None, **job_variables: Any) -> FlowRun:
    """Make a run as a worker has it in hand: scheduled when it was read, and pending since.

    Args:
        flow: Whose run it is.
        pool: Name of the work pool.
        state: Another state that it is in.
        job_variables: The run's own.
    """
    async with get_client() as client:
        run = await client.create_flow_run(
            flow, state=state or Scheduled(), work_pool_name=pool, job_variables=job_variables
        )
        if state is None:
            await client.set_flow_run_state(run.id, Pending())
    return run


async def state_of(run: FlowRun) -> State[Any]:
    """Read the state of a run."""
    async with get_client() as client:
        state = (await client.read_flow_run(run.id)).state
    assert state is not None
    return state


async def logs_of(run: FlowRun, wanted: str, timeout_seconds: float = 20) -> str:
    """Read the logs of a run once they have a text.

    Raises:
        TimeoutError: If they do not have it in time.
    """

    async def look() -> str | None:
        async with get_client() as client:
            logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
        text = "\n".join(log.message for log in logs)
        return text if wanted in text else None

    return await apoll(look, subject=f"{wanted!r} in the logs", interval_seconds=0.1, timeout_seconds=timeout_seconds)


async def until(look: Callable[[], Any], subject: str, timeout_seconds: float = 20) -> Any:
    """Wait until something is true, and return it.

    Raises:
        TimeoutError: If it is not true in time.
    """

    async def seen() -> Any:
        return look() or None

    return await apoll(seen, subject=subject, interval_seconds=0.02, timeout_seconds=timeout_seconds)


class Started:
    """Hears what Prefect's worker would hear: give it to `run` as `task_status`."""

    def __init__(self) -> None:
        self.identifier: Any = None

    def started(self, value: object = None) -> None:
        """Remember the identifier."""
        self.identifier = value
