"""Objects in Cloud Storage: tasks for single requests, and the `GcsBucket` block.

Folder operations move many files at once and stream them, so memory does not grow with their size or number. What is
moved is checked by its CRC32C, both ways. With the extra `fast` installed (`pip install "prefect-gcp[fast]"`) folders
are read by a native engine where nothing is asked that only Google's client can do;
`PREFECT_INTEGRATIONS_GCP_GCS_NATIVE_TRANSFER=false` switches it off.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.blocks.abstract import ObjectStorageBlock
from prefect.filesystems import WritableDeploymentStorage, WritableFileSystem
from pydantic import Field, HttpUrl, field_validator

from prefect_gcp._storage.folders import GcsFolders
from prefect_gcp._storage.frames import DataFrameSerializationFormat
from prefect_gcp._storage.transfers import GcsBucketTransfers
from prefect_gcp._storage.urls import GcsBucketUrls
from prefect_gcp.credentials import GcpCredentials
from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.late_imports import late_names

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket

    from prefect_gcp._storage.tasks import (
        acloud_storage_create_bucket,
        acloud_storage_download_blob_as_bytes,
        acloud_storage_download_blob_to_file,
        acloud_storage_upload_blob_from_file,
        acloud_storage_upload_blob_from_string,
        cloud_storage_copy_blob,
        cloud_storage_create_bucket,
        cloud_storage_download_blob_as_bytes,
        cloud_storage_download_blob_to_file,
        cloud_storage_upload_blob_from_file,
        cloud_storage_upload_blob_from_string,
    )

__all__ = [
    "DataFrameSerializationFormat",
    "GcpCredentials",
    "GcsBucket",
    "acloud_storage_create_bucket",
    "acloud_storage_download_blob_as_bytes",
    "acloud_storage_download_blob_to_file",
    "acloud_storage_upload_blob_from_file",
    "acloud_storage_upload_blob_from_string",
    "cloud_storage_copy_blob",
    "cloud_storage_create_bucket",
    "cloud_storage_download_blob_as_bytes",
    "cloud_storage_download_blob_to_file",
    "cloud_storage_upload_blob_from_file",
    "cloud_storage_upload_blob_from_string",
]


__getattr__, __dir__ = late_names(
    __name__,
    {
        "acloud_storage_create_bucket": "._storage.tasks",
        "acloud_storage_download_blob_as_bytes": "._storage.tasks",
        "acloud_storage_download_blob_to_file": "._storage.tasks",
        "acloud_storage_upload_blob_from_file": "._storage.tasks",
        "acloud_storage_upload_blob_from_string": "._storage.tasks",
        "cloud_storage_copy_blob": "._storage.tasks",
        "cloud_storage_create_bucket": "._storage.tasks",
        "cloud_storage_download_blob_as_bytes": "._storage.tasks",
        "cloud_storage_download_blob_to_file": "._storage.tasks",
        "cloud_storage_upload_blob_from_file": "._storage.tasks",
        "cloud_storage_upload_blob_from_string": "._storage.tasks",
    },
)


class GcsBucket(
    QuickKey,
    GcsBucketTransfers,
    GcsBucketUrls,
    WritableDeploymentStorage,
    WritableFileSystem,
    ObjectStorageBlock,
):
    """Keep files in a bucket of Google Cloud Storage.

    Every path is relative to `bucket_folder`. A path that already begins with it is taken as it is, so what one method
    returns can be given to the next.

    Examples:
        Load a saved bucket and write to it:
        ```python
        from prefect_gcp.cloud_storage import GcsBucket

        gcs_bucket = GcsBucket.load("BLOCK_NAME")
        gcs_bucket.write_path("reports/today.txt", b"All well.")
        ```
    """

    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"
    )
    _block_type_name = "GCS Bucket"
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-gcp")

    bucket: str = Field(default=..., description="Name of the bucket, without `gs://`.")
    gcp_credentials: GcpCredentials = Field(
        default_factory=GcpCredentials, description="Who reads and writes: a GCP credentials block."
    )
    bucket_folder: str = Field(
        default="", description="Folder in the bucket that all paths are relative to; empty for the whole bucket."
    )

    @field_validator("bucket_folder")
    @classmethod
    def _end_folder(cls, value: str) -> str:
        """Let a folder end in `/`, as users join it with names."""
        return f"{value}/" if value and not value.endswith("/") else value

    @property
    def basepath(self) -> str:
        """The folder in the bucket that all paths are relative to. It ends in `/`, unless it is empty."""
        return self.bucket_folder

    def _bucket(self) -> str:
        return self.bucket

    def _objects(self) -> GcsFolders:
        return GcsFolders.open(self.gcp_credentials, self.bucket)

    # The bucket itself

    def _create_bucket(self, location: str | None, create_kwargs: dict[str, Any]) -> Bucket:
        self.logger.info("Creating bucket %s", self.bucket)
        return self._objects().create_bucket(location, create_kwargs)

    async def acreate_bucket(self, location: str | None = None, **create_kwargs: Any) -> Bucket:
        """Async form of `create_bucket`."""
        return await run_sync_in_worker_thread(self._create_bucket, location, create_kwargs)

    @async_dispatch(acreate_bucket)
    def create_bucket(self, location: str | None = None, **create_kwargs: Any) -> Bucket:
        """Create the bucket.

        Args:
            location: Where it keeps its objects, such as `EU` or `us-east1`; `US` by default.
            **create_kwargs: Further keywords of
                [`Client.create_bucket`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.client.Client#google_cloud_storage_client_Client_create_bucket).

        Returns:
            The client's `google.cloud.storage.Bucket`.

        Raises:
            GcpAlreadyExists: If there is a bucket of that name, no matter whose.
            GcpAccessDenied: If the credentials may not create buckets in the project.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket(bucket="my-bucket")
            gcs_bucket.create_bucket(location="EU")
            ```
        """
        return self._create_bucket(location, create_kwargs)

    async def aget_bucket(self) -> Bucket:
        """Async form of `get_bucket`."""
        return await run_sync_in_worker_thread(lambda: self._objects().get_bucket())

    @async_dispatch(aget_bucket)
    def get_bucket(self) -> Bucket:
        """Ask for the bucket and its metadata.

        Returns:
            The client's `google.cloud.storage.Bucket`.

        Raises:
            GcpBucketNotFound: If there is no such bucket.
            GcpAccessDenied: If the credentials may not see it.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            print(gcs_bucket.get_bucket().location)
            ```
        """
        return self._objects().get_bucket()

    # Folders as deployment storage

    async def aget_directory(self, from_path: str | None = None, local_path: str | None = None) -> list[str | Path]:
        """Async form of `get_directory`."""
        return [*await run_stoppable(lambda stop: self._get_directory(from_path, local_path, stop))]

    @async_dispatch(aget_directory)
    def get_directory(self, from_path: str | None = None, local_path: str | None = None) -> list[str | Path]:
        """Download a folder of the bucket, several files at a time.

        Args:
            from_path: Folder to download; `bucket_folder` by default.
            local_path: Where its content goes; the working directory by default.

        Returns:
            The absolute paths of the files, in the order of their keys.

        Raises:
            PathEscapes: If a key would be written outside `local_path`; no such file is written.
            NotADirectoryError: If `local_path` is a file.
            GcpBucketNotFound: If there is no such bucket.
        """
        return [*self._get_directory(from_path, local_path)]

    async def aput_directory(
        self, local_path: str | None = None, to_path: str | None = None, ignore_file: str | None = None
    ) -> int:
        """Async form of `put_directory`."""
        return await run_stoppable(lambda stop: self._put_directory(local_path, to_path, ignore_file, stop))

    @async_dispatch(aput_directory)
    def put_directory(
        self, local_path: str | None = None, to_path: str | None = None, ignore_file: str | None = None
    ) -> int:
        """Upload a folder to the bucket, several files at a time.

        Args:
            local_path: Folder to upload; the working directory by default.
            to_path: Where its content goes in the bucket; `bucket_folder` by default.
            ignore_file: File with the patterns of what to leave out, written as in `.gitignore`.

        Returns:
            The number of files that were uploaded.

        Raises:
            FileNotFoundError: If `local_path` or `ignore_file` does not exist.
            NotADirectoryError: If `local_path` is a file.
            GcpBucketNotFound: If there is no such bucket.
        """
        return self._put_directory(local_path, to_path, ignore_file)

    # Objects as bytes

    async def aread_path(self, path: str) -> bytes:
        """Async form of `read_path`."""
        return await run_sync_in_worker_thread(lambda: self._objects().read(self._key(path)))

    @async_dispatch(aread_path)
    def read_path(self, path: str) -> bytes:
        """Read one object into memory.

        Args:
            path: Key of the object, relative to `bucket_folder`.

        Returns:
            What the object holds.

        Raises:
            GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.
            GcpBucketNotFound: If there is no such bucket.
            GcpAccessDenied: If the credentials may not read it.
            GcpChecksumMismatch: If the content does not fit its checksum, also when read again.
        """
        return self._objects().read(self._key(path))

    async def awrite_path(self, path: str, content: bytes) -> str:
        """Async form of `write_path`."""
        return await run_sync_in_worker_thread(lambda: self._objects().write(self._key(path), content))

    @async_dispatch(awrite_path)
    def write_path(self, path: str, content: bytes) -> str:
        """Store bytes as one object; an object under the same key is replaced.

        Args:
            path: Key of the object, relative to `bucket_folder`.
            content: What to store.

        Returns:
            The key, `bucket_folder` included.

        Raises:
            GcpBucketNotFound: If there is no such bucket.
            GcpAccessDenied: If the credentials may not write to it.
        """
        return self._objects().write(self._key(path), content)

    # Listings

    def _list_blobs(self, folder: str) -> list[Blob]:
        objects, prefix = self._objects(), self._prefix(folder)
        found = [blob for blob in objects.blobs(prefix) if not str(_name(blob)).endswith("/")]
        if not found and prefix and not objects.is_stand_in and not str(folder).endswith("/"):
            one = objects.head(prefix.rstrip("/"))  # the path may name one object rather than a folder
            return [one] if one is not None else []
        return found

    async def alist_blobs(self, folder: str = "") -> list[Blob]:
        """Async form of `list_blobs`."""
        return await run_sync_in_worker_thread(self._list_blobs, folder)

    @async_dispatch(alist_blobs)
    def list_blobs(self, folder: str = "") -> list[Blob]:
        """List the objects in a folder and the folders in it. `logs` does not find `logs2/a`.

        Args:
            folder: Folder below `bucket_folder`; `bucket_folder` itself by default.

        Returns:
            The client's `google.cloud.storage.Blob` of each object, in the order of their names. The empty objects
            that mark folders, whose names end in `/`, are left out.

        Raises:
            GcpBucketNotFound: If there is no such bucket.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            sizes = {blob.name: blob.size for blob in gcs_bucket.list_blobs("prefect")}
            ```
        """
        return self._list_blobs(folder)

    def _list_folders(self, folder: str) -> list[str]:
        prefix, found = self._prefix(folder), set[str]()
        for item in self._objects().walk(prefix):
            parent = item.key.rpartition("/")[0]
            found.add(parent)
            while len(parent := parent.rpartition("/")[0]) >= len(prefix) and parent not in found:
                found.add(parent)
        found.discard("")
        return sorted(found)

    async def alist_folders(self, folder: str = "") -> list[str]:
        """Async form of `list_folders`."""
        return await run_sync_in_worker_thread(self._list_folders, folder)

    @async_dispatch(alist_folders)
    def list_folders(self, folder: str = "") -> list[str]:
        """List the folders in a folder, and those in them.

        Cloud Storage has no folders, only names with `/` in them: a folder is there while something is in it.

        Args:
            folder: Folder below `bucket_folder`; `bucket_folder` itself by default.

        Returns:
            The folders, `bucket_folder` included, without a `/` at the end, sorted. `folder` itself is among them
            if objects lie in it and not only in folders below it.

        Raises:
            GcpBucketNotFound: If there is no such bucket.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            gcs_bucket.list_folders("years")
            # ['years/2024', 'years/2024/01']
            ```
        """
        return self._list_folders(folder)


def _name(blob: Any) -> str:
    return blob.name
