"""What can be done with whole folders of one bucket: blocking bodies behind the block and the deployment steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from prefect_aws._s3_engine import TransferOptions
from prefect_aws._s3_objects import NO_OPTIONS, S3Objects
from prefect_integration_kit.native import NativeEngine
from prefect_integration_kit.object_store import FolderMethods
from prefect_integration_kit.transfer import Engine, RemoteObject


@dataclass(frozen=True)
class S3Folders(S3Objects, FolderMethods):
    """One bucket, with its folders."""

    def no_options(self) -> TransferOptions:
        """Give the options of a caller who asks for nothing."""
        return NO_OPTIONS

    def engine(self, options: TransferOptions) -> AbstractContextManager[Engine]:
        """Open what moves files."""
        return self._engine(options)

    def walk(self, prefix: str) -> Iterator[RemoteObject]:
        """Walk the objects below a prefix."""
        return self.iterate(prefix)

    def listing(self, engine: Engine, prefix: str) -> Iterator[RemoteObject]:
        """Walk the same by the engine that downloads."""
        walk = partial(self.iterate, prefix)
        return engine.objects(prefix, walk) if isinstance(engine, NativeEngine) else walk()
