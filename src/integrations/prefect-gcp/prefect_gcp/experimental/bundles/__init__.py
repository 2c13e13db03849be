"""The former place of `prefect_gcp.bundles`, which stored work pools still name."""

# From their new places: a module that is run by `python -m` must not have been imported by its own package.
from prefect_gcp.bundles.execute import execute_bundle_from_gcs
from prefect_gcp.bundles.upload import upload_bundle_to_gcs
from prefect_integration_kit.moved import warn_moved

__all__ = ["upload_bundle_to_gcs", "execute_bundle_from_gcs"]  # noqa: RUF022 - in the order that is published

warn_moved("prefect_gcp.experimental.bundles", "prefect_gcp.bundles")
