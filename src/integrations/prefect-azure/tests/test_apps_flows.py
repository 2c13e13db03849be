"""Deployed flows run in real containers of Container Apps jobs, and end in the state that they should end in.

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

from prefect_azure.workers.container_apps import AzureContainerAppJobWorker
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.azure_api import ENVIRONMENT, AzureApi
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.worker_runs import DeployedFlows, WorkerProcess, deploy, own_environment, workers

from ._apps import PREFIX

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

TYPE = AzureContainerAppJobWorker.type
FLOWS = """
    import os
    import time

    from prefect import flow, get_run_logger

    @flow
    def succeed(number: int = 3):
        get_run_logger().info("the password has %s characters", len(os.environ["DB_PASSWORD"]))

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
        f"{PREFIX}POLL_INTERVAL_SECONDS": "1",
        f"{PREFIX}LOG_WAIT_SECONDS": "5",
        f"{PREFIX}CANCELLATION_GRACE_SECONDS": "20",
        f"{PREFIX}CANCELLATION_INTERVAL_SECONDS": "1",
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
        "endpoints": {"arm": azure.endpoint, "loganalytics": azure.endpoint},
    }
    return deploy(
        surroundings,
        tmp_path_factory.mktemp("project"),
        worker_type=TYPE,
        template=AzureContainerAppJobWorker.get_default_base_job_template(),
        defaults={
            "image": image,
            "environment_id": ENVIRONMENT,
            "credentials": credentials,
            "env_secrets": {"DB_PASSWORD": "s3cr3t"},
        },
        flows=FLOWS,
        names=("succeed", "wait"),
    )


@pytest.fixture(scope="module")
def worker(
    pool: str, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    with workers(pool, TYPE, surroundings, lambda: tmp_path_factory.mktemp("worker")) as start:
        yield start()


@pytest.fixture(scope="module")
def client(reachable_prefect_server: Any) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(reachable_prefect_server.api_url) as client:
        yield client


@pytest.fixture(scope="module")
def flows(client: SyncPrefectClient, pool: str) -> DeployedFlows:
    return DeployedFlows(client, pool, timeout_seconds=300)


def test_flows_end_as_they_should_and_leave_nothing(
    flows: DeployedFlows, client: SyncPrefectClient, azure: AzureApi, worker: WorkerProcess
) -> None:
    good, starved, endless = flows.run("succeed"), flows.run("wait"), flows.run("wait")
    state = flows.final(good)
    assert state.is_completed(), state
    assert "Started Container Apps job" in flows.logs(good, until="the password has 6 characters")

    azure.play.run_out_of_memory(str(flows.infrastructure_of(starved)).rpartition("/")[2])
    state = flows.final(starved)
    assert state.is_crashed(), state
    assert "Raise `cpu` and `memory`" in str(state.message)
    flows.logs(starved, until="The last output of Container Apps job")

    flows.infrastructure_of(endless)
    client.set_flow_run_state(endless.id, Cancelling())
    assert flows.final(endless).is_cancelled()

    poll(lambda: not azure.jobs or None, subject="the deletion of jobs", interval_seconds=0.1, timeout_seconds=60)
    assert "s3cr3t" not in worker.said()
