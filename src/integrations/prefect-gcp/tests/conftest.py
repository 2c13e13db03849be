"""What the tests of this package share."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from prefect_gcp._clients import forget_clients
from prefect_gcp._identity import forget_identities
from prefect_gcp._rest import forget_services
from prefect_gcp.cloud_storage import GcsBucket
from prefect_gcp.credentials import GcpCredentials

os.environ["NO_GCE_CHECK"] = "true"  # the SDK reads it when it is imported; it would look for a metadata server

if TYPE_CHECKING:
    from prefect_integration_tests.backends.bigquery import BigQueryFront, BigQueryServer
    from prefect_integration_tests.backends.gcs import FakeGcs, GcsFront
    from prefect_integration_tests.backends.google_identity import GoogleIdentity


if find_spec("bqemulator") is None:  # it needs Python 3.11

    @pytest.fixture(scope="session")
    def bigquery_server() -> None:
        """Skip what needs BigQuery."""
        pytest.skip("bqemulator is not installed; it needs Python 3.11.")

    @pytest.fixture
    def bigquery_dataset(bigquery_server: None) -> None:
        """Skip what needs BigQuery."""

    @pytest.fixture
    def bigquery_front(bigquery_server: None) -> None:
        """Skip what needs BigQuery."""


@pytest.fixture(autouse=True)
def no_identity_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let no test find the developer's own login."""
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.getbasetemp() / "no-gcloud"))
    for name in (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_PROJECT",
        "GCLOUD_PROJECT",
        "STORAGE_EMULATOR_HOST",
        "BIGQUERY_EMULATOR_HOST",
        "PUBSUB_EMULATOR_HOST",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def identity(google_identity: GoogleIdentity) -> GoogleIdentity:
    """Google's identity services, as they are after a reset; nobody has a token yet."""
    google_identity.reset()
    for forget in (forget_identities, forget_clients, forget_services):
        forget()
    return google_identity


@pytest.fixture
def service_account(identity: GoogleIdentity) -> dict[str, Any]:
    """A key of a service account of `test-project`, which `identity` knows."""
    return identity.service_account_info()


# Cloud Storage: a server, two engines


@dataclass(frozen=True)
class BehindGcs:
    """The bucket behind a block, by whole keys."""

    client: Any
    bucket: str

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        blob = self.client.bucket(self.bucket).blob(key)
        blob.metadata = metadata
        blob.upload_from_string(content)

    def get(self, key: str) -> bytes:
        return self.client.bucket(self.bucket).blob(key).download_as_bytes()

    def keys(self) -> list[str]:
        return [blob.name for blob in self.client.list_blobs(self.bucket)]

    def metadata(self, key: str) -> dict[str, str]:
        return dict(self.blob(key).metadata or {})

    def blob(self, key: str) -> Any:
        return self.client.bucket(self.bucket).get_blob(key)


@pytest.fixture(params=["native", "sdk"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine of folder downloads; a test that uses it runs once for each."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_GCS_NATIVE_TRANSFER", str(request.param == "native"))
    return request.param


@pytest.fixture
def gcs_credentials(gcs_server: FakeGcs) -> GcpCredentials:
    """Credentials that reach the server."""
    return GcpCredentials(project=gcs_server.project, api_endpoints={"storage": gcs_server.endpoint})


@pytest.fixture
def gcs_bucket(gcs_bucket_name: str, gcs_credentials: GcpCredentials) -> GcsBucket:
    """A block on an empty bucket, with a folder."""
    return GcsBucket(bucket=gcs_bucket_name, bucket_folder="base", gcp_credentials=gcs_credentials)


@pytest.fixture(scope="session")
def gcs_client(gcs_server: FakeGcs) -> Any:
    """A plain client of the server."""
    return gcs_server.client()


@pytest.fixture
def behind(gcs_client: Any, gcs_bucket_name: str) -> BehindGcs:
    """The same bucket, without the block."""
    return BehindGcs(gcs_client, gcs_bucket_name)


@pytest.fixture
def fronted(gcs_bucket: GcsBucket, gcs_front: GcsFront) -> GcsBucket:
    """The same block, through a front that listens in and fails on demand."""
    credentials = GcpCredentials(project="test-project", api_endpoints={"storage": gcs_front.endpoint})
    return gcs_bucket.model_copy(update={"gcp_credentials": credentials})


# BigQuery: an emulator, and a front that listens in


@pytest.fixture
def bigquery_credentials(bigquery_server: BigQueryServer) -> GcpCredentials:
    """Credentials that reach the emulator, its Storage API included."""
    endpoints = {"bigquery": bigquery_server.endpoint, "bigquerystorage": bigquery_server.storage_endpoint}
    return GcpCredentials(project=bigquery_server.project, api_endpoints=endpoints)


@pytest.fixture
def fronted_bigquery(bigquery_server: BigQueryServer, bigquery_front: BigQueryFront) -> GcpCredentials:
    """Credentials that reach the emulator through the front."""
    return GcpCredentials(project=bigquery_server.project, api_endpoints={"bigquery": bigquery_front.endpoint})


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let BigQuery's waits take no time to speak of."""
    from prefect_gcp._bigquery import jobs

    monkeypatch.setattr(jobs, "clock", _Hasty())


class _Hasty:
    """A clock whose seconds are short."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_seconds

    def sleep(self, seconds: float) -> None:
        self._ahead_seconds += seconds
        time.sleep(min(seconds, 0.01))

    async def asleep(self, seconds: float) -> None:
        self._ahead_seconds += seconds
        await asyncio.sleep(min(seconds, 0.01))
