"""What tests of the Snowpark worker have in common: a work pool, runs, what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_tests.backends.snowpark import DATABASE, POOL, SCHEMA
from prefect_integration_tests.pool_runs import NewPool
from prefect_integration_tests.worker_configurations import unprepared
from prefect_snowflake.credentials import SnowflakeCredentials
from prefect_snowflake.experimental.workers.spcs import SPCSWorker, SPCSWorkerConfiguration

if TYPE_CHECKING:
    import pytest

    from prefect_integration_tests.backends.snowpark import Snowpark

TYPE = SPCSWorker.type
SETTINGS = "PREFECT_INTEGRATIONS_SNOWFLAKE_SPCS_WORKER"
PLACE: dict[str, Any] = {"service_database": DATABASE, "service_schema": SCHEMA}
LONG = "sleep 600"
"""A command that does not end by itself."""


def exits(code: int, says: str = "") -> str:
    """A command that prints something and ends with a code."""
    return f"sh -c 'echo {says}; exit {code}'"


def configured(**variables: Any) -> SPCSWorkerConfiguration:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    given = {"compute_pool": POOL, "image": "busybox:dev", **PLACE, **variables}
    job = {"job_manifest": given.pop("job_manifest")} if "job_manifest" in given else {}
    return unprepared(SPCSWorker, given, job)


class Pool(NewPool[SPCSWorker]):
    """A work pool of the test server, and a user at the local Snowflake."""

    def __init__(self, snowpark: Snowpark) -> None:
        super().__init__(SPCSWorker)
        self.snowpark = snowpark
        self.fields = snowpark.fields
        self.command = exits(0)

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

    def configured(self, **variables: Any) -> SPCSWorkerConfiguration:
        credentials = SnowflakeCredentials(**{**self.fields, **variables.pop("fields", {})})
        given = {"snowflake_credentials": credentials, "service_watch_poll_interval": 0, "command": self.command}
        return configured(**{**given, **variables})


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
