"""The step that uploads a bundle to Blob Storage: Prefect runs it where a flow is submitted.

```sh
store="--container shop-bundles --azure-blob-storage-credentials-block-name shop-store"
python -m prefect_azure.bundles.upload $store --key 3f2a... bundle.json
```
"""

from __future__ import annotations

import logging
from pathlib import Path

from prefect.logging import get_logger
from typing_extensions import TypedDict

from prefect_azure.bundles._command import plain_errors, step_parser
from prefect_azure.credentials import AzureBlobStorageCredentials
from prefect_integration_kit.bundles import upload_bundle
from prefect_integration_kit.dispatch import run_sync_in_worker_thread

__all__ = [
    "AzureBlobStorageCredentials",
    "UploadBundleToAzureBlobStorageOutput",
    "logger",
    "main",
    "upload_bundle_to_azure_blob_storage",
]

logger: logging.Logger = get_logger("prefect_azure.bundles.upload")  # `__name__` may be `__main__`
"""Logger of this step."""


class UploadBundleToAzureBlobStorageOutput(TypedDict):
    """Where a bundle was uploaded to.

    Attributes:
        container: Name of the container.
        key: Key of the blob.
    """

    container: str
    key: str


def _upload(
    local_filepath: Path, container: str, key: str, block_name: str, encryption_scope: str | None
) -> UploadBundleToAzureBlobStorageOutput:
    from prefect_azure.bundles._store import BlobBundleStore

    store = BlobBundleStore.open(container, block_name, encryption_scope, blocks=AzureBlobStorageCredentials)
    key = upload_bundle(store, local_filepath, key)
    logger.debug("Uploaded bundle %s", store.url(key))
    return {"container": container, "key": key}


async def upload_bundle_to_azure_blob_storage(
    local_filepath: Path,
    container: str,
    key: str,
    azure_blob_storage_credentials_block_name: str,
    encryption_scope: str | None = None,
) -> UploadBundleToAzureBlobStorageOutput:
    """Upload a bundle, or the archive of its files, to a container.

    Azure compares the MD5 of what it received with that of the file. The file's SHA-256 goes into the blob's metadata,
    where `execute_bundle_from_azure_blob_storage` looks for it. Uploading the same file again does no harm.

    Args:
        local_filepath: Path of the file.
        container: Name of the container.
        key: Key of the blob, without `..`; the name of the file when empty. A leading `/` is left out.
        azure_blob_storage_credentials_block_name: Name of the Azure Blob Storage Credentials block to use.
        encryption_scope: Name of the encryption scope of the account, such as one with a key of your own in Key Vault,
            that encrypts the blob; the container's default when not given.

    Returns:
        The container and the key of the blob.

    Raises:
        BundleFileNotFound: If there is no such file. It is a `ValueError` and a `FileNotFoundError`.
        ValueError: If the container or the key is not a valid name, or there is no such block.
        ContainerNotFound: If there is no such container.
        AzureAccessDenied: If the credentials may not write to it.

    Example:
        ```python
        import asyncio
        from pathlib import Path

        from prefect_azure.bundles.upload import upload_bundle_to_azure_blob_storage

        result = asyncio.run(
            upload_bundle_to_azure_blob_storage(
                Path("bundle.json"),
                container="shop-bundles",
                key="stock-import/bundle.json",
                azure_blob_storage_credentials_block_name="BLOCK_NAME",
            )
        )
        print(result["key"])
        ```
    """
    return await run_sync_in_worker_thread(
        _upload, local_filepath, container, key, azure_blob_storage_credentials_block_name, encryption_scope
    )


def main() -> None:
    """Upload the bundle that the command line names.

    Raises:
        SystemExit: With 2 for a wrong command line, and 1 when the upload fails.
    """
    parser = step_parser("prefect_azure.bundles.upload", "Upload a bundle to Azure Blob Storage.")
    parser.add_argument("local_filepath", metavar="LOCAL_FILEPATH", type=Path, help="path of the file to upload")
    parser.add_argument("--encryption-scope", help="encryption scope of the blob; the container's own by default")
    given = parser.parse_args()
    with plain_errors():
        _upload(
            given.local_filepath,
            given.container,
            given.key,
            given.azure_blob_storage_credentials_block_name,
            given.encryption_scope,
        )


if __name__ == "__main__":
    main()
