"""What tests of the Vertex AI worker have in common: a server, a work pool, runs, and what became of them."""

from __future__ import annotations

import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Pending
from prefect.utilities.templating import apply_values

from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.workers.vertex import VertexAIWorker, VertexAIWorkerJobConfiguration
from prefect_integration_tests.backends.google_grpc import Life

if TYPE_CHECKING:
    import pytest
    from prefect.client.schemas.objects import FlowRun, State

    from prefect_integration_tests.backends.google_grpc import GoogleGrpc

PROJECT = "my-project"
REGION = "europe-west1"


@flow
def nothing() -> None:
    """A flow that is never called: its jobs are played."""


class Pool:
    """A work pool of the test server, and an identity at the local Vertex AI."""

    def __init__(self, server: GoogleGrpc) -> None:
        self.name = f"vertex-{uuid.uuid4().hex[:8]}"
        self.credentials = GcpCredentials(project=PROJECT, api_endpoints={"aiplatform": server.endpoint})
        self.template = base_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=self.name, type="vertex-ai", base_job_template=self.template))
            self.work_pool = client.read_work_pool(self.name)

    def worker(self, **options: Any) -> VertexAIWorker:
        return VertexAIWorker(work_pool_name=self.name, **options)

    async def new_run(self, state: State[Any] | None = None, **variables: Any) -> FlowRun:
        async with get_client() as client:
            return await client.create_flow_run(
                nothing, state=state or Pending(), work_pool_name=self.name, job_variables=variables
            )

    def configure(self, run: FlowRun, **variables: Any) -> VertexAIWorkerJobConfiguration:
        configuration = configured(credentials=self.credentials, **variables)
        configuration.prepare_for_flow_run(run, work_pool=self.work_pool)
        return configuration


@cache
def base_template() -> dict[str, Any]:
    """The base job template, which takes its time to make."""
    return VertexAIWorker.get_default_base_job_template()


def configured(**variables: Any) -> VertexAIWorkerJobConfiguration:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    template = base_template()
    defaults = {
        name: schema["default"]
        for name, schema in template["variables"]["properties"].items()
        if schema.get("default") is not None
    }
    given = {
        "region": REGION,
        "image": "busybox:dev",
        "job_watch_poll_interval": 0.05,
        "credentials": GcpCredentials(project=PROJECT),
        **variables,
    }
    rendered: Any = apply_values(template["job_configuration"], {**defaults, **given})
    return VertexAIWorkerJobConfiguration(**rendered)


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


def life(*states: str, error: tuple[int, str] | None = None) -> Life:
    """How jobs live: pending, then each of these states, a moment apart."""
    return Life([(0.05 * number, state) for number, state in enumerate(states, 1)], error)


SUCCEEDS = life("RUNNING", "SUCCEEDED")


def fails(message: str, *, before_start: bool = False) -> Life:
    """A life that ends in failure.

    Args:
        message: What Vertex AI says.
        before_start: Whether no container was started.
    """
    return life(*(() if before_start else ("RUNNING",)), "FAILED", error=(3, message))


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in the worker take its usual time."""
    for name, value in {
        "CALL_INITIAL_DELAY_SECONDS": "0.02",
        "CALL_MAX_DELAY_SECONDS": "0.05",
        "CANCELLATION_INTERVAL_SECONDS": "0.1",
        "CANCELLATION_GRACE_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_VERTEX_WORKER_{name}", value)
