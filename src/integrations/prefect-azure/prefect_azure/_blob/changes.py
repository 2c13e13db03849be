"""What a Blob Storage block does inside the service: copies, moves, deletions, signed URLs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from prefect_azure._blob.folders import AzureFolders
from prefect_azure._blob.namespace import Folders
from prefect_azure._blob.options import TransferOptions
from prefect_azure._blob.signing import sas_url
from prefect_azure._blob.transfers import ContainerTransfers
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.object_store_block import ObjectStoreBlock

if TYPE_CHECKING:
    from prefect_azure.blob_storage import AzureBlobStorageContainer


class ContainerChanges(ContainerTransfers):
    """A base of `AzureBlobStorageContainer`: what changes inside Blob Storage, without a way through this machine."""

    if TYPE_CHECKING:
        hierarchical_namespace: bool | None

        def _objects(self) -> AzureFolders: ...

    def _folders(self) -> Folders:
        return Folders(self._objects(), self.hierarchical_namespace)

    def _target(self, to_path: str | Path, to_bucket: ObjectStoreBlock[Any] | str | None) -> tuple[str, str]:
        container, key = super()._target(to_path, to_bucket)
        if isinstance(to_bucket, ContainerTransfers):
            objects, others = self._objects(), cast("AzureFolders", to_bucket._objects())  # noqa: SLF001
            if objects.account_url != others.account_url:
                raise ValueError(
                    "to_container is in another storage account. Use to_container.stream_from(this_block, path), which "
                    "copies through this machine."
                )
        if not key:
            raise ValueError("to_path is empty; give the key of a blob.")
        return container, key

    # Copies

    async def astream_from(
        self, container: AzureBlobStorageContainer, from_path: str, to_path: str | None = None, **upload_kwargs: Any
    ) -> str:
        """Async form of `stream_from`."""
        options = TransferOptions.of_upload(upload_kwargs)
        return await run_sync_in_worker_thread(self._stream_from, container, from_path, to_path, options)

    @async_dispatch(astream_from)
    def stream_from(
        self, container: AzureBlobStorageContainer, from_path: str, to_path: str | None = None, **upload_kwargs: Any
    ) -> str:
        """Copy a blob of another container through this machine, part by part.

        It needs no common account or identity: the other block reads and this one writes.

        Args:
            container: The block of the other container.
            from_path: Key of the blob, relative to the other block's `base_folder`.
            to_path: Key of the copy, relative to `base_folder`; the blob's own name by default.
            **upload_kwargs: `overwrite=True` to replace a blob that is there, and further keywords of
                [`BlobClient.upload_blob`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.blobclient#azure-storage-blob-blobclient-upload-blob).
                Content settings and metadata are those of the original by default.

        Returns:
            The key of the copy, `base_folder` included.

        Raises:
            BlobNotFound: If there is no such blob; also a `FileNotFoundError` and the client's own error.
            BlobExists: If the copy's key is taken and `overwrite` is not set.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            theirs = AzureBlobStorageContainer.load("your-container")
            ours = AzureBlobStorageContainer.load("my-container")
            ours.stream_from(theirs, "notes.txt", to_path="landed/notes.txt")
            ```
        """
        options = TransferOptions.of_upload(upload_kwargs)
        return self._stream_from(container, from_path, to_path, options)

    async def acopy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_container: AzureBlobStorageContainer | str | None = None,
        **copy_kwargs: Any,
    ) -> str:
        """Async form of `copy_object`."""
        return await run_sync_in_worker_thread(self._copy_object, from_path, to_path, to_container, copy_kwargs)

    @async_dispatch(acopy_object)
    def copy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_container: AzureBlobStorageContainer | str | None = None,
        **copy_kwargs: Any,
    ) -> str:
        """Copy one blob inside the storage account, and wait until the service is done.

        This block's credentials must be allowed to read the source and to write the target. Into another account, use
        `stream_from`.

        Args:
            from_path: Key of the blob, relative to `base_folder`.
            to_path: Key of the copy: relative to `base_folder`, to the folder of the block in `to_container`, or to
                the whole container when `to_container` is a name.
            to_container: Container of the copy, a block or a name; this one by default.
            **copy_kwargs: `overwrite=True` to replace a blob that is there, and further keywords of
                [`BlobClient.start_copy_from_url`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.blobclient#azure-storage-blob-blobclient-start-copy-from-url),
                such as `metadata`.

        Returns:
            The key of the copy, without the container.

        Raises:
            BlobNotFound: If there is no such blob; also a `FileNotFoundError` and the client's own error.
            BlobExists: If the copy's key is taken and `overwrite` is not set.
            AzurePreconditionFailed: If the blob was replaced meanwhile.
            ValueError: If `to_container` is in another storage account.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.copy_object("my_folder/notes.txt", "my_folder/notes_copy.txt")
            ```
        """
        return self._copy_object(from_path, to_path, to_container, copy_kwargs)

    # Moves

    def _move(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_container: AzureBlobStorageContainer | str | None,
        overwrite: bool,
    ) -> str:
        key, (container, to_key) = self._key(from_path), self._target(to_path, to_container)
        self.logger.info("Moving %s to %s", self._url(key), self._url(to_key, container))
        return self._folders().move_blob(key, container, to_key, overwrite=overwrite)

    async def amove_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_container: AzureBlobStorageContainer | str | None = None,
        *,
        overwrite: bool = False,
    ) -> str:
        """Async form of `move_object`."""
        return await run_sync_in_worker_thread(self._move, from_path, to_path, to_container, overwrite)

    @async_dispatch(amove_object)
    def move_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_container: AzureBlobStorageContainer | str | None = None,
        *,
        overwrite: bool = False,
    ) -> str:
        """Give one blob another name inside the storage account.

        In an account with a hierarchical namespace the service renames it in one step, which needs the extra
        `data-lake`. Elsewhere it is copied and the original deleted, unless that was replaced meanwhile; where the
        credentials may not delete it, the copy is made, the original stays, and the error says so.

        Args:
            from_path: Key of the blob, relative to `base_folder`.
            to_path: Its new key; see `copy_object`.
            to_container: New container, a block or a name; this one by default.
            overwrite: Whether a blob that is there is replaced.

        Returns:
            The new key, without the container.

        Raises:
            BlobNotFound: If there is no such blob; also a `FileNotFoundError` and the client's own error.
            BlobExists: If the new key is taken and `overwrite` is false.
            AzurePreconditionFailed: If the blob was replaced meanwhile; the new one stays.
            ValueError: If the blob would be moved onto itself.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.move_object("inbox/notes.txt", "archive/notes.txt")
            ```
        """
        return self._move(from_path, to_path, to_container, overwrite)

    def _move_folder(self, from_folder: str, to_folder: str, overwrite: bool) -> str:
        prefix, to_prefix = self._prefix(from_folder), self._prefix(to_folder)
        self.logger.info("Moving %s to %s", self._url(prefix), self._url(to_prefix))
        self._folders().move_folder(prefix, to_prefix, overwrite=overwrite)
        return to_prefix.rstrip("/")

    async def amove_folder(self, from_folder: str, to_folder: str, *, overwrite: bool = False) -> str:
        """Async form of `move_folder`."""
        return await run_sync_in_worker_thread(self._move_folder, from_folder, to_folder, overwrite)

    @async_dispatch(amove_folder)
    def move_folder(self, from_folder: str, to_folder: str, *, overwrite: bool = False) -> str:
        """Give a folder another name, with all that is in it.

        In an account with a hierarchical namespace the service renames it in one step, which needs the extra
        `data-lake`. Elsewhere each blob is copied and deleted, several at a time; an error leaves some at each place.

        Args:
            from_folder: Folder below `base_folder`.
            to_folder: Its new name below `base_folder`.
            overwrite: Whether blobs that are there are replaced. A hierarchical namespace replaces an empty folder
                only.

        Returns:
            The new folder, `base_folder` included.

        Raises:
            BlobNotFound: If there is no such folder; also a `FileNotFoundError`.
            BlobExists: If something is in the way and `overwrite` is false; nothing is moved.
            ValueError: If the folder would be moved into itself.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.move_folder("inbox", "archive/2026")
            ```
        """
        return self._move_folder(from_folder, to_folder, overwrite)

    # Deletions

    def _delete_object(self, path: str | Path, missing_ok: bool) -> None:
        key = self._key(path)
        self.logger.info("Deleting %s", self._url(key))
        self._objects().delete(key, missing_ok=missing_ok)

    async def adelete_object(self, path: str | Path, *, missing_ok: bool = False) -> None:
        """Async form of `delete_object`."""
        await run_sync_in_worker_thread(self._delete_object, path, missing_ok)

    @async_dispatch(adelete_object)
    def delete_object(self, path: str | Path, *, missing_ok: bool = False) -> None:
        """Delete one blob with its snapshots.

        Args:
            path: Key of the blob, relative to `base_folder`.
            missing_ok: Whether a blob that does not exist is no error.

        Raises:
            BlobNotFound: If there is no such blob; also a `FileNotFoundError` and the client's own error.
            AzureAccessDenied: If the credentials may not delete it.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.delete_object("my_folder/notes.txt")
            ```
        """
        self._delete_object(path, missing_ok)

    def _delete_folder(self, folder: str) -> None:
        prefix = self._prefix(folder)
        if not prefix or not str(PurePosixPath(folder or ".")).strip("./"):
            raise ValueError("folder is empty; give the name of a folder. A whole container is not deleted by a block.")
        self.logger.info("Deleting %s", self._url(prefix))
        self._folders().delete_folder(prefix)

    async def adelete_folder(self, folder: str) -> None:
        """Async form of `delete_folder`."""
        await run_sync_in_worker_thread(self._delete_folder, folder)

    @async_dispatch(adelete_folder)
    def delete_folder(self, folder: str) -> None:
        """Delete a folder with all that is in it. A folder that does not exist is no error.

        In an account with a hierarchical namespace the service does it in one step, which needs the extra `data-lake`.

        Args:
            folder: Folder below `base_folder`.

        Raises:
            ValueError: If `folder` is empty.
            ContainerNotFound: If there is no such container.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.delete_folder("tmp/2025")
            ```
        """
        self._delete_folder(folder)

    # Looks

    def _object_exists(self, path: str | Path) -> bool:
        return self._objects().head(self._key(path)) is not None

    async def aobject_exists(self, path: str | Path) -> bool:
        """Async form of `object_exists`."""
        return await run_sync_in_worker_thread(self._object_exists, path)

    @async_dispatch(aobject_exists)
    def object_exists(self, path: str | Path) -> bool:
        """Say whether there is a blob. A directory of a hierarchical namespace is none.

        Args:
            path: Key of the blob, relative to `base_folder`.

        Raises:
            AzureAccessDenied: If the credentials may not see it.
        """
        return self._object_exists(path)

    def _list_folders(self, folder: str) -> list[str]:
        return self._folders().list_folders(self._prefix(folder))

    async def alist_folders(self, folder: str = "") -> list[str]:
        """Async form of `list_folders`."""
        return await run_sync_in_worker_thread(self._list_folders, folder)

    @async_dispatch(alist_folders)
    def list_folders(self, folder: str = "") -> list[str]:
        """List the folders in a folder, and those in them, empty directories of a hierarchical namespace included.

        Args:
            folder: Folder below `base_folder`; `base_folder` itself by default.

        Returns:
            The folders, `base_folder` included, without a `/` at the end, sorted.

        Raises:
            ContainerNotFound: If there is no such container.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            container.list_folders("years")
            # ['years/2024', 'years/2024/01']
            ```
        """
        return self._list_folders(folder)

    # URLs

    def _sas_url(self, path: str, permissions: str, expires_in_seconds: int, parameters: dict[str, Any]) -> str:
        return sas_url(self._objects(), self._key(path), permissions, expires_in_seconds, parameters)

    async def asas_url(
        self, path: str, permissions: str = "r", expires_in_seconds: int = 3600, **parameters: Any
    ) -> str:
        """Async form of `sas_url`."""
        return await run_sync_in_worker_thread(self._sas_url, path, permissions, expires_in_seconds, parameters)

    @async_dispatch(asas_url)
    def sas_url(self, path: str, permissions: str = "r", expires_in_seconds: int = 3600, **parameters: Any) -> str:
        """Sign a URL by which anyone who has it can read, or also change, one blob for a time.

        An account key signs on this machine. For an identity of Microsoft Entra ID the service hands out a signing
        key; the identity needs a role with the action
        `Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey`, such as Storage Blob Delegator.

        Args:
            path: Key of the blob, relative to `base_folder`. It need not exist.
            permissions: Letters of
                [what is allowed](https://learn.microsoft.com/rest/api/storageservices/create-service-sas#permissions-for-a-directory-container-or-blob),
                such as `r` to read, `cw` to write, `d` to delete.
            expires_in_seconds: How long the URL holds; at most seven days without an account key.
            **parameters: Further keywords of
                [`generate_blob_sas`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob#azure-storage-blob-generate-blob-sas),
                such as `ip`, `protocol` or `content_disposition`.

        Returns:
            The URL. Treat it as a secret.

        Raises:
            ValueError: If `permissions` or `expires_in_seconds` is out of range.
            AzureCredentialsError: If the credentials cannot sign, as a shared access signature cannot.
            AzureAccessDenied: If the identity may not have a signing key.

        Examples:
            ```python
            from prefect_azure.blob_storage import AzureBlobStorageContainer

            container = AzureBlobStorageContainer.load("BLOCK_NAME")
            link = container.sas_url("reports/today.pdf", expires_in_seconds=600)
            ```
        """
        return self._sas_url(path, permissions, expires_in_seconds, parameters)
