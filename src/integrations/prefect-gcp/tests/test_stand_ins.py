"""What users' tests put in the place of Google's clients is asked, as plainly as it was written."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.oauth2 import service_account as google_keys

from prefect_gcp import BigQueryWarehouse, GcpCredentials, GcpSecret, GcsBucket, bigquery, cloud_storage, secret_manager
from prefect_gcp.bundles import upload
from prefect_gcp.deployments.steps import pull_from_gcs, push_to_gcs
from prefect_gcp.errors import GcpNotFound
from prefect_gcp.settings import VertexWorkerSettings

# Identities


class Client:
    """Takes no more than a test needs."""

    def __init__(self, credentials: Any = None, project: str | None = None) -> None:
        self.credentials = credentials
        self.project = project


@pytest.mark.parametrize(
    ("place", "method"),
    [
        ("google.cloud.storage.Client", "get_cloud_storage_client"),
        ("prefect_gcp.credentials.StorageClient", "get_cloud_storage_client"),
        ("google.cloud.bigquery.Client", "get_bigquery_client"),
        ("prefect_gcp.credentials.BigQueryClient", "get_bigquery_client"),
        ("google.cloud.secretmanager.SecretManagerServiceClient", "get_secret_manager_client"),
        ("prefect_gcp.credentials.SecretManagerServiceClient", "get_secret_manager_client"),
        ("google.cloud.aiplatform_v1.services.job_service.JobServiceClient", "get_job_service_client"),
        ("prefect_gcp.credentials.JobServiceClient", "get_job_service_client"),
        ("prefect_gcp.credentials.JobServiceAsyncClient", "get_job_service_async_client"),
    ],
)
async def test_a_class_in_the_place_of_a_clients_is_used_for_as_long_as_it_is_there(
    monkeypatch: pytest.MonkeyPatch, service_account: dict[str, Any], place: str, method: str
) -> None:
    block = GcpCredentials(service_account_info=service_account)
    for stand_in in (type("First", (Client,), {}), type("Second", (Client,), {}), MagicMock()):
        with monkeypatch.context() as patched:
            patched.setattr(place, stand_in)
            made = getattr(block, method)()
            if isinstance(stand_in, MagicMock):
                assert made is stand_in.return_value
            else:
                assert type(made) is stand_in
                assert made.credentials.service_account_email == service_account["client_email"]
    assert not isinstance(getattr(block, method)(), Client | MagicMock)


def test_options_reach_a_class_in_the_place_of_the_job_services(
    monkeypatch: pytest.MonkeyPatch, service_account: dict[str, Any]
) -> None:
    stand_in = MagicMock()
    monkeypatch.setattr("prefect_gcp.credentials.JobServiceClient", stand_in)
    options = {"api_endpoint": "europe-west1-aiplatform.googleapis.com"}
    GcpCredentials(service_account_info=service_account).get_job_service_client(client_options=options)
    assert stand_in.call_args.kwargs["client_options"].api_endpoint == options["api_endpoint"]


@pytest.mark.parametrize("source", ["info", "file"])
@pytest.mark.parametrize("place", ["google.oauth2.service_account.Credentials", "prefect_gcp.credentials.Credentials"])
def test_what_makes_credentials_of_a_key_may_be_replaced_and_then_takes_any_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, place: str
) -> None:
    (tmp_path / "key.json").write_text('{"client_email": "me"}')
    given: dict[str, Any] = {
        "info": {"service_account_info": {"client_email": "me"}},
        "file": {"service_account_file": tmp_path / "key.json"},
    }[source]
    for _ in range(2):
        with monkeypatch.context() as patched:
            made = MagicMock(token="of a mock")
            patched.setattr(place, MagicMock(**{f"from_service_account_{source}.return_value": made}))
            block = GcpCredentials(project="p", **given)
            assert block.get_credentials_from_service_account() is made
            assert block.get_access_token() == "of a mock"


def test_one_maker_of_credentials_is_replaced(monkeypatch: pytest.MonkeyPatch, service_account: dict[str, Any]) -> None:
    block = GcpCredentials(service_account_info=service_account)
    with monkeypatch.context() as patched:
        made = AnonymousCredentials()
        patched.setattr(google_keys.Credentials, "from_service_account_info", lambda *_, **__: made)
        assert block.get_credentials_from_service_account() is made
    assert isinstance(block.get_credentials_from_service_account(), google_keys.Credentials)


class StubbedCredentials(GcpCredentials):
    """Hands out whatever a test gives it."""

    _block_type_name = "Credentials Of Stand-ins"

    client: Any = None

    def get_cloud_storage_client(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.client

    def get_bigquery_client(self, project: str | None = None, location: str | None = None) -> Any:
        del project, location
        return self.client

    def get_secret_manager_client(self) -> Any:
        return self.client

    def get_job_service_async_client(self, client_options: Any = None) -> Any:
        del client_options
        return self.client

    def get_credentials_from_service_account(self) -> Any:
        return AnonymousCredentials()


def stubbed(client: Any) -> Any:
    return StubbedCredentials(project="p", client=client)


# Cloud Storage


class Blob:
    """An object that moves by files only."""

    def __init__(self, name: str, content: dict[str, bytes]) -> None:
        self.name = name
        self.content = content

    def download_as_bytes(self) -> bytes:
        return self.content[self.name]

    def download_to_filename(self, path: str) -> None:
        Path(path).write_bytes(self.content[self.name])

    def download_to_file(self, file: Any) -> None:
        file.write(self.content[self.name])

    def upload_from_string(self, data: str | bytes, content_type: str | None = None) -> None:
        self.content[self.name] = data.encode() if isinstance(data, str) else data

    def upload_from_filename(self, path: str) -> None:
        self.content[self.name] = Path(path).read_bytes()

    def upload_from_file(self, file: Any) -> None:
        self.content[self.name] = file.read()


class Storage:
    """A client with few methods, which take few arguments."""

    def __init__(self, credentials: Any = None, project: str | None = None) -> None:
        self.content: dict[str, bytes] = {}

    def create_bucket(self, bucket: str, location: str | None = None) -> Any:
        return SimpleNamespace(name=bucket, location=location)

    def get_bucket(self, bucket: str) -> Any:
        return SimpleNamespace(name=bucket, blob=lambda name: Blob(name, self.content))

    def list_blobs(self, bucket: str, prefix: str = "") -> list[Blob]:
        assert isinstance(bucket, str)
        return [Blob(name, self.content) for name in self.content if name.startswith(prefix)]


async def test_a_bucket_works_with_a_client_of_few_methods(tmp_path: Path) -> None:
    client = Storage()
    bucket = GcsBucket(bucket="b", bucket_folder="base", gcp_credentials=stubbed(client))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"a")
    assert bucket.create_bucket(location="EU", _sync=True).location == "EU"
    assert (await bucket.aget_bucket()).name == "b"
    assert await bucket.awrite_path("w.bin", b"w") == "base/w.bin"
    assert bucket.read_path("w.bin", _sync=True) == b"w"
    assert await bucket.aupload_from_path(tmp_path / "in" / "a.txt", "p/a.txt") == "base/p/a.txt"
    assert bucket.upload_from_file_object(io.BytesIO(b"f"), "p/f", _sync=True) == "base/p/f"
    assert bucket.upload_from_folder(tmp_path / "in", "up", _sync=True) == "base/up"
    assert await bucket.aput_directory(str(tmp_path / "in"), "put") == 1
    assert client.content == {
        "base/w.bin": b"w",
        "base/p/a.txt": b"a",
        "base/p/f": b"f",
        "base/up/a.txt": b"a",
        "base/put/a.txt": b"a",
    }
    assert [blob.name for blob in bucket.list_blobs("p", _sync=True)] == ["base/p/a.txt", "base/p/f"]
    assert await bucket.alist_folders() == ["base", "base/p", "base/put", "base/up"]
    assert bucket.list_blobs("none", _sync=True) == []
    target = bucket.download_object_to_path("p/a.txt", tmp_path / "x" / "a", _sync=True)
    assert target.read_bytes() == b"a"
    buffer = await bucket.adownload_object_to_file_object("p/f", io.BytesIO())
    assert buffer.getvalue() == b"f"
    folder = await bucket.adownload_folder_to_path("p", tmp_path / "out")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.txt": b"a", "f": b"f"}
    files = bucket.get_directory("up", str(tmp_path / "got"), _sync=True)
    assert files == [tmp_path / "got" / "a.txt"]


def test_tasks_work_with_a_client_of_few_methods(tmp_path: Path) -> None:
    client = Storage()
    credentials = stubbed(client)
    (tmp_path / "a.txt").write_bytes(b"a")
    assert cloud_storage.cloud_storage_create_bucket.fn("b", credentials, location="EU") == "b"
    assert cloud_storage.cloud_storage_upload_blob_from_string.fn("text", "b", "k", credentials) == "k"
    assert cloud_storage.cloud_storage_upload_blob_from_file.fn(tmp_path / "a.txt", "b", "a", credentials) == "a"
    assert cloud_storage.cloud_storage_upload_blob_from_file.fn(io.BytesIO(b"i"), "b", "i", credentials) == "i"
    assert client.content == {"k": b"text", "a": b"a", "i": b"i"}
    assert cloud_storage.cloud_storage_download_blob_as_bytes.fn("b", "k", credentials) == b"text"
    path = tmp_path / "out"
    assert cloud_storage.cloud_storage_download_blob_to_file.fn("b", "k", path, credentials) == path
    assert path.read_bytes() == b"text"


def test_a_mock_with_a_spec_is_asked_by_the_documented_methods(tmp_path: Path) -> None:
    client = MagicMock(spec=storage.Client)
    blob = client.get_bucket.return_value.blob.return_value
    blob.download_to_filename.side_effect = lambda path, **_: Path(path).write_bytes(b"content")
    bucket = GcsBucket(bucket="b", gcp_credentials=stubbed(client))
    (tmp_path / "a.txt").write_bytes(b"a")
    bucket.upload_from_path(tmp_path / "a.txt", content_type="text/plain")
    blob.upload_from_filename.assert_called_once_with(str(tmp_path / "a.txt"), content_type="text/plain")
    assert bucket.download_object_to_path("k", tmp_path / "k").read_bytes() == b"content"


def test_a_missing_object_of_a_stand_in_is_named() -> None:
    client = MagicMock()
    client.get_bucket.return_value.blob.return_value.download_as_bytes.side_effect = NotFound("No such object: b/k")
    with pytest.raises(FileNotFoundError, match="gs://b/k"):
        GcsBucket(bucket="b", gcp_credentials=stubbed(client)).read_path("k")


def test_steps_work_with_a_class_in_the_place_of_the_sdks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service_account: dict[str, Any]
) -> None:
    client = Storage()
    monkeypatch.setattr("google.cloud.storage.Client", lambda **_: client)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "flow.py").write_bytes(b"flow")
    monkeypatch.chdir(tmp_path / "in")
    push_to_gcs("b", "app", credentials={"service_account_info": service_account})
    assert client.content == {"app/flow.py": b"flow"}
    monkeypatch.chdir(tmp_path / "out")
    pull_from_gcs("b", "app", credentials={"service_account_info": service_account})
    assert (tmp_path / "out" / "flow.py").read_bytes() == b"flow"


def test_a_bundle_is_uploaded_by_the_block_that_is_in_the_place_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    block = MagicMock()
    monkeypatch.setattr(upload, "GcpCredentials", block)
    (tmp_path / "bundle.json").write_text("{}")
    upload.upload_bundle_to_gcs(tmp_path / "bundle.json", "b", "k", "my-block")
    blob = block.load.return_value.get_cloud_storage_client.return_value.get_bucket.return_value.blob
    blob.return_value.upload_from_filename.assert_called_once_with(str(tmp_path / "bundle.json"))


# Secret Manager


class Secrets:
    """A client whose methods take fields in the place of a request."""

    def create_secret(self, parent: str, secret_id: str, secret: Any, timeout: float | None = None) -> Any:
        return SimpleNamespace(name=f"{parent}/secrets/{secret_id}")

    def add_secret_version(self, request: dict[str, Any]) -> Any:
        return SimpleNamespace(name=f"{request['parent']}/versions/2")

    def access_secret_version(self, name: str) -> Any:
        if "none" in name:
            raise NotFound("no such secret")
        return SimpleNamespace(payload=SimpleNamespace(data=name.encode()))

    def delete_secret(self, name: str) -> str:
        return name

    def destroy_secret_version(self, name: str) -> str:
        return name


def test_secrets_work_with_a_client_that_takes_fields() -> None:
    credentials = stubbed(Secrets())
    assert secret_manager.create_secret.fn("s", credentials) == "projects/p/secrets/s"
    assert secret_manager.update_secret.fn("s", "v", credentials) == "projects/p/secrets/s/versions/2"
    assert secret_manager.read_secret.fn("s", credentials) == "projects/p/secrets/s/versions/latest"
    assert secret_manager.delete_secret_version.fn("s", 2, credentials) == "projects/p/secrets/s/versions/2"
    assert secret_manager.delete_secret.fn("s", credentials, project="q") == "projects/q/secrets/s"
    secret = GcpSecret(gcp_credentials=credentials, secret_name="s", secret_version="3")
    assert secret.read_secret() == b"projects/p/secrets/s/versions/3"
    assert secret.write_secret(b"v") == "projects/p/secrets/s/versions/2"
    with pytest.raises(GcpNotFound, match="Secret 'none'"):
        GcpSecret(gcp_credentials=credentials, secret_name="none").read_secret()


# BigQuery


class Job:
    """A query that has a result and nothing else."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def result(self) -> Job:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def to_dataframe(self) -> str:
        return "a data frame"


class Queries:
    """A client without a project, whose methods take few arguments."""

    def __init__(self) -> None:
        self.created: list[Any] = []
        self.queried: list[str] = []

    def query(self, query: str, job_config: Any = None) -> Job:
        self.queried.append(query)
        return Job([(1, "a"), (2, "b")])

    def get_table(self, table: Any) -> Any:
        raise NotFound("no such table")

    def get_dataset(self, dataset: Any) -> Any:
        raise NotFound("no such data set")

    def create_dataset(self, dataset: Any) -> None:
        self.created.append(dataset.dataset_id)

    def create_table(self, table: Any) -> None:
        self.created.append(table.table_id)

    def insert_rows_json(self, table: Any, json_rows: list[Any]) -> list[Any]:
        return json_rows

    def load_table_from_uri(self, uri: str, *args: Any, **kwargs: Any) -> Any:
        return SimpleNamespace(output=uri)

    def load_table_from_file(self, file: Any, table: Any) -> Any:
        return SimpleNamespace(output=file.read())


def test_bigquery_works_with_a_client_of_few_methods(tmp_path: Path) -> None:
    client = Queries()
    credentials = stubbed(client)
    assert bigquery.bigquery_query.fn("SELECT 1", credentials, dataset="d", table="t") == [(1, "a"), (2, "b")]
    assert bigquery.bigquery_query.fn("SELECT 1", credentials, result_transformer=len) == 2
    assert bigquery.bigquery_query.fn("SELECT 1", credentials, to_dataframe=True) == "a data frame"
    schema: Any = [{"name": "id", "type": "INTEGER"}]
    assert bigquery.bigquery_create_table.fn("d", "t", credentials, schema=schema) == "t"
    assert client.created == ["d", "t"]
    records = [{"id": 1}, {"id": 2}]
    assert bigquery.bigquery_insert_stream.fn("d", "t", records, credentials) == records
    loaded: Any = bigquery.bigquery_load_cloud_storage.fn("d", "t", "gs://b/k", credentials)
    assert loaded.output == "gs://b/k"
    (tmp_path / "rows.csv").write_bytes(b"1,a")
    loaded = bigquery.bigquery_load_file.fn("d", "t", tmp_path / "rows.csv", credentials)
    assert loaded.output == b"1,a"
    with BigQueryWarehouse(gcp_credentials=credentials) as warehouse:
        assert warehouse.fetch_all("SELECT 1") == [(1, "a"), (2, "b")]
        warehouse.execute("DELETE FROM t WHERE TRUE")
    assert client.queried[-1] == "DELETE FROM t WHERE TRUE"


def test_a_mock_of_bigquerys_client_does_for_all_tasks(tmp_path: Path) -> None:
    client = MagicMock()
    credentials = stubbed(client)
    assert bigquery.bigquery_query.fn("SELECT 1", credentials, dataset="d", table="t") == []
    assert bigquery.bigquery_create_table.fn("d", "t", credentials, schema=[{"name": "i", "type": "INTEGER"}]) == "t"  # pyright: ignore[reportArgumentType]
    client.insert_rows_json.return_value = []
    assert bigquery.bigquery_insert_stream.fn("d", "t", [{"i": 1}], credentials) == []
    client.insert_rows_json.return_value = [{"index": 0, "errors": [{"reason": "invalid", "message": "no"}]}]
    with pytest.raises(bigquery.BigQueryRowsRefused, match="row 0: no"):
        bigquery.bigquery_insert_stream.fn("d", "t", [{"i": 1}], credentials)
    loaded = bigquery.bigquery_load_cloud_storage.fn("d", "t", "gs://b/k", credentials)
    assert loaded is client.load_table_from_uri.return_value
    client.load_table_from_uri.return_value.result.side_effect = BadRequest("row 3")
    with pytest.raises(BadRequest, match="row 3"):
        bigquery.bigquery_load_cloud_storage.fn("d", "t", "gs://b/k", credentials)


# Vertex AI


async def test_a_mock_of_the_job_service_lists_no_jobs() -> None:
    from prefect_gcp._vertex.calls import VertexCalls
    from prefect_gcp._vertex.jobs import VertexJobs

    settings = VertexWorkerSettings()
    calls = VertexCalls(stubbed(AsyncMock()), settings)
    jobs = VertexJobs(calls, "europe-west1", work_pool_id=None, settings=settings)

    async def listed() -> list[Any]:
        return [job async for job in jobs.list_jobs()]

    assert await asyncio.wait_for(listed(), 20) == []


# REST


def test_what_builds_a_rest_client_may_be_replaced(
    monkeypatch: pytest.MonkeyPatch, service_account: dict[str, Any]
) -> None:
    from prefect_gcp._rest import rest_service

    block = GcpCredentials(service_account_info=service_account)
    for _ in range(2):
        with monkeypatch.context() as patched:
            build = MagicMock()
            patched.setattr("googleapiclient.discovery.build", build)
            assert rest_service(block, "run", "v2") is build.return_value
