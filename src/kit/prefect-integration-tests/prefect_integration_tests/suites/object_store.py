"""What holds for object stores: one object at a time, keys, listings, streams."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.checks import assert_flat_memory
from prefect_integration_tests.faces import Call

from .filesystem import ODD_PATHS, FileSystemSuite
from .folder import FolderSuite
from .store import RawStore, by_either_face, contents

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

ODD_KEYS: dict[str, str] = ODD_PATHS | {"double slash": "a//b.txt", "dot": "a/./b.txt"}
"""Odd paths, and such as only an object store tells apart."""

_MIB = 2**20


class ObjectStoreSuite(FolderSuite, FileSystemSuite):
    """Checks an object store block: `FileSystemSuite`, `FolderSuite`, and what follows.

    Attributes:
        copy_method: The sync name of the method that copies one object; `None` if there is none.
        move_method: The sync name of the method that moves one object; `None` if there is none.
        target_argument: The keyword of both that names another store.
        replacing: Keywords of an upload that let it replace an object, where that is not what it does anyway.
        supports_stream_from: Whether one store can take an object from another with `stream_from`.
        large_bytes: Size of an object that must not fit into the memory below.
        memory_limit_bytes: How far memory may rise while it is moved.
    """

    odd_paths: ClassVar[dict[str, str]] = ODD_KEYS
    copy_method: ClassVar[str | None] = "copy_object"
    move_method: ClassVar[str | None] = "move_object"
    target_argument: ClassVar[str] = "to_bucket"
    replacing: ClassVar[dict[str, Any]] = {}
    supports_stream_from: ClassVar[bool] = True
    large_bytes: ClassVar[int] = 128 * _MIB
    memory_limit_bytes: ClassVar[int] = 96 * _MIB

    @pytest.fixture
    def filesystem(self, store: Any) -> Any:
        """The store, as a file system."""
        return store

    async def test_the_service_is_empty_at_first(self, store: Any, raw: RawStore) -> None:
        """The fixtures keep their promise: an empty service, a block with a folder, a way behind it."""
        assert raw.keys() == []
        assert self.folder_of(store), f"Give the block a {self.folder_field}."
        raw.put("k", b"v")
        assert (raw.keys(), raw.get("k")) == (["k"], b"v")

    # Keys

    async def test_objects_lie_in_the_folder(self, store: Any, raw: RawStore, call: Call) -> None:
        """A key is the block's folder, a slash and the path."""
        await call(store, "write_path", "a/b", content=b"1")
        assert raw.keys() == [f"{self.folder_of(store)}/a/b"]
        whole = self.in_folder(store, "")
        await call(whole, "write_path", "c", content=b"2")
        assert raw.get("c") == b"2"

    async def test_slashes_around_the_folder_do_not_matter(self, store: Any, raw: RawStore, call: Call) -> None:
        """`base`, `base/` and `base/sub/` are meant as folders."""
        await call(self.in_folder(store, "base/"), "write_path", "a", content=b"1")
        await call(self.in_folder(store, "base/sub/"), "write_path", "b", content=b"2")
        assert sorted(raw.keys()) == ["base/a", "base/sub/b"]
        assert await call(self.in_folder(store, "base"), "read_path", "sub/b") == b"2"

    async def test_a_returned_key_can_be_given_back(self, store: Any, call: Call, tmp_path: Path) -> None:
        """Keys resolve to themselves: what one call returns or lists, the next takes."""
        (tmp_path / "a.bin").write_bytes(b"1")
        key = await call(store, "upload_from_path", tmp_path / "a.bin", "deep/a.bin")
        assert await call(store, "read_path", key) == b"1"
        listed = await self.listed(call, store, "deep")
        assert [await call(store, "read_path", each) for each in listed] == [b"1"]
        await call(store, "upload_from_file_object", io.BytesIO(b"2"), key, **self.replacing)
        assert await call(store, "read_path", "deep/a.bin") == b"2"

    async def test_listings_show_whole_keys(self, store: Any, raw: RawStore, call: Call) -> None:
        """A listing has each object once, odd keys as they are; a folder without objects is empty."""
        folder = self.folder_of(store)
        kept = [f"{folder}/x/{p}" for n, p in self.odd_paths.items() if n not in self.refused_paths]
        for key in kept:
            raw.put(key, b"")
        assert await self.listed(call, store, "x") == sorted(kept)
        assert await self.listed(call, store, "absent") == []

    # One object

    async def test_an_uploaded_file_is_downloaded(self, store: Any, raw: RawStore, call: Call, tmp_path: Path) -> None:
        """Content, returned key and returned path are right; parents of the target are made."""
        content = bytes(range(256)) * 4000
        (tmp_path / "a.bin").write_bytes(content)
        await call(store, "upload_from_path", tmp_path / "a.bin", "x/a.bin")
        assert raw.get(f"{self.folder_of(store)}/x/a.bin") == content
        target = tmp_path / "new" / "b.bin"
        target.parent.mkdir()
        path = await call(store, "download_object_to_path", "x/a.bin", target)
        assert target.read_bytes() == content
        assert str(path) == str(target)

    async def test_names_default_to_the_files(
        self,
        store: Any,
        raw: RawStore,
        call: Call,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An upload without a target keeps the file's name; a download goes to the working directory."""
        (tmp_path / "a.bin").write_bytes(b"1")
        await call(store, "upload_from_path", str(tmp_path / "a.bin"))
        assert raw.keys() == [f"{self.folder_of(store)}/a.bin"]
        (tmp_path / "cwd").mkdir()
        monkeypatch.chdir(tmp_path / "cwd")
        await call(store, "download_object_to_path", "a.bin", None)
        assert (tmp_path / "cwd" / "a.bin").read_bytes() == b"1"

    async def test_file_objects_are_read_and_written(self, store: Any, call: Call) -> None:
        """Any binary file object will do, from where it stands, and the caller's stays open."""
        source = io.BytesIO(b"skipped" + b"x" * 100_000)
        source.seek(7)
        await call(store, "upload_from_file_object", source, "f")
        target = io.BytesIO()
        returned = await call(store, "download_object_to_file_object", "f", target)
        assert returned is target
        content = target.getvalue()
        assert (len(content), content.strip(b"x")) == (100_000, b"")  # to show how two long ones differ takes minutes

    async def test_a_missing_object_changes_nothing(self, store: Any, call: Call, tmp_path: Path) -> None:
        """A missing object is an error that names it; the target stays as it was."""
        old = tmp_path / "old"
        old.write_bytes(b"old")
        for target in (old, tmp_path / "new"):
            with pytest.raises(self.missing_error, match="absent-object"):
                await call(store, "download_object_to_path", "absent-object", target)
        with pytest.raises(self.missing_error, match="absent-object"):
            await call(store, "download_object_to_file_object", "absent-object", io.BytesIO())
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"old"}

    # Between objects

    async def test_an_object_streams_from_store_to_store(self, store: Any, raw: RawStore, call: Call) -> None:
        """`stream_from` reads below the other block's folder and writes below its own."""
        if not self.supports_stream_from:
            pytest.skip("The block has no `stream_from`.")
        other = self.in_folder(store, "other")
        raw.put("other/x/a", b"1" * 50_000)
        await call(store, "stream_from", other, "x/a", "y/b")
        await call(store, "stream_from", other, "x/a")
        folder = self.folder_of(store)
        content = raw.get(f"{folder}/y/b")
        assert (len(content), content.strip(b"1")) == (50_000, b"")
        with pytest.raises(self.missing_error, match="absent-object"):
            await call(store, "stream_from", other, "absent-object", "z")
        assert f"{folder}/z" not in contents(raw)

    async def test_a_copy_leaves_the_original(self, store: Any, raw: RawStore, call: Call) -> None:
        """Copies are equal, within the block or into another, odd keys included."""
        if self.copy_method is None:
            pytest.skip("The block does not copy.")
        await call(store, "write_path", "a+ü %.txt", content=b"1")
        await by_either_face(call, store, self.copy_method, "a+ü %.txt", "b/c")
        other = self.in_folder(store, "other")
        await by_either_face(call, store, self.copy_method, "a+ü %.txt", "d", **{self.target_argument: other})
        folder = self.folder_of(store)
        assert contents(raw) == {
            f"{folder}/a+ü %.txt": b"1",
            f"{folder}/b/c": b"1",
            "other/d": b"1",
        }
        with pytest.raises(self.missing_error, match="absent-object"):
            await by_either_face(call, store, self.copy_method, "absent-object", "e")

    async def test_a_move_leaves_one_object(self, store: Any, raw: RawStore, call: Call) -> None:
        """A moved object is at its new place only; an object moved onto itself is not lost."""
        if self.move_method is None:
            pytest.skip("The block does not move.")
        await call(store, "write_path", "a", content=b"1")
        await by_either_face(call, store, self.move_method, "a", "b/c")
        folder = self.folder_of(store)
        assert contents(raw) == {f"{folder}/b/c": b"1"}
        with suppress(Exception):  # to refuse is fine
            await by_either_face(call, store, self.move_method, "b/c", "b/c")
        assert raw.get(f"{folder}/b/c") == b"1"
        with pytest.raises(self.missing_error, match="absent-object"):
            await by_either_face(call, store, self.move_method, "absent-object", "e")

    # Interrupted and large

    async def test_an_interrupted_upload_stores_nothing(self, store: Any, raw: RawStore, call: Call) -> None:
        """A source that fails half-way leaves no object, and its own error is seen."""
        with pytest.raises(OSError, match="the disk broke"):
            await call(store, "upload_from_file_object", _Breaking(12 * _MIB), "half")
        assert raw.keys() == []

    async def test_an_interrupted_download_leaves_no_file(
        self, store: Any, raw: RawStore, call: Call, tmp_path: Path
    ) -> None:
        """A disk that is full half-way leaves neither the file nor a piece of it; an old one stays."""
        raw.put(f"{self.folder_of(store)}/big/file", bytes(12 * _MIB))
        old = write_old(tmp_path / "one" / "old")
        with file_size_limit(5 * _MIB):
            for target in (old, old.with_name("new")):
                with pytest.raises(OSError, match=r"(?i)file|size|large|space"):
                    await call(store, "download_object_to_path", "big/file", target)
            (tmp_path / "many").mkdir()
            with pytest.raises(OSError, match=r"(?i)file|size|large|space"):
                await call(store, "get_directory", "big", str(tmp_path / "many"))
        assert list((tmp_path / "many").rglob("*")) == []
        assert list((tmp_path / "one").iterdir()) == [old]
        assert old.read_bytes() == b"old"

    async def test_memory_does_not_grow_with_the_object(self, store: Any, tmp_path: Path) -> None:
        """Rule 8: files are streamed, both ways; one face goes up, the other comes down, since the body is the same."""
        source = tmp_path / "large"
        with source.open("wb") as file:
            file.truncate(self.large_bytes)

        async def up() -> None:
            await Call("sync")(store, "upload_from_path", source, "large")

        async def down() -> None:
            await Call("async")(store, "download_object_to_path", "large", tmp_path / "back")

        await assert_flat_memory(up, limit_bytes=self.memory_limit_bytes, what="The upload")
        await assert_flat_memory(down, limit_bytes=self.memory_limit_bytes, what="The download")
        assert (tmp_path / "back").stat().st_size == self.large_bytes


class _Breaking(io.RawIOBase):
    """A file that cannot be read to its end."""

    def __init__(self, good_bytes: int) -> None:
        self._left = good_bytes

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._left <= 0 or size < 0:
            raise OSError("the disk broke")
        count = min(self._left, size)
        self._left -= count
        return bytes(count)


def write_old(path: Path) -> Path:
    """Write a file that must survive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"old")
    return path


@contextmanager
def file_size_limit(size_bytes: int) -> Generator[None, None, None]:
    """Let writing files fail beyond a size, as on a full disk, for this process.

    Args:
        size_bytes: The largest file that can be written.
    """
    if sys.platform == "win32":
        pytest.skip("Windows has no limit for the size of files.")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
