"""A block whose bucket is a dictionary: keys, transfers, syncs and waits."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import pytest

from prefect_integration_kit.object_store import FolderMethods
from prefect_integration_kit.object_store_block import ObjectStoreBlock
from prefect_integration_kit.syncing import SyncSummary
from prefect_integration_kit.transfer import Download, Engine, RemoteObject, Upload
from prefect_integration_kit.waiting import WaitTimeout


class Shelf(FolderMethods):
    """One bucket of a service that keeps all buckets in a dictionary."""

    max_concurrency = 2

    def __init__(self, service: dict[str, dict[str, bytes]], bucket: str) -> None:
        self.service, self.bucket, self.asked = service, bucket, list[str]()

    @property
    def kept(self) -> dict[str, bytes]:
        return self.service[self.bucket]

    def no_options(self) -> str:
        return "nothing"

    def url(self, key: str = "") -> str:
        return f"shelf://{self.bucket}/{key}"

    def engine(self, options: str) -> AbstractContextManager[Engine]:
        self.asked.append(options)

        class Mover:
            def upload(_, item: Upload, stop: threading.Event) -> None:
                self.kept[item.key] = item.source.read_bytes()

            def download(_, item: Download, part: Path, stop: threading.Event) -> None:
                part.write_bytes(self.kept[item.key])

        return nullcontext(Mover())

    def walk(self, prefix: str) -> Iterator[RemoteObject]:
        return iter([RemoteObject(k, len(v)) for k, v in sorted(self.kept.items()) if k.startswith(prefix)])

    def listing(self, engine: Engine, prefix: str) -> Iterator[RemoteObject]:
        return self.walk(prefix)

    def delete_many(self, keys: Iterable[str]) -> int:
        return sum(self.kept.pop(key, None) is not None for key in list(keys))

    def download(self, key: str, target: Path, options: str, stop: threading.Event | None = None) -> Path:
        target.write_bytes(self.kept[key])
        return target

    def download_to(self, key: str, file: BinaryIO, options: str) -> BinaryIO:
        file.write(self.kept[key])
        return file

    def upload(self, source: Path, key: str, options: str, stop: threading.Event | None = None) -> str:
        return self.upload_from(io.BytesIO(source.read_bytes()), key, options)

    def upload_from(self, file: BinaryIO, key: str, options: str) -> str:
        self.kept[key] = file.read()
        return key

    def stream_from(self, source: Any, from_key: str, key: str, options: str) -> str:
        return self.upload_from(io.BytesIO(source.kept[from_key]), key, options)

    def copy(self, from_key: str, to_bucket: str, to_key: str, arguments: dict[str, Any]) -> str:
        self.service[to_bucket][to_key] = self.kept[from_key]
        return to_key

    def move(self, from_key: str, to_bucket: str, to_key: str) -> str:
        self.service[to_bucket][to_key] = self.kept.pop(from_key)
        return to_key

    def head(self, key: str) -> object | None:
        return self.kept.get(key)

    def require_bucket(self) -> None:
        if self.bucket not in self.service:
            raise FileNotFoundError(self.bucket)


class ShelfBlock(ObjectStoreBlock[str]):
    _scheme: ClassVar[str] = "shelf"
    logger = logging.getLogger("shelf")

    def __init__(self, bucket: str = "mine", folder: str = "top") -> None:
        self.folder, self.shelf = folder, Shelf({"mine": {}, "theirs": {}}, bucket)

    @property
    def basepath(self) -> str:
        return self.folder

    def _bucket(self) -> str:
        return self.shelf.bucket

    def _objects(self) -> Shelf:
        return self.shelf

    def put(self, path: str | Path, to_path: str | None = None) -> str:
        return self._upload_from_path(path, to_path, "some")

    def put_folder(self, folder: Path) -> str:
        return self._upload_from_folder(folder, "f", "some")

    def get(self, path: str, to_path: Path | None = None) -> Path:
        return self._download_object_to_path(path, to_path, "some")

    def copy(self, path: str, to_path: str, to_bucket: ObjectStoreBlock[str] | str | None = None) -> str:
        return self._copy_object(path, to_path, to_bucket, {})


class CrateBlock(ShelfBlock):
    _scheme: ClassVar[str] = "crate"


@pytest.fixture
def block() -> ShelfBlock:
    return ShelfBlock()


def test_a_path_is_below_the_folder_and_an_object_keeps_its_name(
    block: ShelfBlock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    assert block.put("notes.txt") == block.put("notes.txt", "top/notes.txt") == "top/notes.txt"
    (tmp_path / "notes.txt").unlink()
    assert block.get("notes.txt") == tmp_path / "notes.txt"
    assert (tmp_path / "notes.txt").read_bytes() == b"1"


def test_an_empty_path_is_refused(block: ShelfBlock, tmp_path: Path) -> None:
    block.folder = ""
    with pytest.raises(ValueError, match="path is empty"):
        block.get("", tmp_path / "x")


def test_a_folder_goes_up_with_the_options_asked_for(block: ShelfBlock, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert block.put_folder(tmp_path) == "top/f"
    assert block.shelf.kept == {"top/f/a": b"1"}
    assert block.shelf.asked == ["some"]


def test_an_empty_folder_is_warned_of(block: ShelfBlock, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    block.put_folder(tmp_path)
    assert "nothing was uploaded" in caplog.text


def test_a_copy_goes_below_the_folder_of_a_block_and_anywhere_in_a_bucket_given_by_name(block: ShelfBlock) -> None:
    block.shelf.kept["top/a"] = b"1"
    assert block.copy("a", "b") == "top/b"
    assert block.copy("a", "b", ShelfBlock("theirs", "other")) == "other/b"
    assert block.copy("a", "b", "theirs") == "b"
    assert sorted(block.shelf.service["theirs"]) == ["b", "other/b"]


def test_a_copy_to_another_service_is_refused(block: ShelfBlock) -> None:
    with pytest.raises(TypeError, match="CrateBlock"):
        block.copy("a", "b", CrateBlock())


def test_a_sync_moves_what_changed_both_ways(block: ShelfBlock, tmp_path: Path) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    up.mkdir()
    (up / "a").write_bytes(b"1")
    block.shelf.kept["top/f/old"] = b"1"
    assert block.sync_from_folder(up, "f", delete=True) == SyncSummary(1, 0, 1, 1)
    assert block.sync_to_folder("f", down) == SyncSummary(1, 0, 0, 1)
    assert (down / "a").read_bytes() == b"1"
    assert set(block.shelf.asked) == {"nothing"}


async def test_the_async_form_does_the_same(block: ShelfBlock, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert await block.async_from_folder(tmp_path, "f") == SyncSummary(1, 0, 0, 1)
    assert await block.await_for_object("f/a", timeout_seconds=5) == "top/f/a"
    assert await block.await_for_prefix("f", timeout_seconds=5) == ["top/f/a"]


def test_a_wait_returns_what_came_without_the_folders_own_marker(block: ShelfBlock) -> None:
    block.shelf.kept.update({"top/f/": b"", "top/f/a": b"", "top/f/b": b""})
    assert block.wait_for_object("f/a") == "top/f/a"
    assert block.wait_for_prefix("f", min_objects=2) == ["top/f/a", "top/f/b"]


def test_a_wait_out_of_time_names_the_object(block: ShelfBlock) -> None:
    with pytest.raises(WaitTimeout, match="shelf://mine/top/never"):
        block.wait_for_object("never", timeout_seconds=0.01, poll_seconds=0.01)
    with pytest.raises(WaitTimeout, match=r"2 object\(s\) in shelf://mine/top/f/"):
        block.wait_for_prefix("f", min_objects=2, timeout_seconds=0.01, poll_seconds=0.01)
    with pytest.raises(ValueError, match="min_objects"):
        block.wait_for_prefix("f", min_objects=0)


def test_a_wait_in_a_bucket_that_does_not_exist_ends_at_once(
    block: ShelfBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    block.shelf.service = {"mine": {}}
    monkeypatch.setattr(Shelf, "kept", {})
    block.shelf.bucket = "gone"
    with pytest.raises(FileNotFoundError, match="gone"):
        block.wait_for_object("a", timeout_seconds=60)
