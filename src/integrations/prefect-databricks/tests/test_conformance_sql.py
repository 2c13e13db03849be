"""What holds for every database block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_databricks import DatabricksCredentials
from prefect_databricks.sql import DatabricksSqlWarehouse
from prefect_integration_tests.backends.databricks import WAREHOUSE
from prefect_integration_tests.suites import DatabaseSuite

pytest.importorskip("duckdb", reason="the local warehouse executes statements by it")


class TestSqlWarehouse(DatabaseSuite):
    atomic_execute_many = False
    starts_again = False
    returning = "RETURNING id"
    # No `many_rows`: the local warehouse has a result in memory as a whole, in this process. That chunks are read when
    # they are wanted is tested in `test_sql.py`.

    @pytest.fixture
    def database(self, databricks: Any, canary: str) -> Iterator[DatabricksSqlWarehouse]:
        databricks.identity.let_in(canary)
        credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, token=SecretStr(canary))
        with DatabricksSqlWarehouse(databricks_credentials=credentials, warehouse_id=WAREHOUSE) as block:
            yield block

    @pytest.fixture
    def refused_database(self, databricks: Any, canary: str) -> DatabricksSqlWarehouse:
        credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, token=SecretStr(canary))
        return DatabricksSqlWarehouse(databricks_credentials=credentials, warehouse_id=WAREHOUSE)
