"""Objects in S3 and in stores that speak its protocol: tasks for single requests, and the `S3Bucket` block.

Folder operations move many files at once and stream them, so memory does not grow with their size or number. With
the extra `fast` installed (`pip install "prefect-aws[fast]"`) they use a native engine where nothing is asked that only
boto3 can do; `PREFECT_INTEGRATIONS_AWS_S3_NATIVE_TRANSFER=false` switches it off.
"""

import threading
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, Union
from uuid import uuid4

from prefect.blocks.abstract import ObjectStorageBlock
from prefect.filesystems import WritableDeploymentStorage, WritableFileSystem
from prefect.tasks import task
from pydantic import Field, HttpUrl, field_validator

from prefect_aws._s3_engine import TransferOptions
from prefect_aws._s3_extras import S3BucketExtras, absolute
from prefect_aws._s3_folders import S3Folders
from prefect_aws._s3_objects import Credentials, S3Objects, s3_client
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials, MinIOCredentials
from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_stoppable, run_sync_in_worker_thread, sync_task
from prefect_integration_kit.files import read_ignore_file
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.paths import folder_prefix, object_key

StorageClass = Literal[
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
    "SNOW",
]
"""How S3 keeps an object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html)."""

Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
"""Who encrypts an object at rest (https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html)."""

_CLIENT_PARAMETERS = AwsClientParameters()


def get_s3_client(credentials: dict[str, Any] | None = None, client_parameters: dict[str, Any] | None = None) -> Any:
    """Get a boto3 S3 client from plain values, as a `prefect.yaml` gives them.

    Args:
        credentials: Fields of an `AwsCredentials` or `MinIOCredentials` block, as a mapping. Without it, boto3 looks
            for credentials in its usual places.
        client_parameters: Fields of `AwsClientParameters`, which go before `aws_client_parameters` in `credentials`;
            `region_name` and `profile_name` are taken from here when `credentials` lacks them.

    Returns:
        A boto3 S3 client.
    """
    block, parameters = credentials_from_mapping(credentials, client_parameters)
    return s3_client(block, parameters)


def credentials_from_mapping(
    credentials: Mapping[str, Any] | None = None, client_parameters: Mapping[str, Any] | None = None
) -> tuple[Credentials, AwsClientParameters]:
    """Build the block and the client parameters that plain values mean.

    Args:
        credentials: As in `get_s3_client`; fields of `AwsClientParameters` may stand beside those of the block.
        client_parameters: As in `get_s3_client`.

    Returns:
        The credentials block, and the parameters to use before the block's own.
    """
    values, extra = dict(credentials or {}), dict(client_parameters or {})
    for name in ("region_name", "profile_name"):
        value = extra.pop(name, None)
        if value is not None and values.get(name) is None:
            values[name] = value
    # A step may give the fields of the client beside those of the identity.
    known = set(AwsClientParameters.model_fields)
    beside = {name: values.pop(name) for name in known & set(values)}
    values = {name: value for name, value in values.items() if value is not None}
    is_minio = "minio_root_user" in values or values.get("block_type_slug") == "minio-credentials"
    block = MinIOCredentials(**values) if is_minio else AwsCredentials(**values)
    return block, AwsClientParameters(**{**beside, **extra})


# Tasks -------------------------------------------------------------------------------------------------------------


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


# The block -----------------------------------------------------------------------------------------------------------


class S3Bucket(QuickKey, S3BucketExtras, WritableFileSystem, WritableDeploymentStorage, ObjectStorageBlock):
    """Keep files in S3, or in a store that speaks its protocol, such as MinIO.

    Every path is relative to `bucket_folder`. A path that already begins with it is taken as it is, so what one method
    returns can be given to the next.

    Examples:
        Load a saved bucket and write to it:
        ```python
        from prefect_aws.s3 import S3Bucket

        s3_bucket = S3Bucket.load("BLOCK_NAME")
        s3_bucket.write_path("reports/today.txt", b"All well.")
        ```
    """

    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"
    )
    _block_type_name = "S3 Bucket"
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-aws")

    bucket_name: str = Field(default=..., description="Name of the bucket, without `s3://`.")
    credentials: MinIOCredentials | AwsCredentials = Field(
        default_factory=AwsCredentials, description="Who reads and writes: an AWS or a MinIO credentials block."
    )
    bucket_folder: str = Field(
        default="", description="Folder in the bucket that all paths are relative to; empty for the whole bucket."
    )

    @field_validator("credentials", mode="before")
    @classmethod
    def validate_credentials(cls, value: Any) -> Any:
        """Tell the two kinds of credentials apart when they come as a mapping."""
        if isinstance(value, dict):
            fields: dict[str, Any] = {**value}
            slug = fields.pop("block_type_slug", None)
            if slug == "minio-credentials" or "minio_root_user" in fields:
                return MinIOCredentials(**fields)
            return AwsCredentials(**fields)
        return value

    @property
    def basepath(self) -> str:
        """The folder in the bucket that all paths are relative to."""
        return self.bucket_folder

    @basepath.setter
    def basepath(self, value: str) -> None:
        self.bucket_folder = value

    def _objects(self) -> S3Folders:
        return S3Folders.open(self.credentials, self.bucket_name)

    def _key(self, path: str | Path) -> str:
        key = object_key(self.bucket_folder, path)
        if not key:
            raise ValueError("path is empty; give the key of an object.")
        return key

    def _prefix(self, folder: str | Path | None) -> str:
        return folder_prefix(self.bucket_folder, folder)

    # Folders as deployment storage

    def _get_directory(
        self, from_path: str | None, local_path: str | None, stop: threading.Event | None = None
    ) -> None:
        self._objects().download_folder(self._prefix(from_path), absolute(local_path or "."), stop=stop)

    async def aget_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        """Async form of `get_directory`."""
        await run_stoppable(lambda stop: self._get_directory(from_path, local_path, stop))

    @async_dispatch(aget_directory)
    def get_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        """Download a folder of the bucket.

        Args:
            from_path: Folder to download; `bucket_folder` by default.
            local_path: Where its content goes; the working directory by default.

        Raises:
            PathEscapes: If a key would be written outside `local_path`; no such file is written.
            NotADirectoryError: If `local_path` is a file.
        """
        self._get_directory(from_path, local_path)

    def _put_directory(
        self,
        local_path: str | None,
        to_path: str | None,
        ignore_file: str | None,
        stop: threading.Event | None = None,
    ) -> int:
        lines = read_ignore_file(ignore_file) if ignore_file else None
        summary = self._objects().upload_folder(
            absolute(local_path or "."), self._prefix(to_path), ignore_lines=lines, stop=stop
        )
        return summary.files

    async def aput_directory(
        self, local_path: str | None = None, to_path: str | None = None, ignore_file: str | None = None
    ) -> int:
        """Async form of `put_directory`."""
        return await run_stoppable(lambda stop: self._put_directory(local_path, to_path, ignore_file, stop))

    @async_dispatch(aput_directory)
    def put_directory(
        self, local_path: str | None = None, to_path: str | None = None, ignore_file: str | None = None
    ) -> int:
        """Upload a folder to the bucket.

        Args:
            local_path: Folder to upload; the working directory by default.
            to_path: Where its content goes in the bucket; `bucket_folder` by default.
            ignore_file: File with the patterns of what to leave out, written as in `.gitignore`.

        Returns:
            The number of files that were uploaded.

        Raises:
            FileNotFoundError: If `local_path` or `ignore_file` does not exist.
            NotADirectoryError: If `local_path` is a file.
        """
        return self._put_directory(local_path, to_path, ignore_file)

    # Objects as bytes

    async def aread_path(self, path: str) -> bytes:
        """Async form of `read_path`."""
        return await run_sync_in_worker_thread(lambda: self._objects().read(self._key(path)))

    @async_dispatch(aread_path)
    def read_path(self, path: str) -> bytes:
        """Read one object into memory.

        Args:
            path: Key of the object, relative to `bucket_folder`.

        Returns:
            What the object holds.

        Raises:
            AwsObjectNotFound: If there is no such object; also a `FileNotFoundError` and boto3's own error.
            AwsBucketNotFound: If there is no such bucket.
            AwsAccessDenied: If the credentials may not read it.
        """
        return self._objects().read(self._key(path))

    def _write_path(self, path: str, content: bytes, request: dict[str, Any]) -> str:
        return self._objects().write(self._key(path), content, TransferOptions.parse({}, **request))

    async def awrite_path(
        self,
        path: str,
        content: bytes,
        *,
        storage_class: StorageClass | None = None,
        server_side_encryption: Encryption | None = None,
        kms_key_id: str | None = None,
    ) -> str:
        """Async form of `write_path`."""
        request = _request(storage_class, server_side_encryption, kms_key_id)
        return await run_sync_in_worker_thread(self._write_path, path, content, request)

    @async_dispatch(awrite_path)
    def write_path(
        self,
        path: str,
        content: bytes,
        *,
        storage_class: StorageClass | None = None,
        server_side_encryption: Encryption | None = None,
        kms_key_id: str | None = None,
    ) -> str:
        """Store bytes as one object; an object under the same key is replaced.

        Args:
            path: Key of the object, relative to `bucket_folder`.
            content: What to store.
            storage_class: How S3 keeps the object; the bucket's default when not given.
            server_side_encryption: Who encrypts it; the bucket's default when not given.
            kms_key_id: Id or ARN of the KMS key; needs `server_side_encryption` `aws:kms` or `aws:kms:dsse`.

        Returns:
            The key, `bucket_folder` included.

        Raises:
            AwsBucketNotFound: If there is no such bucket.
            AwsAccessDenied: If the credentials may not write to it.
        """
        return self._write_path(path, content, _request(storage_class, server_side_encryption, kms_key_id))

    # Listings

    def _list_objects(
        self,
        folder: str,
        delimiter: str,
        page_size: int | None,
        max_items: int | None,
        jmespath_query: str | None,
    ) -> list[dict[str, Any]]:
        objects, prefix = self._objects(), self._prefix(folder)
        found = objects.list(prefix, delimiter, page_size, max_items, jmespath_query)
        if not found and prefix and not str(folder).endswith("/"):
            # The path may name one object rather than a folder.
            key = prefix.rstrip("/")
            same = objects.list(key, delimiter, page_size, 1, jmespath_query)
            found = [item for item in same if isinstance(item, dict) and item.get("Key") == key]  # a query may reshape
        return found

    async def alist_objects(
        self,
        folder: str = "",
        delimiter: str = "",
        page_size: int | None = None,
        max_items: int | None = None,
        jmespath_query: str | None = None,
    ) -> list[dict[str, Any]]:
        """Async form of `list_objects`."""
        return await run_sync_in_worker_thread(
            self._list_objects, folder, delimiter, page_size, max_items, jmespath_query
        )

    @async_dispatch(alist_objects)
    def list_objects(
        self,
        folder: str = "",
        delimiter: str = "",
        page_size: int | None = None,
        max_items: int | None = None,
        jmespath_query: str | None = None,
    ) -> list[dict[str, Any]]:
        """List the objects in a folder. `logs` does not find `logs2/a`.

        Args:
            folder: Folder below `bucket_folder`; `bucket_folder` itself by default.
            delimiter: Leave out keys that hold this character behind the folder; `/` lists one level.
            page_size: Objects for each request, at most 1,000.
            max_items: Objects to return at most.
            jmespath_query: A [JMESPath](https://jmespath.org) expression over each page of the answer, such as
                ``Contents[?Size > `1024`][]``.

        Returns:
            One mapping for each object, as boto3 describes it: `Key`, `Size` in bytes, `LastModified`, `ETag` and
            others.

        Raises:
            AwsBucketNotFound: If there is no such bucket.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            names = [item["Key"] for item in s3_bucket.list_objects("base_folder")]
            ```
        """
        return self._list_objects(folder, delimiter, page_size, max_items, jmespath_query)

    # Downloads

    def _download_object_to_path(
        self,
        from_path: str,
        to_path: str | Path | None,
        options: dict[str, Any],
        stop: threading.Event | None = None,
    ) -> Path:
        key = self._key(from_path)
        target = absolute(to_path if to_path is not None else PurePosixPath(key).name)
        self.logger.info("Downloading s3://%s/%s to %s", self.bucket_name, key, target)
        return self._objects().download(key, target, TransferOptions.parse(options), stop)

    async def adownload_object_to_path(
        self, from_path: str, to_path: str | Path | None = None, **download_kwargs: Any
    ) -> Path:
        """Async form of `download_object_to_path`."""
        return await run_stoppable(
            lambda stop: self._download_object_to_path(from_path, to_path, download_kwargs, stop)
        )

    @async_dispatch(adownload_object_to_path)
    def download_object_to_path(
        self, from_path: str, to_path: str | Path | None = None, **download_kwargs: Any
    ) -> Path:
        """Download one object to a file, which appears under its name when it is complete.

        Args:
            from_path: Key of the object, relative to `bucket_folder`.
            to_path: The file; missing folders above it are made. The object's own name in the working directory by
                default.
            **download_kwargs: Keywords of boto3's `Client.download_file`: `ExtraArgs`, `Callback`, `Config`.

        Returns:
            The absolute path of the file.

        Raises:
            AwsObjectNotFound: If there is no such object; also a `FileNotFoundError` and boto3's own error.
            IsADirectoryError: If `to_path` is a folder.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            s3_bucket.download_object_to_path("my_folder/notes.txt", "notes.txt")
            ```
        """
        return self._download_object_to_path(from_path, to_path, download_kwargs)

    def _download_object_to_file_object(
        self, from_path: str, to_file_object: BinaryIO, options: dict[str, Any]
    ) -> BinaryIO:
        key = self._key(from_path)
        self.logger.info("Downloading s3://%s/%s to a file object", self.bucket_name, key)
        return self._objects().download_to(key, to_file_object, TransferOptions.parse(options))

    async def adownload_object_to_file_object(
        self, from_path: str, to_file_object: BinaryIO, **download_kwargs: Any
    ) -> BinaryIO:
        """Async form of `download_object_to_file_object`."""
        return await run_sync_in_worker_thread(
            self._download_object_to_file_object, from_path, to_file_object, download_kwargs
        )

    @async_dispatch(adownload_object_to_file_object)
    def download_object_to_file_object(
        self, from_path: str, to_file_object: BinaryIO, **download_kwargs: Any
    ) -> BinaryIO:
        """Download one object to an open file.

        Args:
            from_path: Key of the object, relative to `bucket_folder`.
            to_file_object: A file open for writing in binary mode, or a `BytesIO`.
            **download_kwargs: Keywords of boto3's `Client.download_fileobj`: `ExtraArgs`, `Callback`, `Config`.

        Returns:
            The file object.

        Raises:
            AwsObjectNotFound: If there is no such object; also a `FileNotFoundError` and boto3's own error.
            TypeError: If the file is open in text mode.

        Examples:
            ```python
            from io import BytesIO

            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            with BytesIO() as buffer:
                s3_bucket.download_object_to_file_object("my_folder/notes.txt", buffer)
            ```
        """
        return self._download_object_to_file_object(from_path, to_file_object, download_kwargs)

    def _download_folder_to_path(
        self,
        from_folder: str,
        to_folder: str | Path | None,
        options: dict[str, Any],
        stop: threading.Event | None = None,
    ) -> Path:
        target = absolute(to_folder if to_folder is not None else ".")
        self._objects().download_folder(
            self._prefix(from_folder), target, options=TransferOptions.parse(options), stop=stop
        )
        return target

    async def adownload_folder_to_path(
        self, from_folder: str, to_folder: str | Path | None = None, **download_kwargs: Any
    ) -> Path:
        """Async form of `download_folder_to_path`."""
        return await run_stoppable(
            lambda stop: self._download_folder_to_path(from_folder, to_folder, download_kwargs, stop)
        )

    @async_dispatch(adownload_folder_to_path)
    def download_folder_to_path(
        self, from_folder: str, to_folder: str | Path | None = None, **download_kwargs: Any
    ) -> Path:
        """Download what a folder holds, without the folder itself.

        Args:
            from_folder: Folder below `bucket_folder`.
            to_folder: Where its content goes; the working directory by default.
            **download_kwargs: Keywords of boto3's `Client.download_file`: `ExtraArgs`, `Callback`, `Config`.

        Returns:
            The absolute path of `to_folder`.

        Raises:
            PathEscapes: If a key would be written outside `to_folder`; no such file is written.
            NotADirectoryError: If `to_folder` is a file.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            s3_bucket.download_folder_to_path("my_folder", "my_folder")
            ```
        """
        return self._download_folder_to_path(from_folder, to_folder, download_kwargs)

    # Uploads

    def _stream_from(self, bucket: "S3Bucket", from_path: str, to_path: str | None, options: dict[str, Any]) -> str:
        from_key = bucket._key(from_path)  # noqa: SLF001
        key = self._key(to_path if to_path is not None else PurePosixPath(from_key).name)
        self.logger.info("Streaming s3://%s/%s to s3://%s/%s", bucket.bucket_name, from_key, self.bucket_name, key)
        source = bucket._objects()  # noqa: SLF001
        return self._objects().stream_from(source, from_key, key, TransferOptions.parse(options))

    async def astream_from(
        self, bucket: "S3Bucket", from_path: str, to_path: str | None = None, **upload_kwargs: Any
    ) -> str:
        """Async form of `stream_from`."""
        return await run_sync_in_worker_thread(self._stream_from, bucket, from_path, to_path, upload_kwargs)

    @async_dispatch(astream_from)
    def stream_from(self, bucket: "S3Bucket", from_path: str, to_path: str | None = None, **upload_kwargs: Any) -> str:
        """Copy an object of another bucket through this machine, part by part.

        Each side uses its own credentials. Where one identity may do both, `copy_object` is faster.

        Args:
            bucket: The bucket to read.
            from_path: Key of the object, relative to the folder of `bucket`.
            to_path: Key of the copy, relative to `bucket_folder`; the object's own name by default.
            **upload_kwargs: Keywords of boto3's `Client.upload_fileobj`: `ExtraArgs`, `Callback`, `Config`.

        Returns:
            The key of the copy.

        Raises:
            AwsObjectNotFound: If there is no such object; also a `FileNotFoundError` and boto3's own error.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            theirs = S3Bucket.load("your-bucket")
            ours = S3Bucket.load("my-bucket")
            ours.stream_from(theirs, "notes.txt", to_path="landed/notes.txt")
            ```
        """
        return self._stream_from(bucket, from_path, to_path, upload_kwargs)

    def _upload_from_path(
        self,
        from_path: str | Path,
        to_path: str | None,
        options: dict[str, Any],
        request: dict[str, Any],
        stop: threading.Event | None = None,
    ) -> str:
        source = absolute(from_path)
        key = self._key(to_path if to_path is not None else source.name)
        self.logger.info("Uploading %s to s3://%s/%s", source, self.bucket_name, key)
        return self._objects().upload(source, key, TransferOptions.parse(options, **request), stop)

    async def aupload_from_path(
        self,
        from_path: str | Path,
        to_path: str | None = None,
        *,
        storage_class: StorageClass | None = None,
        server_side_encryption: Encryption | None = None,
        kms_key_id: str | None = None,
        **upload_kwargs: Any,
    ) -> str:
        """Async form of `upload_from_path`."""
        request = _request(storage_class, server_side_encryption, kms_key_id)
        return await run_stoppable(
            lambda stop: self._upload_from_path(from_path, to_path, upload_kwargs, request, stop)
        )

    @async_dispatch(aupload_from_path)
    def upload_from_path(
        self,
        from_path: str | Path,
        to_path: str | None = None,
        *,
        storage_class: StorageClass | None = None,
        server_side_encryption: Encryption | None = None,
        kms_key_id: str | None = None,
        **upload_kwargs: Any,
    ) -> str:
        """Upload one file.

        Args:
            from_path: The file.
            to_path: Key of the object, relative to `bucket_folder`; the file's own name by default.
            storage_class: How S3 keeps the object; the bucket's default when not given.
            server_side_encryption: Who encrypts it; the bucket's default when not given.
            kms_key_id: Id or ARN of the KMS key; needs `server_side_encryption` `aws:kms` or `aws:kms:dsse`.
            **upload_kwargs: Keywords of boto3's `Client.upload_file`: `ExtraArgs`, `Callback`, `Config`.

        Returns:
            The key.

        Raises:
            FileNotFoundError: If there is no such file.
            IsADirectoryError: If `from_path` is a folder.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            s3_bucket.upload_from_path("notes.txt", "my_folder/notes.txt", storage_class="STANDARD_IA")
            ```
        """
        request = _request(storage_class, server_side_encryption, kms_key_id)
        return self._upload_from_path(from_path, to_path, upload_kwargs, request)

    def _upload_from_file_object(
        self, file: BinaryIO, to_path: str, options: dict[str, Any], request: dict[str, Any]
    ) -> str:
        key = self._key(to_path)
        self.logger.info("Uploading a file object to s3://%s/%s", self.bucket_name, key)
        return self._objects().upload_from(file, key, TransferOptions.parse(options, **request))

    async def aupload_from_file_object(
        self,
        from_file_object: BinaryIO,
        to_path: str,
        *,
        storage_class: StorageClass | None = None,
        server_side_encryption: Encryption | None = None,
        kms_key_id: str | None = None,
        **upload_kwargs: Any,
    ) -> str:
        """Async form of `upload_from_file_object`."""
        request = _request(storage_class, server_side_encryption, kms_key_id)
        return await run_sync_in_worker_thread(
            self._upload_from_file_object, from_file_object, to_path, upload_kwargs, request
        )

    @async_dispatch(aupload_from_file_object)
    def upload_from_file_object(
        self,
        from_file_object: BinaryIO,
        to_path: str,
        *,
        storage_class: StorageClass | None = None,
        server_side_encryption: Encryption | None = None,
        kms_key_id: str | None = None,
        **upload_kwargs: Any,
    ) -> str:
        """Upload what an open file holds, from its position on.

        Args:
            from_file_object: A file open for reading in binary mode, or a `BytesIO`. It need not be seekable.
            to_path: Key of the object, relative to `bucket_folder`.
            storage_class: How S3 keeps the object; the bucket's default when not given.
            server_side_encryption: Who encrypts it; the bucket's default when not given.
            kms_key_id: Id or ARN of the KMS key; needs `server_side_encryption` `aws:kms` or `aws:kms:dsse`.
            **upload_kwargs: Keywords of boto3's `Client.upload_fileobj`: `ExtraArgs`, `Callback`, `Config`.

        Returns:
            The key.

        Raises:
            TypeError: If the file is open in text mode.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            with open("notes.txt", "rb") as file:
                s3_bucket.upload_from_file_object(file, "my_folder/notes.txt")
            ```
        """
        request = _request(storage_class, server_side_encryption, kms_key_id)
        return self._upload_from_file_object(from_file_object, to_path, upload_kwargs, request)

    def _upload_from_folder(
        self,
        from_folder: str | Path,
        to_folder: str | None,
        options: dict[str, Any],
        request: dict[str, Any],
        stop: threading.Event | None = None,
    ) -> str | None:
        prefix = self._prefix(to_folder)
        summary = self._objects().upload_folder(
            absolute(from_folder), prefix, options=TransferOptions.parse(options, **request), stop=stop
        )
        if not summary.files:
            self.logger.warning("No files found in %s; nothing was uploaded.", from_folder)
        return prefix.rstrip("/") or None

    async def aupload_from_folder(
        self,
        from_folder: str | Path,
        to_folder: str | None = None,
        *,
        storage_class: StorageClass | None = None,
        server_side_encryption: Encryption | None = None,
        kms_key_id: str | None = None,
        **upload_kwargs: Any,
    ) -> str | None:
        """Async form of `upload_from_folder`."""
        request = _request(storage_class, server_side_encryption, kms_key_id)
        return await run_stoppable(
            lambda stop: self._upload_from_folder(from_folder, to_folder, upload_kwargs, request, stop)
        )

    @async_dispatch(aupload_from_folder)
    def upload_from_folder(
        self,
        from_folder: str | Path,
        to_folder: str | None = None,
        *,
        storage_class: StorageClass | None = None,
        server_side_encryption: Encryption | None = None,
        kms_key_id: str | None = None,
        **upload_kwargs: Any,
    ) -> str | None:
        """Upload what a folder holds, without the folder itself.

        Args:
            from_folder: The folder.
            to_folder: Where its content goes, relative to `bucket_folder`; `bucket_folder` itself by default.
            storage_class: How S3 keeps the objects; the bucket's default when not given.
            server_side_encryption: Who encrypts them; the bucket's default when not given.
            kms_key_id: Id or ARN of the KMS key; needs `server_side_encryption` `aws:kms` or `aws:kms:dsse`.
            **upload_kwargs: Keywords of boto3's `Client.upload_file`: `ExtraArgs`, `Callback`, `Config`.

        Returns:
            The folder in the bucket, `bucket_folder` included; `None` when that is the whole bucket.

        Raises:
            FileNotFoundError: If there is no such folder.
            NotADirectoryError: If `from_folder` is a file.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            s3_bucket.upload_from_folder("my_folder", "new_folder")
            ```
        """
        request = _request(storage_class, server_side_encryption, kms_key_id)
        return self._upload_from_folder(from_folder, to_folder, upload_kwargs, request)

    # Objects that move inside S3

    def _target(self, to_path: str | Path, to_bucket: Union["S3Bucket", str] | None) -> tuple[str, str]:
        """Find bucket and key of a copy: below the folder of a block, anywhere in a bucket given by name."""
        if to_bucket is None:
            return self.bucket_name, self._key(to_path)
        if isinstance(to_bucket, S3Bucket):
            return to_bucket.bucket_name, to_bucket._key(to_path)  # noqa: SLF001
        return to_bucket, object_key("", to_path)

    def _copy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: Union["S3Bucket", str] | None,
        arguments: dict[str, Any],
    ) -> str:
        key, (bucket, to_key) = self._key(from_path), self._target(to_path, to_bucket)
        self.logger.info("Copying s3://%s/%s to s3://%s/%s", self.bucket_name, key, bucket, to_key)
        return self._objects().copy(key, bucket, to_key, arguments)

    async def acopy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: Union["S3Bucket", str] | None = None,
        **copy_kwargs: Any,
    ) -> str:
        """Async form of `copy_object`."""
        return await run_sync_in_worker_thread(self._copy_object, from_path, to_path, to_bucket, copy_kwargs)

    def copy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: Union["S3Bucket", str] | None = None,
        **copy_kwargs: Any,
    ) -> str:
        """Copy one object inside S3, within the bucket or to another.

        This block's credentials must be allowed to read the source and to write the target; otherwise use
        `stream_from`. The name runs synchronously everywhere; in async code use `acopy_object`.

        Args:
            from_path: Key of the object, relative to `bucket_folder`.
            to_path: Key of the copy: relative to `bucket_folder`, to the folder of the block in `to_bucket`, or to
                the whole bucket when `to_bucket` is a name.
            to_bucket: Bucket of the copy, a block or a name; this one by default.
            **copy_kwargs: Further parameters of
                [CopyObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html). An object beyond
                its limit of 5 GiB is copied in parts.

        Returns:
            The key of the copy, without the bucket.

        Raises:
            AwsObjectNotFound: If there is no such object; also a `FileNotFoundError` and boto3's own error.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            s3_bucket.copy_object("my_folder/notes.txt", "my_folder/notes_copy.txt")
            ```
        """
        return self._copy_object(from_path, to_path, to_bucket, copy_kwargs)

    def _move_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: Union["S3Bucket", str] | None,
    ) -> str:
        key, (bucket, to_key) = self._key(from_path), self._target(to_path, to_bucket)
        self.logger.info("Moving s3://%s/%s to s3://%s/%s", self.bucket_name, key, bucket, to_key)
        return self._objects().move(key, bucket, to_key)

    async def amove_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: Union["S3Bucket", str] | None = None,
    ) -> str:
        """Async form of `move_object`."""
        return await run_sync_in_worker_thread(self._move_object, from_path, to_path, to_bucket)

    @async_dispatch(amove_object)
    def move_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: Union["S3Bucket", str] | None = None,
    ) -> str:
        """Copy one object inside S3, then delete the original.

        This block's credentials must be allowed to read and delete the source and to write the target. Where they
        may not delete it, the copy is made, the original stays, and the error says so.

        Args:
            from_path: Key of the object, relative to `bucket_folder`.
            to_path: Its new key; see `copy_object`.
            to_bucket: New bucket, a block or a name; this one by default.

        Returns:
            The new key, without the bucket.

        Raises:
            AwsObjectNotFound: If there is no such object; also a `FileNotFoundError` and boto3's own error.
            ValueError: If the object would be moved onto itself.

        Examples:
            ```python
            from prefect_aws.s3 import S3Bucket

            s3_bucket = S3Bucket.load("BLOCK_NAME")
            s3_bucket.move_object("inbox/notes.txt", "archive/notes.txt")
            ```
        """
        return self._move_object(from_path, to_path, to_bucket)


def _request(storage_class: str | None, server_side_encryption: str | None, kms_key_id: str | None) -> dict[str, Any]:
    """Name the options of a write as S3's API does."""
    if kms_key_id is not None and server_side_encryption not in ("aws:kms", "aws:kms:dsse"):
        raise ValueError(
            f"kms_key_id needs server_side_encryption 'aws:kms' or 'aws:kms:dsse', which is {server_side_encryption!r}."
        )
    return {
        "StorageClass": storage_class,
        "ServerSideEncryption": server_side_encryption,
        "SSEKMSKeyId": kms_key_id,
    }
