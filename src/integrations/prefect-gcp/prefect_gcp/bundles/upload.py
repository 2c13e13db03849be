"""The step that uploads a bundle to Cloud Storage: Prefect runs it where a flow is submitted.

```sh
python -m prefect_gcp.bundles.upload --bucket shop-bundles --key 3f2a... bundle.json
```
"""

from __future__ import annotations

import logging
from pathlib import Path

from prefect.logging import get_logger
from typing_extensions import TypedDict

from prefect_gcp.bundles._command import ignore_warnings_of_age, plain_errors, step_parser
from prefect_gcp.bundles._store import GcsBundleStore
from prefect_gcp.credentials import GcpCredentials
from prefect_integration_kit.bundles import upload_bundle

__all__ = ["GcpCredentials", "UploadBundleToGcsOutput", "logger", "main", "upload_bundle_to_gcs"]

logger: logging.Logger = get_logger("prefect_gcp.bundles.upload")  # `__name__` may be `__main__`
"""Logger of this step."""


class UploadBundleToGcsOutput(TypedDict):
    """Where a bundle was uploaded to.

    Attributes:
        bucket: Name of the bucket.
        key: Key of the object.
    """

    bucket: str
    key: str


def upload_bundle_to_gcs(
    local_filepath: Path,
    bucket: str,
    key: str,
    gcp_credentials_block_name: str | None = None,
    kms_key_name: str | None = None,
) -> UploadBundleToGcsOutput:
    """Upload a bundle, or the archive of its files, to a bucket.

    Cloud Storage compares the CRC32C of what it received with that of the file. The file's SHA-256 goes into the
    object's metadata, where `execute_bundle_from_gcs` looks for it. Uploading the same file again does no harm.

    Args:
        local_filepath: Path of the file.
        bucket: Name of the bucket.
        key: Key of the object, without `..`; the name of the file when empty. A leading `/` is left out.
        gcp_credentials_block_name: Name of the GCP Credentials block to use. Without it, Application Default
            Credentials are used.
        kms_key_name: Cloud KMS key that encrypts the object, as
            `projects/P/locations/L/keyRings/R/cryptoKeys/K`; the default key of the bucket when not given.

    Returns:
        The bucket and the key of the object.

    Raises:
        BundleFileNotFound: If there is no such file. It is a `ValueError` and a `FileNotFoundError`.
        ValueError: If the bucket or the key is not a valid name, or there is no such block.
        GcpBucketNotFound: If there is no such bucket.
        GcpAccessDenied: If the credentials may not write to it.

    Example:
        ```python
        from pathlib import Path

        from prefect_gcp.bundles.upload import upload_bundle_to_gcs

        result = upload_bundle_to_gcs(Path("bundle.json"), bucket="shop-bundles", key="stock-import/bundle.json")
        print(result["key"])
        ```
    """
    store = GcsBundleStore.open(bucket, gcp_credentials_block_name, kms_key_name, GcpCredentials)
    key = upload_bundle(store, local_filepath, key)
    logger.debug("Uploaded bundle %s", store.url(key))
    return {"bucket": bucket, "key": key}


def main() -> None:
    """Upload the bundle that the command line names.

    Raises:
        SystemExit: With 2 for a wrong command line, and 1 when the upload fails.
    """
    parser = step_parser("prefect_gcp.bundles.upload", "Upload a bundle to Cloud Storage.")
    parser.add_argument("local_filepath", metavar="LOCAL_FILEPATH", type=Path, help="path of the file to upload")
    parser.add_argument("--kms-key-name", help="Cloud KMS key that encrypts the object; the bucket's by default")
    given = parser.parse_args()
    ignore_warnings_of_age()
    with plain_errors():
        upload_bundle_to_gcs(
            given.local_filepath, given.bucket, given.key, given.gcp_credentials_block_name, given.kms_key_name
        )


if __name__ == "__main__":
    main()
