"""What every integration must do, by the suites that all share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from prefect_databricks import DatabricksCredentials, DatabricksSqlWarehouse
from prefect_integration_tests.suites import BlockSuite, CredentialsSuite, InterfaceSuite, PackageSuite

if TYPE_CHECKING:
    from prefect.blocks.core import Block

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


class TestPackage(PackageSuite):
    package = "prefect_databricks"
    one_face = frozenset(
        {
            # Published as async flows. The body of a sync flow may call them without `await`.
            "prefect_databricks.flows.jobs_runs_submit_and_wait_for_completion",
            "prefect_databricks.flows.jobs_runs_submit_by_id_and_wait_for_completion",
            "prefect_databricks.flows.jobs_runs_wait_for_completion",
            # Generators: `for` and `async for` say which face is meant.
            "prefect_databricks.sql.DatabricksSqlWarehouse.astream_rows",
            "prefect_databricks.sql.DatabricksSqlWarehouse.stream_rows",
        }
    )


class TestInterface(InterfaceSuite):
    package = "prefect_databricks"


class TestBlocks(BlockSuite):
    package = "prefect_databricks"
    not_secret = frozenset({"idempotency_token"})
    alternatives = frozenset({"client_secret"})

    def make(self, cls: type[Block], canary: str) -> Block:
        credentials = DatabricksCredentials(databricks_instance=HOST, token=canary)
        if cls is DatabricksCredentials:
            return credentials
        return DatabricksSqlWarehouse(databricks_credentials=credentials, warehouse_id="w")


class _ClosesClients(CredentialsSuite):
    def close(self, client: Any) -> None:
        asyncio.run(client.aclose())


class TestToken(_ClosesClients):
    @pytest.fixture
    def credentials(self, canary: str) -> DatabricksCredentials:
        return DatabricksCredentials(databricks_instance=HOST, token=canary)


class TestServicePrincipal(_ClosesClients):
    @pytest.fixture
    def credentials(self, canary: str) -> DatabricksCredentials:
        return DatabricksCredentials(databricks_instance=HOST, client_id="7", client_secret=canary)


class TestEntraPrincipal(_ClosesClients):
    @pytest.fixture
    def credentials(self, canary: str) -> DatabricksCredentials:
        return DatabricksCredentials(databricks_instance=HOST, client_id="7", client_secret=canary, tenant_id="t")
