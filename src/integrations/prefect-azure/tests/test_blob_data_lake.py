"""Accounts with a hierarchical namespace: directories are no files, and are renamed and deleted in one step."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_azure.errors import BlobExists, BlobNotFound
from prefect_integration_tests.backends.azurite import AzuriteFront
from prefect_integration_tests.faces import Call


async def test_directories_are_neither_listed_nor_downloaded(
    container: AzureBlobStorageContainer, behind: Any, call: Call, tmp_path: Path, engine: str
) -> None:
    for directory in ("base", "base/x", "base/x/empty", "base/x/sub"):
        behind.put_directory(directory)
    behind.put("base/x/Upper", b"", metadata={"Hdi_IsFolder": "True"})
    behind.put("base/x/sub/a", b"a")
    behind.put("base/x/none", b"", metadata={"hdi_isfolder": "false"})
    assert await call(container, "list_blobs") == ["base/x/none", "base/x/sub/a"]
    assert await call(container, "list_blobs", "x/sub") == ["base/x/sub/a"]
    assert await call(container, "list_blobs", "x/empty") == []
    for method in ("get_directory", "download_folder_to_path"):
        await call(container, method, "x", str(tmp_path / method))
        found = {p.relative_to(tmp_path / method).as_posix() for p in (tmp_path / method).rglob("*") if p.is_file()}
        assert found == {"none", "sub/a"}
    summary = await call(container, "sync_to_folder", "x", tmp_path / "sync")
    assert summary.transferred == 2


async def test_a_directory_is_no_blob_to_read(
    container: AzureBlobStorageContainer, behind: Any, call: Call, tmp_path: Path
) -> None:
    behind.put_directory("base/x")
    for method, arguments in (
        ("read_path", ("x",)),
        ("download_object_to_path", ("x", tmp_path / "t")),
        ("download_object_to_file_object", ("x", io.BytesIO())),
        ("copy_object", ("x", "y")),
        ("move_object", ("x", "y")),
    ):
        with pytest.raises((IsADirectoryError, BlobNotFound), match="'base/x'"):
            await call(container, method, *arguments)
    assert list(tmp_path.iterdir()) == []
    assert await call(container, "object_exists", "x") is False


async def test_a_sync_does_not_delete_directories(
    container: AzureBlobStorageContainer, behind: Any, tmp_path: Path
) -> None:
    behind.put_directory("base/x")
    behind.put_directory("base/x/sub")
    behind.put("base/x/sub/gone", b"")
    (tmp_path / "a").write_bytes(b"a")
    summary = await Call("async")(container, "sync_from_folder", tmp_path, "x", delete=True)
    assert (summary.transferred, summary.deleted) == (1, 1)
    assert behind.keys() == ["base/x", "base/x/a", "base/x/sub"]


async def test_a_blob_is_renamed_in_one_step(
    data_lake: AzureBlobStorageContainer, azurite_front: AzuriteFront, behind: Any, call: Call
) -> None:
    await call(data_lake, "write_path", "in/a%2F ü?.txt", content=b"1")
    await call(data_lake, "write_path", "in/b", content=b"2")
    await call(data_lake, "move_object", "in/a%2F ü?.txt", "new/deep/c%20.txt")
    assert azurite_front.seen("copy") == []
    assert await call(data_lake, "list_blobs", "") == ["base/in/b", "base/new/deep/c%20.txt"]
    with pytest.raises(BlobExists, match=r"'base/in/b'.*overwrite=True"):
        await call(data_lake, "move_object", "new/deep/c%20.txt", "in/b")
    assert await call(data_lake, "read_path", "in/b") == b"2"
    await call(data_lake, "move_object", "new/deep/c%20.txt", "in/b", overwrite=True)
    assert await call(data_lake, "read_path", "in/b") == b"1"
    with pytest.raises(BlobNotFound, match="'base/absent'"):
        await call(data_lake, "move_object", "absent", "x")
    with pytest.raises(ValueError, match="onto itself"):
        await call(data_lake, "move_object", "in/b", "in/b")


async def test_a_folder_is_renamed_and_deleted_in_one_step(
    data_lake: AzureBlobStorageContainer, azurite_front: AzuriteFront, behind: Any, call: Call
) -> None:
    for key in ("x/a", "x/sub/b", "x2/c"):
        await call(data_lake, "write_path", key, content=key.encode())
    behind.put_directory("base/x/empty")
    assert await call(data_lake, "list_folders", "x") == ["base/x/empty", "base/x/sub"]
    before = len(azurite_front.requests)
    await call(data_lake, "move_folder", "x", "moved/here")
    assert [request.operation for request in azurite_front.requests[before:]].count(
        "dfs"
    ) == 2  # the parent, the rename
    assert await call(data_lake, "list_blobs", "") == ["base/moved/here/a", "base/moved/here/sub/b", "base/x2/c"]
    assert behind.client.get_blob_client("base/moved/here/empty").exists()
    with pytest.raises(BlobExists, match="overwrite=True"):
        await call(data_lake, "move_folder", "x2", "moved/here")
    with pytest.raises(BlobNotFound, match="'base/absent'"):
        await call(data_lake, "move_folder", "absent", "y")
    await call(data_lake, "delete_folder", "moved")
    await call(data_lake, "delete_folder", "absent")
    assert behind.keys() == ["base", "base/x2", "base/x2/c"]


async def test_the_account_is_asked_once(
    data_lake: AzureBlobStorageContainer, azurite_front: AzuriteFront, call: Call
) -> None:
    for name in ("a", "b"):
        await call(data_lake, "write_path", name, content=b"")
        await call(data_lake, "move_object", name, f"{name}2")
    assert len(azurite_front.seen("account")) == 1


async def test_who_may_not_ask_gets_copies(
    data_lake: AzureBlobStorageContainer, azurite_front: AzuriteFront, call: Call
) -> None:
    azurite_front.fail("account", status=403, times=None)
    await call(data_lake, "write_path", "a", content=b"1")
    await call(data_lake, "move_object", "a", "b")
    assert await call(data_lake, "read_path", "b") == b"1"
    assert len(azurite_front.seen("copy")) == 1
    told = data_lake.model_copy(update={"hierarchical_namespace": True})
    await call(told, "move_object", "b", "c")
    assert len(azurite_front.seen("copy")) == 1


async def test_the_extra_is_named_when_it_is_missing(
    data_lake: AzureBlobStorageContainer, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    from prefect_azure._clients import forget_clients

    await call(data_lake, "write_path", "a", content=b"1")
    forget_clients()
    monkeypatch.setitem(sys.modules, "azure.storage.filedatalake", None)
    with pytest.raises(ImportError, match=r'pip install "prefect-azure\[data-lake\]"'):
        await call(data_lake, "move_object", "a", "b")
    assert await call(data_lake, "read_path", "a") == b"1"
