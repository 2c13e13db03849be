"""The former place of `prefect_gcp.bundles.upload`; work pools that Prefect configured run it."""

from prefect_gcp.bundles.upload import UploadBundleToGcsOutput, main, upload_bundle_to_gcs
from prefect_integration_kit.moved import warn_moved

__all__ = ["UploadBundleToGcsOutput", "main", "upload_bundle_to_gcs"]

warn_moved("prefect_gcp.experimental.bundles.upload", "prefect_gcp.bundles.upload")

if __name__ == "__main__":
    main()
