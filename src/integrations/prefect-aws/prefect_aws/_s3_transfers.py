"""What moves between an S3 bucket block and this machine, another bucket, or another key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from prefect_aws._s3_engine import TransferOptions
from prefect_aws._s3_objects import answer_as_head
from prefect_aws._s3_requests import Encryption, StorageClass, write_request
from prefect_aws.errors import AwsBucketNotFound, AwsObjectNotFound
from prefect_integration_kit.dispatch import async_dispatch, run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.object_store_block import ObjectStoreBlock

if TYPE_CHECKING:
    from prefect_aws.s3 import S3Bucket


class S3BucketTransfers(ObjectStoreBlock[TransferOptions]):
    """A base of `S3Bucket`: objects and folders on their way into the bucket, out of it, and inside S3."""

    _scheme: ClassVar[str] = "s3"

    # Downloads

    async def adownload_object_to_path(
        self, from_path: str, to_path: str | Path | None = None, **download_kwargs: Any
    ) -> Path:
        """Async form of `download_object_to_path`."""
        options = TransferOptions.parse(download_kwargs)
        return await run_stoppable(lambda stop: self._download_object_to_path(from_path, to_path, options, stop))

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
        return self._download_object_to_path(from_path, to_path, TransferOptions.parse(download_kwargs))

    async def adownload_object_to_file_object(
        self, from_path: str, to_file_object: BinaryIO, **download_kwargs: Any
    ) -> BinaryIO:
        """Async form of `download_object_to_file_object`."""
        return await run_sync_in_worker_thread(
            self._download_object_to_file_object, from_path, to_file_object, TransferOptions.parse(download_kwargs)
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
        return self._download_object_to_file_object(from_path, to_file_object, TransferOptions.parse(download_kwargs))

    async def adownload_folder_to_path(
        self, from_folder: str, to_folder: str | Path | None = None, **download_kwargs: Any
    ) -> Path:
        """Async form of `download_folder_to_path`."""
        options = TransferOptions.parse(download_kwargs)
        return await run_stoppable(lambda stop: self._download_folder_to_path(from_folder, to_folder, options, stop))

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
        return self._download_folder_to_path(from_folder, to_folder, TransferOptions.parse(download_kwargs))

    # Uploads

    async def astream_from(
        self, bucket: S3Bucket, from_path: str, to_path: str | None = None, **upload_kwargs: Any
    ) -> str:
        """Async form of `stream_from`."""
        options = TransferOptions.parse(upload_kwargs)
        return await run_sync_in_worker_thread(self._stream_from, bucket, from_path, to_path, options)

    @async_dispatch(astream_from)
    def stream_from(self, bucket: S3Bucket, from_path: str, to_path: str | None = None, **upload_kwargs: Any) -> str:
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
        return self._stream_from(bucket, from_path, to_path, TransferOptions.parse(upload_kwargs))

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
        request = write_request(storage_class, server_side_encryption, kms_key_id)
        options = TransferOptions.parse(upload_kwargs, **request)
        return await run_stoppable(lambda stop: self._upload_from_path(from_path, to_path, options, stop))

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
        request = write_request(storage_class, server_side_encryption, kms_key_id)
        options = TransferOptions.parse(upload_kwargs, **request)
        return self._upload_from_path(from_path, to_path, options)

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
        request = write_request(storage_class, server_side_encryption, kms_key_id)
        options = TransferOptions.parse(upload_kwargs, **request)
        return await run_sync_in_worker_thread(self._upload_from_file_object, from_file_object, to_path, options)

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
        request = write_request(storage_class, server_side_encryption, kms_key_id)
        options = TransferOptions.parse(upload_kwargs, **request)
        return self._upload_from_file_object(from_file_object, to_path, options)

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
        request = write_request(storage_class, server_side_encryption, kms_key_id)
        options = TransferOptions.parse(upload_kwargs, **request)
        stored = await run_stoppable(lambda stop: self._upload_from_folder(from_folder, to_folder, options, stop))
        return stored or None

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
        request = write_request(storage_class, server_side_encryption, kms_key_id)
        options = TransferOptions.parse(upload_kwargs, **request)
        return self._upload_from_folder(from_folder, to_folder, options) or None

    # Objects that move inside S3

    def _move_object(
        self, from_path: str | Path, to_path: str | Path, to_bucket: ObjectStoreBlock[TransferOptions] | str | None
    ) -> str:
        try:
            return super()._move_object(from_path, to_path, to_bucket)
        except (AwsObjectNotFound, AwsBucketNotFound) as exc:
            if isinstance(exc, AwsObjectNotFound) or to_bucket is None:  # else the other bucket may be missing
                answer_as_head(exc)
            raise

    async def acopy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: S3Bucket | str | None = None,
        **copy_kwargs: Any,
    ) -> str:
        """Async form of `copy_object`."""
        return await run_sync_in_worker_thread(self._copy_object, from_path, to_path, to_bucket, copy_kwargs)

    def copy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: S3Bucket | str | None = None,
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

    async def amove_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: S3Bucket | str | None = None,
    ) -> str:
        """Async form of `move_object`."""
        return await run_sync_in_worker_thread(self._move_object, from_path, to_path, to_bucket)

    @async_dispatch(amove_object)
    def move_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: S3Bucket | str | None = None,
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
