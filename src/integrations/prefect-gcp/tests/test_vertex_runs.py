"""Deployed flows run as custom jobs in real containers, started by a worker process, and end as they should.

The worker is the `prefect` command, the deployments are made by it, containers are real; Vertex AI and Cloud Logging
are local servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from prefect.states import Cancelling

from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends._google.logging_v2 import Logging
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.backends.google_grpc import GoogleGrpc, VertexJobs
from prefect_integration_tests.suites import DeployedFlowsBase
from prefect_integration_tests.worker_runs import DeployedFlows

from ._vertex import PROJECT, REGION

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

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


class TestRuns(DeployedFlowsBase):
    distribution = "prefect-gcp"
    worker_class = VertexAIWorker
    source = FLOWS
    foreign = ("GOOGLE_", "CLOUDSDK_")

    @pytest.fixture(scope="module")
    def environment(self) -> dict[str, str]:
        worker = "PREFECT_INTEGRATIONS_GCP_VERTEX_WORKER"
        return {
            "NO_GCE_CHECK": "true",
            f"{worker}_CANCELLATION_INTERVAL_SECONDS": "1",
            f"{worker}_CANCELLATION_GRACE_SECONDS": "10",
        }

    @pytest.fixture(scope="module")
    def defaults(self, google_grpc: GoogleGrpc, google_api: GoogleApi, image: str) -> dict[str, Any]:
        endpoints = {"aiplatform": google_grpc.endpoint, "logging": google_api.endpoint}
        return {
            "region": REGION,
            "image": image,
            "job_watch_poll_interval": 0.5,
            "credentials": {"project": PROJECT, "api_endpoints": endpoints},
        }

    def test_flows_run_as_custom_jobs_and_end_as_they_should(
        self, flows: DeployedFlows, final: Any, vertex: VertexJobs, google_api: GoogleApi, client: SyncPrefectClient
    ) -> None:
        good, starved, endless = flows.run("succeed"), flows.run("wait"), flows.run("wait")
        state = final(good)
        assert state.is_completed(), state
        assert "squares: [0, 1, 4]" in flows.logs(good, "squares")
        [job] = [job for job in vertex.jobs if job.labels["prefect-io-flow-run-id"] == str(good.id)]
        assert vertex.wait(job.name).state.name == "JOB_STATE_SUCCEEDED"

        name = flows.infrastructure_of(starved)
        _until_said(google_api, name, "these are my last words")
        assert vertex.containers is not None
        vertex.containers.kill(name)
        state = final(starved)
        assert state.is_crashed(), state
        assert "out-of-memory" in str(state.message)
        assert "Choose a `machine_type` with more memory." in str(state.message)
        assert "these are my last words" in flows.logs(starved, "The last output")

        name = flows.infrastructure_of(endless)
        client.set_flow_run_state(endless.id, Cancelling())
        assert final(endless).is_cancelled()
        vertex.wait(name)


def _until_said(google_api: GoogleApi, job_name: str, words: str) -> None:
    """Wait until a job's container has written something."""
    entries, number = google_api.service(Logging).entries, job_name.rpartition("/")[2]

    def is_said() -> bool | None:
        mine = [entry for entry in list(entries.all) if entry["resource"]["labels"]["job_id"] == number]
        return any(words in entry["textPayload"] for entry in mine) or None

    poll(is_said, subject=repr(words), interval_seconds=0.1, timeout_seconds=60)
