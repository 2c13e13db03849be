"""What can be done with whole folders of one bucket: blocking bodies behind the block and the deployment steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from prefect_gcp._storage.objects import GcsObjects
from prefect_gcp._storage.options import NO_OPTIONS, TransferOptions
from prefect_gcp._storage.stand_ins import StandInEngine
from prefect_integration_kit.object_store import FolderMethods
from prefect_integration_kit.transfer import Engine, RemoteObject


@dataclass(frozen=True)
class GcsFolders(GcsObjects, FolderMethods):
    """One bucket, with its folders."""

    def no_options(self) -> TransferOptions:
        """Give the options of a caller who asks for nothing."""
        return NO_OPTIONS

    def folder_errors(self, prefix: str, options: TransferOptions) -> AbstractContextManager[None]:
        """Open what translates the errors of a whole transfer, and tells of a missing bucket."""
        return self.errors(prefix, options)

    def listing(self, engine: Engine, prefix: str) -> Iterator[RemoteObject]:
        """Walk the objects below a prefix for a download, by Google's client, whose listing has their checksums."""
        if isinstance(engine, StandInEngine):
            return engine.walk(self.blobs(prefix), prefix)
        return self.walk(prefix)
