"""The native transfer engine: obstore, one code path for S3, Cloud Storage and Azure Blob.

obstore is a thin Python face of the Rust crate `object_store`. It spends a tenth of the processor time that a Python
SDK spends on a small object. What it cannot express (an odd key) or fails to do is handed to the engine of the vendor's
SDK, so that results and errors are the same with and without it.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

from prefect_integration_kit.extras import is_installed
from prefect_integration_kit.transfer import Download, Engine, TransferStopped, Upload, copy_stream

SMALL_BYTES = 16 * 1024 * 1024
"""Objects up to this size move in one request and are held in memory whole."""

CHUNK_BYTES = 8 * 1024 * 1024
"""Part size of larger objects: the default of the vendors' SDKs."""

RETRY_CONFIG = {"max_retries": 2}
"""For obstore stores: fail over to the SDK, with its own retries, rather than retry here for minutes."""

# Control characters are refused by `object_store` paths.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_available() -> bool:
    """Say whether obstore is installed."""
    return is_installed("obstore")


def is_plain_key(key: str) -> bool:
    """Say whether obstore takes a key as it is: it trims outer slashes and refuses empty, `.` and `..` segments."""
    return not _CONTROL.search(key) and not any(part in ("", ".", "..") for part in key.split("/"))


class NativeEngine:
    """Moves files by obstore and leaves to `fallback` what obstore cannot do."""

    def __init__(self, store: Any, fallback: Engine) -> None:
        """Combine a store and the engine behind it.

        Args:
            store: An `obstore` store, opened on the bucket with no prefix.
            fallback: The engine of the vendor's SDK.
        """
        self._store = store
        self._fallback = fallback

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key."""
        if stop.is_set():
            raise TransferStopped("The transfer was stopped.")
        if is_plain_key(item.key) and self._put(item):
            return
        self._fallback.upload(item, stop)

    def _put(self, item: Upload) -> bool:
        import obstore
        from obstore.exceptions import BaseError

        try:
            if item.size_bytes <= SMALL_BYTES:
                obstore.put(self._store, item.key, item.source.read_bytes(), use_multipart=False)
            else:
                obstore.put(self._store, item.key, item.source, chunk_size=CHUNK_BYTES)
        except BaseError:
            return False
        return True

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the object to `part`."""
        if stop.is_set():
            raise TransferStopped("The transfer was stopped.")
        if is_plain_key(item.key) and self._get(item, part, stop):
            return
        self._fallback.download(item, part, stop)

    def _get(self, item: Download, part: Path, stop: threading.Event) -> bool:
        import obstore
        from obstore.exceptions import BaseError

        try:
            result = obstore.get(self._store, item.key)
            with part.open("wb") as file:
                if result.meta["size"] <= SMALL_BYTES:
                    file.write(result.bytes())
                else:
                    copy_stream(map(bytes, result.stream(min_chunk_size=CHUNK_BYTES)), file, stop)
        except BaseError:
            return False
        return True
