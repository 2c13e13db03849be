"""The block of a container: what it promises beyond the suites that all stores share."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContentSettings
from prefect import flow, task
from prefect.cache_policies import INPUTS
from prefect.filesystems import WritableDeploymentStorage, WritableFileSystem

from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_azure.errors import BlobExists, BlobNotFound, ContainerNotFound
from prefect_integration_kit.paths import PathEscapes
from prefect_integration_kit.waiting import WaitTimeout
from prefect_integration_tests.backends.azurite import Azurite, AzuriteFront
from prefect_integration_tests.faces import Call


def write(root: Path, **files: bytes) -> Path:
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        (root / name).write_bytes(content)
    return root


async def test_the_one_name_serves_both_faces(container: AzureBlobStorageContainer, call: Call) -> None:
    await call(container, "write_path", "a", content=b"1")
    assert await call(container, "read_path", "a") == b"1"
    assert await call(container, "write_path", "a", content=b"2") is None
    assert await call(container, "list_blobs") == ["base/a"]
    assert isinstance(container, WritableFileSystem)
    assert isinstance(container, WritableDeploymentStorage)


async def test_the_whole_container_is_listed_by_default(
    container: AzureBlobStorageContainer, behind: Any, call: Call
) -> None:
    for key in ("base/a", "base/x/b", "base2/c", "d"):
        behind.put(key, b"")
    assert await call(container, "list_blobs") == ["base/a", "base/x/b", "base2/c", "d"]
    assert await call(container, "list_blobs", "") == ["base/a", "base/x/b"]
    assert await call(container, "list_blobs", "x") == ["base/x/b"]
    assert await call(container, "list_blobs", "a") == ["base/a"]


async def test_an_upload_returns_the_path_that_it_was_given(
    container: AzureBlobStorageContainer, call: Call, tmp_path: Path
) -> None:
    source = write(tmp_path / "s", a=b"1")
    assert await call(container, "upload_from_path", source / "a", "x/a") == "x/a"
    assert await call(container, "upload_from_file_object", io.BytesIO(b"1"), "x/b") == "x/b"
    assert await call(container, "upload_from_path", source / "a") == "base/a"
    assert await call(container, "upload_from_folder", source, "y") == "base/y"
    assert await call(container, "list_blobs") == ["base/a", "base/x/a", "base/x/b", "base/y/a"]


# Overwriting


async def test_uploads_keep_what_is_there_and_say_how_to_replace_it(
    container: AzureBlobStorageContainer, behind: Any, call: Call, tmp_path: Path
) -> None:
    source = write(tmp_path / "s", a=b"new")
    behind.put("base/x/a", b"old")
    uploads: list[tuple[str, tuple[Any, ...]]] = [
        ("upload_from_path", (source / "a", "x/a")),
        ("upload_from_folder", (source, "x")),
    ]
    for method, arguments in uploads:
        with pytest.raises(BlobExists, match=r"'base/x/a'.*overwrite=True") as caught:
            await call(container, method, *arguments)
        assert isinstance(caught.value, ResourceExistsError)
        assert behind.get("base/x/a") == b"old"
        await call(container, method, *arguments, overwrite=True)
        assert behind.get("base/x/a") == b"new"
        behind.put("base/x/a", b"old")
    with pytest.raises(BlobExists, match="overwrite=True"):
        await call(container, "upload_from_file_object", io.BytesIO(b"new"), "x/a")
    await call(container, "upload_from_file_object", io.BytesIO(b"new"), "x/a", overwrite=True)
    assert behind.get("base/x/a") == b"new"


async def test_directories_and_results_replace_what_is_there(
    container: AzureBlobStorageContainer, behind: Any, call: Call, tmp_path: Path, engine: str
) -> None:
    behind.put("base/x/a", b"old")
    await call(container, "put_directory", local_path=str(write(tmp_path / "s", a=b"new")), to_path="x")
    assert behind.get("base/x/a") == b"new"


@pytest.mark.usefixtures("prefect_harness")
def test_a_refreshed_result_is_stored_again(container: AzureBlobStorageContainer) -> None:
    runs: list[int] = []

    @task(persist_result=True, cache_policy=INPUTS, refresh_cache=True, result_storage_key="same-key")
    def compute(x: int) -> int:
        runs.append(x)
        return x * 2

    @flow(persist_result=True)
    def twice() -> list[int]:
        stored = compute.with_options(result_storage=container)
        return [stored(2), stored(2)]

    container.save("refreshed-results", overwrite=True)
    assert twice() == [4, 4]
    assert runs == [2, 2]


# Options of the client


async def test_keywords_reach_the_client(
    fronted: AzureBlobStorageContainer, behind: Any, call: Call, tmp_path: Path
) -> None:
    settings = ContentSettings(content_type="text/csv")
    source = write(tmp_path / "s", a=b"0123456789")
    await call(fronted, "upload_from_path", source / "a", "a", metadata={"who": "me"}, content_settings=settings)
    found = behind.client.get_blob_client("base/a").get_blob_properties()
    assert (found.metadata, found.content_settings.content_type) == ({"who": "me"}, "text/csv")
    buffer = io.BytesIO()
    await call(fronted, "download_object_to_file_object", "a", buffer, offset=2, length=3)
    assert buffer.getvalue() == b"234"
    await call(fronted, "download_folder_to_path", "", tmp_path / "d", offset=8)
    assert (tmp_path / "d" / "a").read_bytes() == b"89"
    with pytest.raises(TypeError, match="encoding is not supported"):
        await call(fronted, "download_object_to_path", "a", tmp_path / "t", encoding="utf-8")


async def test_an_encoded_blob_arrives_decoded_by_either_engine(
    container: AzureBlobStorageContainer, behind: Any, tmp_path: Path, engine: str
) -> None:
    behind.put("base/x/a", gzip.compress(b"plain"), content_settings=ContentSettings(content_encoding="gzip"))
    await container.download_folder_to_path("x", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"plain"
    assert await container.read_path("x/a") == b"plain"


async def test_a_blob_of_many_blocks_comes_back(
    container: AzureBlobStorageContainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_PART_MEBIBYTES", "1")
    content = bytes(range(256)) * 4096 * 3 + b"end"
    source = write(tmp_path / "s", large=content)
    await container.upload_from_path(source / "large", "one/large")
    await container.put_directory(str(source), "two")
    for folder in ("one", "two"):
        await container.download_folder_to_path(folder, tmp_path / folder)
        assert (tmp_path / folder / "large").read_bytes() == content
    await container.download_object_to_path("one/large", tmp_path / "single", max_concurrency=3)
    assert (tmp_path / "single").read_bytes() == content


async def test_files_move_several_at_a_time(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, tmp_path: Path, engine: str
) -> None:
    source = write(tmp_path / "s", **{f"f{n}": b"x" for n in range(12)})
    await fronted.put_directory(str(source), "many")
    assert len(azurite_front.seen("upload")) == 12
    await fronted.get_directory("many", str(tmp_path / "d"))
    assert len(list((tmp_path / "d").iterdir())) == 12
    assert len(azurite_front.seen("list")) == 1
    moved = [*azurite_front.seen("upload"), *azurite_front.seen("download")]
    assert {"azsdk" in request.headers.get("user-agent", "") for request in moved} == {engine == "sdk"}


async def test_pipes_are_read_to_their_end(container: AzureBlobStorageContainer, behind: Any) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.rest = [b"a" * 10, b"b" * 10]

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return self.rest.pop(0) if self.rest else b""

    pipe: Any = Pipe()
    await container.upload_from_file_object(pipe, "piped")
    assert behind.get("base/piped") == b"a" * 10 + b"b" * 10


async def test_text_files_are_refused(container: AzureBlobStorageContainer, tmp_path: Path, call: Call) -> None:
    text: Any = io.StringIO("x")
    with pytest.raises(TypeError, match="binary mode"):
        await call(container, "upload_from_file_object", text, "k")
    with pytest.raises(TypeError, match="binary mode"):
        await call(container, "download_object_to_file_object", "k", text)


# Beyond the published methods


async def test_a_copy_is_refused_where_something_is(
    container: AzureBlobStorageContainer, behind: Any, call: Call
) -> None:
    behind.put("base/a", b"a", metadata={"who": "me"})
    behind.put("base/b", b"b")
    for method in ("copy_object", "move_object"):
        with pytest.raises(BlobExists, match=r"'base/b'.*overwrite=True"):
            await call(container, method, "a", "b")
    assert behind.get("base/b") == b"b"
    await call(container, "copy_object", "a", "b", overwrite=True)
    assert behind.client.get_blob_client("base/b").get_blob_properties().metadata == {"who": "me"}
    await call(container, "move_object", "a", "b", overwrite=True)
    assert behind.keys() == ["base/b"]


async def test_blobs_go_to_other_containers_of_the_account(
    container: AzureBlobStorageContainer, azurite: Azurite, call: Call
) -> None:
    await call(container, "write_path", "a", content=b"1")
    name = azurite.new_container()
    other = container.model_copy(update={"container_name": name, "base_folder": "there"})
    await call(container, "copy_object", "a", "b", to_container=name)
    await call(container, "move_object", "a", "c", to_container=other)
    assert await call(other, "list_blobs") == ["b", "there/c"]
    with pytest.raises(ContainerNotFound, match="'absent-container'"):
        await call(other, "copy_object", "c", "d", to_container="absent-container")


async def test_copies_into_another_account_go_through_this_machine(
    container: AzureBlobStorageContainer, fronted: AzureBlobStorageContainer, behind: Any, call: Call
) -> None:
    behind.put("base/a", b"1" * 100, content_settings=ContentSettings(content_type="text/csv"))
    with pytest.raises(ValueError, match="stream_from"):
        await call(container, "copy_object", "a", "b", to_container=fronted)
    await call(fronted, "stream_from", container, "a", "b")
    found = behind.client.get_blob_client("base/b").get_blob_properties()
    assert (found.size, found.content_settings.content_type) == (100, "text/csv")
    with pytest.raises(BlobExists, match="overwrite=True"):
        await call(fronted, "stream_from", container, "a", "b")


async def test_blobs_are_looked_for_and_deleted(container: AzureBlobStorageContainer, behind: Any, call: Call) -> None:
    behind.put("base/a", b"1")
    assert await call(container, "object_exists", "a") is True
    await call(container, "delete_object", "a")
    assert await call(container, "object_exists", "a") is False
    await call(container, "delete_object", "a", missing_ok=True)
    with pytest.raises(BlobNotFound, match="'base/a'"):
        await call(container, "delete_object", "a")


async def test_a_folder_is_deleted_or_moved_with_what_is_in_it(
    container: AzureBlobStorageContainer, behind: Any, call: Call
) -> None:
    for key in ("base/x/a", "base/x/y/b", "base/x2/c"):
        behind.put(key, key.encode())
    assert await call(container, "list_folders") == ["base/x", "base/x/y", "base/x2"]
    assert await call(container, "move_folder", "x", "z") == "base/z"
    assert behind.keys() == ["base/x2/c", "base/z/a", "base/z/y/b"]
    behind.put("base/x/a", b"")
    with pytest.raises(BlobExists, match=r"'base/z/a'.*nothing was moved"):
        await call(container, "move_folder", "x", "z")
    await call(container, "delete_folder", "z")
    await call(container, "delete_folder", "absent")
    assert behind.keys() == ["base/x/a", "base/x2/c"]
    for wrong in ("", "/", "."):
        with pytest.raises(ValueError, match="folder is empty"):
            await call(container, "delete_folder", wrong)
    with pytest.raises(ValueError, match="into itself"):
        await call(container, "move_folder", "x", "x/y")
    with pytest.raises(BlobNotFound, match="'base/absent/'"):
        await call(container, "move_folder", "absent", "y")


async def test_a_folder_is_synced_both_ways(
    container: AzureBlobStorageContainer, behind: Any, call: Call, tmp_path: Path
) -> None:
    source = write(tmp_path / "s", a=b"1", b=b"2")
    behind.put("base/x/gone", b"")
    first = await Call("sync")(container, "sync_from_folder", source, "x", delete=True)
    assert (first.transferred, first.deleted) == (2, 1)
    again = await Call("sync")(container, "sync_from_folder", source, "x", compare="checksum")
    assert (again.transferred, again.skipped) == (0, 2)
    down = await Call("sync")(container, "sync_to_folder", "x", tmp_path / "d")
    assert down.transferred == 2
    assert (await Call("sync")(container, "sync_to_folder", "x", tmp_path / "d")).skipped == 2


async def test_waits_end_with_the_blob_or_the_time(
    container: AzureBlobStorageContainer, behind: Any, call: Call
) -> None:
    behind.put_directory("base/in")
    with pytest.raises(WaitTimeout, match=r"azure://.*/base/late"):
        await call(container, "wait_for_object", "late", timeout_seconds=0, poll_seconds=0.01)
    with pytest.raises(WaitTimeout):
        await call(container, "wait_for_prefix", "in", timeout_seconds=0, poll_seconds=0.01)
    behind.put("base/in/late", b"")
    assert await call(container, "wait_for_object", "in/late", timeout_seconds=5) == "base/in/late"
    assert await call(container, "wait_for_prefix", "in", timeout_seconds=5) == ["base/in/late"]
    nowhere = container.model_copy(update={"container_name": "no-such-container"})
    with pytest.raises(ContainerNotFound, match="no-such-container"):
        await call(nowhere, "wait_for_object", "a", timeout_seconds=5)


# Bad input


async def test_a_missing_container_is_named_by_every_method(
    container: AzureBlobStorageContainer, tmp_path: Path, call: Call, engine: str
) -> None:
    nowhere = container.model_copy(update={"container_name": "no-such-container"})
    source = write(tmp_path / "s", a=b"1")
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("read_path", ("a",)),
        ("write_path", ("a", b"1")),
        ("get_directory", (None, str(tmp_path / "t"))),
        ("put_directory", (str(source),)),
        ("upload_from_path", (source / "a", "a")),
        ("download_object_to_path", ("a", tmp_path / "t")),
        ("list_blobs", ()),
    ]
    for method, arguments in calls:
        with pytest.raises(ContainerNotFound, match="'no-such-container' does not exist"):
            await call(nowhere, method, *arguments)


async def test_wrong_paths_are_refused_by_name(
    container: AzureBlobStorageContainer, tmp_path: Path, call: Call
) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        await call(container, "upload_from_path", tmp_path / "absent", "a")
    with pytest.raises(IsADirectoryError, match="upload_from_folder"):
        await call(container, "upload_from_path", tmp_path, "a")
    with pytest.raises(ValueError, match="path is empty"):
        await call(container.model_copy(update={"base_folder": None}), "read_path", "")
    for method in ("read_path", "object_exists", "sas_url"):
        with pytest.raises(PathEscapes, match="evil"):
            await call(container, method, "../evil")
    with pytest.raises(TypeError, match="overwrite is 'yes'"):
        await call(container, "upload_from_folder", tmp_path, "a", overwrite="yes")


async def test_a_backslash_is_a_slash_to_azure(
    container: AzureBlobStorageContainer, behind: Any, tmp_path: Path, call: Call, engine: str
) -> None:
    await call(container, "write_path", "a\\b", content=b"1")
    assert (behind.keys(), await call(container, "read_path", "a/b")) == (["base/a/b"], b"1")
    with pytest.raises(ValueError, match=r"x\\\\y' has a backslash"):
        await call(container, "put_directory", str(write(tmp_path / "s", **{"x\\y": b""})))


def test_a_saved_block_loads_as_it_was(container: AzureBlobStorageContainer, prefect_harness: None) -> None:
    container.save("blob-container-round-trip", overwrite=True)
    loaded = AzureBlobStorageContainer.load("blob-container-round-trip")
    assert loaded.model_dump() == container.model_dump()
    assert loaded.credentials.connection_string == container.credentials.connection_string
