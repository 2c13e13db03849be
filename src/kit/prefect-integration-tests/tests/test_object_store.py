"""The suites of file systems, folders and object stores: a store on disk passes, broken ones do not."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from pathspec import PathSpec
from prefect.blocks.core import Block

from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.paths import (
    folder_prefix,
    local_target,
    object_key,
    relative_key,
)
from prefect_integration_tests.faces import Call
from prefect_integration_tests.suites import FileSystemSuite, FolderSuite, ObjectStoreSuite


class DiskService:
    """An object store on disk: any key is allowed, since files are named by the key's hash."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        return self.root / hashlib.sha256(key.encode()).hexdigest()

    def put(self, key: str, content: bytes) -> None:
        self.path(key).write_bytes(content)
        self.name(key)

    def name(self, key: str) -> None:
        self.path(key).with_suffix(".key").write_text(key, encoding="utf-8", newline="")

    def get(self, key: str) -> bytes:
        return self.path(key).read_bytes()

    def keys(self) -> list[str]:
        return sorted(p.read_text(encoding="utf-8") for p in self.root.glob("*.key"))


class DiskStore(Block):
    """An object store block over `DiskService`, right in all that the suites ask."""

    root: Path
    folder: str = ""

    @property
    def service(self) -> DiskService:
        return DiskService(self.root)

    def _key(self, path: str) -> str:
        return object_key(self.folder, path)

    def _prefix(self, folder: str | None) -> str:
        return folder_prefix(self.folder, folder)

    def _open(self, path: str) -> Any:
        try:
            return self.service.path(self._key(path)).open("rb")
        except FileNotFoundError:
            raise FileNotFoundError(f"No object {path!r}.") from None

    def _read(self, path: str) -> bytes:
        with self._open(path) as file:
            return file.read()

    def _write(self, path: str, content: bytes) -> str:
        key = self._key(path)
        self.service.put(key, content)
        return key

    def _list(self, folder: str = "") -> list[dict[str, str]]:
        prefix = self._prefix(folder)
        return [{"Key": key} for key in list(self.service.keys()) if key.startswith(prefix)]

    def _save(self, file: Any, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as part:
                shutil.copyfileobj(file, part)
            os.replace(name, target)
        except BaseException:
            Path(name).unlink()
            raise

    def _download(self, from_path: str, to_path: Any) -> Path:
        target = Path(to_path or Path(from_path).name)
        with self._open(from_path) as file:
            self._save(file, target)
        return target

    def _download_file(self, from_path: str, to_file_object: Any) -> Any:
        with self._open(from_path) as file:
            shutil.copyfileobj(file, to_file_object)
        return to_file_object

    def _upload_file(self, from_file_object: Any, to_path: str) -> str:
        key = self._key(to_path)
        self._save(from_file_object, self.service.path(key))
        self.service.name(key)
        return key

    def _upload(self, from_path: Any, to_path: str | None = None) -> str:
        with Path(from_path).open("rb") as file:
            return self._upload_file(file, to_path or Path(from_path).name)

    def _put(self, local_path: Any = None, to_path: str | None = None, ignore: Any = None) -> int:
        root = Path(local_path or ".")
        if not root.is_dir():
            raise NotADirectoryError(f"{str(root)!r} is not a folder.")
        lines = Path(ignore).read_text().splitlines() if ignore else []
        spec = PathSpec.from_lines("gitignore", lines)
        files = [p for p in sorted(root.rglob("*")) if p.is_file()]
        files = [p for p in files if not spec.match_file(p.relative_to(root).as_posix())]
        for path in files:
            self._upload(path, self._prefix(to_path) + path.relative_to(root).as_posix())
        return len(files)

    def _get(self, from_path: str | None = None, local_path: Any = None) -> None:
        prefix = self._prefix(from_path)
        root = Path(local_path or ".")
        keys = [entry["Key"] for entry in self._list(from_path or "")]
        plan = [(key, local_target(root, relative_key(key, prefix))) for key in keys if not key.endswith("/")]
        made: list[Path] = []
        root_was_there = root.exists()
        try:
            for key, target in plan:
                made += [p for p in target.parents if not p.exists() and root in p.parents]
                self._download(key, target)
        except BaseException:
            for folder in sorted(set(made), reverse=True):
                folder.rmdir() if not any(folder.iterdir()) else None
            if not root_was_there:
                shutil.rmtree(root, ignore_errors=True)
            raise

    def _copy(self, from_path: str, to_path: str, to_bucket: Any = None) -> str:
        with self._open(from_path) as file:
            return (to_bucket or self)._upload_file(file, to_path)

    def _move(self, from_path: str, to_path: str, to_bucket: Any = None) -> str:
        key = self._copy(from_path, to_path, to_bucket)
        source = self._key(from_path)
        if key != source:
            self.service.path(source).unlink()
            self.service.path(source).with_suffix(".key").unlink()
        return key

    # The faces

    async def aread_path(self, path: str) -> bytes:
        return await run_sync_in_worker_thread(self._read, path)

    @async_dispatch(aread_path)
    def read_path(self, path: str) -> bytes:
        return self._read(path)

    async def awrite_path(self, path: str, content: bytes) -> str:
        return await run_sync_in_worker_thread(self._write, path, content)

    @async_dispatch(awrite_path)
    def write_path(self, path: str, content: bytes) -> str:
        return self._write(path, content)

    async def alist_objects(self, folder: str = "") -> list[dict[str, str]]:
        return await run_sync_in_worker_thread(self._list, folder)

    @async_dispatch(alist_objects)
    def list_objects(self, folder: str = "") -> list[dict[str, str]]:
        return self._list(folder)

    async def aput_directory(self, local_path=None, to_path=None, ignore_file=None) -> int:
        return await run_sync_in_worker_thread(self._put, local_path, to_path, ignore_file)

    @async_dispatch(aput_directory)
    def put_directory(self, local_path=None, to_path=None, ignore_file=None) -> int:
        return self._put(local_path, to_path, ignore_file)

    async def aget_directory(self, from_path=None, local_path=None) -> None:
        await run_sync_in_worker_thread(self._get, from_path, local_path)

    @async_dispatch(aget_directory)
    def get_directory(self, from_path=None, local_path=None) -> None:
        self._get(from_path, local_path)

    async def aupload_from_folder(self, from_folder, to_folder=None) -> str:
        await self.aput_directory(from_folder, to_folder)
        return to_folder

    @async_dispatch(aupload_from_folder)
    def upload_from_folder(self, from_folder, to_folder=None) -> str:
        self._put(from_folder, to_folder)
        return to_folder

    async def adownload_folder_to_path(self, from_folder, to_folder=None) -> Path:
        await self.aget_directory(from_folder, to_folder)
        return Path(to_folder or ".")

    @async_dispatch(adownload_folder_to_path)
    def download_folder_to_path(self, from_folder, to_folder=None) -> Path:
        self._get(from_folder, to_folder)
        return Path(to_folder or ".")

    async def aupload_from_path(self, from_path, to_path=None) -> str:
        return await run_sync_in_worker_thread(self._upload, from_path, to_path)

    @async_dispatch(aupload_from_path)
    def upload_from_path(self, from_path, to_path=None) -> str:
        return self._upload(from_path, to_path)

    async def aupload_from_file_object(self, from_file_object, to_path) -> str:
        return await run_sync_in_worker_thread(self._upload_file, from_file_object, to_path)

    @async_dispatch(aupload_from_file_object)
    def upload_from_file_object(self, from_file_object, to_path) -> str:
        return self._upload_file(from_file_object, to_path)

    async def adownload_object_to_path(self, from_path, to_path) -> Path:
        return await run_sync_in_worker_thread(self._download, from_path, to_path)

    @async_dispatch(adownload_object_to_path)
    def download_object_to_path(self, from_path, to_path) -> Path:
        return self._download(from_path, to_path)

    async def adownload_object_to_file_object(self, from_path, to_file_object) -> Any:
        return await run_sync_in_worker_thread(self._download_file, from_path, to_file_object)

    @async_dispatch(adownload_object_to_file_object)
    def download_object_to_file_object(self, from_path, to_file_object) -> Any:
        return self._download_file(from_path, to_file_object)

    async def astream_from(self, bucket, from_path, to_path=None) -> str:
        target = to_path or from_path
        return await run_sync_in_worker_thread(bucket._copy, from_path, target, self)

    @async_dispatch(astream_from)
    def stream_from(self, bucket, from_path, to_path=None) -> str:
        return bucket._copy(from_path, to_path or from_path, self)

    def copy_object(self, from_path, to_path, to_bucket=None) -> str:
        return self._copy(from_path, to_path, to_bucket)

    async def amove_object(self, from_path, to_path, to_bucket=None) -> str:
        return await run_sync_in_worker_thread(self._move, from_path, to_path, to_bucket)

    @async_dispatch(amove_object)
    def move_object(self, from_path, to_path, to_bucket=None) -> str:
        return self._move(from_path, to_path, to_bucket)


class TestDiskStore(ObjectStoreSuite):
    """A store that does all right passes every test."""

    folder_field = "folder"
    large_bytes = 64 * 2**20
    memory_limit_bytes = 16 * 2**20

    @pytest.fixture
    def store(self, tmp_path_factory):
        return DiskStore(root=tmp_path_factory.mktemp("service"), folder="base/folder")

    @pytest.fixture
    def raw(self, store):
        return store.service


# Doubles that must fail, by what is wrong with them


class Forgets(DiskStore):
    def _write(self, path, content):
        return self._key(path)


class Remembers(DiskStore):
    """Has what another test wrote."""

    def _read(self, path):
        return b"1" if path == "first.bin" else super()._read(path)


class CutsText(DiskStore):
    """Stops at the first zero byte."""

    def _read(self, path):
        return super()._read(path).partition(b"\0")[0]


class DropsEmpty(DiskStore):
    def _write(self, path, content):
        return super()._write(path, content) if content else path

    def _upload_file(self, from_file_object, to_path):
        content = from_file_object.read()
        return self._write(to_path, content) if content else to_path


class Appends(DiskStore):
    def _write(self, path, content):
        file = self.service.path(self._key(path))
        return super()._write(path, content + (file.read_bytes()[len(content) :] if file.exists() else b""))


class DecodesPercent(DiskStore):
    def _key(self, path):
        from urllib.parse import unquote

        return super()._key(unquote(path))


class DoesNotNameMissing(DiskStore):
    def _open(self, path):
        try:
            return super()._open(path)
        except FileNotFoundError:
            raise FileNotFoundError("Not found.") from None


class MissingIsEmpty(DiskStore):
    def _open(self, path):
        try:
            return super()._open(path)
        except FileNotFoundError:
            import io

            return io.BytesIO()


class Climbs(DiskStore):
    def _key(self, path):
        return os.path.normpath(f"{self.folder}/{path}") if ".." in path else super()._key(path)


class AsyncElsewhere(DiskStore):
    """The async face resolves paths in its own way."""

    async def awrite_path(self, path, content):
        return await run_sync_in_worker_thread(self._write, f"async/{path}", content)

    async def aread_path(self, path):
        return await run_sync_in_worker_thread(self._read, f"async/{path}")


class NotDispatched(DiskStore):
    def read_path(self, path):
        return self._read(path)

    def write_path(self, path, content):
        return self._write(path, content)


class SharesState(DiskStore):
    """Keeps the current path on the block, which concurrent calls overwrite."""

    async def awrite_path(self, path, content):
        object.__setattr__(self, "_current", path)
        await asyncio.sleep(0.001)
        return await run_sync_in_worker_thread(self._write, self._current, content)


class LogsContent(DiskStore):
    def _write(self, path, content):
        logging.getLogger("disk").debug("writing %r", content)
        return super()._write(path, content)


class Flattens(DiskStore):
    def _get(self, from_path=None, local_path=None):
        for entry in self._list(from_path or ""):
            self._download(entry["Key"], Path(local_path or ".") / Path(entry["Key"]).name)


class IgnoresTarget(DiskStore):
    def _put(self, local_path=None, to_path=None, ignore=None):
        return super()._put(local_path, None, ignore)


class IgnoresIgnore(DiskStore):
    def _put(self, local_path=None, to_path=None, ignore=None):
        return super()._put(local_path, to_path)


class NeedsPaths(DiskStore):
    def _put(self, local_path=None, to_path=None, ignore=None):
        return super()._put(local_path, to_path or "default", ignore)


class MarksFolders(DiskStore):
    def _put(self, local_path=None, to_path=None, ignore=None):
        self.service.put(self._prefix(to_path), b"")
        return super()._put(local_path, to_path, ignore)


class MatchesPrefix(DiskStore):
    def _list(self, folder=""):
        prefix = self._prefix(folder).rstrip("/")
        return [{"Key": key} for key in list(self.service.keys()) if key.startswith(prefix)]


class WritesMarkers(DiskStore):
    def _get(self, from_path=None, local_path=None):
        prefix = self._prefix(from_path)
        for entry in self._list(from_path or ""):
            target = Path(local_path) / relative_key(entry["Key"], prefix)
            self._download(entry["Key"], target)


class UploadsNothing(DiskStore):
    def _put(self, local_path=None, to_path=None, ignore=None):
        root = Path(local_path or ".")
        return super()._put(local_path, to_path, ignore) if root.is_dir() else 0


class Trusts(DiskStore):
    """Joins keys to the destination without a look at either."""

    def _get(self, from_path=None, local_path=None):
        prefix = self._prefix(from_path)
        for entry in self._list(from_path or ""):
            relative = relative_key(entry["Key"], prefix).lstrip("/").replace("\\", "/")
            self._download(entry["Key"], Path(os.path.normpath(Path(local_path) / relative)))


class WritesThroughLinks(DiskStore):
    def _save(self, file, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as to:
            shutil.copyfileobj(file, to)


class OnePage(DiskStore):
    def _list(self, folder=""):
        return super()._list(folder)[:100]


class BlocksTheLoop(DiskStore):
    async def aput_directory(self, local_path=None, to_path=None, ignore_file=None):
        time.sleep(0.08)
        return self._put(local_path, to_path, ignore_file)


class NoFolder(DiskStore):
    def _key(self, path):
        return path


class GluesFolder(DiskStore):
    """Takes the folder as a bare prefix."""

    def _key(self, path):
        return path if path.startswith(self.folder) else f"{self.folder}/{path}"


class AlwaysPrefixes(DiskStore):
    """Puts the folder before a key that has it already."""

    def _key(self, path):
        return f"{self.folder}/{path}".strip("/")


class ListsRelative(DiskStore):
    def _list(self, folder=""):
        prefix = self._prefix("")
        return [{"Key": entry["Key"][len(prefix) :]} for entry in super()._list(folder)]


class ReturnsNothing(DiskStore):
    def _download(self, from_path, to_path):
        super()._download(from_path, to_path)
        return Path()


class KeepsTheWholePath(DiskStore):
    def _upload(self, from_path, to_path=None):
        return super()._upload(from_path, to_path or str(from_path).strip("/"))


class Rewinds(DiskStore):
    def _upload_file(self, from_file_object, to_path):
        from_file_object.seek(0)
        return super()._upload_file(from_file_object, to_path)


class TouchesTarget(DiskStore):
    def _download(self, from_path, to_path):
        Path(to_path).write_bytes(b"")
        return super()._download(from_path, to_path)


class StreamsWithinItself(DiskStore):
    def _copy(self, from_path, to_path, to_bucket=None):
        return super()._copy(from_path, to_path)


class CopyIsMove(DiskStore):
    def _copy(self, from_path, to_path, to_bucket=None):
        key = super()._copy(from_path, to_path, to_bucket)
        if key != self._key(from_path):
            self.service.path(self._key(from_path)).with_suffix(".key").unlink()
        return key


class MoveIsCopy(DiskStore):
    def _move(self, from_path, to_path, to_bucket=None):
        return self._copy(from_path, to_path, to_bucket)


class MoveLoses(DiskStore):
    """An object moved onto itself is deleted."""

    def _move(self, from_path, to_path, to_bucket=None):
        key = self._copy(from_path, to_path, to_bucket)
        self.service.path(self._key(from_path)).unlink()
        self.service.path(self._key(from_path)).with_suffix(".key").unlink()
        return key


class StoresHalf(DiskStore):
    def _upload_file(self, from_file_object, to_path):
        self.service.name(self._key(to_path))
        return super()._upload_file(from_file_object, to_path)


class ReadsWhole(DiskStore):
    def _upload_file(self, from_file_object, to_path):
        return self._write(to_path, from_file_object.read())


class EmptyNowhere(DiskStore):
    """The fixture's service is not empty."""

    def model_post_init(self, context):
        super().model_post_init(context)
        self.service.put("left over", b"")


BROKEN: dict[str, type[DiskStore]] = {
    "test_the_file_system_is_empty_at_first": Remembers,
    "test_what_is_written_is_read": CutsText,
    "test_an_empty_file_is_a_file": DropsEmpty,
    "test_the_last_write_wins": Appends,
    "test_odd_paths_are_kept": DecodesPercent,
    "test_a_missing_file_is_named": DoesNotNameMissing,
    "test_a_path_that_climbs_out_is_refused": Climbs,
    "test_one_face_reads_what_the_other_wrote": AsyncElsewhere,
    "test_the_sync_name_can_be_awaited_on_a_loop": NotDispatched,
    "test_many_at_once_do_not_mix": SharesState,
    "test_content_is_not_logged": LogsContent,
    "test_a_directory_comes_back_as_it_was": Flattens,
    "test_a_directory_is_stored_under_its_folder": IgnoresTarget,
    "test_defaults_mean_the_whole_folder_and_the_working_directory": NeedsPaths,
    "test_an_uploaded_folder_is_downloaded": DropsEmpty,
    "test_an_empty_folder_stores_nothing": MarksFolders,
    "test_ignored_files_stay_here": IgnoresIgnore,
    "test_a_folder_is_not_its_sibling": MatchesPrefix,
    "test_folder_markers_do_not_become_files": WritesMarkers,
    "test_a_folder_that_is_a_file_is_refused": UploadsNothing,
    "test_no_key_leads_outside": Trusts,
    "test_no_link_leads_outside": WritesThroughLinks,
    "test_a_large_folder_is_complete": OnePage,
    "test_the_event_loop_is_free_meanwhile": BlocksTheLoop,
    "test_the_service_is_empty_at_first": EmptyNowhere,
    "test_objects_lie_in_the_folder": NoFolder,
    "test_slashes_around_the_folder_do_not_matter": GluesFolder,
    "test_a_returned_key_can_be_given_back": AlwaysPrefixes,
    "test_listings_show_whole_keys": ListsRelative,
    "test_an_uploaded_file_is_downloaded": ReturnsNothing,
    "test_names_default_to_the_files": KeepsTheWholePath,
    "test_file_objects_are_read_and_written": Rewinds,
    "test_a_missing_object_changes_nothing": TouchesTarget,
    "test_an_object_streams_from_store_to_store": StreamsWithinItself,
    "test_a_copy_leaves_the_original": CopyIsMove,
    "test_a_move_leaves_one_object": MoveLoses,
    "test_an_interrupted_upload_stores_nothing": StoresHalf,
    "test_an_interrupted_download_leaves_no_file": WritesThroughLinks,
    "test_memory_does_not_grow_with_the_object": ReadsWhole,
}

MORE_BROKEN = [
    ("test_what_is_written_is_read", Forgets),
    ("test_a_missing_file_is_named", MissingIsEmpty),
    ("test_no_link_leads_outside", Trusts),
    ("test_a_move_leaves_one_object", MoveIsCopy),
]


@pytest.mark.parametrize(("name", "double"), [*BROKEN.items(), *MORE_BROKEN])
async def test_a_broken_store_is_found_out(name, double, run_suite_test, tmp_path_factory) -> None:
    store = double(root=tmp_path_factory.mktemp("service"), folder="base")
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        await run_suite_test(
            TestDiskStore(),
            name,
            store=store,
            filesystem=store,
            raw=store.service,
            call=Call("async" if double is not AsyncElsewhere else "sync"),
        )
    assert not isinstance(caught.value, pytest.skip.Exception | KeyboardInterrupt)


def test_every_test_of_the_suites_has_a_double_that_fails_it(tests_of) -> None:
    suites = tests_of(ObjectStoreSuite) | tests_of(FileSystemSuite) | tests_of(FolderSuite)
    assert suites == set(BROKEN)


def test_two_stores_do_not_share_keys(tmp_path) -> None:
    assert DiskService(tmp_path).path("a") != DiskService(tmp_path).path(uuid.uuid4().hex)
