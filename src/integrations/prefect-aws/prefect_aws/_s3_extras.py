"""What an S3 bucket block can beyond single transfers: signed URLs, syncs, waits."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prefect_aws._s3_folders import S3Folders
from prefect_aws._s3_objects import Credentials
from prefect_integration_kit.dispatch import async_dispatch, run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.files import read_ignore_file
from prefect_integration_kit.syncing import SyncSummary
from prefect_integration_kit.waiting import apoll, poll


def absolute(path: str | Path) -> Path:
    """Make a path absolute, with `~` as the home folder."""
    return Path(path).expanduser().absolute()


class S3BucketExtras:
    """A base of `S3Bucket`."""

    if TYPE_CHECKING:
        bucket_name: str
        credentials: Credentials

        def _objects(self) -> S3Folders: ...

        def _key(self, path: str | Path) -> str: ...

        def _prefix(self, folder: str | Path | None) -> str: ...

    def _presigned_url(
        self, path: str, method: Literal["GET", "PUT"], expires_in_seconds: int, parameters: dict[str, Any]
    ) -> str:
        # Version 4 is the only signature that every region and encryption takes; boto3 signs URLs by an older one.
        objects = S3Folders.open(self.credentials, self.bucket_name, signature_version="s3v4")
        return objects.presign(self._key(path), method, expires_in_seconds, parameters)

    async def apresigned_url(
        self,
        path: str,
        method: Literal["GET", "PUT"] = "GET",
        expires_in_seconds: int = 3600,
        **parameters: Any,
    ) -> str:
        """Async form of `presigned_url`."""
        return await run_sync_in_worker_thread(self._presigned_url, path, method, expires_in_seconds, parameters)

    @async_dispatch(apresigned_url)
    def presigned_url(
        self,
        path: str,
        method: Literal["GET", "PUT"] = "GET",
        expires_in_seconds: int = 3600,
        **parameters: Any,
    ) -> str:
        """Sign a URL by which anyone who has it can read or write one object for a time.

        Args:
            path: Key of the object, relative to `bucket_folder`. It need not exist.
            method: `GET` to read, `PUT` to write.
            expires_in_seconds: How long the URL holds, at most seven days; never longer than the credentials.
            **parameters: Further parameters of GetObject or PutObject, such as `ResponseContentType`.

        Returns:
            The URL. Treat it as a secret.

        Raises:
            ValueError: If `expires_in_seconds` or `method` is out of range.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            link = s3_bucket.presigned_url("reports/today.pdf", expires_in_seconds=600)
            ```
        """
        return self._presigned_url(path, method, expires_in_seconds, parameters)

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
            to_folder: Its counterpart in the bucket, relative to `bucket_folder`; `bucket_folder` itself by default.
            delete: Also delete the objects of `to_folder` that have no file.
            compare: How files of equal size are told apart: `time` uploads those modified after the object;
                `checksum` compares MD5 sums where the object's ETag is one, and times elsewhere.
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
            from_folder: Folder below `bucket_folder`; `bucket_folder` itself when `None`.
            to_folder: Its counterpart on disk.
            delete: Also delete the files in `to_folder` that have no object.
            compare: How files of equal size are told apart: by `time`, or by `checksum` where the object's ETag is an
                MD5 sum.

        Returns:
            How many files were downloaded, were the same, and were deleted.

        Raises:
            PathEscapes: If a key would be written outside `to_folder`; nothing is written.
            NotADirectoryError: If `to_folder` is a file.
        """
        return self._sync_to_folder(from_folder, to_folder, delete, compare)

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
            subject=f"Object s3://{self.bucket_name}/{self._key(path)}",
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
        )

    @async_dispatch(await_for_object)
    def wait_for_object(self, path: str, *, timeout_seconds: float | None = None, poll_seconds: float = 5.0) -> str:
        """Wait until an object exists.

        Args:
            path: Key of the object, relative to `bucket_folder`.
            timeout_seconds: How long to wait; for ever by default.
            poll_seconds: Seconds between two looks; each costs one HeadObject request.

        Returns:
            The key.

        Raises:
            WaitTimeout: If the time is up; also a `TimeoutError`.
            AwsBucketNotFound: If there is no such bucket.
            AwsAccessDenied: If the credentials may not see the object. Without the permission to list the bucket S3
                also gives this answer for objects that do not exist.
        """
        return poll(
            self._object_watch(path),
            subject=f"Object s3://{self.bucket_name}/{self._key(path)}",
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
        )

    def _look_for_prefix(self, folder: str, min_objects: int) -> list[str] | None:
        if min_objects < 1:
            raise ValueError(f"min_objects is {min_objects}; it must be at least 1.")
        prefix = self._prefix(folder)
        found = [item["Key"] for item in self._objects().list(prefix, max_items=min_objects + 1)]
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
            subject=f"{min_objects} object(s) in s3://{self.bucket_name}/{self._prefix(folder)}",
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
            folder: Folder below `bucket_folder`.
            min_objects: How many objects to wait for.
            timeout_seconds: How long to wait; for ever by default.
            poll_seconds: Seconds between two looks; each costs one ListObjectsV2 request for a thousand objects.

        Returns:
            The keys of the first `min_objects` objects.

        Raises:
            WaitTimeout: If the time is up; also a `TimeoutError`.
            ValueError: If `min_objects` is less than 1.
        """
        return poll(
            lambda: self._look_for_prefix(folder, min_objects),
            subject=f"{min_objects} object(s) in s3://{self.bucket_name}/{self._prefix(folder)}",
            interval_seconds=poll_seconds,
            timeout_seconds=timeout_seconds,
        )
