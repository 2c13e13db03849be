"""What moves content where a test has put something in the place of the SDK's client: the methods that users know."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect_gcp._stand_ins import fitting
from prefect_gcp._storage.options import NO_OPTIONS, TransferOptions
from prefect_integration_kit.transfer import Download, RemoteObject, Upload


class StandInEngine:
    """An engine without chunks, checksums and retries, which nothing but the SDK has."""

    def __init__(self, bucket: Any, options: TransferOptions = NO_OPTIONS) -> None:
        """Prepare the engine.

        Args:
            bucket: What stands in for a `google.cloud.storage.Bucket`.
            options: What the caller asked of the client.
        """
        self._bucket = bucket
        self._options = options
        self._listed: dict[str, Any] = {}

    def blob(self, key: str) -> Any:
        """Take what stands in for the object of a key: that of the listing where there was one."""
        return self._listed.get(key) or self._bucket.blob(key, **fitting(self._bucket.blob, self._options.blob))

    def _call(self, method: Any, /, *arguments: Any, **options: Any) -> Any:
        return method(*arguments, **fitting(method, {**options, **self._options.method}))

    # Uploads

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key."""
        del stop
        self._call(self.blob(item.key).upload_from_filename, str(item.source))

    def send(self, file: Any, key: str) -> None:
        """Store what an open file holds, from its position on."""
        self._call(self.blob(key).upload_from_file, file)

    def store(self, content: bytes | str, key: str) -> None:
        """Store bytes or text."""
        self._call(self.blob(key).upload_from_string, content)

    # Downloads

    def content(self, key: str) -> bytes:
        """Read an object into memory."""
        return self._call(self.blob(key).download_as_bytes)

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the object to `part`."""
        del stop
        self.fetch(item.key, part)
        part.touch()

    def fetch(self, key: str, path: Path) -> None:
        """Write the object to a file, by whichever method the stand-in has content for."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._call(self.blob(key).download_to_filename, str(path))
        if not path.exists() and isinstance(content := self.content(key), bytes):
            path.write_bytes(content)

    def receive(self, key: str, file: Any) -> None:
        """Write the object to an open file, by whichever method the stand-in has content for."""
        before = file.tell() if file.seekable() else 0
        self._call(self.blob(key).download_to_file, file)
        if file.seekable() and file.tell() == before and isinstance(content := self.content(key), bytes):
            file.write(content)

    # Listings

    def walk(self, blobs: Iterator[Any], prefix: str) -> Iterator[RemoteObject]:
        """Describe the objects of a listing, which are then moved by their own methods."""
        for blob in blobs:
            item = described(blob, prefix)
            self._listed[item.key] = blob
            yield item


def described(blob: Any, prefix: str) -> RemoteObject:
    """Describe an object of a listing, as far as the stand-in says something of it.

    Args:
        blob: The object.
        prefix: What was asked for; a stand-in may not heed it.
    """
    size, updated, name = getattr(blob, "size", None), getattr(blob, "updated", None), str(blob.name)
    return RemoteObject(
        name if name.startswith(prefix) else f"{prefix}{name}",
        size if isinstance(size, int) else 0,
        updated if isinstance(updated, datetime) else None,
    )
