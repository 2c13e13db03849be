"""Deployment steps that keep a project's files in S3, or in a store that speaks its protocol."""

import sys
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from prefect_aws._s3_folders import S3Folders
from prefect_aws.s3 import credentials_from_mapping, get_s3_client
from prefect_integration_kit.files import ignore_lines_if_any
from prefect_integration_kit.paths import folder_prefix
from prefect_integration_kit.replaced import is_replaced

__all__ = ["PullFromS3Output", "PushToS3Output", "get_s3_client", "pull_from_s3", "push_to_s3"]


class PushToS3Output(TypedDict):
    """What `push_to_s3` gives to later steps.

    Attributes:
        bucket: Name of the bucket.
        folder: Folder in the bucket, as it was given.
    """

    bucket: str
    folder: str


class PullFromS3Output(TypedDict):
    """What `pull_from_s3` gives to later steps.

    Attributes:
        bucket: Name of the bucket.
        folder: Folder in the bucket, as it was given.
        directory: Absolute path of the local folder that holds the files.
    """

    bucket: str
    folder: str
    directory: str


def _open(bucket: str, credentials: dict[str, Any] | None, client_parameters: dict[str, Any] | None) -> S3Folders:
    """Open the bucket, with the client of another `get_s3_client` where a test of a user has put one in its place."""
    if is_replaced(sys.modules[__name__], "get_s3_client", "prefect_aws.s3"):
        return S3Folders(get_s3_client(credentials=credentials, client_parameters=client_parameters), bucket)
    block, parameters = credentials_from_mapping(credentials, client_parameters)
    return S3Folders.open(block, bucket, parameters)


def push_to_s3(
    bucket: str,
    folder: str,
    credentials: dict[str, Any] | None = None,
    client_parameters: dict[str, Any] | None = None,
    ignore_file: str | None = ".prefectignore",
) -> PushToS3Output:
    """Upload the working directory to a folder of a bucket.

    Args:
        bucket: Name of the bucket.
        folder: Folder in the bucket; empty for the whole bucket.
        credentials: Fields of an AWS or MinIO credentials block. Without it, boto3 looks in its usual places.
        client_parameters: Fields of `AwsClientParameters`, such as `endpoint_url`.
        ignore_file: File with the patterns of what to leave out, written as in `.gitignore`. One that does not exist
            leaves out nothing.

    Returns:
        The bucket and the folder.

    Raises:
        AwsBucketNotFound: If there is no such bucket.
        AwsAccessDenied: If the credentials may not write to it.

    Examples:
        Push to a bucket:
        ```yaml
        push:
          - prefect_aws.deployments.steps.push_to_s3:
              requires: prefect-aws
              bucket: shop-flows
              folder: nightly/stock-import
        ```

        Push with the credentials of a saved block:
        ```yaml
        push:
          - prefect_aws.deployments.steps.push_to_s3:
              requires: prefect-aws
              bucket: shop-flows
              folder: nightly/stock-import
              credentials: "{{ prefect.blocks.aws-credentials.shop-aws }}"
        ```
    """
    lines = ignore_lines_if_any(ignore_file)
    _open(bucket, credentials, client_parameters).upload_folder(
        Path.cwd(), folder_prefix("", folder), ignore_lines=lines
    )
    return {"bucket": bucket, "folder": folder}


def pull_from_s3(
    bucket: str,
    folder: str,
    credentials: dict[str, Any] | None = None,
    client_parameters: dict[str, Any] | None = None,
) -> PullFromS3Output:
    """Download a folder of a bucket to the working directory.

    Args:
        bucket: Name of the bucket.
        folder: Folder in the bucket; empty for the whole bucket. `app` does not bring the files of `app2`.
        credentials: Fields of an AWS or MinIO credentials block. Without it, boto3 looks in its usual places.
        client_parameters: Fields of `AwsClientParameters`, such as `endpoint_url`.

    Returns:
        The bucket, the folder, and the local directory.

    Raises:
        PathEscapes: If a key would be written outside the working directory; no such file is written.
        AwsBucketNotFound: If there is no such bucket.
        AwsAccessDenied: If the credentials may not read it.

    Examples:
        Pull with the default credentials:
        ```yaml
        pull:
          - prefect_aws.deployments.steps.pull_from_s3:
              requires: prefect-aws
              bucket: shop-flows
              folder: nightly/stock-import
        ```

        Pull with the credentials of a saved block:
        ```yaml
        pull:
          - prefect_aws.deployments.steps.pull_from_s3:
              requires: prefect-aws
              bucket: shop-flows
              folder: nightly/stock-import
              credentials: "{{ prefect.blocks.aws-credentials.shop-aws }}"
        ```
    """
    directory = Path.cwd()
    _open(bucket, credentials, client_parameters).download_folder(folder_prefix("", folder), directory)
    return {"bucket": bucket, "folder": folder, "directory": str(directory)}
