"""What tests of the worker have in common: runs of a pool, and what became of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Pending
from prefect.utilities.templating import apply_values

from prefect_docker.worker import DockerWorker, DockerWorkerJobConfiguration

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State


@flow
def nothing() -> None:
    """A flow that is never called: its containers run shell commands."""


class Pool:
    """A work pool of the test server."""

    def __init__(self, image: str) -> None:
        self.name = f"docker-{uuid.uuid4().hex[:8]}"
        self.image = image
        self.template = DockerWorker.get_default_base_job_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=self.name, type="docker", base_job_template=self.template))
            self.work_pool = client.read_work_pool(self.name)

    def worker(self, **options: Any) -> DockerWorker:
        return DockerWorker(work_pool_name=self.name, **options)

    async def new_run(self, state: State[Any] | None = None, **variables: Any) -> FlowRun:
        async with get_client() as client:
            return await client.create_flow_run(
                nothing, state=state or Pending(), work_pool_name=self.name, job_variables=variables
            )

    def configure(self, run: FlowRun, **variables: Any) -> DockerWorkerJobConfiguration:
        rendered: Any = apply_values(self.template["job_configuration"], {"image": self.image, **variables})
        configuration = DockerWorkerJobConfiguration(**rendered)
        configuration.prepare_for_flow_run(run, work_pool=self.work_pool)
        return configuration


async def states_of(run: FlowRun) -> list[State[Any]]:
    async with get_client() as client:
        return await client.read_flow_run_states(run.id)


async def state_of(run: FlowRun) -> State[Any]:
    async with get_client() as client:
        state = (await client.read_flow_run(run.id)).state
    assert state is not None
    return state


class Started:
    """Hears what Prefect's worker would hear."""

    def __init__(self) -> None:
        self.identifier = ""

    def started(self, value: object = None) -> None:
        self.identifier = str(value)
