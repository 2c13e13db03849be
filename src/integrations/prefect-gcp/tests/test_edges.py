"""Names that are not found, certificates that nobody trusts, tokens and rights that are gone, a line under gRPC."""

from __future__ import annotations

import errno
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun

from prefect_gcp import GcpCredentials, _remote_run, _secret_store, errors, pubsub
from prefect_gcp.bigquery import bigquery_query
from prefect_gcp.cloud_batch import cloud_batch_submit, container_job
from prefect_gcp.cloud_run import cloud_run_job_run
from prefect_gcp.cloud_storage import GcsBucket
from prefect_gcp.dataproc import dataproc_submit_batch
from prefect_gcp.pubsub import PubsubSubscription, publish_message
from prefect_gcp.secret_manager import GcpSecret, read_secret
from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_tests.backends._google.pubsub_v1 import PubSub
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.google_grpc import GoogleGrpc, VertexJobs
from prefect_integration_tests.children import assert_dies_of

from . import _cloud_run, _secrets, _vertex

REGION = "europe-west3"
PROJECT = "test-project"
BATCH = {"pysparkBatch": {"mainPythonFileUri": "gs://my-bucket/average.py"}}

CALLS: dict[str, tuple[str, Callable[[GcpCredentials], Any], str]] = {
    # name: the service, a call, what its errors name
    "GcsBucket": ("storage", lambda own: GcsBucket(bucket="b", gcp_credentials=own).read_path("x"), "gs://b/x"),
    "bigquery_query": ("bigquery", lambda own: bigquery_query.fn("SELECT 1", own), "BigQuery"),
    "GcpSecret": ("secretmanager", lambda own: read_secret.fn("ledger", own, timeout=1.5), "Secret 'ledger'"),
    "publish": ("pubsub", lambda own: publish_message.fn("orders", "x", own), "Pub/Sub topic 'orders'"),
    "PubsubSubscription": (
        "pubsub",
        lambda own: PubsubSubscription(subscription="orders", gcp_credentials=own).receive(wait_seconds=0),
        "Pub/Sub subscription 'orders'",
    ),
    "CloudRunJob": ("run", lambda own: cloud_run_job_run.fn("average", REGION, own), "Cloud Run job 'average'"),
    "CloudBatchJob": (
        "batch",
        lambda own: cloud_batch_submit.fn(container_job("python:3.12-slim", ["x"]), REGION, own),
        "Batch job",
    ),
    "DataprocBatch": ("dataproc", lambda own: dataproc_submit_batch.fn(BATCH, REGION, own), "Dataproc batch"),
}


@pytest.fixture
def hasty(fake_clock: Any, fast: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No pause takes time, and deadlines are near."""
    monkeypatch.setattr(_remote_run, "_clock", fake_clock)
    monkeypatch.setattr(pubsub, "_clock", fake_clock)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_GCS_RETRY_SECONDS", "0.3")
    return fake_clock


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest, hasty: Any) -> Any:
    """A call of each client, at an address."""
    service, work, named = CALLS[request.param]

    def at(address: str, **fields: Any) -> tuple[Any, str]:
        return work(GcpCredentials(project=PROJECT, api_endpoints={service: address}, **fields)), named

    at.named = named  # type: ignore[attr-defined]
    return at


def test_a_name_that_is_not_found_is_told(call: Any) -> None:
    started = time.monotonic()
    with pytest.raises(errors.GcpUnavailable) as caught:
        call(f"http://{UNRESOLVABLE_HOST}")
    assert call.named in str(caught.value)
    assert isinstance(caught.value, errors.GcpError)
    assert time.monotonic() - started < 20


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """TLS by a certificate that nobody trusts."""
    issued = PrivateCA(tmp_path_factory.mktemp("ca")).issue("google", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert_file, issued.key_file)
    return context


def test_a_certificate_that_nobody_trusts_is_told_and_nothing_is_sent(
    call: Any, http_edge: Any, untrusted: ssl.SSLContext, service_account: dict[str, Any]
) -> None:
    edge = http_edge("http://127.0.0.1:9", context=untrusted)
    with pytest.raises(errors.GcpError) as caught:
        call(edge.url, service_account_info=service_account)
    assert call.named in str(caught.value)
    assert edge.calls == []


@pytest.fixture
def project(identity: Any, service_account: dict[str, Any], empty_google_api: Any) -> Any:
    """Google's APIs, which look at tokens, and a topic and a job."""
    empty_google_api.service(PubSub).new_subscription(
        f"projects/{PROJECT}/topics/orders", f"projects/{PROJECT}/subscriptions/orders"
    )
    jobs = empty_google_api.client("run", "v2").projects().locations().jobs()
    parent = f"projects/{PROJECT}/locations/{REGION}"
    body = {"template": {"template": {"containers": [{"image": "python:3.12-slim"}]}}}
    jobs.create(parent=parent, jobId="average", body=body).execute()
    for _ in range(1000):
        if not jobs.get(name=f"{parent}/jobs/average").execute().get("reconciling"):
            break
    empty_google_api.check_tokens(identity.check)
    return empty_google_api


API_CALLS = ["publish", "PubsubSubscription", "CloudRunJob", "CloudBatchJob", "DataprocBatch"]


@pytest.mark.parametrize("call", API_CALLS, indirect=True)
def test_a_token_that_expired_is_renewed(
    call: Any, project: Any, identity: Any, service_account: dict[str, Any]
) -> None:
    for _ in range(2):
        call(project.endpoint, service_account_info=service_account)
        identity.expire_all()
    assert len(identity.issued) == 2


@pytest.mark.parametrize("call", API_CALLS, indirect=True)
def test_a_right_that_was_taken_away_is_told_at_once(
    call: Any, project: Any, service_account: dict[str, Any], hasty: Any
) -> None:
    project.fail("*", 403, times=None, message="Permission 'things.use' denied on resource (or it may not exist).")
    with pytest.raises(errors.GcpAccessDenied, match=r"things\.use") as caught:
        call(project.endpoint, service_account_info=service_account)
    assert call.named in str(caught.value)
    assert hasty.sleeps == []


async def test_a_worker_tells_of_a_name_that_is_not_found(
    prefect_harness: None, empty_google_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cloud_run.quicken(monkeypatch)
    pool = _cloud_run.Pool(empty_google_api, "v2")
    address = f"http://{UNRESOLVABLE_HOST}"
    nowhere = GcpCredentials(project=PROJECT, api_endpoints={"run": address, "logging": address})
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(errors.GcpUnavailable, match="Cloud Run job"):
            await worker.run(run, pool.configure(run, credentials=nowhere))


async def test_a_worker_tells_of_a_certificate_that_nobody_trusts(
    prefect_harness: None,
    empty_google_api: Any,
    http_edge: Any,
    untrusted: ssl.SSLContext,
    service_account: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _cloud_run.quicken(monkeypatch)
    pool = _cloud_run.Pool(empty_google_api, "v2")
    edge = http_edge("http://127.0.0.1:9", context=untrusted)
    endpoints = {"run": edge.url, "logging": edge.url}
    credentials = GcpCredentials(service_account_info=service_account, api_endpoints=endpoints)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(errors.GcpError, match="Cloud Run job"):
            await worker.run(run, pool.configure(run, credentials=credentials))
    assert edge.calls == []


# gRPC


async def _vertex_run(address: str, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> Any:
    _vertex.quicken(monkeypatch)
    worker = VertexAIWorker(work_pool_name="none")
    run = FlowRun(flow_id="00000000-0000-4000-8000-000000000001", name="a run")  # type: ignore[arg-type]
    credentials = GcpCredentials(project="my-project", api_endpoints={"aiplatform": address}, **fields)
    configuration = _vertex.configured(credentials=credentials)
    configuration.prepare_for_flow_run(run)
    try:
        return await worker.run(run, configuration)
    finally:
        await worker.job_runs.close()


async def test_vertex_ai_at_a_name_that_is_not_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.GcpUnavailable, match="Vertex AI"):
        await _vertex_run(f"http://{UNRESOLVABLE_HOST}", monkeypatch)


async def test_vertex_ai_with_a_certificate_that_nobody_trusts_is_told(
    http_edge: Any, untrusted: ssl.SSLContext, service_account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = http_edge("http://127.0.0.1:9", context=untrusted)
    with pytest.raises(errors.GcpUnavailable, match="Vertex AI"):
        await _vertex_run(edge.url, monkeypatch, service_account_info=service_account)
    assert edge.calls == []


@pytest.fixture(params=["reset", "slow"])
def grpc_line(request: pytest.FixtureRequest, empty_google_grpc: GoogleGrpc, fault_proxy: Any) -> Any:
    """A line to gRPC services: broken once, or slow."""
    proxy = fault_proxy("127.0.0.1", int(empty_google_grpc.endpoint.rpartition(":")[2]))

    def spoil() -> None:
        if request.param == "reset":
            proxy.reset_connections()
            proxy.set(reset_after_bytes=200, reset_times=1)
        else:
            proxy.set(bytes_per_second=50_000, latency_seconds=0.05)

    return proxy, spoil


def test_secrets_outlast_a_line_that_breaks_or_is_slow(empty_google_grpc: GoogleGrpc, grpc_line: Any) -> None:
    proxy, spoil = grpc_line
    _secrets.secret_manager(empty_google_grpc)
    credentials = GcpCredentials(project=_secrets.PROJECT, api_endpoints={"secretmanager": proxy.url})
    secret = GcpSecret(gcp_credentials=credentials, secret_name="ledger")
    secret.write_secret(b"1")
    spoil()
    secret.write_secret(b"2")
    assert secret.read_secret() == b"2"
    assert [item.number for item in secret.list_versions()] == [2, 1]


async def test_vertex_ai_outlasts_a_line_that_breaks_or_is_slow(
    empty_google_grpc: GoogleGrpc, grpc_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, spoil = grpc_line
    jobs = empty_google_grpc.service(VertexJobs)
    jobs.life = _vertex.SUCCEEDS
    spoil()
    result = await _vertex_run(proxy.url, monkeypatch)
    assert result.status_code == 0
    assert len(jobs.jobs) == 1


# Disks, clocks, processes


def test_a_full_disk_is_told_and_no_part_of_a_file_stays(gcs_bucket: GcsBucket, tmp_path: Path) -> None:
    gcs_bucket.write_path("large", os.urandom(2_000_000))
    target = tmp_path / "large"
    assert gcs_bucket.gcp_credentials.api_endpoints is not None
    program = f"""
import resource
from prefect_gcp import GcpCredentials
from prefect_gcp.cloud_storage import GcsBucket

credentials = GcpCredentials(project="test-project", api_endpoints={gcs_bucket.gcp_credentials.api_endpoints!r})
bucket = GcsBucket(bucket={gcs_bucket.bucket!r}, bucket_folder="base", gcp_credentials=credentials)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    bucket.download_object_to_path("large", {str(target)!r})
except OSError as exc:
    print(exc.errno, exc)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{errno.EFBIG} "), (done.stdout, done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == []


WAITER = """
import sys
from prefect import flow
from prefect_gcp import GcpCredentials
from prefect_gcp.cloud_storage import GcsBucket

class Endless:
    def read(self, size=-1):
        if not told:
            told.append(print("ready", flush=True))
        return b"1" * max(size, 1)

told = []
credentials = GcpCredentials(project="test-project", api_endpoints={"storage": sys.argv[1]})
GcsBucket(bucket=sys.argv[2], gcp_credentials=credentials).upload_from_file_object(Endless(), "endless")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_process_that_dies_leaves_no_half_an_object(gcs_bucket: GcsBucket, name: Any) -> None:
    assert gcs_bucket.gcp_credentials.api_endpoints is not None
    address = gcs_bucket.gcp_credentials.api_endpoints["storage"]
    assert_dies_of(name, WAITER, address, gcs_bucket.bucket)
    assert gcs_bucket.list_blobs("") == []


def test_a_clock_that_jumps_renews_the_token_and_changes_nothing_else(
    project: Any, identity: Any, service_account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoints = {"pubsub": project.endpoint}
    credentials = GcpCredentials(service_account_info=service_account, api_endpoints=endpoints)
    now = time.time
    for ahead_seconds in (0, 30, -30):
        monkeypatch.setattr(time, "time", lambda ahead=ahead_seconds: now() + ahead)
        assert publish_message.fn("orders", "x", credentials)
    assert len(project.service(PubSub).subscriptions[f"projects/{PROJECT}/subscriptions/orders"].backlog) == 3


def test_deadlines_do_not_go_by_the_clock_on_the_wall(
    empty_google_grpc: GoogleGrpc, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _secrets.secret_manager(empty_google_grpc)
    secret = GcpSecret(gcp_credentials=_secrets.credentials_for(empty_google_grpc), secret_name="ledger")
    secret.write_secret(b"1")
    monkeypatch.setattr(_secret_store, "_clock", fake_clock)
    empty_google_grpc.fail("AccessSecretVersion", times=3)
    now, jumps = time.time, iter([86_400, -86_400] * 1000)
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))
    assert secret.read_secret() == b"1"
