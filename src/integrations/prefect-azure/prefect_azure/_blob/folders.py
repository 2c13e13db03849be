"""What can be done with whole folders of one container: blocking bodies behind the block and the deployment steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from prefect_azure._blob.objects import AzureBlobs
from prefect_azure._blob.options import REPLACE, TransferOptions
from prefect_integration_kit.object_store import FolderMethods
from prefect_integration_kit.transfer import Engine, RemoteObject


@dataclass(frozen=True)
class AzureFolders(AzureBlobs, FolderMethods):
    """One container, with its folders."""

    def no_options(self) -> TransferOptions:
        """Give the options of a caller who asks for nothing: what is there is replaced."""
        return REPLACE

    def folder_errors(self, prefix: str, options: TransferOptions) -> AbstractContextManager[None]:
        """Open what translates the errors of a whole transfer, and tells of a missing container."""
        return self.container_errors(prefix)

    def listing(self, engine: Engine, prefix: str) -> Iterator[RemoteObject]:
        """Walk the blobs below a prefix for a download, by Azure's client, whose listing tells folders from blobs."""
        return self.walk_for_download(prefix)
