"""What moves between a Blob Storage block and this machine: the methods that the package has always had."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from prefect.utilities.asyncutils import sync_compatible

from prefect_azure._blob.options import TransferOptions
from prefect_integration_kit.dispatch import run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.object_store_block import ObjectStoreBlock


class ContainerTransfers(ObjectStoreBlock[TransferOptions]):
    """A base of `AzureBlobStorageContainer`: blobs and folders on their way into the container and out of it."""

    _scheme: ClassVar[str] = "azure"

    # Downloads

    @sync_compatible
    async def download_folder_to_path(
        self, from_folder: str, to_folder: str | Path | None = None, **download_kwargs: Any
    ) -> Path:
        """Download what a folder holds, without the folder itself, several files at a time.

        Args:
            from_folder: Folder below `base_folder`.
            to_folder: Where its content goes; the working directory by default.
            **download_kwargs: Keywords of
                [`BlobClient.download_blob`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.blobclient#azure-storage-blob-blobclient-download-blob),
                for each blob.

        Returns:
            The absolute path of `to_folder`.

        Raises:
            PathEscapes: If a key would be written outside `to_folder`; no such file is written.
            NotADirectoryError: If `to_folder` is a file.
            ContainerNotFound: If there is no such container.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.download_folder_to_path("my_folder", "local_folder")
            ```
        """
        options = TransferOptions.of_download(download_kwargs)
        return await run_stoppable(lambda stop: self._download_folder_to_path(from_folder, to_folder, options, stop))

    @sync_compatible
    async def download_object_to_file_object(
        self, from_path: str, to_file_object: BinaryIO, **download_kwargs: Any
    ) -> BinaryIO:
        """Download one blob to an open file.

        Args:
            from_path: Key of the blob, relative to `base_folder`.
            to_file_object: A file open for writing in binary mode, or a `BytesIO`.
            **download_kwargs: Keywords of
                [`BlobClient.download_blob`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.blobclient#azure-storage-blob-blobclient-download-blob),
                such as `offset` and `length` in bytes, or `version_id`.

        Returns:
            The file object.

        Raises:
            BlobNotFound: If there is no such blob; also a `FileNotFoundError` and the client's own error.
            IsADirectoryError: If it is a directory of a hierarchical namespace.
            AzureChecksumMismatch: If the content does not fit its MD5. What was written is taken back, where the file
                can seek.
            TypeError: If the file is open in text mode.

        Examples:
            ```python
            from io import BytesIO

            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            with BytesIO() as buffer:
                container.download_object_to_file_object("my_folder/notes.txt", buffer)
            ```
        """
        options = TransferOptions.of_download(download_kwargs)
        return await run_sync_in_worker_thread(self._download_object_to_file_object, from_path, to_file_object, options)

    @sync_compatible
    async def download_object_to_path(
        self, from_path: str, to_path: str | Path | None = None, **download_kwargs: Any
    ) -> Path:
        """Download one blob to a file, which appears under its name when it is complete.

        Args:
            from_path: Key of the blob, relative to `base_folder`.
            to_path: The file; missing folders above it are made. The blob's own name in the working directory by
                default.
            **download_kwargs: Keywords of
                [`BlobClient.download_blob`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.blobclient#azure-storage-blob-blobclient-download-blob),
                such as `max_concurrency`, the number of parts at once.

        Returns:
            The absolute path of the file.

        Raises:
            BlobNotFound: If there is no such blob; also a `FileNotFoundError` and the client's own error.
            IsADirectoryError: If `to_path` is a folder, or the blob is a directory of a hierarchical namespace.
            AzureChecksumMismatch: If the content does not fit its MD5, also when read again.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.download_object_to_path("my_folder/notes.txt", "notes.txt")
            ```
        """
        options = TransferOptions.of_download(download_kwargs)
        return await run_stoppable(lambda stop: self._download_object_to_path(from_path, to_path, options, stop))

    # Uploads

    @sync_compatible
    async def upload_from_file_object(self, from_file_object: BinaryIO, to_path: str, **upload_kwargs: Any) -> str:
        """Upload what an open file holds, from its position on.

        Args:
            from_file_object: A file open for reading in binary mode, or a `BytesIO`. It need not be seekable.
            to_path: Key of the blob, relative to `base_folder`.
            **upload_kwargs: `overwrite=True` to replace a blob that is there, and further keywords of
                [`BlobClient.upload_blob`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.blobclient#azure-storage-blob-blobclient-upload-blob),
                such as `metadata`, `tags` or `content_settings`.

        Returns:
            `to_path`, as it was given.

        Raises:
            BlobExists: If there is such a blob and `overwrite` is not set; also the client's `ResourceExistsError`.
            ContainerNotFound: If there is no such container.
            TypeError: If the file is open in text mode.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            with open("notes.txt", "rb") as file:
                container.upload_from_file_object(file, "my_folder/notes.txt", overwrite=True)
            ```
        """
        options = TransferOptions.of_upload(upload_kwargs)
        await run_sync_in_worker_thread(self._upload_from_file_object, from_file_object, to_path, options)
        return to_path

    @sync_compatible
    async def upload_from_path(self, from_path: str | Path, to_path: str | None = None, **upload_kwargs: Any) -> str:
        """Upload one file. What is large goes in blocks, of which a broken connection costs one.

        Args:
            from_path: The file.
            to_path: Key of the blob, relative to `base_folder`; the file's own name by default.
            **upload_kwargs: `overwrite=True` to replace a blob that is there, and further keywords of
                [`BlobClient.upload_blob`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.blobclient#azure-storage-blob-blobclient-upload-blob),
                such as `metadata`, `tags` or `max_concurrency`, the number of blocks at once.

        Returns:
            `to_path`, as it was given; where it was not, the key, `base_folder` included.

        Raises:
            FileNotFoundError: If there is no such file.
            IsADirectoryError: If `from_path` is a folder.
            BlobExists: If there is such a blob and `overwrite` is not set; also the client's `ResourceExistsError`.
            ContainerNotFound: If there is no such container.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.upload_from_path("notes.txt", "my_folder/notes.txt")
            ```
        """
        options = TransferOptions.of_upload(upload_kwargs)
        key = await run_stoppable(lambda stop: self._upload_from_path(from_path, to_path, options, stop))
        return key if to_path is None else to_path

    @sync_compatible
    async def upload_from_folder(
        self, from_folder: str | Path, to_folder: str | None = None, **upload_kwargs: Any
    ) -> str:
        """Upload what a folder holds, without the folder itself, several files at a time.

        Args:
            from_folder: The folder.
            to_folder: Where its content goes, relative to `base_folder`; `base_folder` itself by default.
            **upload_kwargs: `overwrite=True` to replace blobs that are there, and further keywords of
                [`BlobClient.upload_blob`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.blobclient#azure-storage-blob-blobclient-upload-blob),
                for each blob.

        Returns:
            The folder in the container, `base_folder` included; empty when that is the whole container.

        Raises:
            FileNotFoundError: If there is no such folder.
            NotADirectoryError: If `from_folder` is a file.
            BlobExists: If one of the blobs is there and `overwrite` is not set. Files that were stored by then stay.
            ContainerNotFound: If there is no such container.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.upload_from_folder("my_folder", "new_folder", overwrite=True)
            ```
        """
        options = TransferOptions.of_upload(upload_kwargs)
        return await run_stoppable(lambda stop: self._upload_from_folder(from_folder, to_folder, options, stop))
