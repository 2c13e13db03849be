"""What tests of the worker have in common: runs of a pool, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import get_client

from prefect_docker.worker import DockerWorker, DockerWorkerJobConfiguration
from prefect_integration_tests.pool_runs import NewPool
from prefect_integration_tests.worker_configurations import unprepared

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State


class Pool(NewPool[DockerWorker]):
    """A work pool of the test server."""

    def __init__(self, image: str) -> None:
        super().__init__(DockerWorker)
        self.image = image

    def configured(self, **variables: Any) -> DockerWorkerJobConfiguration:
        return unprepared(DockerWorker, {"image": self.image, **variables})


async def states_of(run: FlowRun) -> list[State[Any]]:
    async with get_client() as client:
        return await client.read_flow_run_states(run.id)
