"""Folder transfers and syncs of a store that is a dictionary."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from prefect_integration_kit.folders import download_folder, sync_down, sync_up, upload_folder
from prefect_integration_kit.paths import PathEscapes
from prefect_integration_kit.syncing import SyncSummary
from prefect_integration_kit.transfer import Download, Engine, RemoteObject, TransferStopped, Upload


class Store:
    """Keeps objects in a dictionary, and what options it was asked with."""

    def __init__(self, **objects: bytes) -> None:
        self.kept = {name.replace("__", "/"): content for name, content in objects.items()}
        self.asked: list[str] = []
        self.max_concurrency = 3

    def url(self, key: str = "") -> str:
        return f"dict://{key}"

    def engine(self, options: str) -> AbstractContextManager[Engine]:
        self.asked.append(options)
        return nullcontext(self)

    def upload(self, item: Upload, stop: threading.Event) -> None:
        self.kept[item.key] = item.source.read_bytes()

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        assert item.checksum == str(len(self.kept[item.key]))
        part.write_bytes(self.kept[item.key])

    def walk(self, prefix: str) -> Iterator[RemoteObject]:
        for key, content in sorted(self.kept.items()):
            if key.startswith(prefix):
                yield RemoteObject(key, len(content), checksum=str(len(content)))

    def listing(self, engine: Engine, prefix: str) -> Iterator[RemoteObject]:
        assert engine is self
        return self.walk(prefix)

    def delete_many(self, keys: Iterable[str]) -> int:
        return sum(self.kept.pop(key, None) is not None for key in list(keys))


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_goes_and_comes_back(tmp_path: Path) -> None:
    store = Store()
    done = upload_folder(store, write(tmp_path / "up", a=b"1", b=b"22", log=b"x"), "d/", "up", ignore_lines=["log"])
    assert (done.files, done.size_bytes) == (2, 3)
    store.kept["d/empty/"] = b""
    files = download_folder(store, "d/", tmp_path / "down", "down")
    assert files == [tmp_path / "down" / "a", tmp_path / "down" / "b"]
    assert (tmp_path / "down" / "b").read_bytes() == b"22"
    assert (tmp_path / "down" / "empty").is_dir()
    assert store.asked == ["up", "down"]


def test_an_empty_folder_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert download_folder(Store(), "d/", tmp_path, "") == []
    assert "No objects found in dict://d/" in caplog.text


def test_a_file_is_no_destination(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match="is a file"):
        download_folder(Store(), "d/", tmp_path / "f", "")
    with pytest.raises(NotADirectoryError, match="is a file"):
        sync_down(Store(), "d/", tmp_path / "f", "", compare="time", delete=False)


def test_a_key_that_climbs_out_is_not_written(tmp_path: Path) -> None:
    store = Store()
    store.kept = {"d/../evil": b"1", "d/a": b"1"}
    with pytest.raises(PathEscapes):
        sync_down(store, "d/", tmp_path / "here", "", compare="time", delete=False)
    assert list(tmp_path.rglob("*")) == []


def test_a_transfer_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    store = Store()
    with pytest.raises(TransferStopped):
        upload_folder(store, write(tmp_path / "up", a=b"1"), "d/", "", stop=stop)
    assert store.kept == {}


def test_a_sync_up_deletes_what_has_no_file_but_for_the_ignored(tmp_path: Path) -> None:
    store = Store(d__old=b"1", d__kept_log=b"1", other=b"1")
    store.kept["d/x.log"], store.kept["d/marker/"] = b"1", b""
    up = write(tmp_path / "up", a=b"1")
    done = sync_up(store, up, "d/", "", ignore_lines=["*log"], compare="time", delete=True)
    assert done == SyncSummary(transferred=1, skipped=0, deleted=1, size_bytes=1)
    assert sorted(store.kept) == ["d/a", "d/kept_log", "d/marker/", "d/x.log", "other"]


def test_a_sync_down_deletes_what_has_no_object(tmp_path: Path) -> None:
    store = Store(d__a=b"1")
    done = sync_down(store, "d/", write(tmp_path / "down", gone=b"1"), "", compare="time", delete=True)
    assert done == SyncSummary(transferred=1, skipped=0, deleted=1, size_bytes=1)
    assert [path.name for path in (tmp_path / "down").iterdir()] == ["a"]
