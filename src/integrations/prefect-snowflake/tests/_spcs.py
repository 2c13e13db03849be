"""What tests of the Snowpark worker have in common: a work pool, runs, what became of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.templating import apply_values

from prefect_integration_tests.backends.snowpark import DATABASE, POOL, SCHEMA
from prefect_integration_tests.pool_runs import new_run
from prefect_snowflake.credentials import SnowflakeCredentials
from prefect_snowflake.experimental.workers.spcs import SPCSWorker, SPCSWorkerConfiguration

if TYPE_CHECKING:
    import pytest
    from prefect.client.schemas.objects import FlowRun, State

    from prefect_integration_tests.backends.snowpark import Snowpark

TYPE = SPCSWorker.type
SETTINGS = "PREFECT_INTEGRATIONS_SNOWFLAKE_SPCS_WORKER"
PLACE: dict[str, Any] = {"service_database": DATABASE, "service_schema": SCHEMA}
LONG = "sleep 600"
"""A command that does not end by itself."""


@flow
def nothing() -> None:
    """A flow that is never called: its containers run other commands."""


def exits(code: int, says: str = "") -> str:
    """A command that prints something and ends with a code."""
    return f"sh -c 'echo {says}; exit {code}'"


def configured(**variables: Any) -> SPCSWorkerConfiguration:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    template = SPCSWorker.get_default_base_job_template()
    defaults = {
        name: schema["default"]
        for name, schema in template["variables"]["properties"].items()
        if schema.get("default") is not None
    }
    given = {"compute_pool": POOL, "image": "busybox:dev", **PLACE, **variables}
    job = dict(template["job_configuration"])
    if "job_manifest" in given:
        job["job_manifest"] = given.pop("job_manifest")
    rendered: Any = apply_values(job, {**defaults, **given})
    return SPCSWorkerConfiguration(**rendered)


class Pool:
    """A work pool of the test server, and a user at the local Snowflake."""

    def __init__(self, snowpark: Snowpark) -> None:
        self.snowpark = snowpark
        self.name = f"spcs-{uuid.uuid4().hex[:8]}"
        self.fields = snowpark.fields
        self.template = SPCSWorker.get_default_base_job_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=self.name, type=TYPE, base_job_template=self.template))
            self.work_pool = client.read_work_pool(self.name)

    def worker(self, **options: Any) -> SPCSWorker:
        return SPCSWorker(work_pool_name=self.name, **options)

    @property
    def variables(self) -> dict[str, Any]:
        """Job variables that a deployment has."""
        return {
            "compute_pool": POOL,
            "image": "busybox:dev",
            "service_watch_poll_interval": 0,
            "snowflake_credentials": self.fields,
            **PLACE,
        }

    async def new_run(self, state: State[Any] | None = None, **variables: Any) -> FlowRun:
        """A run as a worker has it in hand: scheduled when it was read, and pending since."""
        return await new_run(nothing, self.name, state, **variables)

    def configure(self, run: FlowRun, **variables: Any) -> SPCSWorkerConfiguration:
        credentials = SnowflakeCredentials(**{**self.fields, **variables.pop("fields", {})})
        configuration = configured(
            **{"snowflake_credentials": credentials, "service_watch_poll_interval": 0, "command": exits(0), **variables}
        )
        configuration.prepare_for_flow_run(run, work_pool=self.work_pool)
        return configuration

    async def submit(self, worker: SPCSWorker, **variables: Any) -> Any:
        """Run a new flow run to its end."""
        run = await self.new_run()
        return run, await worker.run(run, self.configure(run, **variables))


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in the worker take its usual time, and no key of the surroundings get in."""
    for name, value in {
        "CALL_INITIAL_DELAY_SECONDS": "0.02",
        "CALL_TIMEOUT_SECONDS": "5",
        "CANCELLATION_INTERVAL_SECONDS": "0.1",
        "CANCELLATION_GRACE_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"{SETTINGS}_{name}", value)
    for name in ("SNOWFLAKE_DATABASE", "SNOWFLAKE_SCHEMA", "SNOWFLAKE_HOST", "SNOWFLAKE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
