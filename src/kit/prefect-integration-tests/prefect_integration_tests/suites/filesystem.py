"""What holds for blocks that read and write whole files by path."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.faces import Call

from .base import Suite

if TYPE_CHECKING:
    from prefect_integration_tests.leaks import LeakWatch

ODD_PATHS: dict[str, str] = {
    "unicode": "ünï/日本/🎈.bin",
    "composed": "\u00e9.txt",
    "decomposed": "e\u0301.txt",
    "spaces": "a folder/ b c .txt",
    "plus": "a+b.txt",
    "what the plus is not": "a b.txt",
    "percent": "100%/50%25.txt",
    "escape": "a%2Fb.txt",
    "what the escape is not": "a/b.txt",
    "hash": "a#b.txt",
    "query": "a?b=c&d.txt",
    "quotes": 'it\'s "quoted".txt',
    "brackets": "[a]{b}(c)<d>.txt",
    "glob": "a*b?.txt",
    "backslash": "a\\b.txt",
    "dots": "a/...b./c..txt",
    "trailing dots": "a/b..",
    "tilde": "~/a.txt",
    "colon": "a:b|c;d,e=f@g!$h.txt",
    "long": "/".join(["n" * 200] * 4),
}
"""Paths that a careless client mangles, by what is odd about them."""


class FileSystemSuite(Suite):
    """Checks a `WritableFileSystem`.

    Attributes:
        odd_paths: Paths to write and read, by what is odd about them.
        refused_paths: Names of `odd_paths` that the service itself refuses; the block must then
            raise an error that names the path.
        missing_error: What reading a missing file must raise.
    """

    odd_paths: ClassVar[dict[str, str]] = ODD_PATHS
    refused_paths: ClassVar[frozenset[str]] = frozenset()
    missing_error: ClassVar[type[Exception] | tuple[type[Exception], ...]] = FileNotFoundError

    @pytest.fixture
    @abstractmethod
    def filesystem(self) -> Any:
        """An empty file system, on a real or emulated service."""

    async def test_the_file_system_is_empty_at_first(self, filesystem: Any, call: Call) -> None:
        """The fixture keeps its promise: what one test writes, the next does not see."""
        with pytest.raises(self.missing_error):
            await call(filesystem, "read_path", "first.bin")
        await call(filesystem, "write_path", "first.bin", content=b"1")

    async def test_what_is_written_is_read(self, filesystem: Any, call: Call) -> None:
        """Content comes back byte for byte."""
        content = bytes(range(256)) * 5
        await call(filesystem, "write_path", "a/b/c.bin", content=content)
        assert await call(filesystem, "read_path", "a/b/c.bin") == content

    async def test_an_empty_file_is_a_file(self, filesystem: Any, call: Call) -> None:
        """No bytes are something other than no file."""
        await call(filesystem, "write_path", "empty", content=b"")
        assert await call(filesystem, "read_path", "empty") == b""

    async def test_the_last_write_wins(self, filesystem: Any, call: Call) -> None:
        """A shorter content leaves nothing of a longer one."""
        await call(filesystem, "write_path", "a", content=b"a long first content")
        await call(filesystem, "write_path", "a", content=b"short")
        assert await call(filesystem, "read_path", "a") == b"short"

    async def test_odd_paths_are_kept(self, filesystem: Any, call: Call) -> None:
        """Each odd path names a file of its own."""
        kept = {n: p for n, p in self.odd_paths.items() if n not in self.refused_paths}
        for name, path in kept.items():
            await call(filesystem, "write_path", path, content=name.encode())
        for name, path in kept.items():
            assert await call(filesystem, "read_path", path) == name.encode(), name
        for name in self.refused_paths:
            path = self.odd_paths[name]
            with pytest.raises(Exception) as caught:  # noqa: PT011 - each service has its own
                await call(filesystem, "write_path", path, content=b"")
            assert path[:100] in str(caught.value) or repr(path)[1:-1][:100] in str(caught.value)

    async def test_a_missing_file_is_named(self, filesystem: Any, call: Call) -> None:
        """The error says which file is missing."""
        with pytest.raises(self.missing_error, match=r"nowhere/missing\.bin"):
            await call(filesystem, "read_path", "nowhere/missing.bin")

    async def test_a_path_that_climbs_out_is_refused(self, filesystem: Any, call: Call) -> None:
        """Rule 4: neither face reads or writes above the file system's root."""
        for path in ("../out.bin", "a/../../out.bin"):
            with pytest.raises(ValueError, match=r"out\.bin"):
                await call(filesystem, "write_path", path, content=b"x")
            with pytest.raises(ValueError, match=r"out\.bin"):
                await call(filesystem, "read_path", path)

    async def test_one_face_reads_what_the_other_wrote(self, filesystem: Any) -> None:
        """Both faces mean the same file by the same path."""
        sync, asynchronous = Call("sync"), Call("async")
        await sync(filesystem, "write_path", "from/sync", content=b"s")
        await asynchronous(filesystem, "write_path", "from/async", content=b"a")
        assert await asynchronous(filesystem, "read_path", "from/sync") == b"s"
        assert await sync(filesystem, "read_path", "from/async") == b"a"

    async def test_the_sync_name_can_be_awaited_on_a_loop(self, filesystem: Any) -> None:
        """Rule 2: inside an event loop the sync name hands out a coroutine."""
        await filesystem.write_path("dispatched", content=b"d")
        assert await filesystem.read_path("dispatched") == b"d"

    async def test_many_at_once_do_not_mix(self, filesystem: Any) -> None:
        """Concurrent use through one block is safe."""
        names = [f"many/{number}" for number in range(24)]
        call = Call("async")
        await asyncio.gather(*(call(filesystem, "write_path", name, content=name.encode()) for name in names))
        read = await asyncio.gather(*(call(filesystem, "read_path", name) for name in names))
        assert read == [name.encode() for name in names]

    async def test_content_is_not_logged(
        self, filesystem: Any, call: Call, canary: str, no_canary_leaks: LeakWatch
    ) -> None:
        """Rule 3: files may hold secrets, so what they hold is nobody's business."""
        await call(filesystem, "write_path", "private", content=canary.encode())
        assert await call(filesystem, "read_path", "private") == canary.encode()
        no_canary_leaks.check()
