"""The conformance suites: the package, its blocks and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect.blocks.core import Block  # noqa: TC002 - pytest reads annotations

from prefect_gcp import (
    BigQueryWarehouse,
    CloudBatchJob,
    CloudRunJob,
    DataprocBatch,
    GcpCredentials,
    GcpSecret,
    GcsBucket,
    PubsubSubscription,
)
from prefect_integration_tests.suites import BlockSuite, CredentialsSuite, InterfaceSuite, PackageSuite

if TYPE_CHECKING:
    from collections.abc import Callable


def _credentials(canary: str) -> GcpCredentials:
    """Credentials with a canary in the place of the key."""
    return GcpCredentials(
        service_account_info={
            "type": "service_account",
            "project_id": "p",
            "client_email": "worker@p.iam.gserviceaccount.com",
            "private_key": canary,
            "token_uri": "http://127.0.0.1:9/token",
        }
    )


class TestPackage(PackageSuite):
    package = "prefect_gcp"
    one_face = frozenset(
        {
            # Generators: `for` and `async for` say which face is meant.
            "prefect_gcp.bigquery.BigQueryWarehouse.fetch_arrow",
            "prefect_gcp.bigquery.BigQueryWarehouse.fetch_dataframe",
        }
    )


class TestInterface(InterfaceSuite):
    package = "prefect_gcp"


class TestBlocks(BlockSuite):
    package = "prefect_gcp"
    plain_entries = frozenset({"type", "project_id", "client_email", "token_uri"})

    def make(self, cls: type[Block], canary: str) -> Block:
        credentials = _credentials(canary)
        makers: dict[type[Block], Callable[[], Block]] = {
            GcpCredentials: lambda: credentials,
            BigQueryWarehouse: lambda: BigQueryWarehouse(gcp_credentials=credentials),
            GcsBucket: lambda: GcsBucket(bucket="b", gcp_credentials=credentials),
            GcpSecret: lambda: GcpSecret(secret_name="db", gcp_credentials=credentials),
            CloudRunJob: lambda: CloudRunJob(job_name="j", region="europe-west1", gcp_credentials=credentials),
            CloudBatchJob: lambda: CloudBatchJob(job={}, region="europe-west1", gcp_credentials=credentials),
            DataprocBatch: lambda: DataprocBatch(batch={}, region="europe-west1", gcp_credentials=credentials),
            PubsubSubscription: lambda: PubsubSubscription(subscription="s", gcp_credentials=credentials),
        }
        return makers[cls]()


class TestGcpCredentials(CredentialsSuite):
    get_client_kwargs: ClassVar[dict[str, Any]] = {"client_type": "cloud_storage"}

    @pytest.fixture
    def credentials(self, service_account: dict[str, Any], canary: str) -> GcpCredentials:
        # A key that is good, and something secret beside it.
        return GcpCredentials(service_account_info={**service_account, "private_key_id": canary})
