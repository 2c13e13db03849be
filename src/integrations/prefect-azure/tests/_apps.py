"""What tests of Container Apps have in common: a server, a work pool, runs, and what became of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.templating import apply_values

from prefect_azure.credentials import AzureContainerInstanceCredentials
from prefect_azure.workers.container_apps import AzureContainerAppJobWorker
from prefect_integration_tests.backends._azure.arm_clients import StaticCredential
from prefect_integration_tests.backends.azure_api import ENVIRONMENT, SUBSCRIPTION
from prefect_integration_tests.pool_runs import new_run

if TYPE_CHECKING:
    import pytest
    from prefect.client.schemas.objects import FlowRun, State

    from prefect_integration_tests.backends.azure_api import AzureApi

GROUP = "tests"
PREFIX = "PREFECT_INTEGRATIONS_AZURE_CONTAINER_APP_WORKER_"


def credentials_for(api: AzureApi, **fields: Any) -> AzureContainerInstanceCredentials:
    """Credentials that lead to the local server."""
    endpoints = {"arm": api.endpoint, "loganalytics": api.endpoint}
    return AzureContainerInstanceCredentials.from_token_credential(StaticCredential(), endpoints=endpoints, **fields)


def configured(api: AzureApi, **variables: Any) -> Any:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    kind = AzureContainerAppJobWorker
    template = kind.get_default_base_job_template()
    defaults = {
        name: schema["default"]
        for name, schema in template["variables"]["properties"].items()
        if schema.get("default") is not None
    }
    given = {"environment_id": ENVIRONMENT, "image": "busybox:dev", **variables}
    rendered: Any = apply_values(template["job_configuration"], {**defaults, **given})
    return kind.job_configuration(**{**rendered, "credentials": variables.get("credentials") or credentials_for(api)})


@flow
def nothing() -> None:
    """A flow that is never called: its jobs are played."""


class Pool:
    """A work pool of the test server, and an identity at the local Azure."""

    def __init__(self, api: AzureApi) -> None:
        self.api = api
        self.name = f"container-apps-{uuid.uuid4().hex[:8]}"
        template = AzureContainerAppJobWorker.get_default_base_job_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(
                WorkPoolCreate(name=self.name, type=AzureContainerAppJobWorker.type, base_job_template=template)
            )
            self.work_pool = client.read_work_pool(self.name)

    def worker(self, **options: Any) -> AzureContainerAppJobWorker:
        return AzureContainerAppJobWorker(work_pool_name=self.name, **options)

    async def new_run(self, state: State[Any] | None = None, **variables: Any) -> FlowRun:
        """A run as a worker has it in hand: scheduled when it was read, and pending since."""
        return await new_run(nothing, self.name, state, **variables)

    def configure(self, run: FlowRun, **variables: Any) -> Any:
        configuration = configured(self.api, **variables)
        configuration.prepare_for_flow_run(run, work_pool=self.work_pool)
        return configuration

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
