"""The former place of `prefect_azure.bundles`, which stored work pools still name."""

# From their new places: a module that is run by `python -m` must not have been imported by its own package.
from prefect_azure.bundles.execute import execute_bundle_from_azure_blob_storage
from prefect_azure.bundles.upload import upload_bundle_to_azure_blob_storage
from prefect_integration_kit.moved import warn_moved

__all__ = [  # noqa: RUF022 - in the order that is published
    "upload_bundle_to_azure_blob_storage",
    "execute_bundle_from_azure_blob_storage",
]

warn_moved("prefect_azure.experimental.bundles", "prefect_azure.bundles")
