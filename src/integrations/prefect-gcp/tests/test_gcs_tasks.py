"""The tasks of `prefect_gcp.cloud_storage`, in flows and outside."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from google.api_core import exceptions as google_exceptions
from prefect import flow

from prefect_gcp import cloud_storage, errors
from prefect_gcp.cloud_storage import GcpCredentials, GcsBucket
from prefect_integration_kit.paths import PathEscapes
from prefect_integration_tests.backends.gcs import GcsFront

pytestmark = pytest.mark.usefixtures("prefect_harness")

STEP = 256 * 1024
KEY = "k" * 32


@pytest.fixture
def name(gcs_bucket_name: str) -> str:
    return gcs_bucket_name


@pytest.fixture
def through_front(fronted: GcsBucket) -> GcpCredentials:
    return fronted.gcp_credentials


async def test_what_a_task_uploads_a_task_downloads(name: str, gcs_credentials: GcpCredentials, call: Any) -> None:
    for data, content in ((b"\x00\xff", b"\x00\xff"), ("ü", "ü".encode()), (b"", b"")):
        key = await call(cloud_storage, "cloud_storage_upload_blob_from_string", data, name, "a/ü +", gcs_credentials)
        assert key == "a/ü +"
        assert await call(cloud_storage, "cloud_storage_download_blob_as_bytes", name, key, gcs_credentials) == content


@pytest.mark.parametrize("kind", ["text", "path", "file object"])
async def test_a_file_goes_and_comes_back(
    name: str, gcs_credentials: GcpCredentials, call: Any, tmp_path: Path, behind: Any, kind: str
) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b")
    file = {"text": str(tmp_path / "a.csv"), "path": tmp_path / "a.csv", "file object": io.BytesIO(b"a,b")}[kind]
    upload, download = "cloud_storage_upload_blob_from_file", "cloud_storage_download_blob_to_file"
    assert await call(cloud_storage, upload, file, name, "x/a.csv", gcs_credentials, content_type="text/x") == "x/a.csv"
    assert behind.blob("x/a.csv").content_type == "text/x"
    target = tmp_path / "new" / "b.csv"
    assert await call(cloud_storage, download, name, "x/a.csv", target, gcs_credentials) == target
    assert target.read_bytes() == b"a,b"
    assert await call(cloud_storage, download, name, "x/a.csv", str(target), gcs_credentials) == str(target)


async def test_a_file_in_a_folder_gets_the_name_of_the_object(
    name: str, gcs_credentials: GcpCredentials, call: Any, tmp_path: Path, behind: Any
) -> None:
    behind.put("x/a.csv", b"1")
    behind.put("../evil", b"2")
    download = "cloud_storage_download_blob_to_file"
    assert await call(cloud_storage, download, name, "x/a.csv", tmp_path, gcs_credentials) == tmp_path / "x" / "a.csv"
    assert (tmp_path / "x" / "a.csv").read_bytes() == b"1"
    (tmp_path / "inner").mkdir()
    with pytest.raises(PathEscapes, match="evil"):
        await call(cloud_storage, download, name, "../evil", tmp_path / "inner", gcs_credentials)
    assert not (tmp_path / "evil").exists()


async def test_a_bucket_is_made_in_the_project_and_place_that_are_named(
    gcs_front: GcsFront, through_front: GcpCredentials, call: Any, name: str
) -> None:
    wanted = f"{name}-2"
    made = await call(
        cloud_storage, "cloud_storage_create_bucket", wanted, through_front, "another-project", "EU", timeout=9
    )
    assert made == wanted
    (request,) = gcs_front.seen("create")
    assert request.query["project"] == "another-project"
    assert json.loads(request.body) == {"name": wanted, "location": "EU"}
    with pytest.raises(errors.GcpAlreadyExists, match=wanted):
        await call(cloud_storage, "cloud_storage_create_bucket", wanted, through_front)


async def test_chunks_key_and_conditions_are_passed_on(
    gcs_front: GcsFront, through_front: GcpCredentials, call: Any, name: str
) -> None:
    data = os.urandom(STEP + 1)
    options = {"chunk_size": STEP, "encryption_key": KEY, "timeout": (5, 30)}
    upload, download = "cloud_storage_upload_blob_from_string", "cloud_storage_download_blob_as_bytes"
    await call(cloud_storage, upload, data, name, "k", through_front, **options, if_generation_match=0)
    assert len(gcs_front.seen("chunk")) == 2
    assert gcs_front.seen("upload")[0].query["ifGenerationMatch"] == "0"
    assert await call(cloud_storage, download, name, "k", through_front, **options) == data
    assert len(gcs_front.seen("download")) == 2
    with pytest.raises(errors.GcpInvalidRequest, match="encrypted by a customer-supplied"):
        await call(cloud_storage, download, name, "k", through_front)
    some = await call(cloud_storage, download, name, "k", through_front, encryption_key=KEY, start=1, end=2)
    assert some == data[1:3]
    with pytest.raises(errors.GcpPreconditionFailed) as caught:
        await call(cloud_storage, upload, b"2", name, "k", through_front, if_generation_match=0)
    assert isinstance(caught.value, google_exceptions.PreconditionFailed)


async def test_a_copy_keeps_its_name_or_gets_another(
    name: str, gcs_credentials: GcpCredentials, gcs_client: Any, behind: Any
) -> None:
    other = gcs_client.create_bucket(f"{name}-other")
    behind.put("x/a", b"1")
    copy = cloud_storage.cloud_storage_copy_blob
    assert copy(name, other.name, "x/a", gcs_credentials) == "x/a"
    assert copy(name, name, "x/a", gcs_credentials, dest_blob="b") == "b"
    assert other.blob("x/a").download_as_bytes() == b"1"
    assert behind.keys() == ["b", "x/a"]
    with pytest.raises(errors.GcpObjectNotFound, match="absent"):
        copy(name, name, "absent", gcs_credentials, dest_blob="c")
    with pytest.raises(errors.GcpBucketNotFound, match="no-such-bucket"):
        copy("no-such-bucket", name, "x/a", gcs_credentials)


@pytest.mark.parametrize(
    ("task", "arguments"),
    [
        ("cloud_storage_download_blob_as_bytes", ("absent",)),
        ("cloud_storage_download_blob_to_file", ("absent", "here")),
    ],
)
async def test_what_is_missing_is_named(
    name: str,
    gcs_credentials: GcpCredentials,
    call: Any,
    task: str,
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.GcpObjectNotFound, match=f"gs://{name}/absent") as caught:
        await call(cloud_storage, task, name, *arguments, gcs_credentials)
    assert isinstance(caught.value, google_exceptions.NotFound)
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(errors.GcpBucketNotFound, match="no-such-bucket"):
        await call(cloud_storage, task, "no-such-bucket", *arguments, gcs_credentials)
    assert list(tmp_path.iterdir()) == []


async def test_bad_options_are_refused_before_anything_is_asked(
    gcs_front: GcsFront, through_front: GcpCredentials, call: Any, name: str
) -> None:
    for options, field in (({"chunk_size": 1000}, "chunk_size"), ({"encryption_key": "short"}, "encryption_key")):
        with pytest.raises(ValueError, match=field):
            await call(
                cloud_storage, "cloud_storage_upload_blob_from_string", b"1", name, "k", through_front, **options
            )
    assert gcs_front.requests == []


async def test_tasks_run_in_flows_of_both_kinds(name: str, gcs_credentials: GcpCredentials) -> None:
    @flow(name=f"gcs-tasks-{name}")
    def there_and_back() -> bytes:
        key = cloud_storage.cloud_storage_upload_blob_from_string(b"1", name, "k", gcs_credentials)
        future = cloud_storage.cloud_storage_download_blob_as_bytes.submit(name, key, gcs_credentials)
        return future.result()

    @flow(name=f"agcs-tasks-{name}")
    async def athere_and_back() -> bytes:
        key: Any = cloud_storage.cloud_storage_upload_blob_from_string(b"2", name, "k", gcs_credentials)
        return await cloud_storage.acloud_storage_download_blob_as_bytes(name, await key, gcs_credentials)

    import asyncio

    assert await asyncio.to_thread(there_and_back) == b"1"
    assert await athere_and_back() == b"2"


# A stub in place of the client


def test_a_stub_in_place_of_the_client_is_asked(tmp_path: Path) -> None:
    stub = MagicMock()
    client = stub.get_cloud_storage_client.return_value
    bucket = client.get_bucket.return_value
    bucket.blob.return_value.download_as_bytes.return_value = b"content"
    assert cloud_storage.cloud_storage_download_blob_as_bytes.fn("b", "k", stub) == b"content"
    cloud_storage.cloud_storage_download_blob_to_file.fn("b", "k", tmp_path / "k", stub)
    assert (tmp_path / "k").read_bytes() == b"content"
    assert cloud_storage.cloud_storage_upload_blob_from_string.fn("content", "b", "k", stub) == "k"
    assert cloud_storage.cloud_storage_copy_blob.fn("b", "other", "k", stub) == "k"
    bucket.copy_blob.assert_called_once()
