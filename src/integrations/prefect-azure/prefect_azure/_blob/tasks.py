"""Tasks that concern one container, as `prefect_azure.blob_storage` publishes them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from prefect_azure._blob.objects import AzureBlobs
from prefect_azure._blob.options import TransferOptions
from prefect_azure.credentials import AzureBlobStorageCredentials
from prefect_integration_kit.dispatch import async_task, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties


def _download(container: str, blob: str, blob_storage_credentials: AzureBlobStorageCredentials) -> bytes:
    run_logger(__name__).info("Downloading blob %s from container %s", blob, container)
    return AzureBlobs.open(blob_storage_credentials, container).read(blob)


@async_task(_download)
async def blob_storage_download(
    container: str, blob: str, blob_storage_credentials: AzureBlobStorageCredentials
) -> bytes:
    """Download one blob into memory.

    Args:
        container: Name of the container.
        blob: Name of the blob, as it is in the container.
        blob_storage_credentials: Who asks.

    Returns:
        What the blob holds. It fits the MD5 that the service has, if it has one.

    Raises:
        BlobNotFound: If there is no such blob; also a `FileNotFoundError` and the client's `ResourceNotFoundError`.
        ContainerNotFound: If there is no such container.
        AzureAccessDenied: If the credentials may not read it.

    Examples:
        Download a blob in a flow:
        ```python
        from prefect import flow
        from prefect_azure import AzureBlobStorageCredentials
        from prefect_azure.blob_storage import blob_storage_download

        @flow
        def example_blob_storage_download_flow() -> bytes:
            blob_storage_credentials = AzureBlobStorageCredentials.load("BLOCK_NAME")
            return blob_storage_download(
                container="prefect", blob="prefect.txt", blob_storage_credentials=blob_storage_credentials
            )
        ```
    """
    return await run_sync_in_worker_thread(_download, container, blob, blob_storage_credentials)


def _upload(
    data: bytes,
    container: str,
    blob_storage_credentials: AzureBlobStorageCredentials,
    blob: str | None = None,
    overwrite: bool = False,
) -> str:
    name = blob if blob is not None else uuid.uuid4().hex
    if not name:
        raise ValueError("blob is empty; give a name, or None for one that is made up.")
    run_logger(__name__).info("Uploading blob %s to container %s", name, container)
    options = TransferOptions.of_upload({"overwrite": overwrite})
    return AzureBlobs.open(blob_storage_credentials, container).write(name, data, options)


@async_task(_upload)
async def blob_storage_upload(
    data: bytes,
    container: str,
    blob_storage_credentials: AzureBlobStorageCredentials,
    blob: str | None = None,
    overwrite: bool = False,
) -> str:
    """Store bytes as a blob.

    Args:
        data: What to store.
        container: Name of the container.
        blob_storage_credentials: Who asks.
        blob: Name of the blob; one that is made up and unique by default.
        overwrite: Whether a blob of that name is replaced. Otherwise it is an error.

    Returns:
        The name of the blob.

    Raises:
        BlobExists: If there is a blob of that name and `overwrite` is false; also the client's `ResourceExistsError`.
        ContainerNotFound: If there is no such container.
        AzureAccessDenied: If the credentials may not write to it.

    Examples:
        Upload a file in a flow:
        ```python
        from pathlib import Path

        from prefect import flow
        from prefect_azure import AzureBlobStorageCredentials
        from prefect_azure.blob_storage import blob_storage_upload

        @flow
        def example_blob_storage_upload_flow() -> str:
            return blob_storage_upload(
                data=Path("data.csv").read_bytes(),
                container="container",
                blob="data.csv",
                blob_storage_credentials=AzureBlobStorageCredentials.load("BLOCK_NAME"),
                overwrite=False,
            )
        ```
    """
    return await run_sync_in_worker_thread(_upload, data, container, blob_storage_credentials, blob, overwrite)


def _list(
    container: str,
    blob_storage_credentials: AzureBlobStorageCredentials,
    name_starts_with: str | None = None,
    include: str | list[str] | None = None,
    **kwargs: Any,
) -> list[BlobProperties]:
    run_logger(__name__).info("Listing blobs of container %s", container)
    blobs = AzureBlobs.open(blob_storage_credentials, container)
    return list(blobs.blobs(name_starts_with or "", include=include, **kwargs))


@async_task(_list)
async def blob_storage_list(
    container: str,
    blob_storage_credentials: AzureBlobStorageCredentials,
    name_starts_with: str | None = None,
    include: str | list[str] | None = None,
    **kwargs: Any,
) -> list[BlobProperties]:
    """List the blobs of a container.

    Blobs that only stand for a folder, as accounts with a hierarchical namespace show their directories, are left out.

    Args:
        container: Name of the container.
        blob_storage_credentials: Who asks.
        name_starts_with: What the names of the blobs begin with; all blobs by default.
        include: What else to list or to tell: one or several of `snapshots`, `metadata`, `uncommittedblobs`, `copy`,
            `deleted`, `deletedwithversions`, `tags`, `versions`, `immutabilitypolicy` and `legalhold`. `metadata` is
            always there.
        **kwargs: Further keywords of
            [`ContainerClient.list_blobs`](https://learn.microsoft.com/python/api/azure-storage-blob/azure.storage.blob.containerclient#azure-storage-blob-containerclient-list-blobs).

    Returns:
        The client's `azure.storage.blob.BlobProperties` of each blob, in the order of their names. They can be read
        as dictionaries: `blob["name"]`.

    Raises:
        ContainerNotFound: If there is no such container.
        AzureAccessDenied: If the credentials may not list it.

    Examples:
        ```python
        from prefect import flow
        from prefect_azure import AzureBlobStorageCredentials
        from prefect_azure.blob_storage import blob_storage_list

        @flow
        def example_blob_storage_list_flow() -> list[str]:
            blobs = blob_storage_list(
                container="container", blob_storage_credentials=AzureBlobStorageCredentials.load("BLOCK_NAME")
            )
            return [blob["name"] for blob in blobs]
        ```
    """
    return await run_sync_in_worker_thread(
        _list, container, blob_storage_credentials, name_starts_with, include, **kwargs
    )
