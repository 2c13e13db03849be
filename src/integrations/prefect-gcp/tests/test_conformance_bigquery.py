"""What holds for every database block, shown for BigQuery's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from prefect_gcp.bigquery import BigQueryWarehouse
from prefect_integration_tests.suites import DatabaseSuite

if TYPE_CHECKING:
    from prefect_gcp import GcpCredentials

pytestmark = pytest.mark.usefixtures("fast")


class TestWarehouse(DatabaseSuite):
    placeholder = "%({name})s"
    columns = "id INT64 NOT NULL, name STRING"
    starts_again = False
    atomic_execute_many = False  # each set of values is a job of its own
    binds_null = False  # a parameter's type is that of its value

    @pytest.fixture
    def database(self, bigquery_credentials: GcpCredentials) -> Iterator[BigQueryWarehouse]:
        with BigQueryWarehouse(gcp_credentials=bigquery_credentials, fetch_size=2) as block:
            yield block

    @pytest.fixture
    def table(self, bigquery_dataset: str) -> str:
        return f"{bigquery_dataset}.suite_{uuid.uuid4().hex[:8]}"
