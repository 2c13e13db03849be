"""The clients and credentials: what they send, where to, and what they make of answers."""

from __future__ import annotations

import asyncio
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import ValidationError

from prefect_dbt.cloud import DbtCloudCredentials
from prefect_dbt.cloud.clients import DbtCloudAdministrativeClient, DbtCloudMetadataClient
from prefect_dbt.cloud.exceptions import (
    DbtCloudException,
    DbtCloudGetRunArtifactFailed,
    DbtCloudGetRunFailed,
    DbtCloudListRunArtifactsFailed,
)
from prefect_dbt.cloud.models import TriggerJobRunOptions
from prefect_dbt.cloud.runs import (
    get_dbt_cloud_run_artifact,
    get_dbt_cloud_run_info,
    list_dbt_cloud_run_artifacts,
)
from prefect_dbt.cloud.utils import (
    DbtCloudAdministrativeApiCallFailed,
    call_dbt_cloud_administrative_api_endpoint,
    extract_developer_message,
    extract_user_message,
)
from prefect_integration_tests.backends._http_server import HttpServer
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.dbt_cloud import ACCOUNT, API_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock


async def test_each_method_reaches_its_endpoint(dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    dbt_cloud.project.add("model.shop.orders")
    async with cloud_credentials.get_administrative_client() as client:
        job = (await client.create_job(100, 10, "Mine", ["dbt run"], generate_docs=True)).json()["data"]
        assert (await client.get_job(job["id"], order_by="-id")).json()["data"]["generate_docs"] is True
        options = TriggerJobRunOptions(cause="why", generate_docs_override=False, timeout_seconds_override=60)
        run = (await client.trigger_job_run(job["id"], options)).json()["data"]
        dbt_cloud.clock.advance(60)
        got = (await client.get_run(run["id"], include_related=["trigger", "job", "run_steps", "debug_logs"])).json()
        assert got["data"]["trigger"]["timeout_seconds_override"] == 60
        assert got["data"]["trigger"]["generate_docs_override"] is False
        assert [step["name"] for step in got["data"]["run_steps"]][-1] == "Invoke dbt with `dbt run`"
        assert "manifest.json" in (await client.list_run_artifacts(run["id"], step=4)).json()["data"]
        results = (await client.get_run_artifact(run["id"], "run_results.json", step=4)).json()
        assert [each["unique_id"] for each in results["results"]] == ["model.shop.orders"]
        assert "nodes" in (await client.get_job_artifact(job["id"], "manifest.json")).json()
        assert (await client.cancel_run(run["id"])).json()["data"]["is_success"]
        assert (await client.delete_job(job["id"])).json()["status"]["is_success"]
        assert (await client.call_endpoint("GET", "/projects/")).json()["data"][0]["id"] == 100
        assert (await client.call_endpoint("get", f"/api/v3/accounts/{ACCOUNT}/")).json()["data"]["id"] == ACCOUNT
    assert {call.connection for call in dbt_cloud.calls} == {dbt_cloud.calls[0].connection}


async def test_a_client_works_without_a_context_and_in_several_ones(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    job_id = dbt_cloud.add_job()
    client = cloud_credentials.get_administrative_client()
    assert (await client.get_job(job_id)).is_success
    for _ in range(2):
        async with client:
            assert (await client.get_job(job_id)).is_success
            with pytest.raises(RuntimeError, match="open already"):
                await client.__aenter__()


def test_a_client_may_be_used_in_one_event_loop_after_another(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    job_id = dbt_cloud.add_job()
    client = cloud_credentials.get_administrative_client()

    async def get() -> bool:
        async with client:
            return (await client.get_job(job_id)).is_success

    assert asyncio.run(get())
    assert asyncio.run(get())


async def test_answers_without_success_are_raised_as_httpx_says(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    dbt_cloud.fail("GetJob", 403, user_message="For users", developer_message="For developers")
    with pytest.raises(httpx.HTTPStatusError) as caught:
        await cloud_credentials.get_administrative_client().get_job(1)
    assert extract_user_message(caught.value) == "For users"
    assert extract_developer_message(caught.value) == "For developers"


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b"null", b'{"status": null}', b'{"status": {"user_message": 3}}', b"\xff"]
)
def test_answers_without_messages_have_none(content: bytes) -> None:
    request = httpx.Request("GET", "http://127.0.0.1")
    error = httpx.HTTPStatusError("no", request=request, response=httpx.Response(500, content=content, request=request))
    assert extract_user_message(error) is None
    assert extract_developer_message(error) is None


@pytest.mark.parametrize("fault", ["before", "cut", "garbled"])
async def test_reading_is_repeated_and_creating_is_not(
    fault: Any, dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    job_id = dbt_cloud.add_job()
    client = cloud_credentials.get_administrative_client()
    dbt_cloud.fail("GetJob", 502, times=2, when=fault)
    assert (await client.get_job(job_id)).is_success
    dbt_cloud.fail("TriggerJobRun", 502, when=fault)
    with pytest.raises(httpx.HTTPError):
        await client.trigger_job_run(job_id)
    assert len(dbt_cloud.calls_of("TriggerJobRun")) == 1


@pytest.mark.parametrize("path", ["", "/", "../jobs/1/", "a/../../b", "a//b", "."])
async def test_paths_of_artifacts_do_not_point_elsewhere(
    path: str, dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    with pytest.raises(ValueError, match="path is"):
        await cloud_credentials.get_administrative_client().get_run_artifact(1, path)
    assert dbt_cloud.calls == []


# Credentials


@pytest.mark.parametrize(
    ("domain", "administrative", "metadata"),
    [
        ("cloud.getdbt.com", "https://cloud.getdbt.com", "https://metadata.cloud.getdbt.com"),
        ("https://emea.dbt.com/", "https://emea.dbt.com", "https://metadata.emea.dbt.com"),
        ("ab123.us1.dbt.com", "https://ab123.us1.dbt.com", "https://ab123.metadata.us1.dbt.com"),
        ("dbt.example.com:8443", "https://dbt.example.com:8443", "https://metadata.dbt.example.com:8443"),
        ("127.0.0.1:8443", "https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("http://localhost:8080", "http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_a_domain_leads_to_both_apis(domain: str, administrative: str, metadata: str) -> None:
    credentials = DbtCloudCredentials(api_key="key", account_id="12", domain=domain)
    client = credentials.get_client("administrative")
    assert isinstance(client, DbtCloudAdministrativeClient)
    assert client.url_of("/jobs/") == f"{administrative}/api/v2/accounts/12/jobs/"
    other = credentials.get_client("metadata")
    assert isinstance(other, DbtCloudMetadataClient)
    assert f"{metadata}/graphql" in repr(other)
    assert credentials.domain == domain


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "http://cloud.getdbt.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "cloud.getdbt.com/api",
        "ftp://cloud.getdbt.com",
        "user:secret@cloud.getdbt.com",
        "two words.com",
        "http://",
    ],
)
def test_a_bad_domain_is_refused_by_name(domain: str) -> None:
    with pytest.raises(ValidationError, match="domain"):
        DbtCloudCredentials(api_key="key", account_id=1, domain=domain)


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "kéy"])
def test_a_bad_key_is_refused_without_being_said(key: str) -> None:
    credentials = DbtCloudCredentials(api_key=key, account_id=1)
    for make in (credentials.get_administrative_client, credentials.get_metadata_client):
        with pytest.raises(ValueError, match="api_key") as caught:
            make()
        assert not key.strip() or key not in str(caught.value)


async def test_space_around_a_key_is_not_sent(dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    credentials = cloud_credentials.model_copy(update={"api_key": type(cloud_credentials.api_key)(f" {API_KEY}\n")})
    assert (await credentials.get_administrative_client().get_job(dbt_cloud.add_job())).is_success


def test_there_are_two_kinds_of_clients() -> None:
    with pytest.raises(ValueError, match="'administrative' or 'metadata'"):
        DbtCloudCredentials(api_key="key", account_id=1).get_client("discovery")  # pyright: ignore[reportArgumentType]


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - its name in the base class


async def test_tls_is_spoken_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = PrivateCA(tmp_path)
    issued = authority.issue("server", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert_file, issued.key_file)
    server = HttpServer(None, _Empty, context)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        client = DbtCloudAdministrativeClient("key", 1, f"127.0.0.1:{server.server_port}")
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get_job(1)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        assert (await client.get_job(1)).json() == {}
    finally:
        server.shutdown()
        server.server_close()


# Tasks that read


async def test_runs_and_their_artifacts_are_read(dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    dbt_cloud.project.add("model.shop.orders")
    run_id = dbt_cloud.start_run(dbt_cloud.add_job("dbt seed", "dbt run"))
    dbt_cloud.clock.advance(60)
    run = await get_dbt_cloud_run_info.fn(cloud_credentials, run_id, ["run_steps"])
    assert len(run["run_steps"]) == 5
    assert run["job"] is None
    paths = await list_dbt_cloud_run_artifacts.fn(cloud_credentials, run_id)
    assert paths == ["manifest.json", "run_results.json", "compiled/shop/models/orders.sql"]
    by_step = [
        await get_dbt_cloud_run_artifact.fn(cloud_credentials, run_id, "run_results.json", step)
        for step in (4, 5, None)
    ]
    assert [len(each["results"]) for each in by_step] == [0, 1, 1]
    text = await get_dbt_cloud_run_artifact.fn(cloud_credentials, run_id, "compiled/shop/models/orders.sql")
    assert text == "select 1 as id\n"


async def test_what_cannot_be_read_has_its_error(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    run_id = dbt_cloud.start_run(dbt_cloud.add_job())
    with pytest.raises(DbtCloudGetRunFailed, match=r"run 7 .*404"):
        await get_dbt_cloud_run_info.fn(cloud_credentials, 7)
    with pytest.raises(DbtCloudListRunArtifactsFailed, match="The run has not finished"):
        await list_dbt_cloud_run_artifacts.fn(cloud_credentials, run_id)
    with pytest.raises(DbtCloudGetRunArtifactFailed, match=r"catalog\.json.*not found"):
        await get_dbt_cloud_run_artifact.fn(cloud_credentials, run_id, "catalog.json")
    dbt_cloud.artifacts["manifest.json"] = "no JSON"
    with pytest.raises(DbtCloudGetRunArtifactFailed, match="where JSON was expected"):
        await get_dbt_cloud_run_artifact.fn(cloud_credentials, run_id, "manifest.json")


async def test_any_endpoint_may_be_called(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    call = call_dbt_cloud_administrative_api_endpoint.fn
    result = await call(cloud_credentials, "/projects/", "GET", params={"limit": 1})
    assert result["data"][0]["name"] == "shop"
    run_id = dbt_cloud.start_run(dbt_cloud.add_job())
    dbt_cloud.clock.advance(60)
    text = await call(cloud_credentials, f"/runs/{run_id}/artifacts/compiled/shop/models/orders.sql", "GET")
    assert text == "select 1 as id\n"
    with pytest.raises(
        DbtCloudAdministrativeApiCallFailed, match=r"POST /jobs/ failed.*400.*Invalid fields: account_id"
    ):
        await call(cloud_credentials, "/jobs/", "POST", json={"name": "x"})
    assert len(dbt_cloud.calls_of("CreateJob")) == 1


# Metadata

QUERY = "query Models($id: BigInt!) { job(id: $id) { models { uniqueId } } }"


def test_metadata_are_queried(dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    asked: list[Any] = []

    def answer(*query: Any) -> dict[str, Any]:
        asked.append(query)
        return {"data": {"job": {"models": [{"uniqueId": "model.shop.orders"}]}}}

    dbt_cloud.on_query = answer
    result = cloud_credentials.get_metadata_client().query(QUERY, {"id": 1}, "Models")
    assert result == {"data": {"job": {"models": [{"uniqueId": "model.shop.orders"}]}}}
    assert asked == [(QUERY, {"id": 1}, "Models")]


async def test_metadata_outlast_what_passes(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    dbt_cloud.on_query = lambda *_: {"data": {"job": None}}
    dbt_cloud.fail("QueryMetadata", 503, times=2)
    assert await cloud_credentials.get_metadata_client().aquery(QUERY) == {"data": {"job": None}}


def test_metadata_that_are_only_errors_are_raised(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, caplog: pytest.LogCaptureFixture
) -> None:
    client = cloud_credentials.get_metadata_client()
    error = {"message": "Cannot query field", "path": ["job", "models"]}
    dbt_cloud.on_query = lambda *_: {"errors": [error], "data": None}
    with pytest.raises(DbtCloudException, match=r"Cannot query field \(at job\.models\)"):
        client.query(QUERY)
    dbt_cloud.on_query = lambda *_: {"errors": [error], "data": {"job": {}}}
    assert client.query(QUERY)["errors"] == [error]
    assert "only a part" in caplog.text
    dbt_cloud.fail("QueryMetadata", 401)
    with pytest.raises(DbtCloudException, match="401"):
        client.query(QUERY)
