"""The former place of `prefect_azure.bundles.upload`; work pools that Prefect configured run it."""

from prefect_azure.bundles.upload import (
    UploadBundleToAzureBlobStorageOutput,
    main,
    upload_bundle_to_azure_blob_storage,
)
from prefect_integration_kit.moved import warn_moved

__all__ = ["UploadBundleToAzureBlobStorageOutput", "main", "upload_bundle_to_azure_blob_storage"]

warn_moved("prefect_azure.experimental.bundles.upload", "prefect_azure.bundles.upload")

if __name__ == "__main__":
    main()
