"""What tests of the Cloud Run workers have in common: a server, a work pool, runs, and what became of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.templating import apply_values

from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.workers.cloud_run import CloudRunWorker
from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2
from prefect_integration_tests.pool_runs import new_run

if TYPE_CHECKING:
    import pytest
    from prefect.client.schemas.objects import FlowRun, State

    from prefect_integration_tests.backends.google_api import GoogleApi

PROJECT = "test-project"
REGION = "us-central1"
WORKERS: dict[str, type[Any]] = {"v1": CloudRunWorker, "v2": CloudRunWorkerV2}
JOBS = {"v1": "run.namespaces.jobs", "v2": "run.projects.locations.jobs"}
EXECUTIONS = {"v1": "run.namespaces.executions", "v2": "run.projects.locations.jobs.executions"}
SETTINGS = {"v1": "CLOUD_RUN_WORKER", "v2": "CLOUD_RUN_V2_WORKER"}


@flow
def nothing() -> None:
    """A flow that is never called: its jobs are played."""


class Pool:
    """A work pool of the test server, and an identity at the local Cloud Run."""

    def __init__(self, api: GoogleApi, version: str) -> None:
        self.api = api
        self.version = version
        self.kind = WORKERS[version]
        self.name = f"cloud-run-{uuid.uuid4().hex[:8]}"
        endpoints = {"run": api.endpoint, "logging": api.endpoint}
        self.credentials = GcpCredentials(project=PROJECT, api_endpoints=endpoints)
        self.template = self.kind.get_default_base_job_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(
                WorkPoolCreate(name=self.name, type=self.kind.type, base_job_template=self.template)
            )
            self.work_pool = client.read_work_pool(self.name)

    def worker(self, **options: Any) -> Any:
        return self.kind(work_pool_name=self.name, **options)

    async def new_run(self, state: State[Any] | None = None, **variables: Any) -> FlowRun:
        """A run as a worker has it in hand: scheduled when it was read, and pending since."""
        return await new_run(nothing, self.name, state, **variables)

    def configure(self, run: FlowRun, **variables: Any) -> Any:
        configuration = configured(self.version, **{"credentials": self.credentials, **variables})
        configuration.prepare_for_flow_run(run, work_pool=self.work_pool)
        return configuration

    def calls(self, verb: str) -> list[Any]:
        """Calls of a method of jobs; `executions.cancel` of executions."""
        group, _, method = verb.rpartition(".")
        return self.api.calls_of(f"{(EXECUTIONS if group else JOBS)[self.version]}.{method}")


def configured(version: str, **variables: Any) -> Any:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    kind = WORKERS[version]
    template = kind.get_default_base_job_template()
    defaults = {
        name: schema["default"]
        for name, schema in template["variables"]["properties"].items()
        if schema.get("default") is not None
    }
    given = {"region": REGION, "image": "busybox:dev", "credentials": GcpCredentials(project=PROJECT), **variables}
    rendered: Any = apply_values(template["job_configuration"], {**defaults, **given})
    return kind.job_configuration(**rendered)


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in the workers take its usual time."""
    for prefix in SETTINGS.values():
        for name, value in {
            "POLL_INTERVAL_SECONDS": "0.1",
            "CREATE_JOB_INITIAL_DELAY_SECONDS": "0.02",
            "SUBMIT_JOB_INITIAL_DELAY_SECONDS": "0.02",
            "API_READ_RETRY_INITIAL_DELAY_SECONDS": "0.02",
            "CANCELLATION_INTERVAL_SECONDS": "0.1",
            "CANCELLATION_GRACE_SECONDS": "0",
        }.items():
            monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{prefix}_{name}", value)
