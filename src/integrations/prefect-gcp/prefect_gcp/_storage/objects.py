"""What can be done with single objects of one bucket: blocking bodies behind the tasks and the block."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from prefect_gcp import _stand_ins
from prefect_gcp._storage.engine import ReadingEngine, SdkEngine, open_engine
from prefect_gcp._storage.options import (
    MULTIPART_BYTES,
    NO_OPTIONS,
    Corrupted,
    TransferOptions,
    as_kind,
    object_errors,
    once_more,
    usual_retry,
)
from prefect_gcp._storage.stand_ins import StandInEngine, described
from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.errors import GcpBucketNotFound, GcpCredentialsError, GcpError, GcpNotFound, GcpObjectNotFound
from prefect_integration_kit.file_objects import require_binary, size_from_here
from prefect_integration_kit.files import complete_or_absent
from prefect_integration_kit.transfer import Download, RemoteObject, Upload

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket
    from typing_extensions import Self

SIGNED_URL_SECONDS = 604_800
"""The longest that a signed URL holds (https://cloud.google.com/storage/docs/access-control/signed-urls#limitations)."""

_LISTED = "items(name,size,updated,md5Hash,crc32c),nextPageToken"
_REWRITE = {
    "timeout",
    "retry",
    *(f"if_{side}{what}" for side in ("", "source_") for what in ("generation_match", "generation_not_match")),
    *(f"if_{side}{what}" for side in ("", "source_") for what in ("metageneration_match", "metageneration_not_match")),
}


@dataclass(frozen=True)
class GcsObjects:
    """One bucket, as one identity sees it."""

    client: Any
    bucket: str
    max_concurrency: int = 32
    native_transfer: bool = True
    retry: Any = None

    @classmethod
    def open(cls, credentials: GcpCredentials, bucket: str, project: str | None = None) -> Self:
        """Take a shared client whose connections serve all threads of a folder transfer.

        Args:
            credentials: Who asks.
            bucket: Name of the bucket.
            project: Project that is asked on behalf of; that of the credentials by default.

        Raises:
            ValueError: If the name of the bucket is empty or begins with `gs://`.
        """
        from prefect_gcp.settings import GcsSettings  # costs every import of the package 15 ms otherwise

        if not bucket or "/" in bucket:
            raise ValueError(f"Bucket name {bucket!r} is not valid. Give the bare name, without gs:// and folders.")
        settings = GcsSettings()
        connect = credentials.get_cloud_storage_client
        client = connect(**_stand_ins.fitting(connect, {"project": project}))
        _make_room(client, settings.max_concurrency)
        return cls(
            client, bucket, settings.max_concurrency, settings.native_transfer, usual_retry(settings.retry_seconds)
        )

    def url(self, key: str = "") -> str:
        """Name an object or the bucket in messages."""
        return f"gs://{self.bucket}/{key}"

    def handle(self) -> Any:
        """Make the client's object for the bucket; no request is made."""
        return self._bucket(self.bucket)

    def _bucket(self, name: str) -> Any:
        return self.client.get_bucket(name) if self.is_stand_in else self.client.bucket(name)

    @property
    def is_stand_in(self) -> bool:
        """Whether a test has put something in the place of the SDK's client."""
        return _stand_ins.is_stand_in(self.client, _stand_ins.STORAGE)

    def stand_in(self, options: TransferOptions = NO_OPTIONS) -> StandInEngine:
        """Make what moves content there."""
        return StandInEngine(self.handle(), options)

    def _sdk(self, options: TransferOptions = NO_OPTIONS) -> SdkEngine:
        return SdkEngine(self.handle(), options, self.retry)

    def engine(self, options: TransferOptions) -> AbstractContextManager[SdkEngine | ReadingEngine | StandInEngine]:
        """Open what moves files."""
        if self.is_stand_in:
            return nullcontext(self.stand_in(options))
        return open_engine(self.client, self.handle(), options, retry=self.retry, native_transfer=self.native_transfer)

    # Failures --------------------------------------------------------------------------------------------------

    @contextmanager
    def errors(self, key: str, options: TransferOptions = NO_OPTIONS) -> Generator[None, None, None]:
        """Name the object in errors, and tell a missing object from a missing bucket."""
        secret = options.blob.get("encryption_key")
        try:
            with object_errors(self.url(key), () if secret is None else (secret,)):
                yield
        except GcpObjectNotFound as exc:
            if not _names_object(exc):
                self.require_bucket(exc)
            raise

    def require_bucket(self, cause: GcpNotFound | None = None) -> None:
        """Raise `GcpBucketNotFound` if there is no such bucket; silent when this may not be asked."""
        if self.is_stand_in:
            return
        try:
            with object_errors(self.url()):
                # Not `exists`, which needs a permission that few have who read objects.
                pages = self.client.list_blobs(self.bucket, max_results=1, fields="items(name)", retry=self.retry)
                next(iter(pages), None)
        except GcpNotFound as exc:
            raise self.no_bucket(exc) from (cause or exc)
        except GcpError:
            return

    def no_bucket(self, error: GcpNotFound) -> GcpNotFound:
        """Say that there is no such bucket."""
        message = f"Bucket {self.bucket!r} does not exist. {GcpBucketNotFound.remedy}"
        return as_kind(error, GcpBucketNotFound, message)

    @contextmanager
    def bucket_errors(self, prefix: str = "") -> Generator[None, None, None]:
        """Name the bucket in errors of requests that concern no single object."""
        try:
            with object_errors(self.url(prefix)):
                yield
        except GcpNotFound as exc:
            raise self.no_bucket(exc) from exc

    # One object ------------------------------------------------------------------------------------------------

    def read(self, key: str, options: TransferOptions = NO_OPTIONS) -> bytes:
        """Read one object into memory."""
        if self.is_stand_in:
            with self.errors(key, options):
                return self.stand_in(options).content(key)
        sdk, stop = self._sdk(options), threading.Event()

        def attempt() -> bytes:
            buffer = io.BytesIO()
            sdk.receive(key, buffer, stop)
            return buffer.getvalue()

        with self.errors(key, options):
            return once_more(attempt)

    def write(self, key: str, content: bytes | str, options: TransferOptions = NO_OPTIONS) -> str:
        """Store bytes under a key and return the key."""
        data = _bytes(content)
        if self.is_stand_in:
            with self.errors(key, options):
                self.stand_in(options).store(content, key)
            return key
        sdk = self._sdk(options)
        with self.errors(key, options):
            once_more(lambda: sdk.send(io.BytesIO(data), key, len(data), threading.Event()))
        return key

    def download(
        self,
        key: str,
        target: Path,
        options: TransferOptions = NO_OPTIONS,
        stop: threading.Event | None = None,
    ) -> Path:
        """Write one object to a file, which appears when it is complete."""
        if self.is_stand_in:
            with self.errors(key, options):
                self.stand_in(options).fetch(key, target)
            return target.absolute()
        with self.errors(key, options), complete_or_absent(target) as part:
            self._sdk(options).download(Download(key, target, MULTIPART_BYTES), part, stop or threading.Event())
        return target.absolute()

    def download_to(self, key: str, file: BinaryIO, options: TransferOptions = NO_OPTIONS) -> BinaryIO:
        """Write one object to an open file."""
        require_binary(file)
        if self.is_stand_in:
            with self.errors(key, options):
                self.stand_in(options).receive(key, file)
            return file
        sdk, stop = self._sdk(options), threading.Event()
        start = file.tell() if size_from_here(file) is not None else None

        def attempt() -> None:
            try:
                sdk.receive(key, file, stop)
            except Exception:
                if start is not None:  # nothing wrong stays in the caller's file
                    file.seek(start)
                    file.truncate()
                raise

        with self.errors(key, options):
            if start is None:
                attempt()  # what went into a pipe or a socket cannot be taken back, so there is no second try
            else:
                once_more(attempt)
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
        engine = self.stand_in(options) if self.is_stand_in else self._sdk(options)
        with self.errors(key, options):
            engine.upload(Upload(source, key, source.stat().st_size), stop or threading.Event())
        return key

    def upload_from(self, file: BinaryIO, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Store what an open file holds, from its position on, and return the key."""
        require_binary(file)
        if self.is_stand_in:
            with self.errors(key, options):
                self.stand_in(options).send(file, key)
            return key
        method = dict(options.method)
        if method.pop("rewind", False):
            file.seek(0)
        size = size_from_here(file)
        start = file.tell() if size is not None else 0
        given: int | None = method.pop("size", None)
        sdk = self._sdk(TransferOptions(options.blob, method))

        def attempt() -> None:
            if size is not None:
                file.seek(start)
            sdk.send(file, key, size if given is None else given, threading.Event())

        with self.errors(key, options):
            if size is None:
                attempt()  # what was read from a pipe or a socket is gone, so there is no second try
            else:
                once_more(attempt)
        return key

    def head(self, key: str) -> Any | None:
        """Look at one object without reading it; `None` when it, or the bucket, does not exist."""
        try:
            with object_errors(self.url(key)):
                return self.handle().get_blob(key, retry=self.retry)
        except GcpObjectNotFound:
            return None

    def delete(self, key: str, subject: str | None = None) -> None:
        """Delete one object; one that does not exist is no error."""
        try:
            with object_errors(subject or self.url(key)):
                self.handle().blob(key).delete(retry=self.retry)
        except GcpObjectNotFound:
            return

    def stream_from(self, source: GcsObjects, from_key: str, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Copy an object through this machine, chunk by chunk, all of one version of it."""
        with source.errors(from_key):
            found = source.handle().blob(from_key)
            found.reload(retry=source.retry)
        size, crc32c = int(found.size), found.crc32c
        defaults: dict[str, Any] = {}
        if found.content_type:
            defaults["content_type"] = found.content_type
        if found.content_encoding:
            raise ValueError(
                f"{source.url(from_key)} is stored with Content-Encoding {found.content_encoding!r}, which would be "
                "lost. Copy it with copy_object."
            )
        with source.errors(from_key), found.open("rb", chunk_size=MULTIPART_BYTES, retry=source.retry) as reader:
            sdk = self._sdk(options)

            def attempt() -> None:
                reader.seek(0)
                blob_file = cast("BinaryIO", reader)
                sdk.send(blob_file, key, size, threading.Event(), **defaults)

            with self.errors(key, options):
                once_more(attempt)
        with self.errors(key, options):
            stored = self.handle().get_blob(key, retry=self.retry)
            if stored is not None and crc32c and stored.crc32c and stored.crc32c != crc32c:
                stored.delete(if_generation_match=stored.generation, retry=self.retry)
                raise Corrupted(f"{self.url(key)} did not become the same as {source.url(from_key)}.")
        return key

    def copy(self, from_key: str, to_bucket: str, to_key: str, arguments: Mapping[str, Any]) -> str:
        """Copy an object inside Cloud Storage and return its new key."""
        subject = f"{self.url(from_key)} to gs://{to_bucket}/{to_key}"
        options = TransferOptions.parse({"encryption_key": arguments.get("encryption_key")})
        rest = {name: value for name, value in arguments.items() if name != "encryption_key"}
        arguments = {"retry": self.retry, **rest}
        target = self._bucket(to_bucket)
        source = (self.stand_in(options) if self.is_stand_in else self._sdk(options)).blob(from_key)
        try:
            with object_errors(subject, tuple(options.blob.values())):
                if self.is_stand_in:
                    copy = self.handle().copy_blob
                    copy(source, target, new_name=to_key, **_stand_ins.fitting(copy, rest))
                elif set(rest) <= _REWRITE:
                    self._rewrite(source, target.blob(to_key, **options.blob), arguments)
                else:
                    self.handle().copy_blob(source, target, new_name=to_key, **arguments)
        except GcpObjectNotFound as exc:
            if not _names_object(exc):
                self.require_bucket(exc)
                GcsObjects(self.client, to_bucket, retry=self.retry).require_bucket(exc)
            raise
        return to_key

    @staticmethod
    def _rewrite(source: Any, target: Any, arguments: Mapping[str, Any]) -> None:
        """Copy in as many requests as Cloud Storage wants: a large object between locations takes several."""
        token = None
        while True:
            token, _, _ = target.rewrite(source, token=token, **arguments)
            if token is None:
                return

    def move(self, from_key: str, to_bucket: str, to_key: str) -> str:
        """Copy an object, then delete the original, unless it was replaced meanwhile."""
        if (self.bucket, from_key) == (to_bucket, to_key):
            raise ValueError(f"{self.url(from_key)} cannot be moved onto itself.")
        with self.errors(from_key):
            found = self.handle().blob(from_key)
            found.reload(retry=self.retry)
        self.copy(from_key, to_bucket, to_key, {"if_source_generation_match": found.generation})
        with object_errors(f"{self.url(from_key)} was copied to gs://{to_bucket}/{to_key} but not deleted"):
            self.handle().delete_blob(from_key, if_generation_match=found.generation, retry=self.retry)
        return to_key

    def sign(
        self, key: str, method: Literal["GET", "PUT"], expires_in_seconds: int, parameters: Mapping[str, Any]
    ) -> str:
        """Sign a URL; no request to Cloud Storage is made."""
        if not 1 <= expires_in_seconds <= SIGNED_URL_SECONDS:
            raise ValueError(
                f"expires_in_seconds is {expires_in_seconds}; it must be between 1 and {SIGNED_URL_SECONDS} "
                "(seven days), the longest that version 4 of the signature allows."
            )
        if method not in ("GET", "PUT"):
            raise ValueError(f"method is {method!r}; it must be 'GET' or 'PUT'.")
        with object_errors(self.url(key)):
            return (
                self.handle()
                .blob(key)
                .generate_signed_url(
                    **{
                        "version": "v4",
                        "expiration": timedelta(seconds=expires_in_seconds),
                        "method": method,
                        **_signer(self.client, self.url(key)),
                        **parameters,
                    }
                )
            )

    # The bucket ------------------------------------------------------------------------------------------------

    def create_bucket(self, location: str | None, arguments: Mapping[str, Any]) -> Bucket:
        """Create the bucket."""
        with object_errors(self.url()):
            options = {"retry": self.retry, **({"location": location} if location else {}), **arguments}
            return _stand_ins.ask(self.client, _stand_ins.STORAGE, "create_bucket", self.bucket, **options)

    def get_bucket(self) -> Bucket:
        """Ask for the bucket."""
        with self.bucket_errors():
            return _stand_ins.ask(self.client, _stand_ins.STORAGE, "get_bucket", self.bucket, retry=self.retry)

    # Listings --------------------------------------------------------------------------------------------------

    def blobs(self, prefix: str, **arguments: Any) -> Iterator[Blob]:
        """Walk the objects below a prefix, page by page, in the order of their keys."""
        of = self.bucket if self.is_stand_in else self.handle()
        options = {"prefix": prefix, "retry": self.retry, **arguments}
        with self.bucket_errors(prefix):
            yield from _stand_ins.ask(self.client, _stand_ins.STORAGE, "list_blobs", of, **options)

    def walk(self, prefix: str) -> Iterator[RemoteObject]:
        """Walk the objects below a prefix. Their ETag is the MD5 in hexadecimal, their checksum CRC32C in base64."""
        for blob in cast("Iterator[Any]", self.blobs(prefix, fields=_LISTED, page_size=1000)):
            if self.is_stand_in:
                yield described(blob, prefix)
                continue
            yield RemoteObject(blob.name, blob.size or 0, blob.updated, _hexadecimal(blob.md5_hash), blob.crc32c)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete objects, several at a time, and return their number."""
        from concurrent.futures import ThreadPoolExecutor

        count = 0
        with ThreadPoolExecutor(min(8, self.max_concurrency), thread_name_prefix="gcs-delete") as pool:
            for _ in pool.map(self.delete, keys):
                count += 1
        return count


def _make_room(client: Any, max_concurrency: int) -> None:
    """Let a client keep as many connections as there are threads: `requests` keeps ten and drops others, warning.

    Proxies, certificates and retries of the session stay as they are.
    """
    session: Any = getattr(client, "_http", None)
    adapters: Any = getattr(session, "adapters", None)
    if not isinstance(adapters, dict):
        return
    from requests.adapters import HTTPAdapter

    for prefix, adapter in list(cast("dict[str, Any]", adapters).items()):
        # Not of a subclass: that is somebody's own, or the one for client certificates.
        if type(adapter) is HTTPAdapter and cast("Any", adapter)._pool_maxsize < max_concurrency:  # noqa: SLF001
            session.mount(prefix, HTTPAdapter(pool_maxsize=max_concurrency, max_retries=adapter.max_retries))


def _names_object(error: GcpNotFound) -> bool:
    return "No such object" in str(error)


def _hexadecimal(md5: str | None) -> str | None:
    import base64

    return base64.b64decode(md5).hex() if md5 else None


def _signer(client: Any, url: str) -> dict[str, Any]:
    """Find out how URLs are signed: by a key of the credentials, or by Google for an identity without one."""
    from google.auth.credentials import Signing

    credentials: Any = client._credentials  # noqa: SLF001
    if isinstance(credentials, Signing):
        return {}
    email = getattr(credentials, "service_account_email", None)
    if email:
        from google.auth.transport.requests import Request

        if not credentials.valid or email == "default":
            credentials.refresh(Request())  # the metadata server also says which account this is
        return {"service_account_email": credentials.service_account_email, "access_token": credentials.token}
    raise GcpCredentialsError(
        f"{url}: a {type(credentials).__name__} cannot sign URLs. Give the credentials block a service account: "
        "service_account_file, service_account_info or impersonate_service_account.",
        subject=url,
    )


def _bytes(content: object) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes | bytearray):
        return content  # pyright: ignore[reportReturnType] - bytes to all who read it
    if isinstance(content, memoryview):
        return content.tobytes()
    raise TypeError(f"content is a {type(content).__name__}; give bytes or text.")
