"""The step that uploads a bundle to S3: Prefect runs it where a flow is submitted.

```sh
python -m prefect_aws.bundles.upload --bucket shop-bundles --key 3f2a... bundle.json
```
"""

from __future__ import annotations

from typing_extensions import TypedDict

from prefect_aws.bundles._command import plain_errors, step_parser
from prefect_aws.bundles._store import S3BundleStore, bundle_errors
from prefect_aws.credentials import AwsCredentials
from prefect_integration_kit.bundles import upload_bundle

__all__ = ["AwsCredentials", "UploadResult", "main", "upload_bundle_to_s3"]


class UploadResult(TypedDict):
    """Where a bundle was uploaded to.

    Attributes:
        bucket: Name of the bucket.
        key: Key of the object.
        url: Both of them: `s3://bucket/key`.
    """

    bucket: str
    key: str
    url: str


def upload_bundle_to_s3(
    local_filepath: str, bucket: str, key: str, aws_credentials_block_name: str | None = None
) -> UploadResult:
    """Upload a bundle, or the archive of its files, to a bucket.

    S3 compares the SHA-256 of what it received with that of the file. The same digest goes into the object's metadata,
    where `execute_bundle_from_s3` looks for it. Uploading the same file again does no harm.

    Args:
        local_filepath: Path of the file.
        bucket: Name of the bucket.
        key: Key of the object, without `..`; the name of the file when empty. A leading `/` is left out.
        aws_credentials_block_name: Name of the AWS Credentials block to use. Without it, boto3 looks for credentials
            in its usual places.

    Returns:
        The bucket, the key and the URL of the object.

    Raises:
        BundleFileNotFound: If there is no such file. It is a `ValueError` and a `FileNotFoundError`.
        ValueError: If the bucket or the key is not a valid name, or there is no such block.
        AwsBundleFailed: If the upload fails; its cause is the error of AWS. It is a `RuntimeError`.

    Example:
        ```python
        from prefect_aws.bundles.upload import upload_bundle_to_s3

        result = upload_bundle_to_s3("bundle.json", bucket="shop-bundles", key="stock-import/bundle.json")
        print(result["url"])
        ```
    """
    store = S3BundleStore.open(bucket, aws_credentials_block_name, AwsCredentials)
    with bundle_errors("Cannot upload the bundle:", store.url(key)):
        key = upload_bundle(store, local_filepath, key)
    return {"bucket": bucket, "key": key, "url": store.url(key)}


def main() -> None:
    """Upload the bundle that the command line names.

    Raises:
        SystemExit: With 2 for a wrong command line, and 1 when the upload fails.
    """
    parser = step_parser("prefect_aws.bundles.upload", "Upload a bundle to S3.")
    parser.add_argument("local_filepath", metavar="LOCAL_FILEPATH", help="path of the file to upload")
    given = parser.parse_args()
    with plain_errors():
        upload_bundle_to_s3(given.local_filepath, given.bucket, given.key, given.aws_credentials_block_name)


if __name__ == "__main__":
    main()
