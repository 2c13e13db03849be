"""Deployed flows run in real containers, started by a worker process, and end in the state that they should end in.

The worker is the `prefect` command, the deployments are made by it, containers are real; Cloud Run's API is the local
server's.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Cancelling

from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.worker_runs import DeployedFlows, WorkerProcess, deploy, own_environment, workers

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

TYPE = "cloud-run-v2"
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
        get_run_logger().info("waiting")
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def google(docker_engine: Any) -> Iterator[GoogleApi]:
    """Cloud Run with real containers, of its own: the shared one is emptied by other tests."""
    with GoogleApi() as api:
        api.run.use_engine(docker_engine)
        yield api


@pytest.fixture(scope="module")
def image(docker_engine: Any, prefect_image: Callable[..., str]) -> str:
    from prefect_integration_tests.backends.docker_images import image_with_files

    return image_with_files(
        docker_engine, prefect_image("prefect-gcp"), {"/opt/flows/flows.py": textwrap.dedent(FLOWS)}
    )


@pytest.fixture(scope="module")
def surroundings(reachable_prefect_server: Any) -> dict[str, str]:
    """The environment of worker and command line."""
    worker = "PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_V2_WORKER"
    return {
        **own_environment("GOOGLE_", "CLOUDSDK_"),
        **reachable_prefect_server.environment,
        "NO_GCE_CHECK": "true",
        f"{worker}_POLL_INTERVAL_SECONDS": "1",
        f"{worker}_CANCELLATION_GRACE_SECONDS": "20",
        f"{worker}_CANCELLATION_INTERVAL_SECONDS": "1",
        f"{worker}_RECONCILE_INTERVAL_SECONDS": "2",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "2",
        # What follows reaches the containers with the worker's other settings.
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }


@pytest.fixture(scope="module")
def pool(surroundings: dict[str, str], google: GoogleApi, image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A work pool with a deployment of each flow, made as a user makes them."""
    endpoints = {"run": google.endpoint, "logging": google.endpoint}
    return deploy(
        surroundings,
        tmp_path_factory.mktemp("project"),
        worker_type=TYPE,
        template=CloudRunWorkerV2.get_default_base_job_template(),
        defaults={"image": image, "credentials": {"project": "test-project", "api_endpoints": endpoints}},
        flows=FLOWS,
        names=("succeed", "wait"),
    )


@pytest.fixture(scope="module")
def start_worker(
    pool: str, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], WorkerProcess]]:
    with workers(pool, TYPE, surroundings, lambda: tmp_path_factory.mktemp("worker")) as start:
        yield start


@pytest.fixture(scope="module")
def worker(start_worker: Callable[[], WorkerProcess]) -> WorkerProcess:
    return start_worker()


@pytest.fixture(scope="module")
def client(reachable_prefect_server: Any) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(reachable_prefect_server.api_url) as client:
        yield client


@pytest.fixture(scope="module")
def flows(client: SyncPrefectClient, pool: str) -> DeployedFlows:
    return DeployedFlows(client, pool, timeout_seconds=300)


def _until_no_job(google: GoogleApi, *names: str | None) -> None:
    def look() -> bool | None:
        there = {job["name"].rpartition("/")[2] for job in google.run.jobs}
        return None if there & set(names) else True

    poll(look, subject="the deletion of the jobs", interval_seconds=0.1, timeout_seconds=60)


@pytest.mark.usefixtures("worker")
def test_flows_end_as_they_should_and_leave_nothing(
    flows: DeployedFlows, client: SyncPrefectClient, google: GoogleApi
) -> None:
    good, starved, endless = flows.run("succeed"), flows.run("wait"), flows.run("wait")
    state = flows.final(good)
    assert state.is_completed(), state
    assert "Started Cloud Run job" in flows.logs(good, until="squares: [0, 1, 4]")

    google.run.run_out_of_memory(f"{flows.infrastructure_of(starved)}-*")
    state = flows.final(starved)
    assert state.is_crashed(), state
    assert "Raise `memory`" in str(state.message)
    assert "Started Cloud Run job" in flows.logs(starved, until="The last output of Cloud Run job")

    flows.infrastructure_of(endless)
    client.set_flow_run_state(endless.id, Cancelling())
    assert flows.final(endless).is_cancelled()

    _until_no_job(google, *(client.read_flow_run(run.id).infrastructure_pid for run in (good, starved, endless)))


@pytest.mark.slow
def test_what_a_killed_worker_left_is_looked_after_by_the_next(
    start_worker: Callable[[], WorkerProcess], worker: WorkerProcess, flows: DeployedFlows, google: GoogleApi
) -> None:
    run = flows.run("wait")
    name = flows.infrastructure_of(run)
    worker.kill()
    google.run.end(f"{name}-*", exit_code=9, message="The container exited with an error.")
    start_worker()
    assert flows.final(run).is_crashed()
    _until_no_job(google, name)
