"""The native transfer engine: obstore, one code path for S3, Cloud Storage and Azure Blob.

obstore is a thin Python face of the Rust crate `object_store`. It spends a tenth of the processor time that a Python
SDK spends on a small object. What it cannot express (an odd key) or fails to do is handed to the engine of the vendor's
SDK, so that results and errors are the same with and without it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from prefect_integration_kit.extras import is_installed
from prefect_integration_kit.transfer import Download, Engine, RemoteObject, TransferStopped, Upload

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

CHUNK_BYTES = 8 * 1024 * 1024
"""Part size of larger objects: the default of the vendors' SDKs. Objects below it move in one request, held whole."""

PARTS_AT_ONCE = 4
"""How many parts of one upload are on their way at a time; each is held whole."""

RANGES_AT_ONCE = 10
"""How many ranges of all downloads together are on their way at a time; each is streamed."""

MEMORY_BYTES = 64 * 1024 * 1024
"""What all uploads and single-request downloads of one engine hold together, but for tiny objects."""

_TINY_BYTES = 1024 * 1024
_MOST_PARTS = 10_000  # of one upload: S3's limit; the SDKs choose larger parts for what is larger

RETRY_CONFIG = {"max_retries": 2}
"""For obstore stores: fail over to the SDK, with its own retries, rather than retry here for minutes."""

# Control characters are refused by `object_store` paths.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ODD = frozenset(("", ".", ".."))


def is_available() -> bool:
    """Say whether obstore is installed."""
    return is_installed("obstore")


def is_plain_key(key: str) -> bool:
    """Say whether obstore takes a key as it is: it trims outer slashes and refuses empty, `.` and `..` segments."""
    return _ODD.isdisjoint(key.split("/")) and not _CONTROL.search(key)


class _Budget:
    """Bounds what threads hold together; one that wants more than all of it waits until it is alone."""

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, size_bytes: int, stop: threading.Event) -> Generator[None, None, None]:
        if size_bytes <= _TINY_BYTES:
            yield
            return
        size = min(size_bytes, self._total)
        with self._changed:
            while self._used + size > self._total:
                _check(stop)
                self._changed.wait(0.1)
            self._used += size
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()


class _Unable(Exception):
    """obstore cannot do it."""


@contextmanager
def _store_errors() -> Generator[None, None, None]:
    """Tell failures of obstore, some of which are Python's own classes, from those of the local disk."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, NotImplementedError) as exc:
        raise _Unable from exc


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise TransferStopped("The transfer was stopped.")


class NativeEngine:
    """Moves files by obstore and leaves to `fallback` what obstore cannot do; a context manager."""

    def __init__(
        self, store: Any, fallback: Engine, *, is_intact: Callable[[Download, Path], bool] | None = None
    ) -> None:
        """Combine a store and the engine behind it.

        Args:
            store: An `obstore` store, opened on the bucket with no prefix.
            fallback: The engine of the vendor's SDK.
            is_intact: Says whether what obstore wrote to a file is what the object holds, for stores whose checksums
                obstore does not look at. What is not is downloaded again by `fallback`.
        """
        self._store = store
        self._fallback = fallback
        self._is_intact = is_intact
        self._budget = _Budget(MEMORY_BYTES)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def objects(self, prefix: str, walk_on: Callable[[str | None], Iterator[RemoteObject]]) -> Iterator[RemoteObject]:
        """Walk the objects below a prefix, in the order of their keys.

        obstore trims the slashes of keys and refuses odd ones. So it is not asked for a whole bucket, and from the
        first object that may be the marker of a folder, or at the first failure, `walk_on` takes over.

        Args:
            prefix: Empty, or ending in `/`. The store must list in the order of keys, as S3 does.
            walk_on: Walks the objects behind a key by the vendor's SDK; all of them when it is given `None`.
        """
        last: str | None = None
        for item in self._listed(prefix) if prefix else (None,):
            if item is None or not item.size_bytes:
                yield from walk_on(last)
                return
            last = item.key
            yield item

    def _listed(self, prefix: str) -> Iterator[RemoteObject | None]:
        """Walk what obstore lists; `None` comes last when it fails."""
        import obstore

        try:
            with _store_errors():
                pages = cast("Iterator[list[dict[str, Any]]]", iter(obstore.list(self._store, prefix)))
            while True:
                with _store_errors():
                    page = next(pages, None)
                if page is None:
                    return
                for item in page:
                    yield RemoteObject(str(item["path"]), item["size"], item["last_modified"], item.get("e_tag"))
        except _Unable:
            yield None

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key."""
        _check(stop)
        if is_plain_key(item.key) and self._put(item, stop):
            return
        self._fallback.upload(item, stop)

    def _put(self, item: Upload, stop: threading.Event) -> bool:
        import obstore

        try:
            if item.size_bytes <= CHUNK_BYTES:
                with self._budget.take(item.size_bytes, stop):
                    content = item.source.read_bytes()
                    with _store_errors():
                        obstore.put(self._store, item.key, content, use_multipart=False)
            elif item.size_bytes > CHUNK_BYTES * _MOST_PARTS:
                return False
            else:
                with (
                    self._budget.take(CHUNK_BYTES * (PARTS_AT_ONCE + 2), stop),
                    item.source.open("rb") as file,
                    _store_errors(),
                ):
                    parts = _parts(file, stop)
                    obstore.put(self._store, item.key, parts, chunk_size=CHUNK_BYTES, max_concurrency=PARTS_AT_ONCE)
        except _Unable:
            return False
        return True

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the object to `part`."""
        _check(stop)
        if is_plain_key(item.key) and self._get(item, part, stop):
            if self._is_intact is None or self._is_intact(item, part):
                return
            _check(stop)
        self._fallback.download(item, part, stop)

    def _get(self, item: Download, part: Path, stop: threading.Event) -> bool:
        import obstore

        try:
            if item.size_bytes <= CHUNK_BYTES:
                with self._budget.take(item.size_bytes, stop):
                    with _store_errors():
                        result = obstore.get(self._store, item.key)
                        # It may have grown since it was listed.
                        content = result.bytes() if result.meta["size"] <= CHUNK_BYTES else None
                    if content is not None:
                        with open(part, "wb", buffering=0) as file:  # noqa: PTH123 - half the time of Path.open
                            _write_all(file, content)
                        return True
            self._get_parts(item.key, part, stop)
        except _Unable:
            return False
        return True

    def _get_parts(self, key: str, part: Path, stop: threading.Event) -> None:
        """Read a large object in ranges, several at a time, all of one version of it."""
        import obstore

        with _store_errors():
            meta = obstore.head(self._store, key)
        size, etag = meta["size"], meta.get("e_tag")
        options: dict[str, Any] = {"if_match": etag} if etag else {}
        lock = threading.Lock()

        with part.open("wb") as file:

            def fetch(start: int) -> None:
                _check(stop)
                end = min(size, start + CHUNK_BYTES)
                wanted = cast("Any", {**options, "range": (start, end)})
                with _store_errors():
                    chunks = iter(obstore.get(self._store, key, options=wanted).stream(min_chunk_size=_TINY_BYTES))
                while True:
                    _check(stop)
                    with _store_errors():
                        chunk = next(chunks, None)
                    if chunk is None:
                        break
                    with lock:
                        file.seek(start)
                        start += file.write(chunk)
                if start != end:
                    raise _Unable

            pool = self._parts_pool()
            futures: list[Future[None]] = [pool.submit(fetch, start) for start in range(0, size, CHUNK_BYTES)]
            try:
                for future in futures:
                    future.result()
            finally:
                for future in futures:
                    future.cancel()
                wait(futures)  # nobody writes to a closed file

    def _parts_pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(RANGES_AT_ONCE, thread_name_prefix="transfer-part")
            return self._pool


def _parts(file: BinaryIO, stop: threading.Event) -> Iterator[bytes]:
    """Read a file part by part; raising here, also at its end, makes obstore abort the upload."""
    while True:
        content = file.read(CHUNK_BYTES)
        _check(stop)  # at the end, too: obstore comes back for more while parts are on their way, and then commits
        if not content:
            return
        yield content


def _write_all(file: Any, content: Any) -> None:
    """Write to an unbuffered file, which may take less than it is given."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
