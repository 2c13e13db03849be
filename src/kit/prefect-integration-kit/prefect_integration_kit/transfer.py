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
import secrets
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from prefect_integration_kit.paths import local_target, relative_key
from prefect_integration_kit.progress import Progress

LOOKAHEAD = 10_000
"""How many items of a plan are made before the first byte moves: a bad key among them stops a transfer unbegun."""


class TransferStopped(Exception):
    """The transfer was asked to stop before it was complete."""


class KeysCollide(ValueError):
    """Two keys of one folder would be written to the same file."""


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """One object as a listing shows it."""

    key: str
    size_bytes: int
    modified: datetime | None = None
    etag: str | None = None


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


def walk_files(directory: Path, ignore_lines: Iterable[str] | None = None) -> Iterator[tuple[Path, str]]:
    """Find the files below a folder, with their `/`-separated paths relative to it, sorted within each folder.

    Symbolic links are followed; a link to a folder above itself is not entered twice.

    Args:
        directory: The folder.
        ignore_lines: Patterns of files to leave out, as in `.gitignore`.

    Raises:
        NotADirectoryError: If `directory` is a file.
        FileNotFoundError: If there is no `directory`.
    """
    if not directory.exists():
        raise FileNotFoundError(f"Folder {str(directory)!r} does not exist.")
    if not directory.is_dir():
        raise NotADirectoryError(f"{str(directory)!r} is a file, not a folder. Upload it as a single file.")
    return _walk(directory, list(ignore_lines or ()))


def _walk(directory: Path, lines: list[str]) -> Iterator[tuple[Path, str]]:
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(lines) if lines else None
    # A negated pattern may bring back a file below an ignored folder, so only then must all folders be entered.
    prunes = not any(line.lstrip().startswith("!") for line in lines)

    def enter(folder: str, prefix: str, above: frozenset[str]) -> Iterator[tuple[Path, str]]:
        real = os.path.realpath(folder)
        if real in above:
            return
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            relative = prefix + entry.name
            if entry.is_dir():
                if spec is not None and prunes and spec.match_file(f"{relative}/"):
                    continue
                yield from enter(entry.path, f"{relative}/", above | {real})
            elif entry.is_file() and (spec is None or not spec.match_file(relative)):
                yield Path(entry.path), relative

    return enter(str(directory), "", frozenset())


def read_ignore_file(path: str | Path) -> list[str]:
    """Read the patterns of an ignore file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"Ignore file {str(path)!r} does not exist. Create it, or pass ignore_file=None.")
    return file.read_text(encoding="utf-8").splitlines()


def plan_upload(directory: Path, prefix: str, ignore_lines: Iterable[str] | None = None) -> Iterator[Upload]:
    """Plan to store the files below a folder.

    Args:
        directory: The folder.
        prefix: What keys begin with, as `paths.folder_prefix` makes it.
        ignore_lines: Patterns of files to leave out, as in `.gitignore`.

    Raises:
        NotADirectoryError: If `directory` is a file.
        FileNotFoundError: If there is no `directory`.
    """
    files = walk_files(directory, ignore_lines)
    return (Upload(path, prefix + relative, path.stat().st_size) for path, relative in files)


def plan_download(objects: Iterable[RemoteObject], prefix: str, destination: Path) -> Iterator[Download]:
    """Plan to write the objects of a folder to disk.

    Args:
        objects: The folder's listing.
        prefix: The folder, as `paths.folder_prefix` makes it.
        destination: Where its content goes.

    Raises:
        PathEscapes: While iterating, if a key leads outside `destination`.
        KeysCollide: While iterating, if two keys mean the same file, as `a//b` and `a/b` do.
    """
    odd: dict[Path, str] = {}
    for item in objects:
        relative = relative_key(item.key, prefix)
        if not relative:
            continue  # the marker of the folder itself
        target = local_target(destination, relative)
        parts = relative.rstrip("/").split("/")
        if target in odd:
            raise KeysCollide(
                f"Keys {odd[target]!r} and {item.key!r} would both be written to {str(target)!r}. Rename one of them."
            )
        if "" in parts or "." in parts:
            odd[target] = item.key
        yield Download(item.key, target, item.size_bytes, item.modified)


@contextlib.contextmanager
def complete_or_absent(target: Path) -> Generator[Path, None, None]:
    """Give a temporary path beside `target` that takes its name on success and vanishes on failure.

    Parent folders are made. The temporary file has the permissions that the umask gives.

    Raises:
        IsADirectoryError: If `target` is a folder.
        NotADirectoryError: If something above `target` is a file.
    """
    if target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a folder; a file cannot replace it. Name a file.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as exc:
        raise NotADirectoryError(
            f"Cannot write {str(target)!r}: {exc.filename!r} or a part of it is a file, not a folder."
        ) from exc
    # Short, so that a name of the longest length still fits beside its part.
    part = target.parent / f".{secrets.token_hex(6)}.part"
    try:
        yield part
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


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
        stop: Set it to end the transfer early.

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
            item.target.mkdir(parents=True, exist_ok=True)
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
    source = itertools.chain(ahead, items)
    asked_to_stop = stop if stop is not None else threading.Event()
    halt = threading.Event()  # ours: set by a failure as well, without touching the caller's event
    lock = threading.Lock()
    errors: list[BaseException] = []
    moved = [0, 0]

    def take() -> Item | None:
        with lock:
            if errors or halt.is_set() or asked_to_stop.is_set():
                return None
            return next(source, None)

    def work() -> None:
        try:
            while (item := take()) is not None:
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

    count = min(max_concurrency, len(ahead)) if len(ahead) < LOOKAHEAD else max_concurrency
    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(work,), name=f"transfer-{n}", daemon=True)
        for n in range(count)
    ]
    total = len(ahead) if len(ahead) < LOOKAHEAD else None
    with progress.over(subject, total) if progress is not None else contextlib.nullcontext():
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.1)
                    if asked_to_stop.is_set():
                        halt.set()
        except BaseException:
            halt.set()
            for thread in threads:
                thread.join()
            raise
    if errors:
        # A failure also stops its neighbours: the first error is the cause, the stops are its echo.
        raise next((e for e in errors if not isinstance(e, TransferStopped)), errors[0])
    if asked_to_stop.is_set():
        raise TransferStopped(f"The transfer of {subject} was stopped after {moved[0]} files.")
    return Summary(files=moved[0], size_bytes=moved[1])


def copy_stream(chunks: Iterable[bytes], file: BinaryIO, stop: threading.Event) -> int:
    """Write chunks to a file and return the number of bytes; raise `TransferStopped` when `stop` is set."""
    size = 0
    for chunk in chunks:
        if stop.is_set():
            raise TransferStopped("The transfer was stopped.")
        file.write(chunk)
        size += len(chunk)
    return size
