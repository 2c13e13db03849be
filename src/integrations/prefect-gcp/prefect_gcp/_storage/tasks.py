"""Tasks that concern one object or bucket, as `prefect_gcp.cloud_storage` publishes them."""

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from prefect.tasks import task

from prefect_gcp._storage.objects import GcsObjects
from prefect_gcp._storage.options import TransferOptions
from prefect_gcp.credentials import GcpCredentials
from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger

Timeout = float | tuple[float, float]


def _options(
    chunk_size: int | None, encryption_key: str | None, timeout: Timeout, more: dict[str, Any]
) -> TransferOptions:
    return TransferOptions.parse(
        {"chunk_size": chunk_size, "encryption_key": encryption_key, "timeout": timeout, **more}
    )


def _create_bucket(
    bucket: str,
    gcp_credentials: GcpCredentials,
    project: str | None,
    location: str | None,
    create_kwargs: dict[str, Any],
) -> str:
    run_logger(__name__).info("Creating bucket %s", bucket)
    GcsObjects.open(gcp_credentials, bucket, project).create_bucket(location, create_kwargs)
    return bucket


@task
async def acloud_storage_create_bucket(
    bucket: str,
    gcp_credentials: GcpCredentials,
    project: str | None = None,
    location: str | None = None,
    **create_kwargs: Any,
) -> str:
    """Async form of `cloud_storage_create_bucket`."""
    return await run_sync_in_worker_thread(_create_bucket, bucket, gcp_credentials, project, location, create_kwargs)


@sync_task(acloud_storage_create_bucket)
def cloud_storage_create_bucket(
    bucket: str,
    gcp_credentials: GcpCredentials,
    project: str | None = None,
    location: str | None = None,
    **create_kwargs: Any,
) -> str:
    """Create a bucket.

    Args:
        bucket: Name of the bucket, unique in all of Google Cloud.
        gcp_credentials: Who asks.
        project: Project that the bucket belongs to; that of `gcp_credentials` by default.
        location: Where it keeps its objects, such as `EU` or `us-east1`; `US` by default.
        **create_kwargs: Further keywords of
            [`Client.create_bucket`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.client.Client#google_cloud_storage_client_Client_create_bucket).

    Returns:
        The name of the bucket.

    Raises:
        GcpAlreadyExists: If there is a bucket of that name, no matter whose.
        GcpAccessDenied: If the credentials may not create buckets in the project.

    Examples:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_storage import cloud_storage_create_bucket

        @flow
        def make_room() -> str:
            return cloud_storage_create_bucket("my-bucket", GcpCredentials.load("BLOCK_NAME"), location="EU")
        ```
    """
    return _create_bucket(bucket, gcp_credentials, project, location, create_kwargs)


def _download_as_bytes(
    bucket: str, blob: str, gcp_credentials: GcpCredentials, project: str | None, options: TransferOptions
) -> bytes:
    run_logger(__name__).info("Downloading gs://%s/%s", bucket, blob)
    return GcsObjects.open(gcp_credentials, bucket, project).read(blob, options)


@task
async def acloud_storage_download_blob_as_bytes(
    bucket: str,
    blob: str,
    gcp_credentials: GcpCredentials,
    chunk_size: int | None = None,
    encryption_key: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **download_kwargs: Any,
) -> bytes:
    """Async form of `cloud_storage_download_blob_as_bytes`."""
    options = _options(chunk_size, encryption_key, timeout, download_kwargs)
    return await run_sync_in_worker_thread(_download_as_bytes, bucket, blob, gcp_credentials, project, options)


@sync_task(acloud_storage_download_blob_as_bytes)
def cloud_storage_download_blob_as_bytes(
    bucket: str,
    blob: str,
    gcp_credentials: GcpCredentials,
    chunk_size: int | None = None,
    encryption_key: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **download_kwargs: Any,
) -> bytes:
    """Download one object into memory.

    Args:
        bucket: Name of the bucket.
        blob: Name of the object, as it is in the bucket.
        gcp_credentials: Who asks.
        chunk_size: Bytes of each request, a multiple of 262,144 (256 KiB); everything in one by default.
        encryption_key: The customer's own AES-256 key that the object was stored with: its 32 bytes, or these in
            base64.
        timeout: Seconds to wait for an answer, or a pair of seconds to connect and to wait for the next bytes.
        project: Project that is asked on behalf of; that of `gcp_credentials` by default.
        **download_kwargs: Further keywords of
            [`Blob.download_as_bytes`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_download_as_bytes),
            such as `start`, `end` or `if_generation_match`.

    Returns:
        What the object holds. It fits the checksum that Cloud Storage has, unless only a part was asked for.

    Raises:
        GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.
        GcpBucketNotFound: If there is no such bucket.
        GcpAccessDenied: If the credentials may not read it.
        GcpChecksumMismatch: If the content does not fit its checksum, also when read again.
        ValueError: If `chunk_size` or `encryption_key` is not one.

    Examples:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_storage import cloud_storage_download_blob_as_bytes

        @flow
        def read_report() -> bytes:
            credentials = GcpCredentials.load("BLOCK_NAME")
            return cloud_storage_download_blob_as_bytes("my-bucket", "reports/today.csv", credentials)
        ```
    """
    options = _options(chunk_size, encryption_key, timeout, download_kwargs)
    return _download_as_bytes(bucket, blob, gcp_credentials, project, options)


def _download_to_file(
    bucket: str,
    blob: str,
    path: str | Path,
    gcp_credentials: GcpCredentials,
    project: str | None,
    options: TransferOptions,
) -> str | Path:
    target = Path(path).expanduser()
    if target.is_dir():
        from prefect_integration_kit.paths import local_target

        target = local_target(target, blob)
        path = str(target) if isinstance(path, str) else target
    run_logger(__name__).info("Downloading gs://%s/%s to %s", bucket, blob, target)
    GcsObjects.open(gcp_credentials, bucket, project).download(blob, target, options)
    return path


@task
async def acloud_storage_download_blob_to_file(
    bucket: str,
    blob: str,
    path: str | Path,
    gcp_credentials: GcpCredentials,
    chunk_size: int | None = None,
    encryption_key: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **download_kwargs: Any,
) -> str | Path:
    """Async form of `cloud_storage_download_blob_to_file`."""
    options = _options(chunk_size, encryption_key, timeout, download_kwargs)
    return await run_sync_in_worker_thread(_download_to_file, bucket, blob, path, gcp_credentials, project, options)


@sync_task(acloud_storage_download_blob_to_file)
def cloud_storage_download_blob_to_file(
    bucket: str,
    blob: str,
    path: str | Path,
    gcp_credentials: GcpCredentials,
    chunk_size: int | None = None,
    encryption_key: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **download_kwargs: Any,
) -> str | Path:
    """Download one object to a file, which appears under its name when it is complete.

    Args:
        bucket: Name of the bucket.
        blob: Name of the object, as it is in the bucket.
        path: The file; missing folders above it are made. In a folder that exists, the file gets the object's name.
        gcp_credentials: Who asks.
        chunk_size: Bytes of each request, a multiple of 262,144 (256 KiB); everything in one by default.
        encryption_key: The customer's own AES-256 key that the object was stored with: its 32 bytes, or these in
            base64.
        timeout: Seconds to wait for an answer, or a pair of seconds to connect and to wait for the next bytes.
        project: Project that is asked on behalf of; that of `gcp_credentials` by default.
        **download_kwargs: Further keywords of
            [`Blob.download_to_filename`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_download_to_filename).

    Returns:
        The path of the file, of the type that `path` has.

    Raises:
        GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.
        GcpBucketNotFound: If there is no such bucket.
        GcpChecksumMismatch: If the content does not fit its checksum, also when read again.
        PathEscapes: If `path` is a folder and the object's name leads out of it.
        ValueError: If `chunk_size` or `encryption_key` is not one.

    Examples:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_storage import cloud_storage_download_blob_to_file

        @flow
        def fetch_report() -> str:
            credentials = GcpCredentials.load("BLOCK_NAME")
            return cloud_storage_download_blob_to_file("my-bucket", "reports/today.csv", "today.csv", credentials)
        ```
    """
    options = _options(chunk_size, encryption_key, timeout, download_kwargs)
    return _download_to_file(bucket, blob, path, gcp_credentials, project, options)


def _upload_from_string(
    data: str | bytes,
    bucket: str,
    blob: str,
    gcp_credentials: GcpCredentials,
    project: str | None,
    options: TransferOptions,
) -> str:
    run_logger(__name__).info("Uploading %d %s to gs://%s/%s", len(data), _unit(data), bucket, blob)
    return GcsObjects.open(gcp_credentials, bucket, project).write(blob, data, options)


def _unit(data: str | bytes) -> str:
    return "characters" if isinstance(data, str) else "bytes"


def _typed(content_type: str | None, more: dict[str, Any]) -> dict[str, Any]:
    return more if content_type is None else {"content_type": content_type, **more}


@task
async def acloud_storage_upload_blob_from_string(
    data: str | bytes,
    bucket: str,
    blob: str,
    gcp_credentials: GcpCredentials,
    content_type: str | None = None,
    chunk_size: int | None = None,
    encryption_key: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **upload_kwargs: Any,
) -> str:
    """Async form of `cloud_storage_upload_blob_from_string`."""
    options = _options(chunk_size, encryption_key, timeout, _typed(content_type, upload_kwargs))
    return await run_sync_in_worker_thread(_upload_from_string, data, bucket, blob, gcp_credentials, project, options)


@sync_task(acloud_storage_upload_blob_from_string)
def cloud_storage_upload_blob_from_string(
    data: str | bytes,
    bucket: str,
    blob: str,
    gcp_credentials: GcpCredentials,
    content_type: str | None = None,
    chunk_size: int | None = None,
    encryption_key: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **upload_kwargs: Any,
) -> str:
    """Store text or bytes as one object; an object of the same name is replaced.

    Cloud Storage checks what arrives by its CRC32C.

    Args:
        data: What to store; text in UTF-8.
        bucket: Name of the bucket.
        blob: Name of the object.
        gcp_credentials: Who asks.
        content_type: Content type of the object; `application/octet-stream` by default.
        chunk_size: Bytes of each request of a resumable upload, a multiple of 262,144 (256 KiB). What is larger is
            sent in chunks; by default, from 8 MiB on, in chunks of 16 MiB.
        encryption_key: A customer's own AES-256 key to encrypt the object with: its 32 bytes, or these in base64.
            Cloud Storage does not keep it.
        timeout: Seconds to wait for an answer, or a pair of seconds to connect and to wait for the next bytes.
        project: Project that is asked on behalf of; that of `gcp_credentials` by default.
        **upload_kwargs: Further keywords of
            [`Blob.upload_from_string`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_upload_from_string),
            such as `if_generation_match`, which is 0 to replace no object.

    Returns:
        The name of the object.

    Raises:
        GcpBucketNotFound: If there is no such bucket.
        GcpAccessDenied: If the credentials may not write to it.
        GcpPreconditionFailed: If the object is not as `if_generation_match` and its like say.
        ValueError: If `chunk_size` or `encryption_key` is not one.

    Examples:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_storage import cloud_storage_upload_blob_from_string

        @flow
        def store_report(report: str) -> str:
            credentials = GcpCredentials.load("BLOCK_NAME")
            return cloud_storage_upload_blob_from_string(report, "my-bucket", "reports/today.csv", credentials)
        ```
    """
    options = _options(chunk_size, encryption_key, timeout, _typed(content_type, upload_kwargs))
    return _upload_from_string(data, bucket, blob, gcp_credentials, project, options)


def _upload_from_file(
    file: str | Path | BytesIO,
    bucket: str,
    blob: str,
    gcp_credentials: GcpCredentials,
    project: str | None,
    options: TransferOptions,
) -> str:
    objects = GcsObjects.open(gcp_credentials, bucket, project)
    if isinstance(file, str | Path):
        run_logger(__name__).info("Uploading %s to gs://%s/%s", file, bucket, blob)
        return objects.upload(Path(file).expanduser(), blob, options)
    run_logger(__name__).info("Uploading a file object to gs://%s/%s", bucket, blob)
    return objects.upload_from(cast("BinaryIO", file), blob, options)


@task
async def acloud_storage_upload_blob_from_file(
    file: str | Path | BytesIO,
    bucket: str,
    blob: str,
    gcp_credentials: GcpCredentials,
    content_type: str | None = None,
    chunk_size: int | None = None,
    encryption_key: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **upload_kwargs: Any,
) -> str:
    """Async form of `cloud_storage_upload_blob_from_file`."""
    options = _options(chunk_size, encryption_key, timeout, _typed(content_type, upload_kwargs))
    return await run_sync_in_worker_thread(_upload_from_file, file, bucket, blob, gcp_credentials, project, options)


@sync_task(acloud_storage_upload_blob_from_file)
def cloud_storage_upload_blob_from_file(
    file: str | Path | BytesIO,
    bucket: str,
    blob: str,
    gcp_credentials: GcpCredentials,
    content_type: str | None = None,
    chunk_size: int | None = None,
    encryption_key: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **upload_kwargs: Any,
) -> str:
    """Store a file, or what an open file holds, as one object; an object of the same name is replaced.

    Cloud Storage checks what arrives by its CRC32C. An open file need not be on disk, nor seekable: the body of an
    answer from the web will do.

    Args:
        file: Path of a file, or a file open for reading in binary mode, which is read from its position on.
        bucket: Name of the bucket.
        blob: Name of the object.
        gcp_credentials: Who asks.
        content_type: Content type of the object; by default, what the ending of the file's name means.
        chunk_size: Bytes of each request of a resumable upload, a multiple of 262,144 (256 KiB). What is larger is
            sent in chunks; by default, from 8 MiB on, in chunks of 16 MiB.
        encryption_key: A customer's own AES-256 key to encrypt the object with: its 32 bytes, or these in base64.
            Cloud Storage does not keep it.
        timeout: Seconds to wait for an answer, or a pair of seconds to connect and to wait for the next bytes.
        project: Project that is asked on behalf of; that of `gcp_credentials` by default.
        **upload_kwargs: Further keywords of
            [`Blob.upload_from_file`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.blob.Blob#google_cloud_storage_blob_Blob_upload_from_file).

    Returns:
        The name of the object.

    Raises:
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If `file` is a folder.
        TypeError: If the file is open in text mode.
        GcpBucketNotFound: If there is no such bucket.
        GcpAccessDenied: If the credentials may not write to it.
        ValueError: If `chunk_size` or `encryption_key` is not one.

    Examples:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_storage import cloud_storage_upload_blob_from_file

        @flow
        def store_report() -> str:
            credentials = GcpCredentials.load("BLOCK_NAME")
            return cloud_storage_upload_blob_from_file("today.csv", "my-bucket", "reports/today.csv", credentials)
        ```
    """
    options = _options(chunk_size, encryption_key, timeout, _typed(content_type, upload_kwargs))
    return _upload_from_file(file, bucket, blob, gcp_credentials, project, options)


@task
def cloud_storage_copy_blob(
    source_bucket: str,
    dest_bucket: str,
    source_blob: str,
    gcp_credentials: GcpCredentials,
    dest_blob: str | None = None,
    timeout: Timeout = 60,
    project: str | None = None,
    **copy_kwargs: Any,
) -> str:
    """Copy one object inside Cloud Storage, within a bucket or between two.

    The credentials must be allowed to read the source and to write the target. A large object is copied in several
    requests.

    Args:
        source_bucket: Bucket of the object.
        dest_bucket: Bucket of the copy.
        source_blob: Name of the object.
        gcp_credentials: Who asks.
        dest_blob: Name of the copy; that of the object by default.
        timeout: Seconds to wait for an answer, or a pair of seconds to connect and to wait for the next bytes.
        project: Project that is asked on behalf of; that of `gcp_credentials` by default.
        **copy_kwargs: Further keywords of
            [`Bucket.copy_blob`](https://cloud.google.com/python/docs/reference/storage/latest/google.cloud.storage.bucket.Bucket#google_cloud_storage_bucket_Bucket_copy_blob).

    Returns:
        The name of the copy.

    Raises:
        GcpObjectNotFound: If there is no such object; also a `FileNotFoundError` and the client's own error.
        GcpBucketNotFound: If one of the buckets does not exist.
        GcpAccessDenied: If the credentials may not read the one or write the other.

    Examples:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.cloud_storage import cloud_storage_copy_blob

        @flow
        def keep_a_copy() -> str:
            credentials = GcpCredentials.load("BLOCK_NAME")
            return cloud_storage_copy_blob("my-bucket", "archive", "reports/today.csv", credentials)
        ```
    """
    target = dest_blob or source_blob
    run_logger(__name__).info("Copying gs://%s/%s to gs://%s/%s", source_bucket, source_blob, dest_bucket, target)
    objects = GcsObjects.open(gcp_credentials, source_bucket, project)
    return objects.copy(source_blob, dest_bucket, target, {"timeout": timeout, **copy_kwargs})
