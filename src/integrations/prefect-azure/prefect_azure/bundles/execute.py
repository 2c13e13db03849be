"""The step that runs a bundle from Blob Storage: the infrastructure runs it in place of `prefect flow-run execute`.

```sh
store="--container shop-bundles --azure-blob-storage-credentials-block-name shop-store"
python -m prefect_azure.bundles.execute $store --key 3f2a...
```
"""

from __future__ import annotations

import logging

from prefect.logging import get_logger

from prefect_azure.bundles._command import plain_errors, step_parser
from prefect_azure.credentials import AzureBlobStorageCredentials
from prefect_azure.errors import AzureBundleRefused
from prefect_integration_kit.bundle_commands import add_deletion_option
from prefect_integration_kit.bundles import execute_stored_bundle, refused_as
from prefect_integration_kit.dispatch import run_sync_in_worker_thread

__all__ = ["AzureBlobStorageCredentials", "execute_bundle_from_azure_blob_storage", "logger", "main"]

logger: logging.Logger = get_logger("prefect_azure.bundles.execute")  # `__name__` may be `__main__`
"""Logger of this step."""


def _execute(container: str, key: str, block_name: str, delete_after_run: bool) -> None:
    from prefect_azure.bundles._store import BlobBundleStore

    store = BlobBundleStore.open(container, block_name, blocks=AzureBlobStorageCredentials)
    logger.debug("Fetching bundle %s", store.url(key))
    with refused_as(AzureBundleRefused, store.url(key)):
        execute_stored_bundle(store, key, delete=store.delete if delete_after_run else None)


async def execute_bundle_from_azure_blob_storage(
    container: str,
    key: str,
    azure_blob_storage_credentials_block_name: str,
    delete_after_run: bool = False,
) -> None:
    """Download a bundle and run its flow in a process of its own.

    The bundle is compared with the digest that was uploaded with it before anything of it is unpickled; one that was
    uploaded without a digest, by an earlier version of this package, is run as it is. Files that belong to it are
    unpacked into the working directory. What was downloaded is deleted before the flow starts.

    The state of the flow run says how the flow ended, not this function. A run that has ended already is not run again.

    Args:
        container: Name of the container.
        key: Key of the bundle.
        azure_blob_storage_credentials_block_name: Name of the Azure Blob Storage Credentials block to use.
        delete_after_run: Whether to delete the bundle from the container once the run has ended. It can then not be
            retried in the UI. Files that came with it stay, since other bundles may share them.

    Raises:
        AzureBundleRefused: If the content is not what was uploaded, or its files are not safe to unpack.
        BlobNotFound: If there is no such bundle.
        ContainerNotFound: If there is no such container.
        AzureAccessDenied: If the credentials may not read it.
        ValueError: If the container or the key is not a valid name, or there is no such block.
    """
    await run_sync_in_worker_thread(
        _execute, container, key, azure_blob_storage_credentials_block_name, delete_after_run
    )


def main() -> None:
    """Run the bundle that the command line names.

    Raises:
        SystemExit: With 2 for a wrong command line, and 1 when there is no such bundle or it is refused.
    """
    parser = step_parser("prefect_azure.bundles.execute", "Run the flow of a bundle from Azure Blob Storage.")
    add_deletion_option(parser)
    given = parser.parse_args()
    with plain_errors():
        _execute(
            given.container,
            given.key,
            given.azure_blob_storage_credentials_block_name,
            given.delete_after_run == "true",
        )


if __name__ == "__main__":
    main()
