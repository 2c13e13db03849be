"""Bundles as blobs of one container."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_azure._blob.objects import AzureBlobs
from prefect_azure._blob.options import TransferOptions
from prefect_azure.credentials import AzureBlobStorageCredentials
from prefect_azure.errors import AzurePreconditionFailed
from prefect_integration_kit.bundles import DIGEST, sha256_of
from prefect_integration_kit.dispatch import run_coro_as_sync
from prefect_integration_kit.waiting import Backoff, retry

if TYPE_CHECKING:
    from typing_extensions import Self

# A blob that is replaced while it is read is read again.
_REPLACED = Backoff(initial_seconds=0.2, maximum_seconds=2, deadline_seconds=30, max_attempts=5)
_READS = 2
"""How often content that does not fit its digest is read, in case it was changed on its way only."""


@dataclass(frozen=True)
class BlobBundleStore:
    """A container that holds bundles."""

    blobs: AzureBlobs
    encryption_scope: str | None = None

    @classmethod
    def open(
        cls,
        container: str,
        block_name: str,
        encryption_scope: str | None = None,
        *,
        blocks: type[AzureBlobStorageCredentials] = AzureBlobStorageCredentials,
    ) -> Self:
        """Take a client for the credentials of a saved block.

        Args:
            container: Name of the container.
            block_name: Name of an `AzureBlobStorageCredentials` block.
            encryption_scope: Encryption scope of what is stored; the container's own by default.
            blocks: The class of the block, which tests of a step replace in its module.

        Raises:
            ValueError: If the name of the container is not one, or there is no such block.
            ImportError: If the extra `blob-storage` is not installed.
        """
        if not block_name:
            raise ValueError(
                "azure_blob_storage_credentials_block_name is empty. Name a saved Azure Blob Storage Credentials block."
            )
        # Without `_sync`, loading inside an async flow would give a coroutine.
        load: Any = blocks.load
        loaded = load(block_name, _sync=True)
        if inspect.isawaitable(loaded):  # of a test's stand-in
            loaded = run_coro_as_sync(_awaited(loaded))
        return cls(AzureBlobs.open(loaded, container), encryption_scope)

    def url(self, key: str) -> str:
        """Name a blob in messages."""
        return self.blobs.url(key)

    def put(self, source: Path, key: str, metadata: Mapping[str, str]) -> None:
        """Store a file in place of what may be there, with MD5s that Azure compares with what it received."""
        options: dict[str, Any] = {"metadata": dict(metadata), "validate_content": True}
        if self.encryption_scope:
            options["encryption_scope"] = self.encryption_scope
        self.blobs.upload(source, key, TransferOptions(options, overwrite=True))

    def get(self, key: str, target: Path) -> Mapping[str, str]:
        """Write a blob to a file and return the metadata of just this version of it."""

        def read() -> Mapping[str, str]:
            with self.blobs.errors(key), target.open("wb") as file:
                # The client reads all parts of the version that its first answer came from.
                stream: Any = self.blobs.blob(key).download_blob()
                stream.readinto(file)
                return dict(stream.properties.metadata or {})

        metadata: Mapping[str, str] = {}
        for _ in range(_READS):
            metadata = retry(read, is_transient=lambda exc: isinstance(exc, AzurePreconditionFailed), backoff=_REPLACED)
            if metadata.get(DIGEST) in (None, sha256_of(target)):
                break
        return metadata

    def delete(self, key: str) -> None:
        """Delete a blob; one that is gone already is no failure."""
        self.blobs.delete(key)


async def _awaited(block: Awaitable[Any]) -> Any:
    return await block
