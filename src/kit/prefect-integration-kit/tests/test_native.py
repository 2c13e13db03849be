from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_integration_kit import native
from prefect_integration_kit.native import CHUNK_BYTES, NativeEngine, is_available, is_plain_key
from prefect_integration_kit.transfer import Download, RemoteObject, TransferStopped, Upload

obstore = pytest.importorskip("obstore", reason="The extra `fast` of an integration brings it.")
from obstore.store import LocalStore, MemoryStore, S3Store  # noqa: E402


class Recorder:
    """An engine behind the native one, which is told what that could not do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def upload(self, item: Upload, stop: threading.Event) -> None:
        self.asked.append(item.key)

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        self.asked.append(item.key)


GO = threading.Event()


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return MemoryStore() if request.param == "memory" else LocalStore(str(tmp_path / "store"), mkdir=True)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_files_of_every_size_come_back(store: Any, tmp_path: Path, size: int) -> None:
    content = os.urandom(1024) * (size // 1024) + bytes(size % 1024)
    (tmp_path / "f").write_bytes(content)
    behind = Recorder()
    with NativeEngine(store, behind) as engine:
        engine.upload(Upload(tmp_path / "f", "a/ü b+%2F.bin", size), GO)
        engine.download(Download("a/ü b+%2F.bin", tmp_path, size), tmp_path / "part", GO)
    assert (tmp_path / "part").read_bytes() == content
    assert behind.asked == []


def test_an_object_that_has_grown_since_it_was_listed_comes_whole(tmp_path: Path) -> None:
    store = MemoryStore()
    content = os.urandom(CHUNK_BYTES + 5)
    obstore.put(store, "k", content)
    with NativeEngine(store, Recorder()) as engine:
        engine.download(Download("k", tmp_path, 3), tmp_path / "part", GO)
    assert (tmp_path / "part").read_bytes() == content


@pytest.mark.parametrize("key", ["/a", "a/", "a//b", "a/./b", "../a", "a/../b", ".", "a\nb", "a\x7f", "", "a\0b"])
def test_odd_keys_go_to_the_engine_behind(tmp_path: Path, key: str) -> None:
    (tmp_path / "f").write_bytes(b"1")
    store, behind = MemoryStore(), Recorder()
    with NativeEngine(store, behind) as engine:
        engine.upload(Upload(tmp_path / "f", key, 1), GO)
        engine.download(Download(key, tmp_path, 1), tmp_path / "part", GO)
    assert behind.asked == [key, key]
    assert obstore.list(store).collect() == []


@given(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1))
def test_a_plain_key_is_stored_as_it_is(key: str) -> None:
    if is_plain_key(key):
        store = MemoryStore()
        obstore.put(store, key, b"")
        assert [item["path"] for item in obstore.list(store).collect()] == [key]


def test_what_fails_is_tried_by_the_engine_behind(tmp_path: Path) -> None:
    behind = Recorder()
    with NativeEngine(MemoryStore(), behind) as engine:
        engine.download(Download("absent", tmp_path, 1), tmp_path / "part", GO)
        engine.download(Download("absent", tmp_path, CHUNK_BYTES * 2), tmp_path / "part", GO)
    assert behind.asked == ["absent", "absent"]


def test_a_missing_file_is_the_callers_error_not_the_stores(tmp_path: Path) -> None:
    behind = Recorder()
    with NativeEngine(MemoryStore(), behind) as engine:
        for size in (1, CHUNK_BYTES * 2):
            with pytest.raises(FileNotFoundError):
                engine.upload(Upload(tmp_path / "absent", "k", size), GO)
    assert behind.asked == []


@pytest.mark.parametrize("size", [1, CHUNK_BYTES * 2])
def test_nothing_begins_after_the_stop(tmp_path: Path, size: int) -> None:
    stop = threading.Event()
    stop.set()
    (tmp_path / "f").write_bytes(b"1")
    with NativeEngine(MemoryStore(), Recorder()) as engine:
        with pytest.raises(TransferStopped):
            engine.upload(Upload(tmp_path / "f", "k", size), stop)
        with pytest.raises(TransferStopped):
            engine.download(Download("k", tmp_path, size), tmp_path / "part", stop)


class Countdown(threading.Event):
    """Sets itself after some looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def is_set(self) -> bool:
        self._looks -= 1
        return self._looks < 0


def test_a_large_file_stops_half_way_and_leaves_no_object(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(5 * CHUNK_BYTES))
    store = MemoryStore()
    with NativeEngine(store, Recorder()) as engine:
        with pytest.raises(TransferStopped):
            engine.upload(Upload(tmp_path / "f", "k", 5 * CHUNK_BYTES), Countdown(3))
        assert obstore.list(store).collect() == []
        obstore.put(store, "k", bytes(5 * CHUNK_BYTES))
        with pytest.raises(TransferStopped):
            engine.download(Download("k", tmp_path, 5 * CHUNK_BYTES), tmp_path / "part", Countdown(3))


def test_an_upload_that_is_stopped_when_its_last_part_was_read_leaves_no_object(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(3 * CHUNK_BYTES))
    store = MemoryStore()
    with NativeEngine(store, Recorder()) as engine, pytest.raises(TransferStopped):
        engine.upload(Upload(tmp_path / "f", "k", 3 * CHUNK_BYTES), Countdown(4))  # one look before the three parts
    assert obstore.list(store).collect() == []


def test_many_large_files_at_once_are_held_within_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(bytes(CHUNK_BYTES))
    held = most = 0
    lock = threading.Lock()

    def put(*args: Any, **kwargs: Any) -> None:
        nonlocal held, most
        with lock:
            held += CHUNK_BYTES
            most = max(most, held)
        GO.wait(0.01)
        with lock:
            held -= CHUNK_BYTES

    monkeypatch.setattr(obstore, "put", put)
    with NativeEngine(MemoryStore(), Recorder()) as engine:
        threads = [
            threading.Thread(target=engine.upload, args=(Upload(tmp_path / "f", str(n), CHUNK_BYTES), GO))
            for n in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert CHUNK_BYTES < most <= native.MEMORY_BYTES


def test_the_engine_is_there_when_obstore_is() -> None:
    assert is_available()


# Listings


def _walked(keys: dict[str, bytes], prefix: str) -> tuple[list[str], list[str | None]]:
    """Store objects, walk them, and tell the keys and where the SDK took over."""
    store, asked = MemoryStore(), []
    for key, content in keys.items():
        obstore.put(store, key, content)

    def walk_on(after: str | None) -> Iterator[RemoteObject]:
        asked.append(after)
        below = sorted(key for key in keys if key.startswith(prefix) and (after is None or key > after))
        return (RemoteObject(key, len(keys[key])) for key in below)

    engine = NativeEngine(store, Recorder())
    return [item.key for item in engine.objects(prefix, walk_on)], asked


def test_a_plain_folder_is_listed_without_the_sdk():
    keys = {"a/1": b"x", "a/b/2": b"xy", "a2/3": b"x"}
    assert _walked(keys, "a/") == (["a/1", "a/b/2"], [])


def test_the_sdk_lists_on_from_what_may_mark_a_folder():
    keys = {"a/1": b"x", "a/2": b"", "a/3": b"x"}
    assert _walked(keys, "a/") == (["a/1", "a/2", "a/3"], ["a/1"])


def test_the_sdk_lists_a_whole_bucket():
    assert _walked({"a": b"x"}, "") == (["a"], [None])


def test_the_sdk_lists_when_the_store_does_not_answer():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        config = {"endpoint": f"http://127.0.0.1:{nobody.getsockname()[1]}", "region": "us-east-1"}
        store = S3Store(
            "b",
            config=config,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
            skip_signature=True,
        )
        asked: list[str | None] = []
        found = NativeEngine(store, Recorder()).objects(
            "a/", lambda after: asked.append(after) or iter([RemoteObject("a/1", 1)])
        )
        assert [item.key for item in found] == ["a/1"]
    assert asked == [None]


@pytest.mark.parametrize("size", [10, CHUNK_BYTES + 1])
@pytest.mark.parametrize("intact", [True, False])
def test_what_does_not_pass_the_check_is_downloaded_again(tmp_path: Path, size: int, intact: bool) -> None:
    store = MemoryStore()
    obstore.put(store, "k", bytes(size))
    behind, seen = Recorder(), list[tuple[str, int]]()

    def is_intact(item: Download, part: Path) -> bool:
        seen.append((item.key, part.stat().st_size))
        return intact

    with NativeEngine(store, behind, is_intact=is_intact) as engine:
        engine.download(Download("k", tmp_path, size), tmp_path / "part", GO)
    assert seen == [("k", size)]
    assert behind.asked == ([] if intact else ["k"])
