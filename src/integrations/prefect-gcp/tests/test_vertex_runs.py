"""Deployed flows run as custom jobs in real containers, started by a worker process, and end as they should.

The worker is the `prefect` command, the deployments are made by it, containers are real; Vertex AI and Cloud Logging
are local servers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Cancelling

from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends._google.logging_v2 import Logging
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.backends.google_grpc import GoogleGrpc, VertexJobs
from prefect_integration_tests.worker_runs import DeployedFlows, WorkerProcess, deploy, own_environment, workers

from ._vertex import PROJECT, REGION

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

FLOWS = """
    import time

    from prefect import flow, get_run_logger, task

    @task
    def square(number):
        return number * number

    @flow
    def succeed(number: int = 3):
        get_run_logger().info("squares: %s", square.map(range(number)).result())

    @flow
    def wait():
        print("these are my last words", flush=True)
        time.sleep(600)
"""
NAMES = ("succeed", "wait")


@pytest.fixture(scope="module")
def image(docker_engine: Any, prefect_image: Callable[..., str]) -> str:
    from prefect_integration_tests.backends.docker_images import image_with_files

    files = {"/opt/flows/flows.py": textwrap.dedent(FLOWS)}
    return image_with_files(docker_engine, prefect_image("prefect-gcp"), files)


@pytest.fixture(scope="module")
def google_api() -> Iterator[GoogleApi]:
    """Cloud Logging, of its own: the shared one is emptied by other tests."""
    with GoogleApi() as api:
        yield api


@pytest.fixture(scope="module")
def google_grpc(docker_engine: Any, google_api: GoogleApi) -> Iterator[GoogleGrpc]:
    """Vertex AI, of its own, too; its containers run on the engine, and write to Cloud Logging."""
    from prefect_integration_tests.backends._google.vertex_containers import VertexContainers

    entries = google_api.service(Logging).entries

    def wrote(job: Any, stream: str, line: str) -> None:
        entries.add(
            {
                "logName": f"projects/{PROJECT}/logs/workerpool0-0",
                "resource": {"type": "ml_job", "labels": {"job_id": job.name.rpartition("/")[2]}},
                "labels": {"stream": stream},
                "textPayload": line,
            }
        )

    with GoogleGrpc.start(VertexJobs()) as server:
        server.service(VertexJobs).containers = VertexContainers(docker_engine, wrote)
        yield server


@pytest.fixture(scope="module")
def vertex(google_grpc: GoogleGrpc) -> VertexJobs:
    return google_grpc.service(VertexJobs)


@pytest.fixture(scope="module")
def surroundings(reachable_prefect_server: Any) -> dict[str, str]:
    """The environment of worker and command line."""
    worker = "PREFECT_INTEGRATIONS_GCP_VERTEX_WORKER"
    return {
        **own_environment("GOOGLE_", "CLOUDSDK_"),
        **reachable_prefect_server.environment,
        "NO_GCE_CHECK": "true",
        f"{worker}_CANCELLATION_INTERVAL_SECONDS": "1",
        f"{worker}_CANCELLATION_GRACE_SECONDS": "10",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }


@pytest.fixture(scope="module")
def pool(
    surroundings: dict[str, str],
    google_grpc: GoogleGrpc,
    google_api: GoogleApi,
    image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A work pool with a deployment of each flow, made as a user makes them."""
    endpoints = {"aiplatform": google_grpc.endpoint, "logging": google_api.endpoint}
    return deploy(
        surroundings,
        tmp_path_factory.mktemp("project"),
        worker_type="vertex-ai",
        template=VertexAIWorker.get_default_base_job_template(),
        defaults={
            "region": REGION,
            "image": image,
            "job_watch_poll_interval": 0.5,
            "credentials": {"project": PROJECT, "api_endpoints": endpoints},
        },
        flows=FLOWS,
        names=NAMES,
    )


@pytest.fixture(scope="module")
def worker(
    pool: str, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    with workers(pool, "vertex-ai", surroundings, lambda: tmp_path_factory.mktemp("worker")) as start:
        yield start()


@pytest.fixture(scope="module")
def client(reachable_prefect_server: Any) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(reachable_prefect_server.api_url) as client:
        yield client


@pytest.fixture(scope="module")
def flows(client: SyncPrefectClient, pool: str, worker: WorkerProcess) -> DeployedFlows:
    return DeployedFlows(client, pool, timeout_seconds=300)


def test_flows_run_as_custom_jobs_and_end_as_they_should(
    flows: DeployedFlows, vertex: VertexJobs, google_api: GoogleApi, client: SyncPrefectClient
) -> None:
    good, starved, endless = flows.run("succeed"), flows.run("wait"), flows.run("wait")
    state = flows.final(good)
    assert state.is_completed(), state
    assert "squares: [0, 1, 4]" in flows.logs(good, "squares")
    [job] = [job for job in vertex.jobs if job.labels["prefect-io-flow-run-id"] == str(good.id)]
    assert vertex.wait(job.name).state.name == "JOB_STATE_SUCCEEDED"

    name = flows.infrastructure_of(starved)
    _until_said(google_api, name, "these are my last words")
    assert vertex.containers is not None
    vertex.containers.kill(name)
    state = flows.final(starved)
    assert state.is_crashed(), state
    assert "out-of-memory" in str(state.message)
    assert "Choose a `machine_type` with more memory." in str(state.message)
    assert "these are my last words" in flows.logs(starved, "The last output")

    name = flows.infrastructure_of(endless)
    client.set_flow_run_state(endless.id, Cancelling())
    assert flows.final(endless).is_cancelled()
    vertex.wait(name)


def _until_said(google_api: GoogleApi, job_name: str, words: str) -> None:
    """Wait until a job's container has written something."""
    entries, number = google_api.service(Logging).entries, job_name.rpartition("/")[2]

    def is_said() -> bool | None:
        mine = [entry for entry in list(entries.all) if entry["resource"]["labels"]["job_id"] == number]
        return any(words in entry["textPayload"] for entry in mine) or None

    poll(is_said, subject=repr(words), interval_seconds=0.1, timeout_seconds=60)
