from __future__ import annotations

import _thread
import contextvars
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_integration_kit import transfer
from prefect_integration_kit.brakes import LOWEST, Brake
from prefect_integration_kit.paths import PathEscapes
from prefect_integration_kit.transfer import (
    Download,
    KeysCollide,
    NameNotText,
    RemoteObject,
    Summary,
    TransferStopped,
    Upload,
    download_all,
    plan_download,
    plan_upload,
    upload_all,
)

DEADLINE_SECONDS = 20


class Memory:
    """An engine whose store is a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def upload(self, item: Upload, stop: threading.Event) -> None:
        self.objects[item.key] = item.source.read_bytes()

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        part.write_bytes(self.objects[item.key])

    def listing(self) -> list[RemoteObject]:
        return [RemoteObject(key, len(body)) for key, body in sorted(self.objects.items())]


class Doing:
    """An engine that does what it is told, and counts who is in it."""

    def __init__(self, do: Callable[[str, threading.Event], None]) -> None:
        self.do, self.most, self.seen = do, 0, 0
        self._now, self._lock = 0, threading.Lock()

    def upload(self, item: Upload, stop: threading.Event) -> None:
        with self._lock:
            self.seen += 1
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            self.do(item.key, stop)
        finally:
            with self._lock:
                self._now -= 1

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        part.write_bytes(b"half")
        self.upload(Upload(part, item.key, 0), stop)


def uploads(count: int) -> Iterator[Upload]:
    return (Upload(Path("f"), str(number), 1) for number in range(count))


def downloads(root: Path, *names: str) -> list[Download]:
    return list(plan_download([RemoteObject(name, 1) for name in names], "", root))


# Plans


def test_keys_are_the_prefix_and_the_relative_path(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "ü b.txt").write_bytes(b"12345")
    assert list(plan_upload(tmp_path, "p/")) == [Upload(tmp_path / "d" / "ü b.txt", "p/d/ü b.txt", 5)]


def test_a_file_whose_name_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bad\udcff").write_bytes(b"")
    with pytest.raises(NameNotText, match=r"bad.*Rename"):
        list(plan_upload(tmp_path, ""))


def test_markers_are_folders_and_the_folders_own_marker_is_nothing(tmp_path: Path) -> None:
    plan = list(plan_download([RemoteObject(key, 0) for key in ("p/", "p/s/", "p/s/a")], "p/", tmp_path))
    assert [(item.key, item.is_folder) for item in plan] == [("p/s/", True), ("p/s/a", False)]
    assert [item.target for item in plan] == [tmp_path / "s", tmp_path / "s" / "a"]


@pytest.mark.parametrize(
    "end",
    ["../x", "a/../../x", "a/..", "/x", "\\x", "a\\..\\..\\x", "..\\x", "a/b\0", "a/b/../c", "..", "../", "a\\.."],
)
@pytest.mark.parametrize("before", [(), ("p/a/b",), ("p/a", "p/a\\b")])
def test_keys_that_lead_outside_are_refused_by_name(tmp_path: Path, end: str, before: tuple[str, ...]) -> None:
    listing = [RemoteObject(key, 0) for key in (*before, f"p/{end}")]
    with pytest.raises(PathEscapes) as caught:
        list(plan_download(listing, "p/", tmp_path))
    assert repr(end) in str(caught.value)


def test_a_key_of_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PathEscapes, match="logs2/a"):
        list(plan_download([RemoteObject("logs2/a", 0)], "logs/", tmp_path))


def test_a_link_that_leads_outside_is_refused_for_each_key_behind_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    for name in ("link/a", "link/b/c"):
        with pytest.raises(PathEscapes, match=name):
            downloads(tmp_path / "in", "a", name)


@pytest.mark.parametrize(
    "keys",
    [
        ("a//b", "a/b"),
        ("a/./b", "a/b"),
        ("a/!b", "a//!b"),
        ("a/-b", "a/./-b"),
        (".git/a", "./.git/a"),
        ("a//b", "a/./b"),
    ],
)
def test_two_keys_for_one_file_are_refused(tmp_path: Path, keys: tuple[str, str]) -> None:
    with pytest.raises(KeysCollide) as caught:
        downloads(tmp_path, *sorted(keys))
    assert all(repr(key) in str(caught.value) for key in keys)


def test_a_key_that_ends_in_a_dot_segment_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeysCollide, match=r"a/\."):
        downloads(tmp_path, "a/.")


def test_odd_keys_without_a_twin_are_files(tmp_path: Path) -> None:
    assert [str(item.target.relative_to(tmp_path)) for item in downloads(tmp_path, "a//b", "c/./d", "e\\f", "C:x")] == [
        "a/b",
        "c/d",
        "e\\f",
        "C:x",
    ]


NAMES = st.text(
    st.characters(blacklist_characters="/\\\0", blacklist_categories=("Cs",)), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 100)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=20), max_size=8
).filter(lambda files: not any(other.startswith(f"{name}/") for name in files for other in files))


@settings(max_examples=60, deadline=None)
@given(files=TREES, prefix=st.sampled_from(["", "p/", "a/b/"]))
def test_what_goes_up_comes_down(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], prefix: str
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for name, content in files.items():
        (root / "up" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "up" / name).write_bytes(content)
    (root / "up").mkdir(exist_ok=True)
    store = Memory()
    upload_all(plan_upload(root / "up", prefix), store, max_concurrency=2)
    assert store.objects == {prefix + name: content for name, content in files.items()}
    summary = download_all(plan_download(store.listing(), prefix, root / "down"), store, max_concurrency=2)
    back = {str(p.relative_to(root / "down")): p.read_bytes() for p in (root / "down").rglob("*") if p.is_file()}
    assert back == files
    assert summary == Summary(len(files), sum(map(len, files.values())))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("./\\ab-~ ", min_size=1, max_size=8), max_size=6))
def test_no_plan_leads_outside_or_names_a_file_twice(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    root = tmp_path_factory.getbasetemp() / "never-made"
    try:
        plan = downloads(root, *sorted(set(keys)))
    except (PathEscapes, KeysCollide):
        return
    targets = [item.target for item in plan if not item.is_folder]
    assert len(set(targets)) == len(targets)
    assert all(root in target.parents for target in targets)
    assert not any(".." in target.parts for target in targets)


# Runs


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_no_more_files_are_on_their_way_than_allowed(limit: int) -> None:
    engine = Doing(lambda key, stop: time.sleep(0.002))
    assert upload_all(uploads(60), engine, max_concurrency=limit) == Summary(60, 60)
    assert engine.most == limit


def test_threads_end_with_the_transfer() -> None:
    before = threading.active_count()
    upload_all(uploads(100), Doing(lambda key, stop: None), max_concurrency=8)
    assert threading.active_count() == before


def test_an_empty_plan_starts_nothing() -> None:
    assert upload_all([], Doing(lambda key, stop: None), max_concurrency=4) == Summary(0, 0)
    with pytest.raises(ValueError, match="max_concurrency is 0"):
        upload_all([], Doing(lambda key, stop: None), max_concurrency=0)


def test_the_first_failure_wins_and_stops_the_others() -> None:
    def do(key: str, stop: threading.Event) -> None:
        if key == "5":
            raise OSError("the disk broke")
        if int(key) > 5:
            assert stop.wait(DEADLINE_SECONDS)
            raise TransferStopped("stopped")

    engine = Doing(do)
    with pytest.raises(OSError, match="the disk broke"):
        upload_all(uploads(1000), engine, max_concurrency=4)
    assert engine.seen < 20


def test_a_failing_plan_is_an_error_too() -> None:
    def plan() -> Iterator[Upload]:
        yield from uploads(transfer.LOOKAHEAD + 5)
        raise PathEscapes("up")

    with pytest.raises(PathEscapes, match="up"):
        upload_all(plan(), Doing(lambda key, stop: None), max_concurrency=4)


def test_a_bad_key_among_the_first_stops_a_transfer_unbegun() -> None:
    def plan() -> Iterator[Upload]:
        yield from uploads(transfer.LOOKAHEAD - 5)
        raise PathEscapes("up")

    engine = Doing(lambda key, stop: None)
    with pytest.raises(PathEscapes):
        upload_all(plan(), engine, max_concurrency=4)
    assert engine.seen == 0


def test_a_set_event_ends_the_transfer_and_leaves_no_part(tmp_path: Path) -> None:
    stop, begun = threading.Event(), threading.Barrier(3)

    def do(key: str, halt: threading.Event) -> None:
        begun.wait(DEADLINE_SECONDS)
        assert halt.wait(DEADLINE_SECONDS)
        raise TransferStopped("stopped")

    def press() -> None:
        begun.wait(DEADLINE_SECONDS)
        stop.set()

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(TransferStopped):
        download_all(downloads(tmp_path, "a", "b", "c", "d"), Doing(do), max_concurrency=2, stop=stop)
    presser.join()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_the_transfer_and_leaves_no_part(tmp_path: Path) -> None:
    begun = threading.Barrier(2)

    def do(key: str, halt: threading.Event) -> None:
        if begun.wait(DEADLINE_SECONDS) == 0:
            _thread.interrupt_main()
        assert halt.wait(DEADLINE_SECONDS)
        time.sleep(0.05)  # some way from the stop to the end
        raise TransferStopped("stopped")

    with pytest.raises(KeyboardInterrupt):
        download_all(downloads(tmp_path, "a", "b", "c"), Doing(do), max_concurrency=2)
    assert list(tmp_path.iterdir()) == []


def test_a_long_plan_is_never_held_whole() -> None:
    made = moved = most_ahead = 0

    def plan() -> Iterator[Upload]:
        nonlocal made, most_ahead
        for item in uploads(60_000):
            made += 1
            most_ahead = max(most_ahead, made - moved)
            yield item

    class Counting:
        def upload(self, item: Upload, stop: threading.Event) -> None:
            nonlocal moved
            moved += 1

        download = upload

    tracemalloc.start()
    try:
        upload_all(plan(), Counting(), max_concurrency=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert moved == 60_000
    assert most_ahead <= transfer.LOOKAHEAD + 1
    assert peak < 10 * 2**20


def test_context_variables_reach_the_workers() -> None:
    variable = contextvars.ContextVar("variable", default="")
    seen: set[str] = set()
    variable.set("here")
    upload_all(uploads(20), Doing(lambda key, stop: seen.add(variable.get())), max_concurrency=3)
    assert seen == {"here"}


def test_a_file_in_the_way_of_a_marker_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"a'.*Remove"):
        download_all(downloads(tmp_path, "a/"), Memory(), max_concurrency=1)


# The brake


def test_a_brake_limits_the_workers_and_lets_all_go_at_the_end() -> None:
    brake = Brake()
    for _ in range(10):
        brake.heard(1.0)
    assert brake.limit == LOWEST
    engine = Doing(lambda key, stop: time.sleep(0.002))
    upload_all(uploads(60), engine, max_concurrency=32, stop=brake)
    assert engine.most == LOWEST


def test_a_brake_lets_more_through_while_the_loop_is_on_time() -> None:
    brake = Brake()
    first = brake.limit
    for _ in range(200):
        brake.heard(0.001)
    assert brake.limit > 4 * first
    engine = Doing(lambda key, stop: time.sleep(0.01))
    upload_all(uploads(60), engine, max_concurrency=20, stop=brake)
    assert engine.most == 20


def test_a_set_brake_frees_those_who_wait_for_their_turn() -> None:
    brake, begun = Brake(), threading.Event()

    def do(key: str, halt: threading.Event) -> None:
        begun.set()
        assert halt.wait(DEADLINE_SECONDS)
        raise TransferStopped("stopped")

    threading.Thread(target=lambda: (begun.wait(DEADLINE_SECONDS), brake.set())).start()
    with pytest.raises(TransferStopped):
        upload_all(uploads(100), Doing(do), max_concurrency=32, stop=brake)
