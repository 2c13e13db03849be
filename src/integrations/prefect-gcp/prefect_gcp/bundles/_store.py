"""Bundles as objects of one bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_gcp._storage.objects import GcsObjects
from prefect_gcp._storage.options import MULTIPART_BYTES, UPLOAD_CHUNK_BYTES, once_more
from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.errors import GcpPreconditionFailed
from prefect_integration_kit.waiting import Backoff, retry

if TYPE_CHECKING:
    from typing_extensions import Self

# An object that is replaced while it is read is read again.
_REPLACED = Backoff(initial_seconds=0.2, maximum_seconds=2, deadline_seconds=30, max_attempts=5)


@dataclass(frozen=True)
class GcsBundleStore:
    """A bucket that holds bundles."""

    objects: GcsObjects
    kms_key_name: str | None = None

    @classmethod
    def open(
        cls,
        bucket: str,
        gcp_credentials_block_name: str | None,
        kms_key_name: str | None = None,
        block: type[GcpCredentials] = GcpCredentials,
    ) -> Self:
        """Take a client for the credentials of a saved block, or for Application Default Credentials.

        Args:
            bucket: Name of the bucket.
            gcp_credentials_block_name: Name of a `GcpCredentials` block.
            kms_key_name: Full name of the Cloud KMS key that encrypts what is stored; the bucket's own by default.
            block: The class of the block.

        Raises:
            ValueError: If the name of the bucket is not one, or there is no such block.
        """
        # Without `_sync`, loading inside an async flow would give a coroutine.
        load: Any = block.load
        credentials = load(gcp_credentials_block_name, _sync=True) if gcp_credentials_block_name else block()
        return cls(GcsObjects.open(credentials, bucket), kms_key_name)

    def url(self, key: str) -> str:
        """Name an object in messages."""
        return self.objects.url(key)

    def put(self, source: Path, key: str, metadata: Mapping[str, str]) -> None:
        """Store a file, with a CRC32C that Cloud Storage compares with what it received."""
        if self.objects.is_stand_in:
            self.objects.upload(source, key)
            return
        size = source.stat().st_size
        chunk = None if size <= MULTIPART_BYTES else UPLOAD_CHUNK_BYTES

        def attempt() -> None:
            blob = self.objects.handle().blob(key, kms_key_name=self.kms_key_name, chunk_size=chunk)
            blob.metadata = dict(metadata)
            with source.open("rb") as file:
                blob.upload_from_file(file, size=size, checksum="crc32c", retry=self.objects.retry)

        with self.objects.errors(key):
            once_more(attempt)

    def get(self, key: str, target: Path) -> Mapping[str, str]:
        """Write an object to a file and return the metadata of just this version of it."""
        if self.objects.is_stand_in:
            self.objects.download(key, target)
            return {}

        def attempt() -> Mapping[str, str]:
            blob = self.objects.handle().blob(key)
            with self.objects.errors(key):
                blob.reload(retry=self.objects.retry)
                with target.open("wb") as file:
                    blob.download_to_file(
                        file,
                        if_generation_match=blob.generation,
                        raw_download=True,
                        checksum="crc32c",
                        retry=self.objects.retry,
                    )
            return dict(blob.metadata or {})

        return retry(
            lambda: once_more(attempt),
            is_transient=lambda exc: isinstance(exc, GcpPreconditionFailed),
            backoff=_REPLACED,
        )

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is no failure."""
        self.objects.delete(key)
