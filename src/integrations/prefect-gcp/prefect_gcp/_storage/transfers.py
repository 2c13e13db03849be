"""What moves between a Cloud Storage block and this machine, another bucket, or another key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from prefect_gcp._storage.frames import DataFrameSerializationFormat, read_format, write_frame
from prefect_gcp._storage.options import TransferOptions
from prefect_integration_kit.dispatch import async_dispatch, run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.object_store_block import ObjectStoreBlock

if TYPE_CHECKING:
    from pandas import DataFrame

    from prefect_gcp.cloud_storage import GcsBucket


class GcsBucketTransfers(ObjectStoreBlock[TransferOptions]):
    """A base of `GcsBucket`: objects and folders on their way into the bucket, out of it, and inside Cloud Storage."""

    _scheme: ClassVar[str] = "gs"

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
            **download_kwargs: Keywords of
                [`Blob.download_to_filename`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_download_to_filename),
                and of the object: `chunk_size` in bytes, a multiple of 262,144 (256 KiB); `encryption_key`, the
                customer's own; `generation`.

        Returns:
            The absolute path of the file.

        Raises:
            GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.
            GcpChecksumMismatch: If the content does not fit its checksum, also when read again.
            IsADirectoryError: If `to_path` is a folder.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            gcs_bucket.download_object_to_path("my_folder/notes.txt", "notes.txt")
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
            **download_kwargs: Keywords of
                [`Blob.download_to_file`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_download_to_file),
                and of the object; see `download_object_to_path`.

        Returns:
            The file object.

        Raises:
            GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.
            GcpChecksumMismatch: If the content does not fit its checksum. What was written is taken back, where the
                file can seek.
            TypeError: If the file is open in text mode.

        Examples:
            ```python
            from io import BytesIO

            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            with BytesIO() as buffer:
                gcs_bucket.download_object_to_file_object("my_folder/notes.txt", buffer)
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
        """Download what a folder holds, without the folder itself, several files at a time.

        Args:
            from_folder: Folder below `bucket_folder`.
            to_folder: Where its content goes; the working directory by default.
            **download_kwargs: Keywords of
                [`Blob.download_to_filename`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_download_to_filename),
                and of the objects; see `download_object_to_path`.

        Returns:
            The absolute path of `to_folder`.

        Raises:
            PathEscapes: If a key would be written outside `to_folder`; no such file is written.
            NotADirectoryError: If `to_folder` is a file.
            GcpBucketNotFound: If there is no such bucket.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            gcs_bucket.download_folder_to_path("my_folder", "my_folder")
            ```
        """
        return self._download_folder_to_path(from_folder, to_folder, TransferOptions.parse(download_kwargs))

    # Uploads

    async def astream_from(
        self, bucket: GcsBucket, from_path: str, to_path: str | None = None, **upload_kwargs: Any
    ) -> str:
        """Async form of `stream_from`."""
        options = TransferOptions.parse(upload_kwargs)
        return await run_sync_in_worker_thread(self._stream_from, bucket, from_path, to_path, options)

    @async_dispatch(astream_from)
    def stream_from(self, bucket: GcsBucket, from_path: str, to_path: str | None = None, **upload_kwargs: Any) -> str:
        """Copy an object of another bucket through this machine, chunk by chunk.

        Each side uses its own credentials. Where one identity may do both, `copy_object` is faster.

        Args:
            bucket: The bucket to read.
            from_path: Key of the object, relative to the folder of `bucket`.
            to_path: Key of the copy, relative to `bucket_folder`; the object's own name by default.
            **upload_kwargs: Keywords of
                [`Blob.upload_from_file`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_upload_from_file),
                and of the copy; see `upload_from_path`.

        Returns:
            The key of the copy.

        Raises:
            GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.
            GcpChecksumMismatch: If the copy does not fit the checksum of the object; it is deleted.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            theirs = GcsBucket.load("your-bucket")
            ours = GcsBucket.load("my-bucket")
            ours.stream_from(theirs, "notes.txt", to_path="landed/notes.txt")
            ```
        """
        return self._stream_from(bucket, from_path, to_path, TransferOptions.parse(upload_kwargs))

    async def aupload_from_path(self, from_path: str | Path, to_path: str | None = None, **upload_kwargs: Any) -> str:
        """Async form of `upload_from_path`."""
        options = TransferOptions.parse(upload_kwargs)
        return await run_stoppable(lambda stop: self._upload_from_path(from_path, to_path, options, stop))

    @async_dispatch(aupload_from_path)
    def upload_from_path(self, from_path: str | Path, to_path: str | None = None, **upload_kwargs: Any) -> str:
        """Upload one file. From 8 MiB on it goes in chunks, of which a broken connection costs one.

        Args:
            from_path: The file.
            to_path: Key of the object, relative to `bucket_folder`; the file's own name by default.
            **upload_kwargs: Keywords of
                [`Blob.upload_from_filename`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_upload_from_filename),
                such as `content_type` or `if_generation_match`, and of the object: `chunk_size` in bytes, a multiple
                of 262,144 (256 KiB); `encryption_key`, the customer's own; `kms_key_name`.

        Returns:
            The key.

        Raises:
            FileNotFoundError: If there is no such file.
            IsADirectoryError: If `from_path` is a folder.
            GcpBucketNotFound: If there is no such bucket.
            GcpPreconditionFailed: If the object is not as `if_generation_match` and its like say.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            gcs_bucket.upload_from_path("notes.txt", "my_folder/notes.txt")
            ```
        """
        return self._upload_from_path(from_path, to_path, TransferOptions.parse(upload_kwargs))

    async def aupload_from_file_object(self, from_file_object: BinaryIO, to_path: str, **upload_kwargs: Any) -> str:
        """Async form of `upload_from_file_object`."""
        options = TransferOptions.parse(upload_kwargs)
        return await run_sync_in_worker_thread(self._upload_from_file_object, from_file_object, to_path, options)

    @async_dispatch(aupload_from_file_object)
    def upload_from_file_object(self, from_file_object: BinaryIO, to_path: str, **upload_kwargs: Any) -> str:
        """Upload what an open file holds, from its position on.

        Args:
            from_file_object: A file open for reading in binary mode, or a `BytesIO`. It need not be seekable.
            to_path: Key of the object, relative to `bucket_folder`.
            **upload_kwargs: Keywords of
                [`Blob.upload_from_file`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_upload_from_file),
                and of the object; see `upload_from_path`.

        Returns:
            The key.

        Raises:
            TypeError: If the file is open in text mode.
            GcpBucketNotFound: If there is no such bucket.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            with open("notes.txt", "rb") as file:
                gcs_bucket.upload_from_file_object(file, "my_folder/notes.txt")
            ```
        """
        return self._upload_from_file_object(from_file_object, to_path, TransferOptions.parse(upload_kwargs))

    async def aupload_from_folder(
        self, from_folder: str | Path, to_folder: str | None = None, **upload_kwargs: Any
    ) -> str:
        """Async form of `upload_from_folder`."""
        options = TransferOptions.parse(upload_kwargs)
        return await run_stoppable(lambda stop: self._upload_from_folder(from_folder, to_folder, options, stop))

    @async_dispatch(aupload_from_folder)
    def upload_from_folder(self, from_folder: str | Path, to_folder: str | None = None, **upload_kwargs: Any) -> str:
        """Upload what a folder holds, without the folder itself, several files at a time.

        Args:
            from_folder: The folder.
            to_folder: Where its content goes, relative to `bucket_folder`; `bucket_folder` itself by default.
            **upload_kwargs: Keywords of
                [`Blob.upload_from_filename`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_upload_from_filename),
                and of the objects; see `upload_from_path`.

        Returns:
            The folder in the bucket, `bucket_folder` included; empty when that is the whole bucket.

        Raises:
            FileNotFoundError: If there is no such folder.
            NotADirectoryError: If `from_folder` is a file.
            GcpBucketNotFound: If there is no such bucket.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            gcs_bucket.upload_from_folder("my_folder", "new_folder")
            ```
        """
        return self._upload_from_folder(from_folder, to_folder, TransferOptions.parse(upload_kwargs))

    def _upload_from_dataframe(
        self,
        df: DataFrame,
        to_path: str,
        serialization_format: str | DataFrameSerializationFormat,
        options: dict[str, Any],
    ) -> str:
        kind = read_format(serialization_format)
        key = self._key(kind.fix_extension_with(to_path))
        chosen = TransferOptions.parse({"content_type": kind.content_type, **options})
        file = write_frame(df, kind)
        self.logger.info("Uploading a data frame as %s to %s", kind.name.lower(), self._url(key))
        return self._objects().upload_from(file, key, chosen)

    async def aupload_from_dataframe(
        self,
        df: DataFrame,
        to_path: str,
        serialization_format: str | DataFrameSerializationFormat = DataFrameSerializationFormat.CSV_GZIP,
        **upload_kwargs: Any,
    ) -> str:
        """Async form of `upload_from_dataframe`."""
        return await run_sync_in_worker_thread(
            self._upload_from_dataframe, df, to_path, serialization_format, upload_kwargs
        )

    @async_dispatch(aupload_from_dataframe)
    def upload_from_dataframe(
        self,
        df: DataFrame,
        to_path: str,
        serialization_format: str | DataFrameSerializationFormat = DataFrameSerializationFormat.CSV_GZIP,
        **upload_kwargs: Any,
    ) -> str:
        """Upload a pandas data frame as a CSV or Parquet file, without its index.

        Args:
            df: The data frame.
            to_path: Key of the object, relative to `bucket_folder`. It gets the ending of the format:
                `.csv`, `.csv.gz`, `.parquet`, `.snappy.parquet` or `.gz.parquet`.
            serialization_format: A `DataFrameSerializationFormat`, or its name: `csv`, `csv_gzip`, `parquet`,
                `parquet_snappy` or `parquet_gzip`.
            **upload_kwargs: Keywords of
                [`Blob.upload_from_file`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_upload_from_file),
                and of the object; see `upload_from_path`.

        Returns:
            The key, with its ending.

        Raises:
            TypeError: If `df` is no pandas data frame.
            ValueError: If there is no such format.
            ImportError: If Parquet is asked for and pyarrow is not installed.

        Examples:
            ```python
            import pandas as pd

            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            people = pd.DataFrame({"name": ["Ada", "Alan"], "born": [1815, 1912]})
            gcs_bucket.upload_from_dataframe(people, "people", serialization_format="parquet_snappy")
            # 'people.snappy.parquet'
            ```
        """
        return self._upload_from_dataframe(df, to_path, serialization_format, upload_kwargs)

    # Objects that move inside Cloud Storage

    async def acopy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: GcsBucket | str | None = None,
        **copy_kwargs: Any,
    ) -> str:
        """Async form of `copy_object`."""
        return await run_sync_in_worker_thread(self._copy_object, from_path, to_path, to_bucket, copy_kwargs)

    @async_dispatch(acopy_object)
    def copy_object(
        self,
        from_path: str | Path,
        to_path: str | Path,
        to_bucket: GcsBucket | str | None = None,
        **copy_kwargs: Any,
    ) -> str:
        """Copy one object inside Cloud Storage, within the bucket or to another.

        This block's credentials must be allowed to read the source and to write the target; otherwise use
        `stream_from`.

        Args:
            from_path: Key of the object, relative to `bucket_folder`.
            to_path: Key of the copy: relative to `bucket_folder`, to the folder of the block in `to_bucket`, or to
                the whole bucket when `to_bucket` is a name.
            to_bucket: Bucket of the copy, a block or a name; this one by default.
            **copy_kwargs: Keywords of
                [`Bucket.copy_blob`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.bucket.Bucket#google_cloud_storage_bucket_Bucket_copy_blob),
                and `encryption_key`, the customer's own, of the object and of its copy.

        Returns:
            The key of the copy, without the bucket.

        Raises:
            GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            gcs_bucket.copy_object("my_folder/notes.txt", "my_folder/notes_copy.txt")
            ```
        """
        return self._copy_object(from_path, to_path, to_bucket, copy_kwargs)

    async def amove_object(
        self, from_path: str | Path, to_path: str | Path, to_bucket: GcsBucket | str | None = None
    ) -> str:
        """Async form of `move_object`."""
        return await run_sync_in_worker_thread(self._move_object, from_path, to_path, to_bucket)

    @async_dispatch(amove_object)
    def move_object(self, from_path: str | Path, to_path: str | Path, to_bucket: GcsBucket | str | None = None) -> str:
        """Copy one object inside Cloud Storage, then delete the original, unless it was replaced meanwhile.

        This block's credentials must be allowed to read and delete the source and to write the target. Where they
        may not delete it, the copy is made, the original stays, and the error says so.

        Args:
            from_path: Key of the object, relative to `bucket_folder`.
            to_path: Its new key; see `copy_object`.
            to_bucket: New bucket, a block or a name; this one by default.

        Returns:
            The new key, without the bucket.

        Raises:
            GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.
            GcpPreconditionFailed: If the object was replaced meanwhile; the new one stays.
            ValueError: If the object would be moved onto itself.

        Examples:
            ```python
            from prefect_gcp.cloud_storage import GcsBucket

            gcs_bucket = GcsBucket.load("BLOCK_NAME")
            gcs_bucket.move_object("inbox/notes.txt", "archive/notes.txt")
            ```
        """
        return self._move_object(from_path, to_path, to_bucket)
