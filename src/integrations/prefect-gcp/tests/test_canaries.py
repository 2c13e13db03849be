"""No secret of a run is said by the workers that start it."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_gcp import GcpCredentials
from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_tests.suites import WorkerSecretsSuite


class TestWorkers(WorkerSecretsSuite):
    package = "prefect_gcp"

    @pytest.fixture(autouse=True)
    def key(self, service_account: dict[str, Any]) -> None:
        self.service_account = service_account

    def variables(self, worker: type[Any], canary: str) -> dict[str, Any]:
        # A key that is good, and something secret beside it.
        credentials = GcpCredentials(service_account_info={**self.service_account, "private_key_id": canary})
        return {"credentials": credentials, "region": "europe-west1", "image": "busybox:dev"}

    def identifier(self, worker: type[Any]) -> str:
        return "projects/shop/locations/europe-west1/customJobs/456" if worker is VertexAIWorker else "brave-otter"
