"""What tests of Container Apps have in common: a server, a work pool, runs, and what became of them."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_azure.credentials import AzureContainerInstanceCredentials
from prefect_azure.workers.container_apps import AzureContainerAppJobWorker
from prefect_integration_tests.backends._azure.arm_clients import StaticCredential
from prefect_integration_tests.backends.azure_api import ENVIRONMENT, SUBSCRIPTION, AzureApi
from prefect_integration_tests.pool_runs import NewPool
from prefect_integration_tests.suites import PlayedJobsBase
from prefect_integration_tests.worker_configurations import unprepared

GROUP = "tests"
PREFIX = "PREFECT_INTEGRATIONS_AZURE_CONTAINER_APP_WORKER_"


def credentials_for(api: AzureApi, **fields: Any) -> AzureContainerInstanceCredentials:
    """Credentials that lead to the local server."""
    endpoints = {"arm": api.endpoint, "loganalytics": api.endpoint}
    return AzureContainerInstanceCredentials.from_token_credential(StaticCredential(), endpoints=endpoints, **fields)


def configured(api: AzureApi, **variables: Any) -> Any:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    given = {"environment_id": ENVIRONMENT, "image": "busybox:dev", "credentials": credentials_for(api), **variables}
    return unprepared(AzureContainerAppJobWorker, given)


class Pool(NewPool[AzureContainerAppJobWorker]):
    """A work pool of the test server, and an identity at the local Azure."""

    def __init__(self, api: AzureApi) -> None:
        super().__init__(AzureContainerAppJobWorker)
        self.api = api

    def configured(self, **variables: Any) -> Any:
        return configured(self.api, **variables)

    def variables(self) -> dict[str, Any]:
        """Job variables that a worker reads back from the Prefect API; their identity is that of the machine."""
        endpoints = {"arm": self.api.endpoint, "loganalytics": self.api.endpoint}
        credentials = {"identity": "managed", "endpoints": endpoints}
        return {"environment_id": ENVIRONMENT, "image": "busybox:dev", "credentials": credentials}


def id_of(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.App/jobs/{name}"


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in the worker take its usual time."""
    for name, value in {
        "POLL_INTERVAL_SECONDS": "0.1",
        "CALL_INITIAL_DELAY_SECONDS": "0.02",
        "CALL_MAX_DELAY_SECONDS": "0.05",
        "CALL_DEADLINE_SECONDS": "5",
        "START_SETTLE_SECONDS": "0.3",
        "LOG_WAIT_SECONDS": "0.5",
        "CANCELLATION_INTERVAL_SECONDS": "0.1",
        "CANCELLATION_GRACE_SECONDS": "0",
        "RECONCILE_AFTER_SECONDS": "0",
    }.items():
        monkeypatch.setenv(PREFIX + name, value)


class PlayedApps(PlayedJobsBase):
    """Container Apps that plays jobs."""

    @pytest.fixture
    def pool(self, prefect_harness: None, empty_azure_api: AzureApi) -> Pool:
        return Pool(empty_azure_api)

    def let_run(self, pool: Pool) -> None:
        pool.api.play(seconds=None, lines=["the last words"])

    def end(self, pool: Pool, exit_code: int = 0) -> None:
        pool.api.play.end(exit_code=exit_code)

    def running(self, pool: Pool) -> int:
        return pool.api.play.running

    def jobs(self, pool: Pool) -> list[str]:
        return [job["name"] for job in pool.api.jobs]

    def made(self, pool: Pool) -> dict[str, int]:
        return {"made": len(pool.api.calls_of("Jobs_CreateOrUpdate")), "started": pool.api.executions_started}

    def name_of(self, identifier: str) -> str:
        name = identifier.rpartition("/")[2]
        assert identifier == id_of(name)
        return name
