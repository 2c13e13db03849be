"""Deployed flows run in real containers of Container Apps jobs, and end in the state that they should end in.

The worker is the `prefect` command, the deployments are made by it, containers are real; Azure's APIs and its sign-in
are the local servers'.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pytest

from prefect_azure.workers.container_apps import AzureContainerAppJobWorker
from prefect_integration_tests.backends.azure_api import ENVIRONMENT, AzureApi
from prefect_integration_tests.backends.azure_identity import AzureIdentity

from ._apps import PREFIX
from ._flows import AzureFlowsSuite

if TYPE_CHECKING:
    from prefect_integration_tests.worker_runs import WorkerProcess

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

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


class TestFlows(AzureFlowsSuite):
    worker_class = AzureContainerAppJobWorker
    source = FLOWS
    kind = "Container Apps job"
    said = "the password has 6 characters"
    memory_advice = "Raise `cpu` and `memory`"

    @pytest.fixture(scope="module")
    def environment(self, azure_identity: AzureIdentity) -> dict[str, str]:
        return {
            "REQUESTS_CA_BUNDLE": azure_identity.ca_bundle,
            f"{PREFIX}POLL_INTERVAL_SECONDS": "1",
            f"{PREFIX}LOG_WAIT_SECONDS": "5",
            f"{PREFIX}CANCELLATION_GRACE_SECONDS": "20",
            f"{PREFIX}CANCELLATION_INTERVAL_SECONDS": "1",
            f"{PREFIX}RECONCILE_INTERVAL_SECONDS": "2",
        }

    @pytest.fixture(scope="module")
    def defaults(self, credentials: dict[str, Any], image: str) -> dict[str, Any]:
        return {
            "image": image,
            "environment_id": ENVIRONMENT,
            "credentials": credentials,
            "env_secrets": {"DB_PASSWORD": "s3cr3t"},
        }

    def run_out_of_memory(self, cloud: AzureApi, identifier: str) -> None:
        cloud.play.run_out_of_memory(identifier.rpartition("/")[2])

    def end(self, cloud: AzureApi, identifier: str, exit_code: int) -> None:
        cloud.play.end(identifier.rpartition("/")[2], exit_code=exit_code)

    def left_over(self, cloud: AzureApi, identifiers: Collection[str | None]) -> list[str]:
        """No other jobs are there."""
        return [job["name"] for job in cloud.jobs]

    def look_closer(self, worker: WorkerProcess) -> None:
        assert "s3cr3t" not in worker.said()
