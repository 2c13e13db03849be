"""No secret of a run is said by the worker that starts it."""

from __future__ import annotations

from typing import Any

from prefect_integration_tests.suites import WorkerSecretsSuite
from prefect_snowflake import SnowflakeCredentials

from ._spcs import DATABASE, PLACE, POOL, SCHEMA


class TestWorkers(WorkerSecretsSuite):
    package = "prefect_snowflake"

    def variables(self, worker: type[Any], canary: str) -> dict[str, Any]:
        credentials = SnowflakeCredentials(account="a", user="u", password=canary)  # pyright: ignore[reportArgumentType]
        return {"snowflake_credentials": credentials, "compute_pool": POOL, "image": "busybox:dev", **PLACE}

    def identifier(self, worker: type[Any]) -> str:
        return f"{DATABASE}.{SCHEMA}.BRAVE_OTTER"
