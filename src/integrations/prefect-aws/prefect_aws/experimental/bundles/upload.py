"""The former place of `prefect_aws.bundles.upload`; work pools that Prefect configured run it."""

from prefect_aws.bundles.upload import UploadResult, main, upload_bundle_to_s3
from prefect_integration_kit.moved import warn_moved

__all__ = ["UploadResult", "main", "upload_bundle_to_s3"]

warn_moved("prefect_aws.experimental.bundles.upload", "prefect_aws.bundles.upload")

if __name__ == "__main__":
    main()
