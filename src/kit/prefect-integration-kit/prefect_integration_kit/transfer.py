"""Move folders between disk and an object store: plan, then run bounded-parallel and streamed.

A plan is an iterator of `Upload` or `Download`, so memory does not grow with the number of files. An `Engine` moves one
file; the vendor's SDK is one, `prefect_integration_kit.native` is another. `run` drives an engine from a fixed number
of threads. A downloaded file appears under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from prefect_integration_kit.brakes import Brake
from prefect_integration_kit.files import complete_or_absent, make_folder, walk_files
from prefect_integration_kit.paths import local_target, relative_key
from prefect_integration_kit.progress import Progress

LOOKAHEAD = 10_000
"""How many items of a plan are made before the first byte moves: a bad key among them stops a transfer unbegun."""


class TransferStopped(Exception):
    """The transfer was asked to stop before it was complete."""


class KeysCollide(ValueError):
    """Two keys of one folder would be written to the same file."""


class NameNotText(ValueError):
    """The name of a file cannot be a key, because it is not text."""


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """One object as a listing shows it; `checksum` in a form that its engine understands."""

    key: str
    size_bytes: int
    modified: datetime | None = None
    etag: str | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way to the store."""

    source: Path
    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Download:
    """One object on its way to disk."""

    key: str
    target: Path
    size_bytes: int
    modified: datetime | None = None
    checksum: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether the object only marks a folder: consoles create such keys, which end in `/`."""
        return self.key.endswith("/")


class Engine(Protocol):
    """What moves one file. Methods are called from many threads at once."""

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key; raise `TransferStopped` soon after `stop` is set."""
        ...

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the object to `part`; raise `TransferStopped` soon after `stop` is set."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """What a transfer moved."""

    files: int
    size_bytes: int


def plan_upload(directory: Path, prefix: str, ignore_lines: Iterable[str] | None = None) -> Iterator[Upload]:
    """Plan to store the files below a folder.

    Args:
        directory: The folder.
        prefix: What keys begin with, as `paths.folder_prefix` makes it.
        ignore_lines: Patterns of files to leave out, as in `.gitignore`.

    Raises:
        NotADirectoryError: If `directory` is a file.
        FileNotFoundError: If there is no `directory`.
        NameNotText: While iterating, if the name of a file is not text.
    """
    return (_upload(path, prefix + relative) for path, relative in walk_files(directory, ignore_lines))


def _upload(path: Path, key: str) -> Upload:
    try:
        key.encode()
    except UnicodeEncodeError as exc:
        raise NameNotText(f"The name of file {str(path)!r} is not UTF-8, so it cannot be a key. Rename it.") from exc
    return Upload(path, key, path.stat().st_size)


def plan_download(objects: Iterable[RemoteObject], prefix: str, destination: Path) -> Iterator[Download]:
    """Plan to write the objects of a folder to disk.

    Args:
        objects: The folder's listing, sorted by key as stores give it.
        prefix: The folder, as `paths.folder_prefix` makes it.
        destination: Where its content goes.

    Raises:
        PathEscapes: While iterating, if a key leads outside `destination`.
        KeysCollide: While iterating, if two keys mean the same file, as `a//b` and `a/b` do, or none can.
    """
    targets = _Targets(destination)
    for item in objects:
        relative = relative_key(item.key, prefix)
        if relative:  # otherwise the marker of the folder itself
            yield Download(item.key, targets.of(relative, item.key), item.size_bytes, item.modified, item.checksum)


class _Targets:
    """Finds the files of keys; remembers little, however many there are."""

    def __init__(self, destination: Path) -> None:
        self._destination = destination
        self._folders: dict[str, str] = {}
        self._shared: dict[str, str] = {}

    def of(self, relative: str, key: str) -> Path:
        """The file that `key` is written to."""
        folder, slash, name = relative.rpartition("/")
        folder += slash  # so that the folder of `/a` is not that of `a`
        known = self._folders.get(folder)
        if known is not None and name not in _ODD_PARTS and not _ODD_CHARACTERS.search(name):
            target = Path(f"{known}{os.sep}{name}")  # the folder was looked at with an earlier key
        else:
            target = local_target(self._destination, relative)
            if name not in _ODD_PARTS:
                if len(self._folders) >= LOOKAHEAD:
                    self._folders.clear()
                self._folders[folder] = str(target.parent)
        self._check_collision(relative, key, target)
        return target

    def _check_collision(self, relative: str, key: str, target: Path) -> None:
        """Refuse a second key for one file.

        Only a key with an odd part can be such a key. In a sorted listing it stands before its plain form, unless a
        part of that begins with a character before `/`; only those and the odd ones need to be remembered.
        """
        parts = relative.rstrip("/").split("/")
        if parts[-1] == ".":
            raise KeysCollide(f"Key {key!r} ends in '.', which is no name of a file. Rename the object.")
        is_odd = "" in parts or "." in parts
        if not (is_odd or self._shared or any(part < "/" for part in parts)):
            return
        other = self._shared.get(str(target))
        if other is not None:
            raise KeysCollide(
                f"Keys {other!r} and {key!r} would both be written to {str(target)!r}. Rename one of them."
            )
        if not relative.endswith("/") and (is_odd or any(part < "/" for part in parts)):
            self._shared[str(target)] = key


_ODD_PARTS = ("", ".", "..")
# What `local_target` must look at: other separators, the end of C strings, drives and streams of Windows.
_ODD_CHARACTERS = re.compile(r"[\\\0:]")


Item = TypeVar("Item", Upload, Download)


def upload_all(
    plan: Iterable[Upload],
    engine: Engine,
    *,
    max_concurrency: int,
    subject: str = "files",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Summary:
    """Store every file of a plan.

    Args:
        plan: What to store.
        engine: What stores it.
        max_concurrency: How many files are on their way at once.
        subject: What the progress display calls the transfer.
        progress: Who is told of each file; nobody by default.
        stop: Set it to end the transfer early. A `Brake` also limits how many files are on their way.

    Returns:
        The number of files and bytes moved.

    Raises:
        TransferStopped: If `stop` was set.
        Exception: The first failure; files that were complete by then stay.
    """
    return _run(plan, engine.upload, max_concurrency, subject, progress, stop)


def download_all(
    plan: Iterable[Download],
    engine: Engine,
    *,
    max_concurrency: int,
    subject: str = "files",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    keep_times: bool = False,
) -> Summary:
    """Write every object of a plan to disk; arguments and errors as in `upload_all`.

    With `keep_times` a file gets the object's time of modification, which a later sync compares.
    """

    def move(item: Download, stop: threading.Event) -> None:
        if item.is_folder:
            make_folder(str(item.target), str(item.target))
            return
        with complete_or_absent(item.target) as part:
            engine.download(item, part, stop)
            if keep_times and item.modified is not None:
                moment = item.modified.timestamp()
                os.utime(part, (moment, moment))

    return _run(plan, move, max_concurrency, subject, progress, stop)


def _run(
    plan: Iterable[Item],
    move: Callable[[Item, threading.Event], None],
    max_concurrency: int,
    subject: str,
    progress: Progress | None,
    stop: threading.Event | None,
) -> Summary:
    """Pull items from the plan with a fixed number of threads.

    Workers take the next item themselves: no queue, so nothing piles up, and no hand-over costs time.
    """
    if max_concurrency < 1:
        raise ValueError(f"max_concurrency is {max_concurrency}; it must be at least 1.")
    items = iter(plan)
    ahead = list(itertools.islice(items, LOOKAHEAD))
    is_all = len(ahead) < LOOKAHEAD
    source = itertools.chain(_emptied(ahead), items)
    asked_to_stop = stop if stop is not None else threading.Event()
    brake = stop if isinstance(stop, Brake) else None
    halt = threading.Event()  # ours: set by a failure as well, without touching the caller's event
    is_over = threading.Event()
    lock = threading.Lock()
    errors: list[BaseException] = []
    moved = [0, 0]

    def take() -> Item | None:
        with lock:
            if is_over.is_set() or asked_to_stop.is_set():
                return None
            return next(source, None)

    def end() -> None:
        is_over.set()
        if brake is not None:
            brake.release()

    def work(number: int) -> None:
        try:
            while True:
                if brake is not None:
                    brake.admit(number, is_over)
                item = take()
                if item is None:
                    break
                move(item, halt)
                with lock:
                    moved[0] += 1
                    moved[1] += item.size_bytes
                if progress is not None:
                    progress.advance(item.size_bytes)
        except BaseException as exc:  # noqa: BLE001 - handed to the caller's thread below
            with lock:
                errors.append(exc)
            halt.set()
        finally:
            end()
            with lock:
                running.discard(number)
                if not running:
                    idle.set()

    count = min(max_concurrency, len(ahead)) if is_all else max_concurrency
    total = len(ahead) if is_all else None
    running: set[int] = set()
    idle = threading.Event()  # not Thread.join: an interrupted one takes a running thread for ended
    with progress.over(subject, total) if progress is not None else contextlib.nullcontext():
        threads: list[threading.Thread] = []
        try:
            for number in range(count):
                run = contextvars.copy_context().run
                thread = threading.Thread(target=run, args=(work, number), name=f"transfer-{number}", daemon=True)
                with lock:
                    running.add(number)
                    idle.clear()
                try:
                    thread.start()
                except BaseException:
                    with lock:
                        running.discard(number)
                    raise
                threads.append(thread)
            while running:
                idle.wait(0.1)
                if asked_to_stop.is_set():
                    halt.set()
        except BaseException:
            halt.set()
            end()
            while running:
                idle.wait(0.1)
            raise
        for thread in threads:
            thread.join()
        if errors:
            # A failure also stops its neighbours: the first error is the cause, the stops are its echo.
            raise next((e for e in errors if not isinstance(e, TransferStopped)), errors[0])
        if asked_to_stop.is_set():
            raise TransferStopped(f"The transfer of {subject} was stopped after {moved[0]} files.")
    return Summary(files=moved[0], size_bytes=moved[1])


def _emptied(items: list[Item]) -> Iterator[Item]:
    """Walk a list and let go of what was walked."""
    items.reverse()
    while items:
        yield items.pop()


def copy_stream(chunks: Iterable[bytes], file: BinaryIO, stop: threading.Event) -> int:
    """Write chunks to a file and return the number of bytes; raise `TransferStopped` when `stop` is set."""
    size = 0
    for chunk in chunks:
        if stop.is_set():
            raise TransferStopped("The transfer was stopped.")
        file.write(chunk)
        size += len(chunk)
    return size
