"""What holds when folders go to an object store and come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.checks import assert_loop_is_free
from prefect_integration_tests.faces import Call

from .store import RawStore, StoreSuite, contents, read_tree, write_tree

if TYPE_CHECKING:
    from pathlib import Path

TREE: dict[str, bytes] = {
    "a.txt": b"a",
    "empty": b"",
    "b/c.bin": bytes(range(256)),
    "b/d/e ü+%.txt": "ü".encode(),
    "b/.hidden": b"h",
}

UPWARD = ("../../evil.txt", "x/../../../evil.txt", "/abs/evil.txt", "..\\..\\evil.txt")
"""Ends of keys that lead out of a destination, behind a folder and a slash."""


class FolderSuite(StoreSuite):
    """Checks folder transfers.

    Attributes:
        supports_ignore_file: Whether `put_directory` takes an `ignore_file`.
        upward_keys: Ends of keys that lead outside; name only those that the service can store.
        many_files: How many files a large folder has.
    """

    supports_ignore_file: ClassVar[bool] = True
    upward_keys: ClassVar[tuple[str, ...]] = UPWARD
    many_files: ClassVar[int] = 300

    async def test_a_directory_comes_back_as_it_was(self, store: Any, call: Call, tmp_path: Path) -> None:
        """`put_directory` and `get_directory` are each other's inverse, empty files included."""
        source = write_tree(tmp_path / "source", TREE)
        await call(store, "put_directory", local_path=str(source), to_path="in/here")
        await call(store, "get_directory", from_path="in/here", local_path=str(tmp_path / "back"))
        assert read_tree(tmp_path / "back") == TREE

    async def test_a_directory_is_stored_under_its_folder(
        self, store: Any, raw: RawStore, call: Call, tmp_path: Path
    ) -> None:
        """Keys are the block's folder, the given folder and the relative path; the count is right."""
        source = write_tree(tmp_path / "source", TREE)
        count = await call(store, "put_directory", local_path=str(source), to_path="in/here")
        folder = self.folder_of(store)
        assert contents(raw) == {f"{folder}/in/here/{name}": content for name, content in TREE.items()}
        assert count in (None, len(TREE))

    async def test_defaults_mean_the_whole_folder_and_the_working_directory(
        self, store: Any, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without paths, the working directory goes to the block's folder and back."""
        monkeypatch.chdir(write_tree(tmp_path / "source", TREE))
        await call(store, "put_directory")
        (tmp_path / "back").mkdir()
        monkeypatch.chdir(tmp_path / "back")
        await call(store, "get_directory")
        assert read_tree(tmp_path / "back") == TREE

    async def test_an_uploaded_folder_is_downloaded(self, store: Any, call: Call, tmp_path: Path) -> None:
        """`upload_from_folder` and `download_folder_to_path` are each other's inverse."""
        source = write_tree(tmp_path / "source", TREE)
        await call(store, "upload_from_folder", source, "in/here")
        back = await call(store, "download_folder_to_path", "in/here", tmp_path / "back")
        assert read_tree(tmp_path / "back") == TREE
        assert (tmp_path / "back").samefile(back)

    async def test_an_empty_folder_stores_nothing(self, store: Any, raw: RawStore, call: Call, tmp_path: Path) -> None:
        """There are no folders in an object store, so an empty one leaves no trace."""
        (tmp_path / "empty" / "inner").mkdir(parents=True)
        count = await call(store, "put_directory", local_path=str(tmp_path / "empty"), to_path="x")
        await call(store, "upload_from_folder", tmp_path / "empty", "y")
        assert raw.keys() == []
        assert count in (None, 0)

    async def test_ignored_files_stay_here(self, store: Any, call: Call, tmp_path: Path) -> None:
        """The ignore file has the rules of `.gitignore`."""
        if not self.supports_ignore_file:
            pytest.skip("`put_directory` takes no ignore file.")
        source = write_tree(
            tmp_path / "source",
            {
                ".ignore": b"# comment\n*.log\n!keep.log\nprivate/\n",
                "a.txt": b"a",
                "a.log": b"",
                "keep.log": b"k",
                "b/c.log": b"",
                "private/key": b"",
            },
        )
        await call(
            store,
            "put_directory",
            local_path=str(source),
            to_path="x",
            ignore_file=str(source / ".ignore"),
        )
        await call(store, "get_directory", from_path="x", local_path=str(tmp_path / "back"))
        assert set(read_tree(tmp_path / "back")) - {".ignore"} == {"a.txt", "keep.log"}

    async def test_a_folder_is_not_its_sibling(self, store: Any, raw: RawStore, call: Call, tmp_path: Path) -> None:
        """`logs2` and `logs.txt` do not lie in `logs`."""
        folder = self.folder_of(store)
        for key in ("logs/a", "logs2/b", "logs.txt", "log/c"):
            raw.put(f"{folder}/{key}", key.encode())
        raw.put(f"{folder}2/a", b"another block's")
        await call(store, "get_directory", from_path="logs", local_path=str(tmp_path / "got"))
        assert read_tree(tmp_path / "got") == {"a": b"logs/a"}
        await call(store, "download_folder_to_path", "logs", tmp_path / "down")
        assert read_tree(tmp_path / "down") == {"a": b"logs/a"}
        assert await self.listed(call, store, "logs") == [f"{folder}/logs/a"]
        assert f"{folder}2/a" not in await self.listed(call, store)

    async def test_folder_markers_do_not_become_files(
        self, store: Any, raw: RawStore, call: Call, tmp_path: Path
    ) -> None:
        """Consoles store an empty object `folder/` for a folder; it does not block the files in it."""
        folder = self.folder_of(store)
        for key in ("x/", "x/sub/", "x/sub/a"):
            raw.put(f"{folder}/{key}", b"a" if key.endswith("a") else b"")
        await call(store, "get_directory", from_path="x", local_path=str(tmp_path / "got"))
        assert read_tree(tmp_path / "got") == {"sub/a": b"a"}

    async def test_a_folder_that_is_a_file_is_refused(
        self, store: Any, raw: RawStore, call: Call, tmp_path: Path
    ) -> None:
        """A wrong path is an error that names it, not an upload of nothing."""
        (tmp_path / "file.txt").write_bytes(b"x")
        for path in (tmp_path / "file.txt", tmp_path / "absent-folder"):
            with pytest.raises((OSError, ValueError), match=path.name):
                await call(store, "put_directory", local_path=str(path), to_path="x")
            with pytest.raises((OSError, ValueError), match=path.name):
                await call(store, "upload_from_folder", path, "x")
        assert raw.keys() == []

    async def test_no_key_leads_outside(self, store: Any, raw: RawStore, call: Call, tmp_path: Path) -> None:
        """Rule 4: an object whose key points upward is refused by name, and nothing is written."""
        if not self.upward_keys:
            pytest.skip("The service stores no key that points upward.")
        inner = tmp_path / "outer" / "inner"
        for number, end in enumerate(self.upward_keys):
            for method in ("get_directory", "download_folder_to_path"):
                raw.put(f"{self.folder_of(store)}/up{number}/{end}", b"evil")
                with pytest.raises(self.escape_error, match=r"evil\.txt"):
                    await call(store, method, f"up{number}", str(inner / "destination"))
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    async def test_no_link_leads_outside(self, store: Any, raw: RawStore, call: Call, tmp_path: Path) -> None:
        """Rule 4: a symbolic link in the destination does not carry an object elsewhere."""
        outside = write_tree(tmp_path / "outside", {"kept.txt": b"kept"})
        folder = self.folder_of(store)
        raw.put(f"{folder}/through/link/evil.txt", b"evil")
        raw.put(f"{folder}/over/kept.txt", b"new")
        for method in ("get_directory", "download_folder_to_path"):
            inside = tmp_path / method
            inside.mkdir()
            (inside / "link").symlink_to(outside, target_is_directory=True)
            with pytest.raises(self.escape_error, match=r"link/evil\.txt"):
                await call(store, method, "through", str(inside))
            (inside / "kept.txt").symlink_to(outside / "kept.txt")
            try:
                await call(store, method, "over", str(inside))
            except self.escape_error:
                pass  # to refuse is as good as to replace the link
            else:
                assert (inside / "kept.txt").read_bytes() == b"new"
        assert read_tree(outside) == {"kept.txt": b"kept"}

    async def test_a_large_folder_is_complete(self, store: Any, raw: RawStore, tmp_path: Path) -> None:
        """Hundreds of files arrive, each with its own content; one face puts them there, the other gets them."""
        call = Call("async")
        files = {f"d{n % 7}/f{n}.txt": str(n).encode() for n in range(self.many_files)}
        source = write_tree(tmp_path / "source", files)
        await Call("sync")(store, "put_directory", local_path=str(source), to_path="many")
        assert len(raw.keys()) == self.many_files
        assert len(await self.listed(call, store, "many")) == self.many_files
        await call(store, "get_directory", from_path="many", local_path=str(tmp_path / "back"))
        assert read_tree(tmp_path / "back") == files

    async def test_the_event_loop_is_free_meanwhile(self, store: Any, tmp_path: Path) -> None:
        """Rule 8: async transfers do their work elsewhere."""
        call = Call("async")
        files = {f"f{n}": bytes(2000) for n in range(60)}
        source = write_tree(tmp_path / "source", files)

        async def there_and_back() -> None:
            await call(store, "put_directory", local_path=str(source), to_path="lag")
            await call(store, "get_directory", from_path="lag", local_path=str(tmp_path / "b"))

        await there_and_back()  # the first use imports the SDK, which holds the interpreter
        await assert_loop_is_free(there_and_back)
