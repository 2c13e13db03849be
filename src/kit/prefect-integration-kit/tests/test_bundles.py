"""A bundle arrives as it was uploaded or is refused; its files are unpacked where the flow runs and nowhere else."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_integration_kit import _archives
from prefect_integration_kit.bundles import (
    DIGEST,
    PYTHON,
    BundleFileNotFound,
    BundleRefused,
    bundle_key,
    download_bundle,
    execute_stored_bundle,
    upload_bundle,
)


@dataclass
class FolderStore:
    """A store on disk: an object, and its metadata in a file beside it."""

    root: Path

    def url(self, key: str) -> str:
        return f"folder://{key}"

    def put(self, source: Path, key: str, metadata: Mapping[str, str]) -> None:
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        self.describe(key, **metadata)

    def get(self, key: str, target: Path) -> Mapping[str, str]:
        shutil.copyfile(self.root / key, target)
        return json.loads((self.root / f"{key}.metadata").read_text())

    def describe(self, key: str, **metadata: str) -> None:
        (self.root / f"{key}.metadata").write_text(json.dumps(metadata))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the run, empty."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.json"
    path.write_text('{"function": "f", "context": "c", "flow_run": {}}')
    return path


# Up and down ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 12_345], ids=["empty", "small", "chunks"])
def test_what_is_uploaded_twice_is_downloaded_once(store: FolderStore, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)
    assert upload_bundle(store, str(source), "a/b") == upload_bundle(store, source, "a/b") == "a/b"
    path = download_bundle(store, "a/b", tmp_path / "out")
    assert path == tmp_path / "out" / "a" / "b"
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_bundle_without_a_key_is_named_after_its_file(store: FolderStore, file: Path) -> None:
    assert upload_bundle(store, file) == upload_bundle(store, file, "") == "bundle.json"


def test_a_file_that_does_not_exist_is_refused_by_name(store: FolderStore, tmp_path: Path) -> None:
    for absent in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(BundleFileNotFound, match=absent.name) as caught:
            upload_bundle(store, absent, "k")
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize(
    ("key", "written"),
    [("a", "a"), ("a//b/", "a/b"), ("./a/./b", "a/b"), ("/a", "a"), ("...", "..."), ("a ü", "a ü")],
)
def test_keys_are_written_in_one_way(key: str, written: str) -> None:
    assert bundle_key(key) == written


@pytest.mark.parametrize("key", ["", "/", ".", "..", "../a", "a/../b", "a\\..\\b", "a\0b", "a\nb"])
def test_odd_keys_are_refused_on_both_ways(store: FolderStore, tmp_path: Path, file: Path, key: str) -> None:
    with pytest.raises(ValueError, match="Bundle key"):
        download_bundle(store, key, tmp_path / "out")
    if key:  # an empty one means the name of the file
        with pytest.raises(ValueError, match="Bundle key"):
            upload_bundle(store, file, key)
    assert not (tmp_path / "store").exists()


@given(key=st.text(st.sampled_from("a./\\ü"), max_size=8))
def test_a_key_is_written_once_for_all(key: str) -> None:
    try:
        written = bundle_key(key)
    except ValueError:
        return
    assert bundle_key(written) == written
    assert not written.startswith("/")


def test_a_link_cannot_lead_a_download_outside(store: FolderStore, tmp_path: Path, file: Path) -> None:
    upload_bundle(store, file, "a/b")
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="symbolic link"):
        download_bundle(store, "a/b", tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("damage", [b"", b"other", None])
def test_a_bundle_that_was_changed_is_refused_and_does_not_stay(
    store: FolderStore, tmp_path: Path, file: Path, damage: bytes | None
) -> None:
    upload_bundle(store, file, "k")
    (store.root / "k").write_bytes(file.read_bytes()[:-1] if damage is None else damage)
    with pytest.raises(BundleRefused, match=r"folder://k is not what was uploaded"):
        download_bundle(store, "k", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_an_object_without_a_digest_is_taken_as_it_is(store: FolderStore, tmp_path: Path, file: Path) -> None:
    upload_bundle(store, file, "k")
    store.describe("k")
    assert download_bundle(store, "k", tmp_path).read_bytes() == file.read_bytes()


# Execution -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bundle(prefect_harness: None, tmp_path: Path) -> dict[str, Any]:
    """A bundle, as Prefect writes it, of a flow that copies a file which travels with it."""
    from prefect import flow, get_client
    from prefect.bundles import create_bundle_for_flow_run
    from prefect.workers.process import ProcessWorker

    from prefect_integration_kit.infrastructure import bind

    project = tmp_path / "project"
    (project / "bin").mkdir(parents=True)
    (project / "greeting.txt").write_text("hello")
    (project / "bin" / "tool.sh").write_text("#!/bin/sh\n")
    (project / "bin" / "tool.sh").chmod(0o755)

    @bind(
        "process",
        ProcessWorker,
        work_pool="none",
        job_variables={},
        launcher=["python"],
        include_files=["greeting.txt", "bin/"],
        include_files_base_dir=project,
    )
    @flow(name=f"kit-bundle-{tmp_path.name}")
    def copy_greeting() -> None:
        with open("greeting.txt") as source, open("said.txt", "a") as target:
            target.write(source.read() + str(len(os.listdir())))

    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(copy_greeting)
    made = create_bundle_for_flow_run(copy_greeting, flow_run)
    assert made["zip_path"] is not None
    return {**made["bundle"], "zip": made["zip_path"]}


@pytest.fixture
def stored(bundle: dict[str, Any], store: FolderStore) -> dict[str, Any]:
    """The same, in the store as `k`, with its archive."""
    write_stored(bundle, store)
    upload_bundle(store, bundle["zip"], bundle["files_key"])
    return bundle


def write_stored(bundle: dict[str, Any], store: FolderStore, **changes: Any) -> None:
    path = store.root.with_name("written.json")
    path.write_text(json.dumps({name: value for name, value in {**bundle, **changes}.items() if name != "zip"}))
    upload_bundle(store, path, "k")


def state_of(bundle: dict[str, Any]) -> str:
    from prefect import get_client

    with get_client(sync_client=True) as client:
        state = client.read_flow_run(bundle["flow_run"]["id"]).state
    assert state is not None
    return state.name


def test_a_stored_bundle_runs_with_its_files_once_and_leaves_no_download(
    stored: dict[str, Any], store: FolderStore, workdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    write_stored(stored, store, dependencies=f"pytest=={version('pytest')}")
    monkeypatch.setenv("PATH", "")  # no uv, which is not needed
    monkeypatch.setitem(sys.modules, "uv", None)
    execute_stored_bundle(store, "k")
    assert state_of(stored) == "Completed"
    assert (workdir / "said.txt").read_text() == "hello3"  # beside the greeting and the folder `bin`
    assert os.access(workdir / "bin" / "tool.sh", os.X_OK)
    assert not list((tmp_path / "temporary").glob("prefect-bundle-*"))
    execute_stored_bundle(store, "k")  # delivered again
    assert (workdir / "said.txt").read_text() == "hello3"
    assert state_of(stored) == "Completed"

    deleted: list[str] = []
    execute_stored_bundle(store, "/k", delete=deleted.append)
    assert deleted == ["k"]


def test_a_bundle_is_deleted_once_its_run_has_ended_and_a_failure_of_that_is_only_logged(
    stored: dict[str, Any], store: FolderStore, workdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    states: list[str] = []

    def refuse(key: str) -> None:
        states.append(f"{key} {state_of(stored)}")
        raise PermissionError("may not delete")

    write_stored(stored, store, dependencies="")
    execute_stored_bundle(store, "k", delete=refuse)
    assert states == ["k Completed"]
    assert "was not deleted: may not delete" in caplog.text


def test_files_are_compared_with_the_digest_that_names_them(
    stored: dict[str, Any], store: FolderStore, workdir: Path
) -> None:
    key = stored["files_key"]
    store.describe(key)  # as if uploaded without a digest
    with zipfile.ZipFile(store.root / key, "w") as archive:
        archive.writestr("greeting.txt", "something else")
    with pytest.raises(BundleRefused, match="does not hold the files that its key names"):
        execute_stored_bundle(store, "k")
    assert not list(workdir.iterdir())
    assert state_of(stored) == "Pending"


def test_prefect_still_names_archives_in_the_way_that_is_checked(bundle: dict[str, Any]) -> None:
    digest = bundle["files_key"].removeprefix("files/").removesuffix(".zip")
    assert _archives.names_content(bundle["zip"], digest, "archive")
    assert not _archives.names_content(bundle["zip"], "0" * 64, "archive")


@pytest.mark.parametrize(
    ("content", "says"),
    [("not json", "it is not JSON"), ("[]", "has no function"), ('{"function": ""}', "has no function")],
)
def test_what_is_no_bundle_is_refused(store: FolderStore, tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "other").write_text(content)
    upload_bundle(store, tmp_path / "other", "k")
    with pytest.raises(BundleRefused, match=f"folder://k is not a bundle: .*{says}"):
        execute_stored_bundle(store, "k")


@pytest.mark.parametrize("files_key", ["../../etc/passwd", "files/../x"])
def test_a_bundle_cannot_name_files_outside_of_the_store(
    bundle: dict[str, Any], store: FolderStore, workdir: Path, files_key: str
) -> None:
    write_stored(bundle, store, files_key=files_key)
    with pytest.raises(ValueError, match="Bundle key"):
        execute_stored_bundle(store, "k")


def test_another_python_is_warned_of_before_anything_is_loaded(
    bundle: dict[str, Any], store: FolderStore, workdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_stored(bundle, store, files_key="files/absent.zip")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    metadata = json.loads((store.root / "k.metadata").read_text())
    assert metadata[PYTHON] == here
    for uploaded_by, warned in ((here, False), ("2.7", True)):
        store.describe("k", **{DIGEST: metadata[DIGEST], PYTHON: uploaded_by})
        caplog.clear()
        with caplog.at_level(logging.WARNING), pytest.raises(FileNotFoundError):
            execute_stored_bundle(store, "k")
        assert ("uploaded by Python 2.7" in caplog.text) is warned


# Archives ------------------------------------------------------------------------------------------------------------


def member(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def archive_of(path: Path, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.txt", b"good")
        for info, content in members:
            archive.writestr(info, content)
    return path


@pytest.mark.parametrize(
    ("info", "says"),
    [
        (member("../evil"), "outside"),
        (member("a/../../evil"), "outside"),
        (member("/tmp/evil"), "outside"),
        (member("..\\evil"), "outside"),
        (member("a/.."), "outside"),
        (member("link", stat.S_IFLNK | 0o777), "a symbolic link"),
        (member("pipe", stat.S_IFIFO | 0o644), "neither a file nor a folder"),
        (member("device", stat.S_IFCHR | 0o644), "neither a file nor a folder"),
    ],
)
def test_an_archive_with_an_unsafe_member_is_refused_whole(
    tmp_path: Path, workdir: Path, info: zipfile.ZipInfo, says: str
) -> None:
    with pytest.raises(BundleRefused, match=f"files: .*{says}"):
        _archives.unpack(archive_of(tmp_path / "a.zip", (info, b"/etc/passwd")), workdir, "files")
    assert not list(workdir.iterdir())
    assert not (tmp_path / "evil").exists()


def test_a_link_in_the_working_directory_is_not_written_through(tmp_path: Path, workdir: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("keep")
    (workdir / "folder").symlink_to(outside)
    (workdir / "file").symlink_to(outside / "file")
    with pytest.raises(BundleRefused, match="symbolic link"):
        _archives.unpack(archive_of(tmp_path / "a.zip", (member("folder/x"), b"")), workdir, "files")
    assert _archives.unpack(archive_of(tmp_path / "b.zip", (member("file"), b"new")), workdir, "files") == 2
    assert (workdir / "file").read_text() == "new"
    assert (outside / "file").read_text() == "keep"
    assert os.listdir(outside) == ["file"]


def test_permissions_are_kept_but_for_set_user_id(tmp_path: Path, workdir: Path) -> None:
    modes = {"run.sh": 0o4755, "secret": 0o600, "plain": 0}
    members = [(member(name, stat.S_IFREG | mode if mode else 0), b"") for name, mode in modes.items()]
    _archives.unpack(archive_of(tmp_path / "a.zip", *members), workdir, "files")
    assert stat.S_IMODE((workdir / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((workdir / "secret").stat().st_mode) == 0o600
    assert (workdir / "plain").exists()


def test_a_file_that_is_there_is_replaced_and_a_warning_says_so(
    tmp_path: Path, workdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (workdir / "good.txt").write_text("mine")
    _archives.unpack(archive_of(tmp_path / "a.zip"), workdir, "files")
    assert (workdir / "good.txt").read_text() == "good"
    assert "replaces the file good.txt" in caplog.text


def test_folders_are_made_and_a_file_in_their_place_is_named(tmp_path: Path, workdir: Path) -> None:
    archive = archive_of(tmp_path / "a.zip", (member("empty/", stat.S_IFDIR | 0o755), b""), (member("a/b/c"), b"1"))
    assert _archives.unpack(archive, workdir, "files") == 2
    assert (workdir / "empty").is_dir()
    shutil.rmtree(workdir / "a")
    (workdir / "a").write_text("a file")
    with pytest.raises(NotADirectoryError, match=r"/a/b/c.* is a file, not a folder"):
        _archives.unpack(archive, workdir, "files")


def test_an_archive_cannot_fill_the_disk(tmp_path: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = archive_of(tmp_path / "bomb.zip", (member("zeros"), bytes(10_000_000)))
    assert bomb.stat().st_size < 20_000
    monkeypatch.setattr(_archives, "ALWAYS_ALLOWED_BYTES", 1_000_000)
    with pytest.raises(BundleRefused, match="would unpack to 10000004 bytes, more than 100 times its own size"):
        _archives.unpack(bomb, workdir, "files")
    monkeypatch.setattr(_archives, "MAX_MEMBERS", 1)
    with pytest.raises(BundleRefused, match="holds 2 files; at most 1"):
        _archives.unpack(bomb, workdir, "files")
    assert not list(workdir.iterdir())


def test_a_size_that_an_archive_hides_is_not_written(tmp_path: Path, workdir: Path) -> None:
    content = archive_of(tmp_path / "a.zip", (member("zeros"), bytes(1_000_000))).read_bytes()
    shrunk = tmp_path / "lies.zip"
    shrunk.write_bytes(content.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(BundleRefused, match="cannot be unpacked"):
        _archives.unpack(shrunk, workdir, "files")
    assert sum(path.stat().st_size for path in workdir.iterdir()) < 100


@pytest.mark.parametrize("damage", ["no zip", "cut", "content", "encrypted"])
def test_a_damaged_archive_is_refused(tmp_path: Path, workdir: Path, damage: str) -> None:
    path = archive_of(tmp_path / "a.zip", (member("x"), b"content that matters" * 100))
    content = path.read_bytes()
    if damage == "encrypted":
        # The first flag bit, in both headers of each member.
        content = content.replace(b"PK\3\4\x14\0\0\0", b"PK\3\4\x14\0\1\0").replace(
            b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"
        )
    path.write_bytes(
        {
            "no zip": b"something",
            "cut": content[: len(content) // 2],
            "content": content.replace(content[110:112], b"\0\0"),
        }.get(damage, content)
    )
    with pytest.raises(BundleRefused, match=r"files(:| cannot be unpacked)"):
        _archives.unpack(path, workdir, "files")
    assert not (workdir / "x").exists()
