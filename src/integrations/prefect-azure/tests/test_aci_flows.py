"""Deployed flows run in real containers, started by a worker process, and end in the state that they should end in.

The worker is the `prefect` command, the deployments are made by it, containers are real; Azure's APIs and its sign-in
are the local servers'.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Cancelling

from prefect_azure.workers.container_instance import AzureContainerWorker
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION, AzureApi
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.worker_runs import DeployedFlows, WorkerProcess, deploy, own_environment, workers

from ._aci import GROUP, SETTINGS, TYPE

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
        print("printed by the flow")

    @flow
    def wait():
        get_run_logger().info("waiting")
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def azure(docker_engine: Any, azure_identity: AzureIdentity) -> Iterator[AzureApi]:
    """Azure with real containers, of its own: the shared one is emptied by other tests."""
    with AzureApi() as api:
        api.use_engine(docker_engine)
        api.check_tokens(azure_identity.check)
        yield api


@pytest.fixture(scope="module")
def image(docker_engine: Any, prefect_image: Callable[..., str]) -> str:
    from prefect_integration_tests.backends.docker_images import image_with_files

    return image_with_files(
        docker_engine, prefect_image("prefect-azure"), {"/opt/flows/flows.py": textwrap.dedent(FLOWS)}
    )


@pytest.fixture(scope="module")
def surroundings(reachable_prefect_server: Any, azure_identity: AzureIdentity) -> dict[str, str]:
    """The environment of worker and command line."""
    return {
        **own_environment("AZURE_", "IDENTITY_", "MSI_"),
        **reachable_prefect_server.environment,
        "REQUESTS_CA_BUNDLE": azure_identity.ca_bundle,
        f"{SETTINGS}_CANCELLATION_GRACE_SECONDS": "20",
        f"{SETTINGS}_CANCELLATION_INTERVAL_SECONDS": "1",
        f"{SETTINGS}_RECONCILE_INTERVAL_SECONDS": "2",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "2",
        # What follows reaches the containers with the worker's other settings.
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }


@pytest.fixture(scope="module")
def pool(
    surroundings: dict[str, str],
    azure: AzureApi,
    azure_identity: AzureIdentity,
    image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A work pool with a deployment of each flow, made as a user makes them."""
    application = azure_identity.application()
    credentials = {
        "tenant_id": azure_identity.tenant_id,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "authority": azure_identity.authority,
        "endpoints": {"arm": azure.endpoint},
    }
    return deploy(
        surroundings,
        tmp_path_factory.mktemp("project"),
        worker_type=TYPE,
        template=AzureContainerWorker.get_default_base_job_template(),
        defaults={
            "image": image,
            "entrypoint": "",  # the image has none
            "resource_group_name": GROUP,
            "subscription_id": SUBSCRIPTION,
            "aci_credentials": credentials,
            "task_watch_poll_interval": 1,
            "stream_output": True,
        },
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


def _name(identifier: str | None) -> str:
    return str(identifier).partition(":")[2]


def _until_gone(azure: AzureApi, *identifiers: str | None) -> None:
    names = {_name(identifier) for identifier in identifiers}

    def look() -> bool | None:
        return None if any(left.rpartition("/")[2] in names for left in azure.left_over) else True

    poll(look, subject="the deletion of the groups", interval_seconds=0.1, timeout_seconds=60)


def test_flows_end_as_they_should_and_leave_nothing(
    flows: DeployedFlows, client: SyncPrefectClient, azure: AzureApi, worker: WorkerProcess
) -> None:
    good, starved, endless = flows.run("succeed"), flows.run("wait"), flows.run("wait")
    state = flows.final(good)
    assert state.is_completed(), state
    assert "Started container group" in flows.logs(good, until="squares: [0, 1, 4]")

    azure.play.run_out_of_memory(_name(flows.infrastructure_of(starved)))
    state = flows.final(starved)
    assert state.is_crashed(), state
    assert "raise `memory`" in str(state.message)
    assert "Started container group" in flows.logs(starved, until="The last output of container group")

    flows.infrastructure_of(endless)
    client.set_flow_run_state(endless.id, Cancelling())
    assert flows.final(endless).is_cancelled()

    _until_gone(azure, *(client.read_flow_run(run.id).infrastructure_pid for run in (good, starved, endless)))
    poll(
        lambda: "printed by the flow" in worker.said() or None,
        subject="the flow's output in the worker's",
        interval_seconds=0.1,
        timeout_seconds=20,
    )


@pytest.mark.slow
def test_what_a_killed_worker_left_is_looked_after_by_the_next(
    start_worker: Callable[[], WorkerProcess], worker: WorkerProcess, flows: DeployedFlows, azure: AzureApi
) -> None:
    run = flows.run("wait")
    identifier = flows.infrastructure_of(run)
    worker.kill()
    azure.play.end(_name(identifier), exit_code=9)
    start_worker()
    assert flows.final(run).is_crashed()
    _until_gone(azure, identifier)
