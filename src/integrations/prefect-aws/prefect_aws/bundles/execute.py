"""The step that runs a bundle from S3: the infrastructure runs it in place of `prefect flow-run execute`.

```sh
python -m prefect_aws.bundles.execute --bucket shop-bundles --key 3f2a...
```
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from prefect.logging import get_logger
from typing_extensions import TypedDict

from prefect_aws.bundles._command import plain_errors, step_parser
from prefect_aws.bundles._store import S3BundleStore, bundle_errors
from prefect_aws.credentials import AwsCredentials
from prefect_integration_kit.bundles import download_bundle, execute_stored_bundle

__all__ = [
    "AwsCredentials",
    "DownloadResult",
    "download_bundle_from_s3",
    "execute_bundle_from_s3",
    "logger",
    "main",
]

logger: logging.Logger = get_logger("prefect_aws.bundles.execute")  # `__name__` may be `__main__`
"""Logger of this step."""


class DownloadResult(TypedDict):
    """Where a bundle was downloaded to.

    Attributes:
        local_path: Path of the file.
    """

    local_path: str


def download_bundle_from_s3(
    bucket: str, key: str, output_dir: str | None = None, aws_credentials_block_name: str | None = None
) -> DownloadResult:
    """Download a bundle and compare it with the digest that was uploaded with it.

    Args:
        bucket: Name of the bucket.
        key: Key of the object, without `..`.
        output_dir: Folder that the file is written to, under its key, so that `files/a.zip` is the file `a.zip` in the
            folder `files`. Without it, a new temporary folder that only its owner may read; delete it when it has
            served.
        aws_credentials_block_name: Name of the AWS Credentials block to use. Without it, boto3 looks for credentials
            in its usual places.

    Returns:
        The path of the file.

    Raises:
        AwsBundleRefused: If the content is not what was uploaded; nothing is left on disk.
        AwsBundleFailed: If the download fails; its cause is the error of AWS.
        ValueError: If the bucket or the key is not a valid name, or there is no such block.

    Example:
        ```python
        from prefect_aws.bundles.execute import download_bundle_from_s3

        result = download_bundle_from_s3("shop-bundles", "stock-import/bundle.json", output_dir="bundles")
        print(result["local_path"])
        ```
    """
    store = S3BundleStore.open(bucket, aws_credentials_block_name, AwsCredentials)
    folder = Path(output_dir or tempfile.mkdtemp(prefix="prefect-bundle-"))
    try:
        with bundle_errors("Cannot download the bundle:", store.url(key)):
            return {"local_path": str(download_bundle(store, key, folder))}
    except BaseException:
        if not output_dir:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def execute_bundle_from_s3(bucket: str, key: str, aws_credentials_block_name: str | None = None) -> None:
    """Download a bundle and run its flow in a process of its own.

    The bundle is compared with the digest that was uploaded with it before anything of it is unpickled; one that was
    uploaded without a digest, by an earlier version of this package, is run as it is. Files that belong to it are
    unpacked into the working directory. What was downloaded is deleted before the flow starts.

    The state of the flow run says how the flow ended, not this function.

    Args:
        bucket: Name of the bucket.
        key: Key of the bundle.
        aws_credentials_block_name: Name of the AWS Credentials block to use. Without it, boto3 looks for credentials
            in its usual places.

    Raises:
        AwsBundleRefused: If the content is not what was uploaded, or its files are not safe to unpack.
        AwsBundleFailed: If the download fails; its cause is the error of AWS.
        ValueError: If the bucket or the key is not a valid name, or there is no such block.
    """
    store = S3BundleStore.open(bucket, aws_credentials_block_name, AwsCredentials)
    logger.debug("Fetching bundle %s", store.url(key))
    with bundle_errors("Cannot fetch the bundle:", store.url(key)):
        execute_stored_bundle(store, key)


def main() -> None:
    """Run the bundle that the command line names.

    Raises:
        SystemExit: With 2 for a wrong command line, and 1 when there is no such bundle or it is refused.
    """
    given = step_parser("prefect_aws.bundles.execute", "Run the flow of a bundle from S3.").parse_args()
    with plain_errors():
        execute_bundle_from_s3(given.bucket, given.key, given.aws_credentials_block_name)


if __name__ == "__main__":
    main()
