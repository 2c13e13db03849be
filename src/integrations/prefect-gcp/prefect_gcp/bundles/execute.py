"""The step that runs a bundle from Cloud Storage: the infrastructure runs it in place of `prefect flow-run execute`.

```sh
python -m prefect_gcp.bundles.execute --bucket shop-bundles --key 3f2a...
```
"""

from __future__ import annotations

import logging

from prefect.logging import get_logger

from prefect_gcp.bundles._command import ignore_warnings_of_age, plain_errors, step_parser
from prefect_gcp.bundles._store import GcsBundleStore
from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.errors import GcpBundleRefused
from prefect_integration_kit.bundle_commands import add_deletion_option
from prefect_integration_kit.bundles import execute_stored_bundle, refused_as

__all__ = ["GcpCredentials", "execute_bundle_from_gcs", "logger", "main"]

logger: logging.Logger = get_logger("prefect_gcp.bundles.execute")  # `__name__` may be `__main__`
"""Logger of this step."""


def execute_bundle_from_gcs(
    bucket: str,
    key: str,
    gcp_credentials_block_name: str | None = None,
    delete_after_run: bool = False,
) -> None:
    """Download a bundle and run its flow in a process of its own.

    The bundle is compared with the digest that was uploaded with it before anything of it is unpickled; one that was
    uploaded without a digest, by an earlier version of this package, is run as it is. Files that belong to it are
    unpacked into the working directory. What was downloaded is deleted before the flow starts.

    The state of the flow run says how the flow ended, not this function. A run that has ended already is not run again.

    Args:
        bucket: Name of the bucket.
        key: Key of the bundle.
        gcp_credentials_block_name: Name of the GCP Credentials block to use. Without it, Application Default
            Credentials are used.
        delete_after_run: Whether to delete the bundle from the bucket once the run has ended. It can then not be
            retried in the UI. Files that came with it stay, since other bundles may share them.

    Raises:
        GcpBundleRefused: If the content is not what was uploaded, or its files are not safe to unpack.
        GcpObjectNotFound: If there is no such bundle.
        GcpAccessDenied: If the credentials may not read it.
        ValueError: If the bucket or the key is not a valid name, or there is no such block.
    """
    store = GcsBundleStore.open(bucket, gcp_credentials_block_name, block=GcpCredentials)
    logger.debug("Fetching bundle %s", store.url(key))
    with refused_as(GcpBundleRefused, store.url(key)):
        execute_stored_bundle(store, key, delete=store.delete if delete_after_run else None)


def main() -> None:
    """Run the bundle that the command line names.

    Raises:
        SystemExit: With 2 for a wrong command line, and 1 when there is no such bundle or it is refused.
    """
    parser = step_parser("prefect_gcp.bundles.execute", "Run the flow of a bundle from Cloud Storage.")
    add_deletion_option(parser)
    given = parser.parse_args()
    ignore_warnings_of_age()
    with plain_errors():
        execute_bundle_from_gcs(
            given.bucket, given.key, given.gcp_credentials_block_name, given.delete_after_run == "true"
        )


if __name__ == "__main__":
    main()
