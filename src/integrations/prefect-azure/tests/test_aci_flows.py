"""Deployed flows run in real containers, started by a worker process, and end in the state that they should end in.

The worker is the `prefect` command, the deployments are made by it, containers are real; Azure's APIs and its sign-in
are the local servers'.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pytest

from prefect_azure.workers.container_instance import AzureContainerWorker
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION, AzureApi
from prefect_integration_tests.backends.azure_identity import AzureIdentity

from ._aci import GROUP, SETTINGS
from ._flows import AzureFlowsSuite

if TYPE_CHECKING:
    from prefect_integration_tests.worker_runs import WorkerProcess

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


class TestFlows(AzureFlowsSuite):
    worker_class = AzureContainerWorker
    kind = "container group"
    memory_advice = "raise `memory`"

    @pytest.fixture(scope="module")
    def environment(self, azure_identity: AzureIdentity) -> dict[str, str]:
        return {
            "REQUESTS_CA_BUNDLE": azure_identity.ca_bundle,
            f"{SETTINGS}_CANCELLATION_GRACE_SECONDS": "20",
            f"{SETTINGS}_CANCELLATION_INTERVAL_SECONDS": "1",
            f"{SETTINGS}_RECONCILE_INTERVAL_SECONDS": "2",
        }

    @pytest.fixture(scope="module")
    def defaults(self, credentials: dict[str, Any], image: str) -> dict[str, Any]:
        return {
            "image": image,
            "entrypoint": "",  # the image has none
            "resource_group_name": GROUP,
            "subscription_id": SUBSCRIPTION,
            "aci_credentials": credentials,
            "task_watch_poll_interval": 1,
            "stream_output": True,
        }

    def run_out_of_memory(self, cloud: AzureApi, identifier: str) -> None:
        cloud.play.run_out_of_memory(_name(identifier))

    def end(self, cloud: AzureApi, identifier: str, exit_code: int) -> None:
        cloud.play.end(_name(identifier), exit_code=exit_code)

    def left_over(self, cloud: AzureApi, identifiers: Collection[str | None]) -> list[str]:
        names = {_name(identifier) for identifier in identifiers}
        return [left for left in cloud.left_over if left.rpartition("/")[2] in names]

    def look_closer(self, worker: WorkerProcess) -> None:
        poll(
            lambda: "printed by the flow" in worker.said() or None,
            subject="the flow's output in the worker's",
            interval_seconds=0.1,
            timeout_seconds=20,
        )


def _name(identifier: str | None) -> str:
    return str(identifier).partition(":")[2]
