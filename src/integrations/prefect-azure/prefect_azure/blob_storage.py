"""Blobs in Azure Storage: tasks for single requests, and the `AzureBlobStorageContainer` block.

Folder operations move many files at once and stream them, so memory does not grow with their size or number. With the
extra `fast` installed (`pip install "prefect-azure[fast]"`) folders move by a native engine where nothing is asked that
only Azure's client can do; `PREFECT_INTEGRATIONS_AZURE_BLOB_NATIVE_TRANSFER=false` switches it off.

Results (`write_path`) and `put_directory` replace what is there. Other uploads, copies and moves do so with
`overwrite=True` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.blocks.abstract import ObjectStorageBlock
from prefect.filesystems import WritableDeploymentStorage, WritableFileSystem
from prefect.utilities.asyncutils import sync_compatible
from pydantic import Field, HttpUrl

from prefect_azure._blob.changes import ContainerChanges
from prefect_azure._blob.folders import AzureFolders
from prefect_azure.credentials import AzureBlobStorageCredentials
from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.late_imports import late_names

if TYPE_CHECKING:
    from prefect_azure._blob.tasks import blob_storage_download, blob_storage_list, blob_storage_upload

__all__ = [
    "AzureBlobStorageContainer",
    "AzureBlobStorageCredentials",
    "blob_storage_download",
    "blob_storage_list",
    "blob_storage_upload",
]


__getattr__, __dir__ = late_names(
    __name__,
    {
        "blob_storage_download": "._blob.tasks",
        "blob_storage_list": "._blob.tasks",
        "blob_storage_upload": "._blob.tasks",
    },
)


class AzureBlobStorageContainer(
    QuickKey,
    ContainerChanges,
    WritableDeploymentStorage,
    WritableFileSystem,
    ObjectStorageBlock,
):
    """Keep files in a container of Azure Blob Storage.

    Every path is relative to `base_folder`. A path that already begins with it is taken as it is, so what one method
    returns can be given to the next. The empty blobs that stand for directories in an account with a hierarchical
    namespace are no files: they are neither listed nor downloaded.

    Examples:
        Load a saved container and write to it:
        ```python
        from prefect_azure.blob_storage import AzureBlobStorageContainer

        container = AzureBlobStorageContainer.load("BLOCK_NAME")
        container.write_path("reports/today.txt", b"All well.")
        ```
    """

    _block_type_name = "Azure Blob Storage Container"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-azure")

    container_name: str = Field(default=..., description="Name of the container, without the account's address.")
    credentials: AzureBlobStorageCredentials = Field(
        default_factory=AzureBlobStorageCredentials,
        description="Who reads and writes: an Azure Blob Storage credentials block.",
    )
    base_folder: str | None = Field(
        default=None,
        description="Folder in the container that all paths are relative to; the whole container by default.",
    )
    hierarchical_namespace: bool | None = Field(
        default=None,
        description="Whether the storage account has a hierarchical namespace (Data Lake Storage), so that folders are "
        "renamed and deleted in one step. The account is asked when that matters by default.",
    )

    @property
    def basepath(self) -> str:
        """The folder in the container that all paths are relative to."""
        return self.base_folder or ""

    def _bucket(self) -> str:
        return self.container_name

    def _objects(self) -> AzureFolders:
        return AzureFolders.open(self.credentials, self.container_name)

    # Folders as deployment storage

    @sync_compatible
    async def get_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        """Download a folder of the container, several files at a time.

        Args:
            from_path: Folder to download; `base_folder` by default.
            local_path: Where its content goes; the working directory by default.

        Raises:
            PathEscapes: If a key would be written outside `local_path`; no such file is written.
            NotADirectoryError: If `local_path` is a file.
            ContainerNotFound: If there is no such container.
        """
        await run_stoppable(lambda stop: self._get_directory(from_path, local_path, stop))

    @sync_compatible
    async def put_directory(
        self, local_path: str | None = None, to_path: str | None = None, ignore_file: str | None = None
    ) -> None:
        """Upload a folder to the container, several files at a time. Blobs that are there are replaced.

        Args:
            local_path: Folder to upload; the working directory by default.
            to_path: Where its content goes in the container; `base_folder` by default.
            ignore_file: File with the patterns of what to leave out, written as in `.gitignore`.

        Raises:
            FileNotFoundError: If `local_path` or `ignore_file` does not exist.
            NotADirectoryError: If `local_path` is a file.
            ContainerNotFound: If there is no such container.
        """
        await run_stoppable(lambda stop: self._put_directory(local_path, to_path, ignore_file, stop))

    # Blobs as bytes

    @sync_compatible
    async def read_path(self, path: str) -> bytes:
        """Read one blob into memory.

        Args:
            path: Key of the blob, relative to `base_folder`.

        Returns:
            What the blob holds.

        Raises:
            BlobNotFound: If there is no such blob; also a `FileNotFoundError` and the client's own error.
            ContainerNotFound: If there is no such container.
            AzureAccessDenied: If the credentials may not read it.
            AzureChecksumMismatch: If the content does not fit its MD5, also when read again.
        """
        return await run_sync_in_worker_thread(lambda: self._objects().read(self._key(path)))

    @sync_compatible
    async def write_path(self, path: str, content: bytes) -> None:
        """Store bytes as one blob; a blob under the same key is replaced.

        Args:
            path: Key of the blob, relative to `base_folder`.
            content: What to store.

        Raises:
            ContainerNotFound: If there is no such container.
            AzureAccessDenied: If the credentials may not write to it.
        """
        await run_sync_in_worker_thread(lambda: self._objects().write(self._key(path), content))

    # Listings

    def _list_blobs(self, folder: str | None) -> list[str]:
        prefix = "" if folder is None else self._prefix(folder)
        objects = self._objects()
        found = [item.key for item in objects.walk(prefix)]
        if not found and prefix and not str(folder).endswith("/"):
            key = prefix.rstrip("/")  # the path may name one blob rather than a folder
            return [key] if objects.head(key) is not None else []
        return found

    @sync_compatible
    async def list_blobs(self, folder: str | None = None) -> list[str]:
        """List the blobs of the container, or those in one folder and the folders in it.

        Args:
            folder: Folder below `base_folder`, empty for `base_folder` itself. The whole container by default, also
                what is not in `base_folder`. `logs` does not find `logs2/a`.

        Returns:
            The keys of the blobs, `base_folder` included, in their order.

        Raises:
            ContainerNotFound: If there is no such container.
            AzureAccessDenied: If the credentials may not list it.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.list_blobs("prefect")
            ```
        """
        return await run_sync_in_worker_thread(self._list_blobs, folder)
