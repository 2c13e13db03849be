"""What can be done with the keys of one bucket: blocking bodies behind the tasks, the block and the steps."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from prefect_aws._clients import client_for
from prefect_aws._s3_engine import (
    CHUNK_BYTES,
    MULTIPART_BYTES,
    READ_BACKOFF,
    TransferOptions,
    is_broken_body,
    open_engine,
)
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials, MinIOCredentials
from prefect_aws.errors import AwsObjectNotFound, aws_errors
from prefect_aws.settings import AwsSettings
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.progress import Progress
from prefect_integration_kit.syncing import Compare, SyncPlan, SyncSummary, files_without_object
from prefect_integration_kit.transfer import (
    Download,
    Engine,
    RemoteObject,
    Summary,
    TransferStopped,
    Upload,
    complete_or_absent,
    copy_stream,
    download_all,
    plan_download,
    plan_upload,
    upload_all,
)
from prefect_integration_kit.waiting import retry

DELETE_BATCH = 1000
"""Keys that one DeleteObjects request takes (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)."""

Credentials = AwsCredentials | MinIOCredentials
NO_OPTIONS = TransferOptions()


def s3_client(
    credentials: Credentials, parameters: AwsClientParameters | None = None, max_concurrency: int = 10
) -> Any:
    """Take the kept S3 client of an identity.

    Args:
        credentials: Who asks.
        parameters: Client parameters that go before those of the credentials, where set.
        max_concurrency: Connections to keep open, where the client's configuration does not say.
    """
    if parameters is not None and parameters.model_fields_set:
        own = {name: getattr(parameters, name) for name in parameters.model_fields_set}
        merged = credentials.aws_client_parameters.model_copy(update=own)
        credentials = credentials.model_copy(update={"aws_client_parameters": merged})
    return client_for(credentials, "s3", max_pool_connections=max(10, max_concurrency))


@dataclass(frozen=True)
class S3Objects:
    """One bucket, as one identity sees it."""

    client: Any
    bucket: str
    max_concurrency: int = 32
    native_transfer: bool = True

    @classmethod
    def open(cls, credentials: Credentials, bucket: str, parameters: AwsClientParameters | None = None) -> S3Objects:
        """Take a shared client whose connection pool serves all threads of a folder transfer.

        Args:
            credentials: Who asks.
            bucket: Name of the bucket.
            parameters: Client parameters that go before those of the credentials, where set.

        Raises:
            ValueError: If the name of the bucket is empty or begins with `s3://`.
        """
        if not bucket or "/" in bucket:
            raise ValueError(f"Bucket name {bucket!r} is not valid. Give the bare name, without s3:// and folders.")
        settings = AwsSettings().s3
        client = s3_client(credentials, parameters, settings.max_concurrency)
        return cls(client, bucket, settings.max_concurrency, settings.native_transfer)

    def url(self, key: str = "") -> str:
        """Name an object or the bucket in messages."""
        return f"s3://{self.bucket}/{key}"

    # One object ------------------------------------------------------------------------------------------------

    def read(self, key: str) -> bytes:
        """Read one object into memory."""

        def attempt() -> bytes:
            with closing(self.client.get_object(Bucket=self.bucket, Key=key)["Body"]) as body:
                return body.read()

        with aws_errors(self.url(key)):
            return retry(attempt, is_transient=is_broken_body, backoff=READ_BACKOFF)

    def write(self, key: str, content: bytes, options: TransferOptions = NO_OPTIONS) -> str:
        """Store bytes under a key and return the key."""
        _require_bytes(content)
        if len(content) < MULTIPART_BYTES:
            with aws_errors(self.url(key)):
                self.client.put_object(Bucket=self.bucket, Key=key, Body=content, **options.extra_args)
            return key
        return self.upload_from(io.BytesIO(content), key, options)

    def head(self, key: str) -> RemoteObject | None:
        """Look at one object without reading it; `None` when it does not exist."""
        try:
            with aws_errors(self.url(key)):
                found = self.client.head_object(Bucket=self.bucket, Key=key)
        except AwsObjectNotFound:
            return None
        return RemoteObject(key, found["ContentLength"], found["LastModified"], found.get("ETag"))

    def delete(self, key: str) -> None:
        """Delete one object; one that does not exist is no error."""
        with aws_errors(self.url(key)):
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete objects in batches and return their number."""
        remaining, count = list(keys), 0
        while remaining:
            batch, remaining = remaining[:DELETE_BATCH], remaining[DELETE_BATCH:]
            with aws_errors(self.url()):
                answer = self.client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
                )
            for failure in answer.get("Errors", []):
                raise PermissionError(f"{self.url(failure['Key'])} was not deleted: {failure.get('Message')}")
            count += len(batch)
        return count

    def download(self, key: str, target: Path, options: TransferOptions = NO_OPTIONS) -> Path:
        """Write one object to a file, which appears when it is complete."""
        stop = threading.Event()
        with complete_or_absent(target) as part, aws_errors(self.url(key)):
            if options.callback is None and options.config is None:
                size = retry(
                    lambda: self._download_small(key, part, options), is_transient=is_broken_body, backoff=READ_BACKOFF
                )
                if size is None:
                    return target.absolute()
            else:
                size = MULTIPART_BYTES
            with self._engine(options) as engine:
                engine.download(Download(key, target, size), part, stop)
        return target.absolute()

    def _download_small(self, key: str, part: Path, options: TransferOptions) -> int | None:
        """Write a small object, or return the size of one that should move in parts."""
        response = self.client.get_object(Bucket=self.bucket, Key=key, **options.extra_args)
        with closing(response["Body"]) as body:
            if response["ContentLength"] >= MULTIPART_BYTES:
                return int(response["ContentLength"])
            with part.open("wb") as file:
                copy_stream(body.iter_chunks(CHUNK_BYTES), file, threading.Event())
        return None

    def download_to(self, key: str, file: BinaryIO, options: TransferOptions = NO_OPTIONS) -> BinaryIO:
        """Write one object to an open file."""
        _require_binary(file)
        with aws_errors(self.url(key)):
            self.client.download_fileobj(
                self.bucket,
                key,
                file,
                ExtraArgs=dict(options.extra_args) or None,
                Callback=options.callback,
                Config=options.config,
            )
        return file

    def upload(self, source: Path, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Store one file under a key and return the key."""
        if source.is_dir():
            raise IsADirectoryError(f"{str(source)!r} is a folder. Upload it with upload_from_folder.")
        if not source.exists():
            raise FileNotFoundError(f"File {str(source)!r} does not exist.")
        item = Upload(source, key, source.stat().st_size)
        with self._engine(options) as engine:
            engine.upload(item, threading.Event())
        return key

    def upload_from(self, file: BinaryIO, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Store what an open file holds, from its position on, and return the key."""
        _require_binary(file)
        with aws_errors(self.url(key)):
            self.client.upload_fileobj(
                file,
                self.bucket,
                key,
                ExtraArgs=dict(options.extra_args) or None,
                Callback=options.callback,
                Config=options.config,
            )
        return key

    def stream_from(self, source: S3Objects, from_key: str, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Copy an object through this machine, part by part."""

        def attempt() -> str:
            with aws_errors(source.url(from_key)):
                body = source.client.get_object(Bucket=source.bucket, Key=from_key)["Body"]
            with closing(body):
                return self.upload_from(body, key, options)

        return retry(attempt, is_transient=is_broken_body, backoff=READ_BACKOFF)

    def copy(self, from_key: str, to_bucket: str, to_key: str, arguments: dict[str, Any]) -> str:
        """Copy an object inside S3 and return its new key."""
        source = {"Bucket": self.bucket, "Key": from_key}
        with aws_errors(f"{self.url(from_key)} to s3://{to_bucket}/{to_key}"):
            try:
                self.client.copy_object(CopySource=source, Bucket=to_bucket, Key=to_key, **arguments)
            except self.client.exceptions.ClientError as exc:
                # Beyond 5 GiB a copy must go in parts; asking the size of every object first would cost a request.
                if "larger than the maximum allowable size" not in str(exc):
                    raise
                self.client.copy(source, to_bucket, to_key, ExtraArgs=arguments or None)
        return to_key

    def move(self, from_key: str, to_bucket: str, to_key: str) -> str:
        """Copy an object, then delete the original."""
        if (self.bucket, from_key) == (to_bucket, to_key):
            raise ValueError(f"{self.url(from_key)} cannot be moved onto itself.")
        self.copy(from_key, to_bucket, to_key, {})
        self.delete(from_key)
        return to_key

    def presign(
        self, key: str, method: Literal["GET", "PUT"], expires_in_seconds: int, parameters: dict[str, Any]
    ) -> str:
        """Sign a URL; no request is made."""
        if not 1 <= expires_in_seconds <= 604_800:
            raise ValueError(
                f"expires_in_seconds is {expires_in_seconds}; it must be between 1 and 604800 (seven days), "
                "the longest that Signature Version 4 allows."
            )
        operation = {"GET": "get_object", "PUT": "put_object"}.get(method)
        if operation is None:
            raise ValueError(f"method is {method!r}; it must be 'GET' or 'PUT'.")
        with aws_errors(self.url(key)):
            return self.client.generate_presigned_url(
                operation, Params={"Bucket": self.bucket, "Key": key, **parameters}, ExpiresIn=expires_in_seconds
            )

    # Listings --------------------------------------------------------------------------------------------------

    def pages(
        self, prefix: str, delimiter: str = "", page_size: int | None = None, max_items: int | None = None
    ) -> Any:
        """Page through a listing as boto3 does."""
        return self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket,
            Prefix=prefix,
            Delimiter=delimiter,
            PaginationConfig={"PageSize": page_size, "MaxItems": max_items},
        )

    def list(
        self,
        prefix: str,
        delimiter: str = "",
        page_size: int | None = None,
        max_items: int | None = None,
        jmespath_query: str | None = None,
    ) -> list[dict[str, Any]]:
        """List objects as boto3 describes them, filtered page by page with a JMESPath query where one is given."""
        pages = self.pages(prefix, delimiter, page_size, max_items)
        with aws_errors(self.url(prefix)):
            if jmespath_query is None:
                return [item for page in pages for item in page.get("Contents", [])]
            return [item for item in pages.search(jmespath_query) if item is not None]

    def iterate(self, prefix: str) -> Iterator[RemoteObject]:
        """Walk the objects below a prefix, page by page."""
        with aws_errors(self.url(prefix)):
            for page in self.pages(prefix):
                for item in page.get("Contents", []):
                    yield RemoteObject(item["Key"], item["Size"], item["LastModified"], item.get("ETag"))

    # Folders ---------------------------------------------------------------------------------------------------

    def _engine(self, options: TransferOptions) -> AbstractContextManager[Engine]:
        return open_engine(self.client, self.bucket, options, native_transfer=self.native_transfer)

    def _progress(self) -> Progress:
        return Progress(run_logger(__name__))

    def upload_folder(
        self,
        directory: Path,
        prefix: str,
        *,
        ignore_lines: Iterable[str] | None = None,
        options: TransferOptions = NO_OPTIONS,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Store the files below a folder."""
        return self._upload(plan_upload(directory, prefix, ignore_lines), prefix, options, stop)

    def _upload(
        self, plan: Iterable[Upload], prefix: str, options: TransferOptions, stop: threading.Event | None
    ) -> Summary:
        with self._engine(options) as engine:
            return upload_all(
                plan,
                engine,
                max_concurrency=self.max_concurrency,
                subject=f"files to {self.url(prefix)}",
                progress=self._progress(),
                stop=stop,
            )

    def download_folder(
        self,
        prefix: str,
        destination: Path,
        *,
        options: TransferOptions = NO_OPTIONS,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Write the objects below a prefix to a folder."""
        _require_folder(destination)
        plan = plan_download(self.iterate(prefix), prefix, destination)
        summary = self._download(plan, prefix, options, stop)
        if not summary.files:
            run_logger(__name__).warning("No objects found in %s. Check the name of the folder.", self.url(prefix))
        return summary

    def _download(
        self,
        plan: Iterable[Download],
        prefix: str,
        options: TransferOptions,
        stop: threading.Event | None,
        keep_times: bool = False,
    ) -> Summary:
        with self._engine(options) as engine:
            return download_all(
                plan,
                engine,
                max_concurrency=self.max_concurrency,
                subject=f"files from {self.url(prefix)}",
                progress=self._progress(),
                stop=stop,
                keep_times=keep_times,
            )

    def sync_up(
        self,
        directory: Path,
        prefix: str,
        *,
        ignore_lines: Iterable[str] | None,
        compare: Compare,
        delete: bool,
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        """Store what changed in a folder."""
        plan = list(plan_upload(directory, prefix, ignore_lines))
        remote = {item.key: item for item in self.iterate(prefix)}
        due = SyncPlan(compare)
        moved = self._upload(due.uploads(plan, remote), prefix, NO_OPTIONS, stop)
        gone = remote.keys() - {item.key for item in plan} - {prefix} if delete else ()
        return SyncSummary(moved.files, due.skipped, self.delete_many(sorted(gone)), moved.size_bytes)

    def sync_down(
        self,
        prefix: str,
        destination: Path,
        *,
        compare: Compare,
        delete: bool,
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        """Write what changed below a prefix to a folder."""
        _require_folder(destination)
        remote = {item.key: item for item in self.iterate(prefix)}
        plan = list(plan_download(remote.values(), prefix, destination))
        due = SyncPlan(compare)
        moved = self._download(due.downloads(plan, remote), prefix, NO_OPTIONS, stop, keep_times=True)
        gone = files_without_object(destination, plan) if delete and destination.exists() else []
        for path in gone:
            path.unlink()
        return SyncSummary(moved.files, due.skipped, len(gone), moved.size_bytes)


def _require_bytes(content: object) -> None:
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError(f"content is a {type(content).__name__}; give bytes, for example text.encode().")


def _require_binary(file: object) -> None:
    if isinstance(file, io.TextIOBase):
        raise TypeError("The file object is open in text mode. Open it in binary mode: 'rb' or 'wb'.")


def _require_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{str(path)!r} is a file; objects cannot be written into it. Name a folder.")


__all__ = ["Credentials", "S3Objects", "TransferOptions", "TransferStopped"]
