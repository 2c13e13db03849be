"""The former place of `prefect_azure.bundles.execute`; work pools that Prefect configured run it."""

from prefect_azure.bundles.execute import execute_bundle_from_azure_blob_storage, main
from prefect_integration_kit.moved import warn_moved

__all__ = ["execute_bundle_from_azure_blob_storage", "main"]

warn_moved("prefect_azure.experimental.bundles.execute", "prefect_azure.bundles.execute")

if __name__ == "__main__":
    main()
