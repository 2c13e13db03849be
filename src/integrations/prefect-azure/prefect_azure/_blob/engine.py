"""Engines that move files between disk and one container: Azure's client, and obstore where that can do it."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from prefect_azure._blob.listing import checked_key, is_marked
from prefect_azure._blob.options import (
    MOST_BLOCKS,
    NO_OPTIONS,
    Corrupted,
    TransferOptions,
    blob_errors,
    once_more,
)
from prefect_azure._blob.own_clients import is_stand_in
from prefect_azure._blob.retries import WAS_REPEATED
from prefect_integration_kit import native
from prefect_integration_kit.file_objects import StoppableSource, StoppableTarget, check_stop
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.transfer import Download, Upload

ENCODED = "encoded"
"""In the place of a checksum: a blob with a Content-Encoding, which Azure's client decodes and obstore does not."""

_READ_BYTES = 1024 * 1024
_LANES = 12
_LANES_OF_ONE = 3


class SdkEngine:
    """Moves files by Azure's client, and compares what it downloads with the MD5 that the service has."""

    def __init__(self, service: Any, container: str, options: TransferOptions = NO_OPTIONS, identity: str = "") -> None:
        """Prepare the engine.

        Args:
            service: A `BlobServiceClient`.
            container: Name of the container.
            options: What the caller asked of the client.
            identity: Who asks, for messages.
        """
        self._service = service
        self._container = container
        self._options = options
        self._identity = identity
        self._lanes = _Lanes(_LANES)
        self.is_for_folders = False
        self._part_bytes = int(service._config.max_block_size)  # noqa: SLF001

    def subject(self, key: str) -> str:
        """Name a blob in messages."""
        return f"Blob {key!r} of container {self._container!r}"

    def client(self, key: str) -> Any:
        """Make the client's object for a blob; no request is made."""
        return self._service.get_blob_client(self._container, checked_key(key))

    # Uploads

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key."""
        if self.is_for_folders:
            check_name(item)
        with blob_errors(self.subject(item.key), identity=self._identity, secrets=self._options.secrets):

            def attempt() -> None:
                with item.source.open("rb") as file:
                    self.send(file, item.key, item.size_bytes, stop)

            once_more(attempt)

    def send(self, file: BinaryIO, key: str, size_bytes: int | None, stop: threading.Event, **defaults: Any) -> None:
        """Store what an open file holds, from its position on.

        Args:
            file: The file.
            key: Key of the blob.
            size_bytes: How much it holds, `None` if unknown.
            stop: Set it to stop.
            **defaults: Keywords of `BlobClient.upload_blob` where the caller gave none.
        """
        check_stop(stop)
        source = _SummedSource(file, stop)
        client = self._sized(self.client(key), size_bytes)
        start = time.monotonic()
        with self._lanes.taken(size_bytes is None or size_bytes > self._part_bytes) as lanes:
            own = {} if is_stand_in(client) else {"max_concurrency": 1 + lanes, "length": size_bytes}
            method = {**own, **defaults, **self._options.method}
            try:
                client.upload_blob(source, overwrite=self._options.overwrite, **method)
            except Exception as exc:
                if not self._is_ours(exc, client, source, time.monotonic() - start):
                    raise

    def send_bytes(self, data: bytes, key: str) -> None:
        """Store bytes; a test's stand-in for a client gets them as they are."""
        client = self.client(key)
        if is_stand_in(client):
            client.upload_blob(data, overwrite=self._options.overwrite, **self._options.method)
        else:
            self.send(io.BytesIO(data), key, len(data), threading.Event())

    def _sized(self, client: Any, size_bytes: int | None) -> Any:
        """Choose larger blocks for what would need too many of the usual size."""
        if size_bytes is not None and size_bytes > self._part_bytes * MOST_BLOCKS:
            import copy

            client._config = copy.copy(client._config)  # noqa: SLF001 - one client's own, not the one that all share
            client._config.max_block_size = -(-size_bytes // MOST_BLOCKS)  # noqa: SLF001
        return client

    def _is_ours(self, error: BaseException, client: Any, source: _SummedSource, seconds: float) -> bool:
        """Say whether the blob that is in the way is our own, stored by a request whose answer was lost."""
        response: Any = getattr(error, "response", None)
        if self._options.overwrite or getattr(response, "status_code", None) != 409:
            return False
        if not getattr(response, WAS_REPEATED, False):
            return False
        found = client.get_blob_properties()
        if found.size != source.size_bytes:
            return False
        if found.content_settings.content_md5:
            return bytes(found.content_settings.content_md5).hex() == source.md5
        try:
            now = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, TypeError, ValueError):
            return False
        return found.last_modified >= now - timedelta(seconds=seconds + 1)

    # Downloads

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the blob to `part`."""
        self.receive_file(item.key, part, item.size_bytes, stop)

    def receive_file(self, key: str, part: Path, size_bytes: int | None, stop: threading.Event) -> None:
        """Write a blob to a file.

        Args:
            key: Key of the blob.
            part: The file.
            size_bytes: About how large the blob is, `None` if unknown.
            stop: Set it to stop.
        """
        with (
            blob_errors(self.subject(key), identity=self._identity, secrets=self._options.secrets),
            self._lanes.taken(size_bytes is None or size_bytes > self._part_bytes) as lanes,
        ):
            sums: list[str] = []

            def attempt() -> None:
                with part.open("wb") as file:
                    expected = self._fetch(key, file, stop, 1 + lanes)
                if expected is not None:
                    self._compare(key, expected, md5_of(part), sums)

            once_more(attempt)

    def receive(self, key: str, file: BinaryIO, stop: threading.Event, sums: list[str]) -> None:
        """Write a blob to an open file, byte after byte.

        Args:
            key: Key of the blob.
            file: The file.
            stop: Set it to stop.
            sums: What the content added up to in earlier tries of the caller.

        Raises:
            Exception: The client's own, or `Corrupted`.
        """
        summed = _SummedTarget(file)
        expected = self._fetch(key, cast("BinaryIO", summed), stop, 1)
        if expected is not None:
            self._compare(key, expected, summed.md5, sums)

    def _fetch(self, key: str, file: BinaryIO, stop: threading.Event, max_concurrency: int) -> str | None:
        """Write a blob to a file and return the MD5 that it should have, `None` where that is not known."""
        check_stop(stop)
        client = self.client(key)
        own = {} if is_stand_in(client) else {"max_concurrency": max_concurrency}
        stream = client.download_blob(**{**own, **self._options.method})
        if is_marked(stream.properties.metadata):
            raise IsADirectoryError(f"{self.subject(key)} is a folder. Download it with download_folder_to_path.")
        stream.readinto(StoppableTarget(file, stop))
        settings = stream.properties.content_settings
        is_whole = self._options.method.get("offset") is None and self._options.method.get("length") is None
        if not is_whole or settings.content_encoding or not settings.content_md5:
            return None
        return bytes(settings.content_md5).hex()

    def _compare(self, key: str, expected: str, own: str, sums: list[str]) -> None:
        if own == expected:
            return
        if own not in sums:
            sums.append(own)
            raise Corrupted(f"MD5 is {own}, not {expected}")
        # The same twice: nothing happened on the way. Whoever uploads blocks may store any sum with them, unchecked.
        run_logger(__name__).warning(
            "%s does not have the MD5 that is stored with it. It was stored with a wrong one, or has changed since.",
            self.subject(key),
        )


class _Lanes:
    """Hands out a bounded number of further requests at a time to files that move in several."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, wanted: bool) -> Generator[int, None, None]:
        with self._lock:
            count = min(_LANES_OF_ONE, self._free) if wanted else 0
            self._free -= count
        try:
            yield count
        finally:
            with self._lock:
                self._free += count


class _SummedSource(StoppableSource):
    """A source that knows the size and the MD5 of what was read."""

    def __init__(self, file: BinaryIO, stop: threading.Event) -> None:
        super().__init__(file, stop)
        self._sum = hashlib.md5(usedforsecurity=False)
        self.size_bytes = 0

    def read(self, size: int = -1) -> bytes:
        content = super().read(size)
        self._sum.update(content)
        self.size_bytes += len(content)
        return content

    @property
    def md5(self) -> str:
        return self._sum.hexdigest()


class _SummedTarget:
    """A target that knows the MD5 of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = hashlib.md5(usedforsecurity=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        self._sum.update(content)
        return self._file.write(content)

    @property
    def md5(self) -> str:
        return self._sum.hexdigest()


def md5_of(path: Path) -> str:
    """Sum up a file by MD5, in hexadecimal."""
    total = hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while content := file.read(_READ_BYTES):
            total.update(content)
    return total.hexdigest()


class FastEngine:
    """Moves files by obstore, and leaves to Azure's client what that cannot do or got wrong."""

    def __init__(self, store: Any, sdk: SdkEngine, options: TransferOptions) -> None:
        """Combine a store and the engine behind it.

        Args:
            store: An `obstore` store.
            sdk: The engine of Azure's client.
            options: What the caller asked; obstore is not asked to spare what is there.
        """
        self._sdk = sdk
        self._overwrites = options.overwrite
        self._native = native.NativeEngine(store, sdk, is_intact=_is_intact)

    def close(self) -> None:
        """End the threads."""
        self._native.__exit__(None, None, None)

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key."""
        check_name(item)
        (self._native if self._overwrites else self._sdk).upload(item, stop)

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the blob to `part`."""
        (self._sdk if item.checksum == ENCODED else self._native).download(item, part, stop)


def check_name(item: Upload) -> None:
    r"""Refuse a file of a folder whose name Azure would change: it takes `\` for `/`, which another file may have."""
    if "\\" in item.key:
        raise ValueError(
            f"File {str(item.source)!r} has a backslash in its name, which Azure takes for '/'. Rename it."
        )


def _is_intact(item: Download, part: Path) -> bool:
    return item.checksum is None or md5_of(part) == item.checksum


@contextmanager
def open_engine(
    service: Any, container: str, options: TransferOptions, *, identity: str, native_transfer: bool
) -> Generator[SdkEngine | FastEngine, None, None]:
    """Take the native engine when it is installed, allowed, and can do all that is asked.

    Args:
        service: A `BlobServiceClient`.
        container: Name of the container.
        options: What the caller asked of the client.
        identity: Who asks, for messages.
        native_transfer: Whether the settings allow the native engine.
    """
    sdk = SdkEngine(service, container, options, identity)
    sdk.is_for_folders = True
    asks_for_sdk = options.only_sdk or not native_transfer or not native.is_available()
    store = None if asks_for_sdk else _native_store(service, container)
    if store is None:
        yield sdk
        return
    engine = FastEngine(store, sdk, options)
    try:
        yield engine
    finally:
        engine.close()


_SDK_ONLY_ENVIRONMENT = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""What `requests` honours for encrypted connections, and obstore does not."""


def _native_store(service: Any, container: str) -> Any | None:
    """Open the container by obstore as `service` would, or return `None` where that cannot be told for sure."""
    from azure.storage.blob import BlobServiceClient

    client, is_plain = service, type(service) is BlobServiceClient
    if not is_plain or not client.account_name or container.startswith("$"):
        return None
    transport: Any = getattr(client._config, "transport", None)  # noqa: SLF001
    connection: Any = getattr(transport, "connection_config", None)
    parts = urlsplit(str(client.url))
    is_special = connection is not None and (connection.verify is not True or connection.cert)
    if parts.scheme == "https" and (is_special or any(os.environ.get(name) for name in _SDK_ONLY_ENVIRONMENT)):
        return None
    secrets = _native_credentials(client, parts.query)
    if secrets is None:
        return None
    from obstore.store import AzureStore

    config, provider = secrets
    if provider is None and any(name.startswith("AZURE_") for name in os.environ):
        return None  # obstore would read an identity there, and prefer it
    make: Any = AzureStore
    return make(
        container,
        config={
            "account_name": str(client.account_name),
            "skip_signature": False,
            "use_emulator": False,
            "endpoint": f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}",
            **config,
        },
        client_options={"allow_http": parts.scheme == "http", "timeout": "60s"},
        retry_config=native.RETRY_CONFIG,
        **({"credential_provider": provider} if provider is not None else {}),
    )


def _native_credentials(client: Any, sas: str) -> tuple[dict[str, Any], Any] | None:
    credential: Any = client.credential
    if sas:
        return {"sas_key": sas}, None
    if credential is None:
        return {"skip_signature": True}, None
    if isinstance(getattr(credential, "account_key", None), str):
        return {"account_key": credential.account_key}, None
    if isinstance(getattr(credential, "signature", None), str):
        return {"sas_key": credential.signature.lstrip("?")}, None
    if not hasattr(credential, "get_token"):
        return None

    def token() -> dict[str, Any]:
        # Asking again each minute is cheap, since the credential keeps its token, and always in time.
        found = credential.get_token("https://storage.azure.com/.default")
        return {"token": found.token, "expires_at": datetime.now(timezone.utc) + timedelta(minutes=1)}

    return {}, token
