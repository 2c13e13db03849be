"""What can be done with single keys of one bucket: blocking bodies behind the tasks and the block."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from prefect_aws._clients import client_for, decides
from prefect_aws._s3_engine import (
    CHUNK_BYTES,
    MULTIPART_BYTES,
    BrokenBody,
    TransferOptions,
    is_sdk_client,
    object_errors,
    open_engine,
    read_again,
    reading_body,
)
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials, MinIOCredentials
from prefect_aws.errors import (
    AwsBucketNotFound,
    AwsError,
    AwsNotFound,
    AwsObjectNotFound,
    AwsThrottled,
    AwsUnavailable,
    aws_errors,
    error_class,
)
from prefect_integration_kit.file_objects import require_binary
from prefect_integration_kit.files import complete_or_absent
from prefect_integration_kit.sdk_errors import standing_for
from prefect_integration_kit.transfer import (
    Download,
    Engine,
    RemoteObject,
    Upload,
    copy_stream,
)
from prefect_integration_kit.waiting import Backoff, retry

if TYPE_CHECKING:
    from typing_extensions import Self

DELETE_BATCH = 1000
"""Keys that one DeleteObjects request takes (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)."""

DELETE_BACKOFF = Backoff(deadline_seconds=30)
"""For keys of a batch that S3 was too busy to delete."""

Credentials = AwsCredentials | MinIOCredentials
NO_OPTIONS = TransferOptions()
_LONG_AGO = datetime.fromtimestamp(0, timezone.utc)


def s3_client(
    credentials: Credentials,
    parameters: AwsClientParameters | None = None,
    max_concurrency: int = 10,
    signature_version: str | None = None,
) -> Any:
    """Take the kept S3 client of an identity. Where a subclass has its own `get_s3_client`, that one decides.

    Args:
        credentials: Who asks.
        parameters: Client parameters that go before those of the credentials, where set.
        max_concurrency: Connections to keep open, where the client's configuration does not say.
        signature_version: How requests are signed, where the client's configuration does not say.
    """
    if parameters is not None and parameters.model_fields_set:
        own = {name: getattr(parameters, name) for name in parameters.model_fields_set}
        merged = credentials.aws_client_parameters.model_copy(update=own)
        credentials = credentials.model_copy(update={"aws_client_parameters": merged})
    if decides(credentials, "get_s3_client"):
        return credentials.get_s3_client()
    config = {"signature_version": signature_version} if signature_version else None
    return client_for(credentials, "s3", max_pool_connections=max(10, max_concurrency), config=config)


@dataclass(frozen=True)
class S3Objects:
    """One bucket, as one identity sees it."""

    client: Any
    bucket: str
    max_concurrency: int = 32
    native_transfer: bool = True

    @classmethod
    def open(
        cls,
        credentials: Credentials,
        bucket: str,
        parameters: AwsClientParameters | None = None,
        signature_version: str | None = None,
    ) -> Self:
        """Take a shared client whose connection pool serves all threads of a folder transfer.

        Args:
            credentials: Who asks.
            bucket: Name of the bucket.
            parameters: Client parameters that go before those of the credentials, where set.
            signature_version: How requests are signed, where the client's configuration does not say.

        Raises:
            ValueError: If the name of the bucket is empty or begins with `s3://`.
        """
        from prefect_aws.settings import AwsS3Settings  # costs every import of the package 15 ms otherwise

        if not bucket or ("/" in bucket and not bucket.startswith("arn:")):  # access points have slashes in their ARN
            raise ValueError(f"Bucket name {bucket!r} is not valid. Give the bare name, without s3:// and folders.")
        settings = AwsS3Settings()
        client = s3_client(credentials, parameters, settings.max_concurrency, signature_version)
        return cls(client, bucket, settings.max_concurrency, settings.native_transfer)

    def url(self, key: str = "") -> str:
        """Name an object or the bucket in messages."""
        return f"s3://{self.bucket}/{key}"

    @property
    def is_sdk(self) -> bool:
        """Whether the client is one of boto3, see `is_sdk_client`."""
        return is_sdk_client(self.client)

    # One object ------------------------------------------------------------------------------------------------

    @contextmanager
    def _errors(self, key: str) -> Generator[None, None, None]:
        """Name the object in errors, and tell a missing object from a missing bucket."""
        try:
            with object_errors(self.url(key)):
                yield
        except AwsObjectNotFound as exc:
            if exc.code == "404":  # of a HEAD request, whose answer does not say what is missing
                self.require_bucket(exc)
            raise

    @contextmanager
    def _download_errors(self, key: str) -> Generator[None, None, None]:
        """Name the object in errors, whose answer has the code of the HEAD request that downloads once began with."""
        try:
            with self._errors(key):
                yield
        except AwsError as exc:
            answer_as_head(exc)
            raise

    def require_bucket(self, cause: Exception | None = None) -> None:
        """Raise `AwsBucketNotFound` if there is no such bucket; silent when this may not be asked."""
        try:
            with aws_errors(self.url()):
                self.client.head_bucket(Bucket=self.bucket)
        except AwsNotFound as exc:
            message = f"Bucket {self.bucket!r} does not exist. {AwsBucketNotFound.remedy}"
            missing = cause or exc
            raise standing_for(
                AwsBucketNotFound, missing.__cause__ or missing, message, subject=self.url(), code=exc.code
            ) from cause
        except AwsError:
            return

    def read(self, key: str) -> bytes:
        """Read one object into memory."""
        if not self.is_sdk:
            buffer = io.BytesIO()
            self.download_to(key, buffer)
            return buffer.getvalue()

        def attempt() -> bytes:
            response = self.client.get_object(Bucket=self.bucket, Key=key)
            with closing(response["Body"]) as body, reading_body():
                return body.read()

        with self._download_errors(key):
            return read_again(attempt)

    def write(self, key: str, content: bytes, options: TransferOptions = NO_OPTIONS) -> str:
        """Store bytes under a key and return the key."""
        content = _bytes(content)
        if len(content) < MULTIPART_BYTES and self.is_sdk:
            with self._errors(key):
                self.client.put_object(Bucket=self.bucket, Key=key, Body=content, **options.extra_args)
            return key
        return self.upload_from(io.BytesIO(content), key, options)

    def head(self, key: str) -> RemoteObject | None:
        """Look at one object without reading it; `None` when it, or the bucket, does not exist."""
        try:
            with object_errors(self.url(key)):
                found = self.client.head_object(Bucket=self.bucket, Key=key)
        except AwsObjectNotFound:
            return None
        return RemoteObject(key, found["ContentLength"], found["LastModified"], found.get("ETag"))

    def delete(self, key: str, subject: str | None = None) -> None:
        """Delete one object; one that does not exist is no error."""
        with object_errors(subject or self.url(key)):
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete objects in batches and return their number."""
        remaining, count = list(keys), 0
        while remaining:
            batch, remaining = remaining[:DELETE_BATCH], remaining[DELETE_BATCH:]
            count += len(batch)
            self._delete_batch(batch)
        return count

    def _delete_batch(self, batch: list[str]) -> None:
        left = batch

        def attempt() -> None:
            nonlocal left
            with aws_errors(self.url()):
                answer = self.client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in left], "Quiet": True}
                )
            failures: list[dict[str, str]] = answer.get("Errors", [])
            if not failures:
                return
            left = [failure["Key"] for failure in failures]
            errors = [_deletion_error(self.url(failure["Key"]), failure) for failure in failures]
            # One that will not go away decides: then trying the others again would not help.
            raise next((error for error in errors if not _is_busy(error)), errors[0])

        retry(attempt, is_transient=_is_busy, backoff=DELETE_BACKOFF)

    def download(
        self,
        key: str,
        target: Path,
        options: TransferOptions = NO_OPTIONS,
        stop: threading.Event | None = None,
    ) -> Path:
        """Write one object to a file, which appears when it is complete."""
        stop = stop or threading.Event()
        if not self.is_sdk:
            with self._download_errors(key):
                target.parent.mkdir(parents=True, exist_ok=True)
                self.client.download_file(Bucket=self.bucket, Key=key, Filename=str(target), **options.keywords)
            return target.absolute()
        with self._download_errors(key), complete_or_absent(target) as part:
            size: int | None = MULTIPART_BYTES
            if options.callback is None and options.config is None:
                size = read_again(lambda: self._download_small(key, part, options, stop))
            if size is not None:
                with self._engine(options) as engine:
                    engine.download(Download(key, target, size), part, stop)
        return target.absolute()

    def _download_small(self, key: str, part: Path, options: TransferOptions, stop: threading.Event) -> int | None:
        """Write a small object, or return the size of one that should move in parts."""
        response = self.client.get_object(Bucket=self.bucket, Key=key, **options.extra_args)
        with closing(response["Body"]) as body:
            if response["ContentLength"] >= MULTIPART_BYTES:
                return int(response["ContentLength"])
            with part.open("wb") as file, reading_body():
                copy_stream(body.iter_chunks(CHUNK_BYTES), file, stop)
        return None

    def download_to(self, key: str, file: BinaryIO, options: TransferOptions = NO_OPTIONS) -> BinaryIO:
        """Write one object to an open file."""
        require_binary(file)

        def attempt() -> bytes | None:
            response = self.client.get_object(Bucket=self.bucket, Key=key, **options.extra_args)
            with closing(response["Body"]) as body, reading_body():
                return body.read() if response["ContentLength"] < MULTIPART_BYTES else None

        with self._download_errors(key):
            if options.callback is None and options.config is None and self.is_sdk:
                # Held until it is complete, so that a broken connection leaves the file untouched.
                content = read_again(attempt)
                if content is not None:
                    file.write(content)
                    return file
            self.client.download_fileobj(Bucket=self.bucket, Key=key, Fileobj=file, **options.keywords)
        return file

    def upload(
        self,
        source: Path,
        key: str,
        options: TransferOptions = NO_OPTIONS,
        stop: threading.Event | None = None,
    ) -> str:
        """Store one file under a key and return the key."""
        if source.is_dir():
            raise IsADirectoryError(f"{str(source)!r} is a folder. Upload it with upload_from_folder.")
        if not source.exists():
            raise FileNotFoundError(f"File {str(source)!r} does not exist. Check the path.")
        item = Upload(source, key, source.stat().st_size)
        with self._errors(key), self._engine(options) as engine:
            engine.upload(item, stop or threading.Event())
        return key

    def upload_from(self, file: BinaryIO, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Store what an open file holds, from its position on, and return the key."""
        require_binary(file)
        with self._errors(key):
            kept: Any = _KeptOpen(file) if self.is_sdk else file
            self.client.upload_fileobj(Fileobj=kept, Bucket=self.bucket, Key=key, **options.keywords)
        return key

    def stream_from(self, source: S3Objects, from_key: str, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Copy an object through this machine, part by part."""

        def attempt() -> str:
            with source._errors(from_key):
                response = source.client.get_object(Bucket=source.bucket, Key=from_key)
            with closing(response["Body"]) as body:
                reader = _BodyReader(body)
                try:
                    return self.upload_from(cast("BinaryIO", reader), key, options)
                except Exception as exc:
                    if reader.broken is not None:  # the source's fault, whatever the upload made of it
                        raise reader.broken from exc
                    raise

        with object_errors(source.url(from_key)):
            return read_again(attempt)

    def copy(self, from_key: str, to_bucket: str, to_key: str, arguments: dict[str, Any]) -> str:
        """Copy an object inside S3 and return its new key."""
        from botocore.exceptions import ClientError

        source = {"Bucket": self.bucket, "Key": from_key}
        with object_errors(f"{self.url(from_key)} to s3://{to_bucket}/{to_key}"):
            try:
                self.client.copy_object(CopySource=source, Bucket=to_bucket, Key=to_key, **arguments)
            except ClientError as exc:
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
        self.delete(from_key, f"{self.url(from_key)} was copied to s3://{to_bucket}/{to_key} but not deleted")
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
        self,
        prefix: str,
        delimiter: str = "",
        page_size: int | None = None,
        max_items: int | None = None,
        start_after: str | None = None,
    ) -> Any:
        """Page through a listing as boto3 does."""
        start = {} if start_after is None else {"StartAfter": start_after}
        return self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket,
            Prefix=prefix,
            Delimiter=delimiter,
            **start,
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

    def iterate(self, prefix: str, start_after: str | None = None) -> Iterator[RemoteObject]:
        """Walk the objects below a prefix, page by page, from the first key or from behind another."""
        with aws_errors(self.url(prefix)):
            for page in self.pages(prefix, start_after=start_after):
                for item in page.get("Contents", []):
                    size, modified = (
                        item.get("Size", 0),
                        item.get("LastModified", _LONG_AGO),
                    )  # a stand-in may leave them out
                    yield RemoteObject(item["Key"], size, modified, item.get("ETag"))

    def _engine(self, options: TransferOptions) -> AbstractContextManager[Engine]:
        return open_engine(self.client, self.bucket, options, native_transfer=self.native_transfer)


class _KeptOpen:
    """A file that boto3 cannot close: it belongs to the caller."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        """Do nothing."""


class _BodyReader(io.RawIOBase):
    """A response's body as an unseekable file, which remembers that it broke off."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self.broken: BrokenBody | None = None

    def readable(self) -> bool:
        """Say that it is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, all by default."""
        try:
            with reading_body():
                return self._body.read(None if size < 0 else size)
        except BrokenBody as exc:
            self.broken = exc
            raise


def _bytes(content: object) -> bytes:
    if isinstance(content, bytes | bytearray):
        return content  # pyright: ignore[reportReturnType] - bytes to all who read it
    if isinstance(content, memoryview):
        return content.tobytes()
    raise TypeError(f"content is a {type(content).__name__}; give bytes, for example text.encode().")


def answer_as_head(error: AwsError) -> None:
    """Give an answer the code that a HEAD request would have been answered with.

    Downloads, and the moves of the block, began with one before 0.8.0. Such an answer has no body to say more than its
    status, so code of users asks for `error.response["Error"]["Code"] == "404"`. What S3 said is in `code` and in the
    message.
    """
    response: dict[str, Any] = vars(error).get("response") or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status in (403, 404):
        vars(error)["response"] = {**response, "Error": {**response.get("Error", {}), "Code": str(status)}}


def _deletion_error(subject: str, failure: Mapping[str, str]) -> AwsError:
    code = failure.get("Code", "")
    return error_class(code)(
        f"{subject} was not deleted: {failure.get('Message') or code} ({code}).", subject=subject, code=code
    )


def _is_busy(error: Exception) -> bool:
    return isinstance(error, AwsThrottled | AwsUnavailable)
