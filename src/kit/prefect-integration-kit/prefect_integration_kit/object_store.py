"""One bucket of an object store, in blocking form: what the block, the deployment steps and the bundles work with.

A package writes a class with the SDK's calls, and inherits `FolderMethods` for whole folders.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from prefect_integration_kit import folders
from prefect_integration_kit.folders import FolderStore
from prefect_integration_kit.syncing import Compare, SyncSummary
from prefect_integration_kit.transfer import RemoteObject, Summary

Options = TypeVar("Options")
_Asked = TypeVar("_Asked", contravariant=True)


class ObjectStore(Protocol[_Asked]):
    """One bucket in blocking form. Its parameter is what callers may ask of the vendor's SDK.

    The methods on folders are those of `FolderMethods`.
    """

    def download(self, key: str, target: Path, options: _Asked, stop: threading.Event | None = None) -> Path:
        """Write one object to a file, which appears when it is complete, and return its absolute path."""
        ...

    def download_to(self, key: str, file: BinaryIO, options: _Asked) -> BinaryIO:
        """Write one object to an open file."""
        ...

    def upload(self, source: Path, key: str, options: _Asked, stop: threading.Event | None = None) -> str:
        """Store one file under a key and return the key."""
        ...

    def upload_from(self, file: BinaryIO, key: str, options: _Asked) -> str:
        """Store what an open file holds, from its position on, and return the key."""
        ...

    def stream_from(self, source: Any, from_key: str, key: str, options: _Asked) -> str:
        """Copy an object of another store of the same kind through this machine, and return the key of the copy."""
        ...

    def copy(self, from_key: str, to_bucket: str, to_key: str, arguments: dict[str, Any]) -> str:
        """Copy an object inside the service and return its new key."""
        ...

    def move(self, from_key: str, to_bucket: str, to_key: str) -> str:
        """Copy an object, delete the original, and return its new key."""
        ...

    def head(self, key: str) -> object | None:
        """Look at one object without reading it; `None` when it, or the bucket, does not exist."""
        ...

    def require_bucket(self) -> None:
        """Raise if there is no such bucket; silent when this may not be asked."""
        ...

    def walk(self, prefix: str) -> Iterator[RemoteObject]:
        """Walk the objects below a prefix, in the order of their keys."""
        ...

    def upload_folder(
        self,
        directory: Path,
        prefix: str,
        *,
        ignore_lines: Iterable[str] | None = None,
        options: _Asked | None = None,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Store the files below a folder."""
        ...

    def download_folder(
        self, prefix: str, destination: Path, *, options: _Asked | None = None, stop: threading.Event | None = None
    ) -> list[Path]:
        """Write the objects below a prefix to a folder, and list the files."""
        ...

    def sync_up(
        self,
        directory: Path,
        prefix: str,
        *,
        ignore_lines: Iterable[str] | None,
        compare: Compare,
        delete: bool,
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        """Store what changed in a folder."""
        ...

    def sync_down(
        self, prefix: str, destination: Path, *, compare: Compare, delete: bool, stop: threading.Event | None = None
    ) -> SyncSummary:
        """Write what changed below a prefix to a folder."""
        ...


class StoreOfFolders(FolderStore[Options], Protocol[Options]):
    """What `FolderMethods` need of the class that inherits them."""

    def no_options(self) -> Options:
        """Give the options of a caller who asks for nothing."""
        ...

    def folder_errors(self, prefix: str, options: Options) -> AbstractContextManager[None]:
        """Open what translates the errors of a whole transfer."""
        ...


class FolderMethods:
    """The functions of `folders` as methods of a store."""

    def folder_errors(self, prefix: str, options: Any) -> AbstractContextManager[None]:
        """Open what translates the errors of a whole transfer; nothing where engine and listing translate theirs."""
        return nullcontext()

    def upload_folder(
        self: StoreOfFolders[Options],
        directory: Path,
        prefix: str,
        *,
        ignore_lines: Iterable[str] | None = None,
        options: Options | None = None,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Store the files below a folder; see `folders.upload_folder`."""
        asked = self.no_options() if options is None else options
        with self.folder_errors(prefix, asked):
            return folders.upload_folder(self, directory, prefix, asked, ignore_lines=ignore_lines, stop=stop)

    def download_folder(
        self: StoreOfFolders[Options],
        prefix: str,
        destination: Path,
        *,
        options: Options | None = None,
        stop: threading.Event | None = None,
    ) -> list[Path]:
        """Write the objects below a prefix to a folder, and list the files; see `folders.download_folder`."""
        asked = self.no_options() if options is None else options
        with self.folder_errors(prefix, asked):
            return folders.download_folder(self, prefix, destination, asked, stop=stop)

    def sync_up(
        self: StoreOfFolders[Options],
        directory: Path,
        prefix: str,
        *,
        ignore_lines: Iterable[str] | None,
        compare: Compare,
        delete: bool,
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        """Store what changed in a folder; see `folders.sync_up`."""
        asked = self.no_options()
        with self.folder_errors(prefix, asked):
            return folders.sync_up(
                self, directory, prefix, asked, ignore_lines=ignore_lines, compare=compare, delete=delete, stop=stop
            )

    def sync_down(
        self: StoreOfFolders[Options],
        prefix: str,
        destination: Path,
        *,
        compare: Compare,
        delete: bool,
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        """Write what changed below a prefix to a folder; see `folders.sync_down`."""
        asked = self.no_options()
        with self.folder_errors(prefix, asked):
            return folders.sync_down(self, prefix, destination, asked, compare=compare, delete=delete, stop=stop)
