"""The former place of `prefect_aws.bundles.execute`; work pools that Prefect configured run it."""

from prefect_aws.bundles.execute import DownloadResult, download_bundle_from_s3, execute_bundle_from_s3, main
from prefect_integration_kit.moved import warn_moved

__all__ = ["DownloadResult", "download_bundle_from_s3", "execute_bundle_from_s3", "main"]

warn_moved("prefect_aws.experimental.bundles.execute", "prefect_aws.bundles.execute")

if __name__ == "__main__":
    main()
