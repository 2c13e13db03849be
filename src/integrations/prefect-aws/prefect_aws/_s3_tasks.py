"""Tasks that make one request to S3, as `prefect_aws.s3` publishes them."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from prefect.tasks import task

from prefect_aws._s3_objects import S3Objects
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials
from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.paths import object_key

_CLIENT_PARAMETERS = AwsClientParameters()


def _download_from_bucket(
    bucket: str, key: str, aws_credentials: AwsCredentials, parameters: AwsClientParameters
) -> bytes:
    run_logger(__name__).info("Downloading s3://%s/%s", bucket, key)
    return S3Objects.open(aws_credentials, bucket, parameters).read(key)


@task
async def adownload_from_bucket(
    bucket: str,
    key: str,
    aws_credentials: AwsCredentials,
    aws_client_parameters: AwsClientParameters = _CLIENT_PARAMETERS,
) -> bytes:
    """Async form of `download_from_bucket`."""
    return await run_sync_in_worker_thread(_download_from_bucket, bucket, key, aws_credentials, aws_client_parameters)


@sync_task(adownload_from_bucket)
def download_from_bucket(
    bucket: str,
    key: str,
    aws_credentials: AwsCredentials,
    aws_client_parameters: AwsClientParameters = _CLIENT_PARAMETERS,
) -> bytes:
    """Download one object into memory.

    Args:
        bucket: Name of the bucket.
        key: Key of the object, as it is in the bucket.
        aws_credentials: Who asks.
        aws_client_parameters: Parameters of the client; those that are set go before the ones of `aws_credentials`.

    Returns:
        What the object holds.

    Raises:
        AwsObjectNotFound: If there is no such object; also a `FileNotFoundError` and boto3's own error.
        AwsBucketNotFound: If there is no such bucket.
        AwsAccessDenied: If the credentials may not read it.

    Examples:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.s3 import download_from_bucket

        @flow
        def read_report() -> bytes:
            credentials = AwsCredentials.load("BLOCK_NAME")
            return download_from_bucket("my-bucket", "reports/today.csv", credentials)
        ```
    """
    return _download_from_bucket(bucket, key, aws_credentials, aws_client_parameters)


s3_download = download_from_bucket.with_options(name="s3_download")
"""The older name of `download_from_bucket`."""


def _upload_to_bucket(
    data: bytes, bucket: str, aws_credentials: AwsCredentials, parameters: AwsClientParameters, key: str | None
) -> str:
    key = key or str(uuid4())
    run_logger(__name__).info("Uploading %d bytes to s3://%s/%s", len(data), bucket, key)
    return S3Objects.open(aws_credentials, bucket, parameters).write(key, data)


@task
async def aupload_to_bucket(
    data: bytes,
    bucket: str,
    aws_credentials: AwsCredentials,
    aws_client_parameters: AwsClientParameters = _CLIENT_PARAMETERS,
    key: str | None = None,
) -> str:
    """Async form of `upload_to_bucket`."""
    return await run_sync_in_worker_thread(_upload_to_bucket, data, bucket, aws_credentials, aws_client_parameters, key)


@sync_task(aupload_to_bucket)
def upload_to_bucket(
    data: bytes,
    bucket: str,
    aws_credentials: AwsCredentials,
    aws_client_parameters: AwsClientParameters = _CLIENT_PARAMETERS,
    key: str | None = None,
) -> str:
    """Store bytes as one object.

    Args:
        data: What to store; an object under the same key is replaced.
        bucket: Name of the bucket.
        aws_credentials: Who asks.
        aws_client_parameters: Parameters of the client; those that are set go before the ones of `aws_credentials`.
        key: Key of the object; a new UUID by default, so a second run of the task stores a second object.

    Returns:
        The key.

    Raises:
        AwsBucketNotFound: If there is no such bucket.
        AwsAccessDenied: If the credentials may not write to it.

    Examples:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.s3 import upload_to_bucket

        @flow
        def store_report(report: bytes) -> str:
            credentials = AwsCredentials.load("BLOCK_NAME")
            return upload_to_bucket(report, "my-bucket", credentials, key="reports/today.csv")
        ```
    """
    return _upload_to_bucket(data, bucket, aws_credentials, aws_client_parameters, key)


s3_upload = upload_to_bucket.with_options(name="s3_upload")
"""The older name of `upload_to_bucket`."""


def _copy_objects(
    source_path: str | Path,
    target_path: str | Path,
    source_bucket_name: str,
    aws_credentials: AwsCredentials,
    target_bucket_name: str | None,
    arguments: dict[str, Any],
) -> str:
    source, target = object_key("", source_path), object_key("", target_path)
    target_bucket = target_bucket_name or source_bucket_name
    run_logger(__name__).info("Copying s3://%s/%s to s3://%s/%s", source_bucket_name, source, target_bucket, target)
    return S3Objects.open(aws_credentials, source_bucket_name).copy(source, target_bucket, target, arguments)


@task
async def acopy_objects(
    source_path: str,
    target_path: str,
    source_bucket_name: str,
    aws_credentials: AwsCredentials,
    target_bucket_name: str | None = None,
    **copy_kwargs: Any,
) -> str:
    """Async form of `copy_objects`."""
    return await run_sync_in_worker_thread(
        _copy_objects, source_path, target_path, source_bucket_name, aws_credentials, target_bucket_name, copy_kwargs
    )


@sync_task(acopy_objects)
def copy_objects(
    source_path: str,
    target_path: str,
    source_bucket_name: str,
    aws_credentials: AwsCredentials,
    target_bucket_name: str | None = None,
    **copy_kwargs: Any,
) -> str:
    """Copy one object inside S3, within a bucket or between two.

    The credentials must be allowed to read the source and to write the target. Where no single identity is, use
    `S3Bucket.stream_from`.

    Args:
        source_path: Key of the object, a string or a `Path`.
        target_path: Key of the copy, a string or a `Path`.
        source_bucket_name: Bucket of the object.
        aws_credentials: Who asks.
        target_bucket_name: Bucket of the copy; the source's by default.
        **copy_kwargs: Further parameters of
            [CopyObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html). An object beyond its
            limit of 5 GiB is copied in parts.

    Returns:
        The key of the copy, without the bucket.

    Examples:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.s3 import copy_objects

        @flow
        def keep_a_copy() -> str:
            return copy_objects(
                source_path="my_folder/notes.txt",
                target_path="my_folder/notes_copy.txt",
                source_bucket_name="my-bucket",
                aws_credentials=AwsCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    return _copy_objects(source_path, target_path, source_bucket_name, aws_credentials, target_bucket_name, copy_kwargs)


s3_copy = copy_objects.with_options(name="s3_copy")
"""The older name of `copy_objects`."""


def _move_objects(
    source_path: str | Path,
    target_path: str | Path,
    source_bucket_name: str,
    aws_credentials: AwsCredentials,
    target_bucket_name: str | None,
) -> str:
    source, target = object_key("", source_path), object_key("", target_path)
    target_bucket = target_bucket_name or source_bucket_name
    run_logger(__name__).info("Moving s3://%s/%s to s3://%s/%s", source_bucket_name, source, target_bucket, target)
    return S3Objects.open(aws_credentials, source_bucket_name).move(source, target_bucket, target)


@task
async def amove_objects(
    source_path: str,
    target_path: str,
    source_bucket_name: str,
    aws_credentials: AwsCredentials,
    target_bucket_name: str | None = None,
) -> str:
    """Async form of `move_objects`."""
    return await run_sync_in_worker_thread(
        _move_objects, source_path, target_path, source_bucket_name, aws_credentials, target_bucket_name
    )


@sync_task(amove_objects)
def move_objects(
    source_path: str,
    target_path: str,
    source_bucket_name: str,
    aws_credentials: AwsCredentials,
    target_bucket_name: str | None = None,
) -> str:
    """Copy one object inside S3, then delete the original.

    The credentials must be allowed to read and delete the source and to write the target. Where they may not delete
    it, the copy is made, the original stays, and the error says so.

    Args:
        source_path: Key of the object.
        target_path: Its new key.
        source_bucket_name: Bucket of the object.
        aws_credentials: Who asks.
        target_bucket_name: New bucket; the source's by default.

    Returns:
        The new key, without the bucket.
    """
    return _move_objects(source_path, target_path, source_bucket_name, aws_credentials, target_bucket_name)


s3_move = move_objects.with_options(name="s3_move")
"""The older name of `move_objects`."""


def _list_objects(
    bucket: str,
    aws_credentials: AwsCredentials,
    parameters: AwsClientParameters,
    prefix: str,
    delimiter: str,
    page_size: int | None,
    max_items: int | None,
    jmespath_query: str | None,
) -> list[dict[str, Any]]:
    run_logger(__name__).info("Listing s3://%s/%s", bucket, prefix)
    objects = S3Objects.open(aws_credentials, bucket, parameters)
    return objects.list(prefix, delimiter, page_size, max_items, jmespath_query)


@task
async def alist_objects(
    bucket: str,
    aws_credentials: AwsCredentials,
    aws_client_parameters: AwsClientParameters = _CLIENT_PARAMETERS,
    prefix: str = "",
    delimiter: str = "",
    page_size: int | None = None,
    max_items: int | None = None,
    jmespath_query: str | None = None,
) -> list[dict[str, Any]]:
    """Async form of `list_objects`."""
    return await run_sync_in_worker_thread(
        _list_objects,
        bucket,
        aws_credentials,
        aws_client_parameters,
        prefix,
        delimiter,
        page_size,
        max_items,
        jmespath_query,
    )


@sync_task(alist_objects)
def list_objects(
    bucket: str,
    aws_credentials: AwsCredentials,
    aws_client_parameters: AwsClientParameters = _CLIENT_PARAMETERS,
    prefix: str = "",
    delimiter: str = "",
    page_size: int | None = None,
    max_items: int | None = None,
    jmespath_query: str | None = None,
) -> list[dict[str, Any]]:
    """List the objects whose keys begin with a prefix.

    Args:
        bucket: Name of the bucket.
        aws_credentials: Who asks.
        aws_client_parameters: Parameters of the client; those that are set go before the ones of `aws_credentials`.
        prefix: What keys begin with, letter by letter: `logs` also finds `logs2/a`. Give `logs/` for a folder.
        delimiter: Leave out keys that hold this character behind the prefix; `/` lists one level.
        page_size: Objects for each request, at most 1,000.
        max_items: Objects to return at most.
        jmespath_query: A [JMESPath](https://jmespath.org) expression over each page of the answer, such as
            ``Contents[?Size > `1024`][]``.

    Returns:
        One mapping for each object, as boto3 describes it: `Key`, `Size` in bytes, `LastModified`, `ETag` and others.

    Raises:
        AwsBucketNotFound: If there is no such bucket.
    """
    return _list_objects(
        bucket,
        aws_credentials,
        aws_client_parameters,
        prefix,
        delimiter,
        page_size,
        max_items,
        jmespath_query,
    )


s3_list_objects = list_objects.with_options(name="s3_list_objects")
"""The older name of `list_objects`."""
