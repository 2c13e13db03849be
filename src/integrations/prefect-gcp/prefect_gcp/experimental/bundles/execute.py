"""The former place of `prefect_gcp.bundles.execute`; work pools that Prefect configured run it."""

from prefect_gcp.bundles.execute import execute_bundle_from_gcs, main
from prefect_integration_kit.moved import warn_moved

__all__ = ["execute_bundle_from_gcs", "main"]

warn_moved("prefect_gcp.experimental.bundles.execute", "prefect_gcp.bundles.execute")

if __name__ == "__main__":
    main()
