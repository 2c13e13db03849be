"""What can be done with single blobs of one container: blocking bodies behind the tasks and the block."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from prefect_azure._blob.engine import ENCODED, FastEngine, SdkEngine, open_engine
from prefect_azure._blob.listing import checked_key, is_encoded, is_folder, remote_object
from prefect_azure._blob.options import NO_OPTIONS, REPLACE, TransferOptions, blob_errors, once_more
from prefect_azure._blob.own_clients import OwnService, has_own_clients, is_stand_in
from prefect_azure._blob.retries import retry_policy
from prefect_azure.credentials import AzureBlobStorageCredentials
from prefect_azure.errors import AzureConflict, AzureNotFound, BlobNotFound, ContainerNotFound
from prefect_integration_kit.file_objects import require_binary, size_from_here
from prefect_integration_kit.files import complete_or_absent
from prefect_integration_kit.transfer import RemoteObject, Upload
from prefect_integration_kit.waiting import poll

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties
    from typing_extensions import Self

# Nothing that an address makes something else of; what more a name must be, Azure says:
# https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
_CONTAINER = re.compile(r"[\w$][\w$-]{0,62}", re.ASCII)
_PAGE = 5000
_COPY_POLL_SECONDS = 0.5
_MOST_SUMMED_BYTES = 4 * 2**20  # of a range that the service gives an MD5 with, as `validate_content` asks for


@dataclass(frozen=True)
class AzureBlobs:
    """One container, as one identity sees it."""

    credentials: AzureBlobStorageCredentials
    service: Any
    container: str
    max_concurrency: int = 32
    native_transfer: bool = True

    @classmethod
    def open(cls, credentials: AzureBlobStorageCredentials, container: str) -> Self:
        """Take a shared client whose connections serve all threads of a folder transfer.

        Args:
            credentials: Who asks; a subclass that has its own methods for clients decides.
            container: Name of the container.

        Raises:
            ValueError: If that is not the name of a container.
            ImportError: If the extra `blob-storage` is not installed.
        """
        from prefect_azure._clients import blob_service
        from prefect_azure.settings import BlobSettings  # costs every import of the package 15 ms otherwise

        if not container or not _CONTAINER.fullmatch(container):
            raise ValueError(
                f"Container name {container!r} is not valid. Give the bare name, without address and folders: 3 to 63 "
                "lower-case letters, digits and single hyphens."
            )
        settings = BlobSettings()
        if has_own_clients(credentials):
            return cls(credentials, OwnService(credentials), container, settings.max_concurrency, native_transfer=False)
        service = blob_service(credentials, **client_options(settings.part_mebibytes * 2**20, settings.retry_seconds))
        _make_room(service, settings.max_concurrency)
        return cls(credentials, service, container, settings.max_concurrency, settings.native_transfer)

    def url(self, key: str = "") -> str:
        """Name a blob, a folder or the container in messages."""
        return f"azure://{self.container}/{key}"

    @property
    def account_url(self) -> str:
        """Address of the account's Blob service, without a signature."""
        return str(self.service.url).partition("?")[0]

    def subject(self, key: str) -> str:
        """Name a blob in errors."""
        return f"Blob {key!r} of container {self.container!r}"

    def handle(self) -> Any:
        """Make the client's object for the container; no request is made."""
        return self.service.get_container_client(self.container)

    def blob(self, key: str) -> Any:
        """Make the client's object for a blob; no request is made."""
        return self.service.get_blob_client(self.container, checked_key(key))

    @property
    def identity(self) -> str:
        """Who asks, as far as that is known without asking."""
        from prefect_azure._identity import describe

        if isinstance(self.service, OwnService):
            return f"the client of {type(self.credentials).__name__}"
        if self.credentials.connection_string is not None:
            return "the connection string's key or signature"
        return describe(self.credentials)

    def _sdk(self, options: TransferOptions = NO_OPTIONS) -> SdkEngine:
        return SdkEngine(self.service, self.container, options, self.identity)

    def engine(self, options: TransferOptions) -> AbstractContextManager[SdkEngine | FastEngine]:
        """Open what moves files."""
        return open_engine(
            self.service, self.container, options, identity=self.identity, native_transfer=self.native_transfer
        )

    # Failures --------------------------------------------------------------------------------------------------

    @contextmanager
    def errors(self, key: str, options: TransferOptions = NO_OPTIONS) -> Generator[None, None, None]:
        """Name the blob in errors, and the container where that is what is missing."""
        try:
            with blob_errors(self.subject(key), identity=self.identity, secrets=options.secrets):
                yield
        except ContainerNotFound as exc:
            raise self._no_container(exc) from exc

    @contextmanager
    def container_errors(self, prefix: str = "") -> Generator[None, None, None]:
        """Name the container in errors of requests that concern no single blob."""
        subject = f"Folder {prefix!r} of container {self.container!r}" if prefix else f"Container {self.container!r}"
        try:
            with blob_errors(subject, identity=self.identity, not_found=ContainerNotFound):
                yield
        except ContainerNotFound as exc:
            raise self._no_container(exc) from exc

    def _no_container(self, error: AzureNotFound) -> ContainerNotFound:
        account = str(getattr(self.service, "account_name", "") or "")
        where = f" in storage account {account!r}" if account else ""
        message = f"Container {self.container!r} does not exist{where}. {ContainerNotFound.remedy}"
        made = type(error)(message)
        vars(made).update(vars(error))
        made.args = (message,)
        return cast("ContainerNotFound", made)

    def require_bucket(self) -> None:
        """Raise `ContainerNotFound` if there is no such container; silent when this may not be asked."""
        try:
            with self.container_errors():
                next(iter(self.handle().list_blobs(results_per_page=1)), None)
        except PermissionError:
            return

    # One blob --------------------------------------------------------------------------------------------------

    def read(self, key: str, options: TransferOptions = NO_OPTIONS) -> bytes:
        """Read one blob into memory."""
        sdk, stop, sums = self._sdk(options), threading.Event(), list[str]()

        def attempt() -> bytes:
            buffer = io.BytesIO()
            sdk.receive(key, buffer, stop, sums)
            return buffer.getvalue()

        with self.errors(key, options):
            return once_more(attempt)

    def write(self, key: str, content: bytes, options: TransferOptions = REPLACE) -> str:
        """Store bytes under a key and return the key."""
        data, sdk = _bytes(content), self._sdk(options)
        with self.errors(key, options):
            once_more(lambda: sdk.send_bytes(data, key))
        return key

    def download(
        self, key: str, target: Path, options: TransferOptions = NO_OPTIONS, stop: threading.Event | None = None
    ) -> Path:
        """Write one blob to a file, which appears when it is complete."""
        with self.errors(key, options), complete_or_absent(target) as part:
            self._sdk(options).receive_file(key, part, None, stop or threading.Event())
        return target.absolute()

    def download_to(self, key: str, file: BinaryIO, options: TransferOptions = NO_OPTIONS) -> BinaryIO:
        """Write one blob to an open file."""
        require_binary(file)
        sdk, stop, sums = self._sdk(options), threading.Event(), list[str]()
        start = file.tell() if size_from_here(file) is not None else None

        def attempt() -> None:
            try:
                sdk.receive(key, file, stop, sums)
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
        self, source: Path, key: str, options: TransferOptions = NO_OPTIONS, stop: threading.Event | None = None
    ) -> str:
        """Store one file under a key and return the key."""
        if source.is_dir():
            raise IsADirectoryError(f"{str(source)!r} is a folder. Upload it with upload_from_folder.")
        if not source.exists():
            raise FileNotFoundError(f"File {str(source)!r} does not exist. Check the path.")
        with self.errors(key, options):
            self._sdk(options).upload(Upload(source, key, source.stat().st_size), stop or threading.Event())
        return key

    def upload_from(self, file: BinaryIO, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Store what an open file holds, from its position on, and return the key."""
        require_binary(file)
        size = size_from_here(file)
        start = file.tell() if size is not None else 0
        sdk = self._sdk(options)

        def attempt() -> None:
            if size is not None:
                file.seek(start)
            sdk.send(file, key, size, threading.Event())

        with self.errors(key, options):
            if size is None:
                attempt()  # what was read from a pipe or a socket is gone, so there is no second try
            else:
                once_more(attempt)
        return key

    def head(self, key: str) -> BlobProperties | None:
        """Look at one blob without reading it; `None` when it, or the container, does not exist, or it is a folder."""
        try:
            with self.errors(key):
                found: Any = self.blob(key).get_blob_properties()
        except AzureNotFound:
            return None
        return None if is_folder(found) else found

    def delete(self, key: str, *, missing_ok: bool = True) -> bool:
        """Delete one blob with its snapshots, and say whether it was there."""
        try:
            with self.errors(key):
                self.blob(key).delete_blob(delete_snapshots="include")
        except BlobNotFound:
            if missing_ok:
                return False
            raise
        return True

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete blobs, several at a time, and return the number of those that were there."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(8, self.max_concurrency), thread_name_prefix="blob-delete") as pool:
            return sum(pool.map(self.delete, keys))

    # Between blobs ---------------------------------------------------------------------------------------------

    def stream_from(self, source: AzureBlobs, from_key: str, key: str, options: TransferOptions = NO_OPTIONS) -> str:
        """Copy a blob through this machine, part by part, all of one version of it."""
        with source.errors(from_key):
            found: Any = source.blob(from_key).get_blob_properties()
        same: dict[str, Any] = {"etag": found.etag, "match_condition": _not_modified()}
        if found.content_settings.content_encoding:
            same["decompress"] = False
        kept: dict[str, Any] = {"content_settings": found.content_settings, "metadata": found.metadata}
        sdk = self._sdk(options)

        def attempt() -> None:
            with source.errors(from_key):
                stream: Any = source.blob(from_key).download_blob(**same)
            with self.errors(key, options):
                sdk.send(stream, key, int(found.size), threading.Event(), **kept)

        once_more(attempt)
        return key

    def copy(self, from_key: str, to_bucket: str, to_key: str, arguments: Mapping[str, Any]) -> str:
        """Copy a blob inside the account and return its new key."""
        options = TransferOptions.of_upload(arguments)
        target = AzureBlobs(self.credentials, self.service, to_bucket, self.max_concurrency, self.native_transfer)
        with self.errors(from_key):
            found: Any = self.blob(from_key).get_blob_properties()
            if is_folder(found):
                raise IsADirectoryError(f"{self.subject(from_key)} is a folder; name a blob.")
        self._copy_version(found, from_key, target, to_key, options)
        return to_key

    def _copy_version(
        self, found: Any, from_key: str, target: AzureBlobs, to_key: str, options: TransferOptions
    ) -> None:
        """Copy what was looked at, and wait until the service is done."""
        unless_there: dict[str, Any] = {} if options.overwrite else {"match_condition": _missing()}
        source_is: dict[str, Any] = {"source_etag": found.etag, "source_match_condition": _not_modified()}
        client = target.blob(to_key)
        subject = f"{self.subject(from_key)} to {target.subject(to_key)}"
        try:
            with blob_errors(subject, identity=self.identity, secrets=options.secrets):
                started: Any = client.start_copy_from_url(
                    self._source_url(from_key), **{**source_is, **unless_there, **options.method}
                )
        except ContainerNotFound as exc:
            raise target._no_container(exc) from exc  # the source was there a moment ago

        def look() -> str | None:
            with target.errors(to_key):
                copy: Any = client.get_blob_properties().copy
            return None if copy.status == "pending" else f"{copy.status} {copy.status_description or ''}".strip()

        status = str(started.get("copy_status") or "success")
        if status == "pending":
            status = poll(look, subject=f"The copy of {self.subject(from_key)}", interval_seconds=_COPY_POLL_SECONDS)
        if status.partition(" ")[0] != "success":
            raise AzureConflict(
                f"{self.subject(from_key)} could not be copied to {target.subject(to_key)}: {status}. Try again.",
                subject=self.subject(from_key),
            )

    def _source_url(self, key: str) -> str:
        """The address that the service reads the source of a copy from, signed where the block has a signature only."""
        client: Any = self.blob(key)
        signature = getattr(self.service.credential, "signature", None)
        url = str(client.url)
        return url if not isinstance(signature, str) or "sig=" in url else f"{url}?{signature.lstrip('?')}"

    def move(self, from_key: str, to_bucket: str, to_key: str, *, overwrite: bool = False) -> str:
        """Copy a blob, then delete the original, unless it was replaced meanwhile."""
        if (self.container, from_key) == (to_bucket, to_key):
            raise ValueError(f"{self.subject(from_key)} cannot be moved onto itself.")
        target = AzureBlobs(self.credentials, self.service, to_bucket, self.max_concurrency, self.native_transfer)
        with self.errors(from_key):
            found: Any = self.blob(from_key).get_blob_properties()
            if is_folder(found):
                raise IsADirectoryError(f"{self.subject(from_key)} is a folder. Move it with move_folder.")
        self._copy_version(found, from_key, target, to_key, TransferOptions(overwrite=overwrite))
        with blob_errors(f"{self.subject(from_key)} was copied to {target.subject(to_key)} but not deleted"):
            self.blob(from_key).delete_blob(
                delete_snapshots="include", etag=found.etag, match_condition=_not_modified()
            )
        return to_key

    # Listings --------------------------------------------------------------------------------------------------

    def blobs(self, prefix: str, **arguments: Any) -> Iterator[BlobProperties]:
        """Walk the blobs below a prefix, page by page, in the order of their keys, folders left out."""
        asked, client = arguments.pop("include", None), self.handle()
        if is_stand_in(client):
            named = {"name_starts_with": prefix, "include": asked, **arguments}
            given = {name: value for name, value in named.items() if value}
        else:
            include = {"metadata", *([asked] if isinstance(asked, str) else asked or ())}
            ours = {"name_starts_with": prefix or None, "include": sorted(include), "results_per_page": _PAGE}
            given = {**ours, **arguments}
        with self.container_errors(prefix):
            for blob in client.list_blobs(**given):
                if not is_folder(blob):
                    yield blob

    def walk(self, prefix: str) -> Iterator[RemoteObject]:
        """Walk the blobs below a prefix, folders left out."""
        return map(remote_object, cast("Iterator[Any]", self.blobs(prefix)))

    def walk_for_download(self, prefix: str) -> Iterator[RemoteObject]:
        """Walk the same, and mark what only Azure's client can read."""
        for blob in cast("Iterator[Any]", self.blobs(prefix)):
            item = remote_object(blob)
            if is_encoded(blob):
                item = RemoteObject(item.key, item.size_bytes, item.modified, item.etag, ENCODED)
            yield item


def client_options(part_bytes: int, retry_seconds: float) -> dict[str, Any]:
    """Choose what the client is made with: parts that are held in memory, and how it repeats requests."""
    sizes = dict.fromkeys(("max_single_put_size", "max_block_size", "max_single_get_size"), part_bytes)
    range_bytes = min(part_bytes, _MOST_SUMMED_BYTES)
    return {**sizes, "max_chunk_get_size": range_bytes, "retry_policy": retry_policy(retry_seconds)}


def _missing() -> Any:
    from azure.core import MatchConditions

    return MatchConditions.IfMissing


def _not_modified() -> Any:
    from azure.core import MatchConditions

    return MatchConditions.IfNotModified


def _make_room(service: Any, max_concurrency: int) -> None:
    """Let a client keep as many connections as there are threads: `requests` keeps ten and drops others, warning."""
    transport: Any = getattr(getattr(service, "_config", None), "transport", None)
    if not hasattr(transport, "session"):
        return
    if transport.session is None:
        transport.open()
    session: Any = transport.session
    adapters: Any = getattr(session, "adapters", None)
    if not isinstance(adapters, dict):
        return
    from requests.adapters import HTTPAdapter

    for prefix, adapter in list(cast("dict[str, Any]", adapters).items()):
        pool: Any = getattr(adapter, "_pool_maxsize", None)
        if isinstance(adapter, HTTPAdapter) and isinstance(pool, int) and pool < max_concurrency:
            again: Any = type(adapter)  # azure.core's own, with a larger block size
            session.mount(prefix, again(pool_maxsize=max_concurrency, max_retries=adapter.max_retries))


def _bytes(content: object) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    if isinstance(content, memoryview):
        return content.tobytes()
    raise TypeError(f"content is a {type(content).__name__}; give bytes or text.")
