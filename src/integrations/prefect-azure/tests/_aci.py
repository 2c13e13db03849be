"""What tests of the Container Instances worker have in common: a server, a work pool, runs, what became of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.templating import apply_values

from prefect_azure.credentials import AzureContainerInstanceCredentials
from prefect_azure.workers.container_instance import AzureContainerJobConfiguration, AzureContainerWorker
from prefect_integration_tests.backends._azure.arm_clients import StaticCredential
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION
from prefect_integration_tests.pool_runs import new_run

if TYPE_CHECKING:
    import pytest
    from prefect.client.schemas.objects import FlowRun, State

    from prefect_integration_tests.backends.azure_api import AzureApi

GROUP = "flows"
"""Resource group of the tests."""

TYPE = AzureContainerWorker.type
SETTINGS = "PREFECT_INTEGRATIONS_AZURE_CONTAINER_INSTANCE_WORKER"


@flow
def nothing() -> None:
    """A flow that is never called: its containers are played."""


def credentials_for(api: AzureApi) -> AzureContainerInstanceCredentials:
    """An identity at the local server."""
    return AzureContainerInstanceCredentials.from_token_credential(StaticCredential(), endpoints={"arm": api.endpoint})


def configured(**variables: Any) -> AzureContainerJobConfiguration:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    template = AzureContainerWorker.get_default_base_job_template()
    defaults = {
        name: schema["default"]
        for name, schema in template["variables"]["properties"].items()
        if schema.get("default") is not None
    }
    given = {"resource_group_name": GROUP, "subscription_id": SUBSCRIPTION, "image": "busybox:dev", **variables}
    job = {
        **template["job_configuration"],
        **({"arm_template": given.pop("arm_template")} if "arm_template" in given else {}),
    }
    rendered: Any = apply_values(job, {**defaults, **given})
    return AzureContainerJobConfiguration(**rendered)


class Pool:
    """A work pool of the test server, and an identity at the local Azure."""

    def __init__(self, api: AzureApi, credentials: AzureContainerInstanceCredentials | None = None) -> None:
        self.api = api
        self.name = f"aci-{uuid.uuid4().hex[:8]}"
        self.credentials = credentials or credentials_for(api)
        self.template = AzureContainerWorker.get_default_base_job_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=self.name, type=TYPE, base_job_template=self.template))
            self.work_pool = client.read_work_pool(self.name)

    def worker(self, **options: Any) -> AzureContainerWorker:
        return AzureContainerWorker(work_pool_name=self.name, **options)

    async def new_run(self, state: State[Any] | None = None, **variables: Any) -> FlowRun:
        """A run as a worker has it in hand: scheduled when it was read, and pending since."""
        return await new_run(nothing, self.name, state, **variables)

    def configure(self, run: FlowRun, **variables: Any) -> AzureContainerJobConfiguration:
        configuration = configured(
            **{"aci_credentials": self.credentials, "task_watch_poll_interval": 0.1, **variables}
        )
        configuration.prepare_for_flow_run(run, work_pool=self.work_pool)
        return configuration

    async def submit(self, worker: AzureContainerWorker, **variables: Any) -> Any:
        """Run a new flow run to its end."""
        run = await self.new_run()
        return run, await worker.run(run, self.configure(run, **variables))


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in the worker take its usual time."""
    for name, value in {
        "CALL_INITIAL_DELAY_SECONDS": "0.02",
        "CANCELLATION_INTERVAL_SECONDS": "0.1",
        "CANCELLATION_GRACE_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"{SETTINGS}_{name}", value)
