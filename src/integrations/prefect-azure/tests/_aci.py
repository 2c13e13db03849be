"""What tests of the Container Instances worker have in common: a server, a work pool, runs, what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_azure.credentials import AzureContainerInstanceCredentials
from prefect_azure.workers.container_instance import AzureContainerJobConfiguration, AzureContainerWorker
from prefect_integration_tests.backends._azure.arm_clients import StaticCredential
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION
from prefect_integration_tests.pool_runs import NewPool
from prefect_integration_tests.worker_configurations import unprepared

if TYPE_CHECKING:
    import pytest

    from prefect_integration_tests.backends.azure_api import AzureApi

GROUP = "flows"
"""Resource group of the tests."""

TYPE = AzureContainerWorker.type
SETTINGS = "PREFECT_INTEGRATIONS_AZURE_CONTAINER_INSTANCE_WORKER"


def credentials_for(api: AzureApi) -> AzureContainerInstanceCredentials:
    """An identity at the local server."""
    return AzureContainerInstanceCredentials.from_token_credential(StaticCredential(), endpoints={"arm": api.endpoint})


def configured(**variables: Any) -> AzureContainerJobConfiguration:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    given = {"resource_group_name": GROUP, "subscription_id": SUBSCRIPTION, "image": "busybox:dev", **variables}
    job = {"arm_template": given.pop("arm_template")} if "arm_template" in given else {}
    return unprepared(AzureContainerWorker, given, job)


class Pool(NewPool[AzureContainerWorker]):
    """A work pool of the test server, and an identity at the local Azure."""

    def __init__(self, api: AzureApi, credentials: AzureContainerInstanceCredentials | None = None) -> None:
        super().__init__(AzureContainerWorker)
        self.api = api
        self.credentials = credentials or credentials_for(api)

    def configured(self, **variables: Any) -> AzureContainerJobConfiguration:
        return configured(**{"aci_credentials": self.credentials, "task_watch_poll_interval": 0.1, **variables})


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in the worker take its usual time."""
    for name, value in {
        "CALL_INITIAL_DELAY_SECONDS": "0.02",
        "CANCELLATION_INTERVAL_SECONDS": "0.1",
        "CANCELLATION_GRACE_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"{SETTINGS}_{name}", value)
