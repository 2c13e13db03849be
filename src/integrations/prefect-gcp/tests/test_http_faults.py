"""Each client of a REST API meets each fault of the line, and does what was wanted once."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from google.auth import _exponential_backoff

from prefect_gcp import GcpCredentials, _remote_run, errors
from prefect_gcp._bigquery import queries
from prefect_gcp._rest import Transport
from prefect_gcp.bigquery import BigQueryWarehouse
from prefect_gcp.cloud_batch import cloud_batch_submit, container_job
from prefect_gcp.cloud_run import cloud_run_job_run
from prefect_gcp.cloud_storage import GcsBucket
from prefect_gcp.dataproc import dataproc_submit_batch
from prefect_integration_tests.backends._google.batch_v1 import Batch
from prefect_integration_tests.backends._google.dataproc_v1 import Dataproc
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.pool_runs import new_run, nothing
from prefect_integration_tests.suites import HttpFaultSuite

from ._cloud_run import PROJECT, Pool, quicken

if TYPE_CHECKING:
    from prefect_integration_tests.backends.certificates import PrivateCA
    from prefect_integration_tests.backends.http_edge import EdgeCall, HttpEdge

REGION = "europe-west3"
WAIT_SECONDS = 0.7


class TestGcsBucketFaults(HttpFaultSuite):
    """An upload."""

    error = errors.GcpError
    named = r"base/key\w+"

    @pytest.fixture
    def edge(
        self, gcs_server: Any, gcs_bucket: GcsBucket, behind: Any, http_edge: Any, monkeypatch: pytest.MonkeyPatch
    ) -> Any:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_GCS_RETRY_SECONDS", "6")
        edge = http_edge(gcs_server.endpoint)
        credentials = GcpCredentials(project=PROJECT, api_endpoints={"storage": edge.url})
        self.bucket = gcs_bucket.model_copy(update={"gcp_credentials": credentials})
        self.behind = behind
        return edge

    def change(self, edge: HttpEdge, key: str) -> Any:
        return self.bucket.aupload_from_file_object(io.BytesIO(b"content"), key, timeout=WAIT_SECONDS)

    def changes(self, edge: HttpEdge, key: str) -> int:
        kept = self.behind.keys()
        return [self.behind.get(name) for name in kept if key in name].count(b"content")


class TestGcsDownloadFaults(HttpFaultSuite):
    """A download, which is whole or fails."""

    error = errors.GcpError
    named = r"base/key\w+"

    edge = TestGcsBucketFaults.edge

    async def change(self, edge: HttpEdge, key: str) -> Any:
        self.behind.put(f"base/{key}", b"content" * 1000)
        target = io.BytesIO()
        self.received = b""
        await self.bucket.adownload_object_to_file_object(key, target, timeout=WAIT_SECONDS)
        self.received = target.getvalue()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return [b"content" * 1000].count(self.received)


class TestBigQueryFaults(HttpFaultSuite):
    """A statement that inserts a row."""

    error = errors.GcpError
    named = "BigQuery"
    lasting_seconds = 40.0

    @pytest.fixture
    def edge(
        self,
        bigquery_server: Any,
        bigquery_front: Any,
        bigquery_dataset: str,
        http_edge: Any,
        fast: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Any:
        monkeypatch.setattr(queries, "REQUEST_SECONDS", 0.4)
        edge = http_edge(bigquery_front.endpoint)  # which knows a job again, as BigQuery does
        credentials = GcpCredentials(project=bigquery_server.project, api_endpoints={"bigquery": edge.url})
        self.warehouse = BigQueryWarehouse(gcp_credentials=credentials)
        self.server, self.table = bigquery_server, f"{bigquery_dataset}.changed"
        bigquery_server.rows(f"CREATE TABLE {self.table} (name STRING)")
        return edge

    def change(self, edge: HttpEdge, key: str) -> Any:
        return self.warehouse.aexecute(f"INSERT INTO {self.table} VALUES (%(name)s)", {"name": key})

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.server.rows(f"SELECT COUNT(*) FROM {self.table} WHERE name = '{key}'")[0][0]

    def strikes(self, call: EdgeCall) -> bool:
        return call.method == "POST"  # the job; looks at it are repeated for longer than a test can wait


class _RestFaults(HttpFaultSuite):
    """What starts a job."""

    __test__ = False
    error = errors.GcpUnavailable
    service: ClassVar[str]

    @pytest.fixture
    def edge(self, empty_google_api: Any, http_edge: Any, fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(_remote_run, "_clock", fake_clock)
        monkeypatch.setitem(Transport.request.__kwdefaults__, "timeout_seconds", WAIT_SECONDS)
        self.api = empty_google_api
        edge = http_edge(empty_google_api.endpoint)
        self.credentials = GcpCredentials(project=PROJECT, api_endpoints={self.service: edge.url})
        return edge


class TestBatchFaults(_RestFaults):
    """A Batch job."""

    __test__ = True
    service = "batch"
    named = "Batch job"

    def change(self, edge: HttpEdge, key: str) -> Any:
        cloud_batch_submit.fn(container_job("python:3.12-slim", [key]), REGION, self.credentials)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(key in str(job) for job in self.api.service(Batch).jobs)


class TestLoginFaults(TestBatchFaults):
    """A Batch job, for which a token is asked for."""

    named = "Batch job|Service account"
    lasting_seconds = 60.0

    @pytest.fixture
    def edge(self, identity: Any, empty_google_api: Any, http_edge: Any, fake_clock: Any, monkeypatch: Any) -> Any:
        monkeypatch.setattr(_remote_run, "_clock", fake_clock)
        monkeypatch.setitem(Transport.request.__kwdefaults__, "timeout_seconds", WAIT_SECONDS)
        monkeypatch.setattr(_exponential_backoff, "time", SimpleNamespace(sleep=lambda seconds: None))  # the SDK's own
        self.api = empty_google_api
        edge = http_edge(identity.endpoint)
        key = {**identity.service_account_info(), "token_uri": f"{edge.url}/token"}
        self.secret = key["private_key"].splitlines()[1]
        self.api.check_tokens(identity.check)
        endpoints = {self.service: empty_google_api.endpoint}
        self.credentials = GcpCredentials(service_account_info=key, api_endpoints=endpoints)
        return edge


class TestDataprocFaults(_RestFaults):
    """A Dataproc batch."""

    __test__ = True
    service = "dataproc"
    named = "Dataproc batch"

    def change(self, edge: HttpEdge, key: str) -> Any:
        batch = {"pysparkBatch": {"mainPythonFileUri": "gs://my-bucket/average.py", "args": [key]}}
        dataproc_submit_batch.fn(batch, REGION, self.credentials)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(key in str(batch) for batch in self.api.service(Dataproc).batches)


class TestCloudRunJobFaults(_RestFaults):
    """An execution of a Cloud Run job."""

    __test__ = True
    service = "run"
    named = "Cloud Run job"

    def change(self, edge: HttpEdge, key: str) -> Any:
        parent = f"projects/{PROJECT}/locations/{REGION}"
        jobs = self.api.client("run", "v2").projects().locations().jobs()
        body = {"template": {"template": {"containers": [{"image": "python:3.12-slim"}]}}}
        jobs.create(parent=parent, jobId=key, body=body).execute()
        for _ in range(1000):
            if not jobs.get(name=f"{parent}/jobs/{key}").execute().get("reconciling"):
                break
        cloud_run_job_run.fn(key, REGION, self.credentials)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(key in each["name"] for each in self.api.run.executions)


@pytest.mark.usefixtures("prefect_harness")
class TestCloudRunWorkerFaults(HttpFaultSuite):
    """A run of the worker for Cloud Run's version 2, at any of its calls."""

    error = errors.GcpUnavailable
    named = "Cloud Run job"

    @pytest.fixture
    def edge(self, prefect_harness: None, empty_google_api: Any, http_edge: Any, monkeypatch: Any) -> Any:
        quicken(monkeypatch)
        monkeypatch.setitem(Transport.request.__kwdefaults__, "timeout_seconds", WAIT_SECONDS)
        self.api = empty_google_api
        self.pool = Pool(empty_google_api, "v2")
        return http_edge(empty_google_api.endpoint)

    async def change(self, edge: HttpEdge, key: str) -> Any:
        credentials = GcpCredentials(project=key, api_endpoints={"run": edge.url, "logging": edge.url})
        async with self.pool.worker() as worker:
            run = await new_run(nothing, self.pool.name)
            result = await worker.run(run, self.pool.configure(run, credentials=credentials))
        assert result.status_code == 0, result

    def changes(self, edge: HttpEdge, key: str) -> int:
        assert [job for job in self.api.run.jobs if f"/{key}/" in job["name"]] == []
        return self.api.run.started(key)

    def strikes(self, call: EdgeCall) -> bool:
        return call.method == "POST" and call.path.partition("?")[0].endswith(":run")


def login_at(service_account: dict[str, Any], url: str) -> GcpCredentials:
    return GcpCredentials(service_account_info={**service_account, "token_uri": f"{url}/token"})


def test_a_token_endpoint_at_a_name_that_is_not_found_is_told(service_account: dict[str, Any]) -> None:
    with pytest.raises(errors.GcpUnavailable, match=rf"(?s)Service account worker@.*{UNRESOLVABLE_HOST}"):
        login_at(service_account, f"http://{UNRESOLVABLE_HOST}").get_access_token()


def test_a_token_endpoint_whose_certificate_nobody_trusts_is_told_and_nothing_is_sent(
    service_account: dict[str, Any], identity: Any, http_edge: Any, private_ca: PrivateCA
) -> None:
    edge = http_edge(identity.endpoint, context=private_ca.issue("identity", "127.0.0.1").server_context())
    with pytest.raises(errors.GcpUnavailable, match=r"(?s)Service account worker@.*certificate verify failed"):
        login_at(service_account, edge.url).get_access_token()
    assert edge.calls == []
