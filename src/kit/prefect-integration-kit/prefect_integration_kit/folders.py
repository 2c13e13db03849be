"""What can be done with whole folders of an object store: the same for every store, in blocking form.

A store brings its engine, its listing and its way to delete; see `FolderStore`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from prefect_integration_kit.files import ignore_rules
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.progress import Progress
from prefect_integration_kit.syncing import Compare, SyncPlan, SyncSummary, files_without_object
from prefect_integration_kit.transfer import (
    Download,
    Engine,
    RemoteObject,
    Summary,
    Upload,
    download_all,
    plan_download,
    plan_upload,
    upload_all,
)

Options = TypeVar("Options", contravariant=True)


class FolderStore(Protocol[Options]):
    """One bucket, as the functions below need it. `Options` is what callers may ask of the vendor's SDK."""

    @property
    def max_concurrency(self) -> int:
        """How many files are on their way at once."""
        ...

    def url(self, key: str = "") -> str:
        """Name an object, a folder or the bucket in messages."""
        ...

    def engine(self, options: Options) -> AbstractContextManager[Engine]:
        """Open what moves files."""
        ...

    def walk(self, prefix: str) -> Iterator[RemoteObject]:
        """Walk the objects below a prefix, in the order of their keys."""
        ...

    def listing(self, engine: Engine, prefix: str) -> Iterator[RemoteObject]:
        """Walk the same for a download, where the engine may list more quickly."""
        ...

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete objects and return their number."""
        ...


def upload_folder(
    store: FolderStore[Options],
    directory: Path,
    prefix: str,
    options: Options,
    *,
    ignore_lines: Iterable[str] | None = None,
    stop: threading.Event | None = None,
) -> Summary:
    """Store the files below a folder.

    Args:
        store: The bucket.
        directory: The folder.
        prefix: What keys begin with, as `paths.folder_prefix` makes it.
        options: What the caller asked of the vendor's SDK.
        ignore_lines: Patterns of files to leave out, as in `.gitignore`.
        stop: Set it to end the transfer early.

    Raises:
        NotADirectoryError: If `directory` is a file.
        FileNotFoundError: If there is no `directory`.
    """
    return _upload(store, plan_upload(directory, prefix, ignore_lines), prefix, options, stop)


def _upload(
    store: FolderStore[Options], plan: Iterable[Upload], prefix: str, options: Options, stop: threading.Event | None
) -> Summary:
    with store.engine(options) as engine:
        return upload_all(
            plan,
            engine,
            max_concurrency=store.max_concurrency,
            subject=f"files to {store.url(prefix)}",
            progress=Progress(run_logger(__name__)),
            stop=stop,
        )


def download_folder(
    store: FolderStore[Options],
    prefix: str,
    destination: Path,
    options: Options,
    *,
    stop: threading.Event | None = None,
) -> list[Path]:
    """Write the objects below a prefix to a folder, and warn when there are none.

    Args:
        store: The bucket.
        prefix: The folder, as `paths.folder_prefix` makes it.
        destination: Where its content goes.
        options: What the caller asked of the vendor's SDK.
        stop: Set it to end the transfer early.

    Returns:
        The files, in the order of their keys; objects that only mark a folder are none.

    Raises:
        NotADirectoryError: If `destination` is a file.
        PathEscapes: If a key leads outside `destination`.
    """
    _require_folder(destination)
    files: list[Path] = []

    def plan(engine: Engine) -> Iterator[Download]:
        for item in plan_download(store.listing(engine, prefix), prefix, destination):
            if not item.is_folder:
                files.append(item.target)
            yield item

    summary = _download(store, plan, prefix, options, stop)
    if not summary.files:
        run_logger(__name__).warning("No objects found in %s. Check the name of the folder.", store.url(prefix))
    return files


def _download(
    store: FolderStore[Options],
    plan: Callable[[Engine], Iterable[Download]],
    prefix: str,
    options: Options,
    stop: threading.Event | None,
    keep_times: bool = False,
) -> Summary:
    with store.engine(options) as engine:
        return download_all(
            plan(engine),
            engine,
            max_concurrency=store.max_concurrency,
            subject=f"files from {store.url(prefix)}",
            progress=Progress(run_logger(__name__)),
            stop=stop,
            keep_times=keep_times,
        )


def sync_up(
    store: FolderStore[Options],
    directory: Path,
    prefix: str,
    options: Options,
    *,
    ignore_lines: Iterable[str] | None,
    compare: Compare,
    delete: bool,
    stop: threading.Event | None = None,
) -> SyncSummary:
    """Store what changed in a folder.

    Args:
        store: The bucket.
        directory: The folder.
        prefix: Its counterpart.
        options: What the caller asked of the vendor's SDK.
        ignore_lines: Patterns of files to leave out, as in `.gitignore`; objects of such names stay.
        compare: How files of equal size are told apart.
        delete: Whether objects without a file are deleted.
        stop: Set it to end the transfer early.
    """
    ignore_lines = list(ignore_lines or ())
    plan = list(plan_upload(directory, prefix, ignore_lines))
    remote = {item.key: item for item in store.walk(prefix)}
    due = SyncPlan(compare)
    moved = _upload(store, due.uploads(plan, remote), prefix, options, stop)
    gone: set[str] = remote.keys() - {item.key for item in plan} if delete else set()
    is_ignored = ignore_rules(ignore_lines)  # an ignored file may well exist
    gone = {key for key in gone if not key.endswith("/") and not is_ignored(key[len(prefix) :])}
    return SyncSummary(moved.files, due.skipped, store.delete_many(sorted(gone)), moved.size_bytes)


def sync_down(
    store: FolderStore[Options],
    prefix: str,
    destination: Path,
    options: Options,
    *,
    compare: Compare,
    delete: bool,
    stop: threading.Event | None = None,
) -> SyncSummary:
    """Write what changed below a prefix to a folder.

    Args:
        store: The bucket.
        prefix: The folder in the bucket.
        destination: Its counterpart on disk; files get the times of the objects.
        options: What the caller asked of the vendor's SDK.
        compare: How files of equal size are told apart.
        delete: Whether files without an object are deleted.
        stop: Set it to end the transfer early.

    Raises:
        NotADirectoryError: If `destination` is a file.
        PathEscapes: If a key leads outside `destination`; nothing is written.
    """
    _require_folder(destination)
    remote = {item.key: item for item in store.walk(prefix)}
    plan = list(plan_download(remote.values(), prefix, destination))
    due = SyncPlan(compare)
    moved = _download(store, lambda engine: due.downloads(plan, remote), prefix, options, stop, keep_times=True)
    gone = files_without_object(destination, plan) if delete and destination.exists() else []
    for path in gone:
        path.unlink()
    return SyncSummary(moved.files, due.skipped, len(gone), moved.size_bytes)


def _require_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{str(path)!r} is a file; objects cannot be written into it. Name a folder.")
