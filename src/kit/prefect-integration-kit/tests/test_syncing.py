from __future__ import annotations

import hashlib
import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from prefect_integration_kit.syncing import Compare, SyncPlan, files_without_object
from prefect_integration_kit.transfer import Download, RemoteObject, Upload

LONG_AGO = 1_000_000_000.0
MD5 = hashlib.md5(b"12345").hexdigest()
OTHER = hashlib.md5(b"other").hexdigest()


def remote(modified: float | None = LONG_AGO, size: int = 5, etag: str | None = f'"{MD5}"') -> RemoteObject:
    moment = None if modified is None else datetime.fromtimestamp(modified, timezone.utc)
    return RemoteObject("k", size, moment, etag)


def file(path: Path, modified: float) -> Path:
    path.write_bytes(b"12345")
    os.utime(path, (modified, modified))
    return path


UPLOADS = [
    ("nothing is there", LONG_AGO, None, True, True),
    ("another size", LONG_AGO - 99, remote(size=4), True, True),
    ("an older file", LONG_AGO - 99, remote(), False, False),
    ("a newer file", LONG_AGO + 99, remote(), True, False),
    ("an older file of other content", LONG_AGO - 99, remote(etag=OTHER), False, True),
    ("the same second, the same content", LONG_AGO + 0.9, remote(), False, False),
    ("the same second, other content", LONG_AGO - 0.9, remote(etag=f'"{OTHER}"'), True, True),
    ("the same second, no checksum, newer", LONG_AGO + 0.9, remote(etag='"abc-2"'), True, True),
    ("the same second, no checksum, older", LONG_AGO - 0.9, remote(etag=None), False, False),
    ("no time and no checksum", LONG_AGO, remote(None, etag=None), True, True),
    ("no time but the same content", LONG_AGO, remote(None), False, False),
]


@pytest.mark.parametrize(("case", "modified", "there", "by_time", "by_checksum"), UPLOADS)
def test_an_upload_is_due_when_the_store_lacks_it(
    tmp_path: Path, case: str, modified: float, there: RemoteObject | None, by_time: bool, by_checksum: bool
) -> None:
    item = Upload(file(tmp_path / "f", modified), "k", 5)
    for compare, due in (("time", by_time), ("checksum", by_checksum)):
        plan = SyncPlan(compare)
        assert list(plan.uploads([item], {} if there is None else {"k": there})) == ([item] if due else []), case
        assert plan.skipped == (not due)


DOWNLOADS = [
    ("the object's own time", LONG_AGO, remote(), False, False),
    ("an edited file", LONG_AGO + 99, remote(), True, False),
    ("an older copy", LONG_AGO - 99, remote(etag=OTHER), True, True),
    ("the object's own time, other content", LONG_AGO, remote(etag=OTHER), False, True),
    ("another size", LONG_AGO, remote(size=6), True, True),
    ("no checksum", LONG_AGO + 99, remote(etag="x-3"), True, True),
]


@pytest.mark.parametrize(("case", "modified", "there", "by_time", "by_checksum"), DOWNLOADS)
def test_a_download_is_due_when_the_disk_lacks_it(
    tmp_path: Path, case: str, modified: float, there: RemoteObject, by_time: bool, by_checksum: bool
) -> None:
    item = Download("k", file(tmp_path / "f", modified), there.size_bytes, there.modified)
    for compare, due in (("time", by_time), ("checksum", by_checksum)):
        assert bool(list(SyncPlan(compare).downloads([item], {"k": there}))) == due, case


@pytest.mark.parametrize("compare", ["time", "checksum"])
def test_an_object_replaced_in_the_second_of_its_download_is_due(tmp_path: Path, compare: Compare) -> None:
    (tmp_path / "f").write_bytes(b"12345")  # just now
    now = (tmp_path / "f").stat().st_mtime
    there = remote(now, etag=OTHER)
    item = Download("k", tmp_path / "f", 5, there.modified)
    assert list(SyncPlan(compare).downloads([item], {"k": there})) == [item]


def test_a_marker_is_due_while_there_is_no_folder(tmp_path: Path) -> None:
    item = Download("d/", tmp_path / "d", 0)
    there = RemoteObject("d/", 0)
    assert list(SyncPlan().downloads([item], {"d/": there})) == [item]
    (tmp_path / "d").mkdir()
    assert list(SyncPlan().downloads([item], {"d/": there})) == []


def test_only_files_without_an_object_go(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_bytes(b"")
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    for name in ("kept", "gone", "real/kept", "real/gone"):
        (root / name).write_bytes(b"")
    (root / "dead").symlink_to(root / "nowhere")
    (root / "away").symlink_to(tmp_path / "outside")
    (root / "alias").symlink_to(root / "real")
    plan = [Download(name, root / name, 0) for name in ("kept", "alias/kept")]
    names = [str(path.relative_to(root)) for path in files_without_object(root, plan)]
    assert names == ["dead", "gone", "real/gone"]
