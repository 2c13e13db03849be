"""Deployed flows run in real containers, started by a worker process, and end in the state that they should end in.

The worker is the `prefect` command, the deployments are made by it, containers are real; Cloud Run's API is the local
server's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pytest

from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.suites import DeployedFlowsSuite

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

SETTINGS = "PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_V2_WORKER"


class TestFlows(DeployedFlowsSuite):
    distribution = "prefect-gcp"
    worker_class = CloudRunWorkerV2
    foreign = ("GOOGLE_", "CLOUDSDK_")
    kind = "Cloud Run job"
    memory_advice = "Raise `memory`"

    @pytest.fixture(scope="module")
    def cloud(self, docker_engine: Any) -> Iterator[GoogleApi]:
        with GoogleApi() as api:
            api.run.use_engine(docker_engine)
            yield api

    @pytest.fixture(scope="module")
    def environment(self) -> dict[str, str]:
        return {
            "NO_GCE_CHECK": "true",
            f"{SETTINGS}_POLL_INTERVAL_SECONDS": "1",
            f"{SETTINGS}_CANCELLATION_GRACE_SECONDS": "20",
            f"{SETTINGS}_CANCELLATION_INTERVAL_SECONDS": "1",
            f"{SETTINGS}_RECONCILE_INTERVAL_SECONDS": "2",
        }

    @pytest.fixture(scope="module")
    def defaults(self, cloud: GoogleApi, image: str) -> dict[str, Any]:
        endpoints = {"run": cloud.endpoint, "logging": cloud.endpoint}
        return {"image": image, "credentials": {"project": "test-project", "api_endpoints": endpoints}}

    def run_out_of_memory(self, cloud: GoogleApi, identifier: str) -> None:
        cloud.run.run_out_of_memory(f"{identifier}-*")

    def end(self, cloud: GoogleApi, identifier: str, exit_code: int) -> None:
        cloud.run.end(f"{identifier}-*", exit_code=exit_code, message="The container exited with an error.")

    def left_over(self, cloud: GoogleApi, identifiers: Collection[str | None]) -> set[str]:
        there = {job["name"].rpartition("/")[2] for job in cloud.run.jobs}
        return there & {str(identifier) for identifier in identifiers}
