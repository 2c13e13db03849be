"""Objects in S3 and in stores that speak its protocol: tasks for single requests, and the `S3Bucket` block.

Folder operations move many files at once and stream them, so memory does not grow with their size or number. With
the extra `fast` installed (`pip install "prefect-aws[fast]"`) they use a native engine where nothing is asked that only
boto3 can do; `PREFECT_INTEGRATIONS_AWS_S3_NATIVE_TRANSFER=false` switches it off.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect.blocks.abstract import ObjectStorageBlock
from prefect.filesystems import WritableDeploymentStorage, WritableFileSystem
from pydantic import Field, HttpUrl, field_validator

from prefect_aws._s3_engine import TransferOptions
from prefect_aws._s3_folders import S3Folders
from prefect_aws._s3_objects import Credentials, s3_client
from prefect_aws._s3_requests import Encryption, StorageClass, write_request
from prefect_aws._s3_transfers import S3BucketTransfers
from prefect_aws._s3_urls import S3BucketUrls
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials, MinIOCredentials
from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.late_imports import late_names

if TYPE_CHECKING:
    from prefect_aws._s3_tasks import (
        acopy_objects,
        adownload_from_bucket,
        alist_objects,
        amove_objects,
        aupload_to_bucket,
        copy_objects,
        download_from_bucket,
        list_objects,
        move_objects,
        s3_copy,
        s3_download,
        s3_list_objects,
        s3_move,
        s3_upload,
        upload_to_bucket,
    )

__all__ = [
    "Encryption",
    "S3Bucket",
    "StorageClass",
    "acopy_objects",
    "adownload_from_bucket",
    "alist_objects",
    "amove_objects",
    "aupload_to_bucket",
    "copy_objects",
    "credentials_from_mapping",
    "download_from_bucket",
    "get_s3_client",
    "list_objects",
    "move_objects",
    "s3_copy",
    "s3_download",
    "s3_list_objects",
    "s3_move",
    "s3_upload",
    "upload_to_bucket",
]


__getattr__, __dir__ = late_names(
    __name__,
    {
        "acopy_objects": "._s3_tasks",
        "adownload_from_bucket": "._s3_tasks",
        "alist_objects": "._s3_tasks",
        "amove_objects": "._s3_tasks",
        "aupload_to_bucket": "._s3_tasks",
        "copy_objects": "._s3_tasks",
        "download_from_bucket": "._s3_tasks",
        "list_objects": "._s3_tasks",
        "move_objects": "._s3_tasks",
        "s3_copy": "._s3_tasks",
        "s3_download": "._s3_tasks",
        "s3_list_objects": "._s3_tasks",
        "s3_move": "._s3_tasks",
        "s3_upload": "._s3_tasks",
        "upload_to_bucket": "._s3_tasks",
    },
)


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


class S3Bucket(
    QuickKey, S3BucketTransfers, S3BucketUrls, WritableFileSystem, WritableDeploymentStorage, ObjectStorageBlock
):
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

    def _bucket(self) -> str:
        return self.bucket_name

    def _objects(self) -> S3Folders:
        return S3Folders.open(self.credentials, self.bucket_name)

    # Folders as deployment storage

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
        request = write_request(storage_class, server_side_encryption, kms_key_id)
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
        return self._write_path(path, content, write_request(storage_class, server_side_encryption, kms_key_id))

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
