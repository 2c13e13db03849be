"""Engines that move files between disk and one bucket: Google's client, and obstore for reading."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO, cast

from prefect_gcp._storage.options import (
    MULTIPART_BYTES,
    NO_OPTIONS,
    UPLOAD_CHUNK_BYTES,
    TransferOptions,
    object_errors,
    once_more,
)
from prefect_gcp._storage.streams import Source, Summed, crc32c_of
from prefect_integration_kit import native
from prefect_integration_kit.file_objects import StoppableTarget, check_stop
from prefect_integration_kit.transfer import Download, Upload


class SdkEngine:
    """Moves files by Google's client, and has every byte checked by CRC32C."""

    def __init__(self, bucket: Any, options: TransferOptions = NO_OPTIONS, retry: Any = None) -> None:
        """Prepare the engine.

        Args:
            bucket: A `google.cloud.storage.Bucket`.
            options: What the caller asked of the client.
            retry: The client's retry policy, where the caller gave none.
        """
        self._bucket = bucket
        self._options = options
        self._defaults: dict[str, Any] = {"checksum": "crc32c", "retry": retry}

    def blob(self, key: str, **more: Any) -> Any:
        """Make the client's object for a key, with the caller's options; no request is made."""
        return self._bucket.blob(key, **{**more, **self._options.blob})

    def url(self, key: str) -> str:
        """Name an object in messages."""
        return f"gs://{self._bucket.name}/{key}"

    @property
    def _secrets(self) -> tuple[Any, ...]:
        key = self._options.blob.get("encryption_key")
        return () if key is None else (key,)

    # Uploads

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key."""
        with object_errors(self.url(item.key), self._secrets):

            def attempt() -> None:
                with item.source.open("rb") as file:
                    self.send(file, item.key, item.size_bytes, stop, **self._guessed_type(item.source))

            once_more(attempt)

    def _guessed_type(self, source: Path) -> dict[str, Any]:
        import mimetypes

        kind = mimetypes.guess_type(source.name)[0]
        return {"content_type": kind} if kind else {}

    def send(self, file: BinaryIO, key: str, size_bytes: int | None, stop: threading.Event, **defaults: Any) -> None:
        """Store what an open file holds, from its position on.

        Args:
            file: The file.
            key: Key of the object.
            size_bytes: How much it holds, `None` if unknown.
            stop: Set it to stop.
            **defaults: Keywords of `Blob.upload_from_file` where the caller gave none.
        """
        check_stop(stop)
        chunk = self._options.blob.get("chunk_size")
        if chunk is not None and (size_bytes is None or size_bytes > chunk):
            size_bytes = None  # a known size up to 8 MiB would go in one request, whatever chunk was asked for
        blob = self.blob(key, **({} if _fits(size_bytes) else {"chunk_size": UPLOAD_CHUNK_BYTES}))
        arguments = {**self._defaults, **defaults, **self._options.method}
        blob.upload_from_file(Source(file, stop), size=size_bytes, **arguments)

    # Downloads

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the object to `part`."""
        with object_errors(self.url(item.key), self._secrets):

            def attempt() -> None:
                with part.open("wb") as file:
                    self.receive(item.key, file, stop)

            once_more(attempt)

    def receive(self, key: str, file: BinaryIO, stop: threading.Event) -> None:
        """Write an object to an open file.

        Raises:
            Exception: The client's own, or `Corrupted`.
        """
        check_stop(stop)
        blob, arguments = self.blob(key), {**self._defaults, **self._options.method}
        target = StoppableTarget(file, stop)
        if not isinstance(blob, _blob_class()):  # a stub that a test gives in place of the SDK's
            file.write(blob.download_as_bytes(**arguments))
            return
        if blob.chunk_size is None:
            blob.download_to_file(target, **arguments)
            return
        # The client checks no sum of what comes in chunks; and each may be of another version of the object.
        blob.reload(
            **{name: arguments[name] for name in ("client", "timeout", "retry") if name in arguments},
            **{name: value for name, value in arguments.items() if name.startswith("if_")},
        )
        is_whole = arguments.get("start") is None and arguments.get("end") is None
        is_stored = blob.content_encoding != "gzip" or arguments.get("raw_download")
        if not (is_whole and is_stored and blob.crc32c and arguments["checksum"]) or blob.size == 0:
            if blob.size:  # there is no chunk of an empty object
                blob.download_to_file(target, **arguments)
            return
        summed = Summed(target)
        blob.download_to_file(summed, **arguments)
        summed.require(blob.crc32c)


def _blob_class() -> Any:
    from google.cloud.storage.blob import Blob

    return Blob


def _fits(size_bytes: int | None) -> bool:
    return size_bytes is not None and size_bytes <= MULTIPART_BYTES


class ReadingEngine:
    """Reads by obstore, and leaves to Google's client what that cannot do or got wrong, and all writing.

    obstore can neither send a checksum with what it writes to Cloud Storage, nor does it look at the one of what it
    reads. So what it has read is compared with the sums of the listing.
    """

    def __init__(self, store: Any, sdk: SdkEngine) -> None:
        self._sdk = sdk
        self._native = native.NativeEngine(store, sdk, is_intact=_is_intact)

    def close(self) -> None:
        """End the threads."""
        self._native.__exit__(None, None, None)

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key."""
        self._sdk.upload(item, stop)

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the object to `part`."""
        (self._sdk if item.checksum is None else self._native).download(item, part, stop)


def _is_intact(item: Download, part: Path) -> bool:
    return crc32c_of(part) == item.checksum


@contextmanager
def open_engine(
    client: Any, bucket: Any, options: TransferOptions, *, retry: Any, native_transfer: bool
) -> Generator[SdkEngine | ReadingEngine, None, None]:
    """Take the native engine for reading when it is installed, allowed, and can do all that is asked.

    Args:
        client: A `google.cloud.storage.Client`.
        bucket: Its bucket.
        options: What the caller asked of the client.
        retry: The client's retry policy, where the caller gave none.
        native_transfer: Whether the settings allow the native engine.
    """
    sdk = SdkEngine(bucket, options, retry)
    asks_for_sdk = options.only_sdk or not native_transfer or not native.is_available()
    store = None if asks_for_sdk else _native_store(client, str(bucket.name))
    if store is None:
        yield sdk
        return
    engine = ReadingEngine(store, sdk)
    try:
        yield engine
    finally:
        engine.close()


_SDK_ONLY_ENVIRONMENT = (
    # What `requests` and google-auth honour for encrypted connections, and obstore does not.
    "CURL_CA_BUNDLE",
    "GOOGLE_API_USE_CLIENT_CERTIFICATE",
    "REQUESTS_CA_BUNDLE",
)


def _native_store(client: Any, bucket: str) -> Any | None:
    """Open the bucket by obstore as `client` would, or return `None` where that cannot be told for sure."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.transport.requests import AuthorizedSession, Request
    from google.cloud import storage

    session: Any = getattr(client, "_http", None)
    credentials: Any = getattr(client, "_credentials", None)
    understood = (
        type(client) is storage.Client
        and type(session) is AuthorizedSession
        and session.verify is True
        and session.cert is None
        and not session.proxies
        and credentials is not None
    )
    if not understood:
        return None
    identity, sdk_client = cast("Any", credentials), cast("Any", client)
    endpoint = str(sdk_client._connection.API_BASE_URL)  # noqa: SLF001
    if endpoint.startswith("https://") and any(os.environ.get(name) for name in _SDK_ONLY_ENVIRONMENT):
        return None
    from obstore.store import GCSStore

    def token() -> dict[str, Any]:
        identity.before_request(Request(), "GET", endpoint, {})  # renews it when due, once under concurrency
        # Asking again each minute is cheap and always in time, however early the credentials want to be refreshed.
        return {"token": identity.token, "expires_at": datetime.now(timezone.utc) + timedelta(minutes=1)}

    return GCSStore(
        bucket,
        config={"base_url": endpoint, "skip_signature": isinstance(identity, AnonymousCredentials)},
        client_options={"allow_http": endpoint.startswith("http://"), "timeout": "60s"},
        retry_config=cast("Any", native.RETRY_CONFIG),
        credential_provider=cast("Any", token),
    )
