"""What a block that is a bucket, or a container, does the same whatever the store.

The block inherits `ObjectStoreBlock` and says how its `ObjectStore` is opened. It publishes its own transfer methods,
whose keywords and errors are those of the vendor's SDK; each reads its keywords and calls the body of its name, with a
`_` in front. Syncs and waits have no such keywords: they are inherited as they are.
"""

from __future__ import annotations

import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Generic, Literal

from prefect_integration_kit.dispatch import async_dispatch, run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.files import read_ignore_file
from prefect_integration_kit.object_store import ObjectStore, Options
from prefect_integration_kit.paths import folder_prefix, object_key
from prefect_integration_kit.syncing import SyncSummary
from prefect_integration_kit.waiting import apoll, poll

if TYPE_CHECKING:
    from .logs import Log


def absolute(path: str | Path) -> Path:
    """Make a path absolute, with `~` as the home folder."""
    return Path(path).expanduser().absolute()


class ObjectStoreBlock(ABC, Generic[Options]):
    """A base of blocks that keep objects in one bucket: bodies of the transfers; syncs and waits with both faces."""

    _scheme: ClassVar[str]
    """What the addresses of objects begin with in messages, such as `s3`."""

    if TYPE_CHECKING:

        @property
        def logger(self) -> Log:
            """The block's logger, which Prefect gives it."""
            ...

    @property
    @abstractmethod
    def basepath(self) -> str:
        """The folder in the bucket that all paths are relative to."""

    @abstractmethod
    def _bucket(self) -> str:
        """Name the bucket."""

    @abstractmethod
    def _objects(self) -> ObjectStore[Options]:
        """Open the bucket. This may block, for an SDK is imported here."""

    # Keys

    def _url(self, key: str, bucket: str | None = None) -> str:
        return f"{self._scheme}://{self._bucket() if bucket is None else bucket}/{key}"

    def _key(self, path: str | Path) -> str:
        key = object_key(self.basepath, path)
        if not key:
            raise ValueError("path is empty; give the key of an object.")
        return key

    def _prefix(self, folder: str | Path | None) -> str:
        return folder_prefix(self.basepath, folder)

    def _target(self, to_path: str | Path, to_bucket: ObjectStoreBlock[Any] | str | None) -> tuple[str, str]:
        """Find bucket and key of a copy: below the folder of a block, anywhere in a bucket given by name."""
        if to_bucket is None:
            return self._bucket(), self._key(to_path)
        if isinstance(to_bucket, ObjectStoreBlock):
            if to_bucket._scheme != self._scheme:  # noqa: SLF001
                raise TypeError(
                    f"to_bucket is a {type(to_bucket).__name__}, but objects can only be copied inside one service. "
                    "Download the object and upload it there."
                )
            return to_bucket._bucket(), to_bucket._key(to_path)  # noqa: SLF001
        return to_bucket, object_key("", to_path)

    # Bodies: folders as deployment storage

    def _get_directory(
        self, from_path: str | None, local_path: str | None, stop: threading.Event | None = None
    ) -> list[Path]:
        return self._objects().download_folder(self._prefix(from_path), absolute(local_path or "."), stop=stop)

    def _put_directory(
        self,
        local_path: str | None,
        to_path: str | None,
        ignore_file: str | None,
        stop: threading.Event | None = None,
    ) -> int:
        lines = read_ignore_file(ignore_file) if ignore_file else None
        summary = self._objects().upload_folder(
            absolute(local_path or "."), self._prefix(to_path), ignore_lines=lines, stop=stop
        )
        return summary.files

    # Bodies: downloads

    def _download_object_to_path(
        self, from_path: str, to_path: str | Path | None, options: Options, stop: threading.Event | None = None
    ) -> Path:
        key = self._key(from_path)
        target = absolute(to_path if to_path is not None else PurePosixPath(key).name)
        self.logger.info("Downloading %s to %s", self._url(key), target)
        return self._objects().download(key, target, options, stop)

    def _download_object_to_file_object(self, from_path: str, to_file_object: BinaryIO, options: Options) -> BinaryIO:
        key = self._key(from_path)
        self.logger.info("Downloading %s to a file object", self._url(key))
        return self._objects().download_to(key, to_file_object, options)

    def _download_folder_to_path(
        self, from_folder: str, to_folder: str | Path | None, options: Options, stop: threading.Event | None = None
    ) -> Path:
        target = absolute(to_folder if to_folder is not None else ".")
        self._objects().download_folder(self._prefix(from_folder), target, options=options, stop=stop)
        return target

    # Bodies: uploads

    def _stream_from(
        self, bucket: ObjectStoreBlock[Options], from_path: str, to_path: str | None, options: Options
    ) -> str:
        from_key = bucket._key(from_path)
        key = self._key(to_path if to_path is not None else PurePosixPath(from_key).name)
        self.logger.info("Streaming %s to %s", bucket._url(from_key), self._url(key))
        return self._objects().stream_from(bucket._objects(), from_key, key, options)

    def _upload_from_path(
        self, from_path: str | Path, to_path: str | None, options: Options, stop: threading.Event | None = None
    ) -> str:
        source = absolute(from_path)
        key = self._key(to_path if to_path is not None else source.name)
        self.logger.info("Uploading %s to %s", source, self._url(key))
        return self._objects().upload(source, key, options, stop)

    def _upload_from_file_object(self, file: BinaryIO, to_path: str, options: Options) -> str:
        key = self._key(to_path)
        self.logger.info("Uploading a file object to %s", self._url(key))
        return self._objects().upload_from(file, key, options)

    def _upload_from_folder(
        self, from_folder: str | Path, to_folder: str | None, options: Options, stop: threading.Event | None = None
    ) -> str:
        prefix = self._prefix(to_folder)
        summary = self._objects().upload_folder(absolute(from_folder), prefix, options=options, stop=stop)
        if not summary.files:
            self.logger.warning("No files found in %s; nothing was uploaded.", from_folder)
        return prefix.rstrip("/")

    # Bodies: objects that move inside the service

    def _copy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: ObjectStoreBlock[Options] | str | None,
        arguments: dict[str, Any],
    ) -> str:
        key, (bucket, to_key) = self._key(from_path), self._target(to_path, to_bucket)
        self.logger.info("Copying %s to %s", self._url(key), self._url(to_key, bucket))
        return self._objects().copy(key, bucket, to_key, arguments)

    def _move_object(
        self, from_path: str | Path, to_path: str | Path, to_bucket: ObjectStoreBlock[Options] | str | None
    ) -> str:
        key, (bucket, to_key) = self._key(from_path), self._target(to_path, to_bucket)
        self.logger.info("Moving %s to %s", self._url(key), self._url(to_key, bucket))
        return self._objects().move(key, bucket, to_key)

    # Syncs

    def _sync_from_folder(
        self,
        from_folder: str | Path,
        to_folder: str | None,
        delete: bool,
        compare: Literal["time", "checksum"],
        ignore_file: str | None,
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        lines = read_ignore_file(ignore_file) if ignore_file else None
        return self._objects().sync_up(
            absolute(from_folder),
            self._prefix(to_folder),
            ignore_lines=lines,
            compare=compare,
            delete=delete,
            stop=stop,
        )

    async def async_from_folder(
        self,
        from_folder: str | Path,
        to_folder: str | None = None,
        *,
        delete: bool = False,
        compare: Literal["time", "checksum"] = "time",
        ignore_file: str | None = None,
    ) -> SyncSummary:
        """Async form of `sync_from_folder`."""
        return await run_stoppable(
            lambda stop: self._sync_from_folder(from_folder, to_folder, delete, compare, ignore_file, stop)
        )

    @async_dispatch(async_from_folder)
    def sync_from_folder(
        self,
        from_folder: str | Path,
        to_folder: str | None = None,
        *,
        delete: bool = False,
        compare: Literal["time", "checksum"] = "time",
        ignore_file: str | None = None,
    ) -> SyncSummary:
        """Upload what is new or changed in a folder.

        Args:
            from_folder: The folder.
            to_folder: Its counterpart in the bucket, relative to `basepath`; `basepath` itself by default.
            delete: Also delete the objects of `to_folder` that have no file.
            compare: How files of equal size are told apart: `time` uploads those modified after the object;
                `checksum` compares MD5 sums where the object has one, and times elsewhere.
            ignore_file: File with the patterns of what to leave out, written as in `.gitignore`.

        Returns:
            How many files were uploaded, were the same, and were deleted.

        Raises:
            FileNotFoundError: If `from_folder` or `ignore_file` does not exist.
            NotADirectoryError: If `from_folder` is a file.
        """
        return self._sync_from_folder(from_folder, to_folder, delete, compare, ignore_file)

    def _sync_to_folder(
        self,
        from_folder: str | None,
        to_folder: str | Path,
        delete: bool,
        compare: Literal["time", "checksum"],
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        return self._objects().sync_down(
            self._prefix(from_folder), absolute(to_folder), compare=compare, delete=delete, stop=stop
        )

    async def async_to_folder(
        self,
        from_folder: str | None,
        to_folder: str | Path,
        *,
        delete: bool = False,
        compare: Literal["time", "checksum"] = "time",
    ) -> SyncSummary:
        """Async form of `sync_to_folder`."""
        return await run_stoppable(lambda stop: self._sync_to_folder(from_folder, to_folder, delete, compare, stop))

    @async_dispatch(async_to_folder)
    def sync_to_folder(
        self,
        from_folder: str | None,
        to_folder: str | Path,
        *,
        delete: bool = False,
        compare: Literal["time", "checksum"] = "time",
    ) -> SyncSummary:
        """Download what is new or changed in a folder of the bucket.

        A downloaded file gets the object's time of modification, which the next sync compares.

        Args:
            from_folder: Folder below `basepath`; `basepath` itself when `None`.
            to_folder: Its counterpart on disk.
            delete: Also delete the files in `to_folder` that have no object.
            compare: How files of equal size are told apart: by `time`, or by `checksum` where the object has an MD5
                sum.

        Returns:
            How many files were downloaded, were the same, and were deleted.

        Raises:
            PathEscapes: If a key would be written outside `to_folder`; nothing is written.
            NotADirectoryError: If `to_folder` is a file.
        """
        return self._sync_to_folder(from_folder, to_folder, delete, compare)

    # Waits

    def _object_watch(self, path: str) -> Callable[[], str | None]:
        """Prepare looks at one object; the first of them also finds out about a bucket that does not exist."""
        key, looks = self._key(path), itertools.count()

        def look() -> str | None:
            objects = self._objects()
            if objects.head(key) is not None:
                return key
            if next(looks) == 0:
                objects.require_bucket()
            return None

        return look

    async def await_for_object(
        self, path: str, *, timeout_seconds: float | None = None, poll_seconds: float = 5.0
    ) -> str:
        """Async form of `wait_for_object`; no thread is held between two looks."""
        look = self._object_watch(path)
        return await apoll(
            lambda: run_sync_in_worker_thread(look),
            subject=f"Object {self._url(self._key(path))}",
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
        )

    @async_dispatch(await_for_object)
    def wait_for_object(self, path: str, *, timeout_seconds: float | None = None, poll_seconds: float = 5.0) -> str:
        """Wait until an object exists.

        Args:
            path: Key of the object, relative to `basepath`.
            timeout_seconds: How long to wait; for ever by default.
            poll_seconds: Seconds between two looks; each costs one request for the object's metadata.

        Returns:
            The key.

        Raises:
            WaitTimeout: If the time is up; also a `TimeoutError`.
            FileNotFoundError: If there is no such bucket.
            PermissionError: If the credentials may not see the object. Stores may also give this answer for objects
                that do not exist, to those who may not list the bucket.
        """
        return poll(
            self._object_watch(path),
            subject=f"Object {self._url(self._key(path))}",
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
        )

    def _look_for_prefix(self, folder: str, min_objects: int) -> list[str] | None:
        if min_objects < 1:
            raise ValueError(f"min_objects is {min_objects}; it must be at least 1.")
        prefix = self._prefix(folder)
        found = [item.key for item in itertools.islice(self._objects().walk(prefix), min_objects + 1)]
        keys = [key for key in found if key != prefix][:min_objects]  # the folder's own marker does not count
        return keys if len(keys) >= min_objects else None

    async def await_for_prefix(
        self,
        folder: str,
        *,
        min_objects: int = 1,
        timeout_seconds: float | None = None,
        poll_seconds: float = 5.0,
    ) -> list[str]:
        """Async form of `wait_for_prefix`; no thread is held between two looks."""
        return await apoll(
            lambda: run_sync_in_worker_thread(self._look_for_prefix, folder, min_objects),
            subject=f"{min_objects} object(s) in {self._url(self._prefix(folder))}",
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
        )

    @async_dispatch(await_for_prefix)
    def wait_for_prefix(
        self,
        folder: str,
        *,
        min_objects: int = 1,
        timeout_seconds: float | None = None,
        poll_seconds: float = 5.0,
    ) -> list[str]:
        """Wait until a folder holds objects.

        Args:
            folder: Folder below `basepath`.
            min_objects: How many objects to wait for.
            timeout_seconds: How long to wait; for ever by default.
            poll_seconds: Seconds between two looks; each costs one request for a thousand objects.

        Returns:
            The keys of the first `min_objects` objects.

        Raises:
            WaitTimeout: If the time is up; also a `TimeoutError`.
            ValueError: If `min_objects` is less than 1.
        """
        return poll(
            lambda: self._look_for_prefix(folder, min_objects),
            subject=f"{min_objects} object(s) in {self._url(self._prefix(folder))}",
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
        )
