"""Decide what a sync must move: pure functions over listings, for all stores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from prefect_integration_kit.transfer import Download, RemoteObject, Upload

Compare = Literal["time", "checksum"]
"""How files of equal size are told apart: by time of modification, or by MD5 where the store's ETag is one."""


Item = TypeVar("Item", Upload, Download)


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """What a sync did.

    Attributes:
        transferred: Files that were new or changed.
        skipped: Files that were the same on both sides.
        deleted: Files or objects that had no counterpart and were removed.
        size_bytes: Bytes moved.
    """

    transferred: int
    skipped: int
    deleted: int
    size_bytes: int


@dataclass
class SyncPlan:
    """Filters a plan to what changed, and counts what it leaves out."""

    compare: Compare = "time"
    skipped: int = 0

    def uploads(self, plan: Iterable[Upload], remote: Mapping[str, RemoteObject]) -> Iterator[Upload]:
        """Keep the files that the store lacks, or has in another or older form."""
        return self._kept(plan, lambda item: self._upload_is_due(item, remote.get(item.key)))

    def downloads(self, plan: Iterable[Download], remote: Mapping[str, RemoteObject]) -> Iterator[Download]:
        """Keep the objects that the disk lacks, or has in another form or of another time."""
        return self._kept(plan, lambda item: self._download_is_due(item, remote[item.key]))

    def _kept(self, plan: Iterable[Item], is_due: Callable[[Item], bool]) -> Iterator[Item]:
        for item in plan:
            if is_due(item):
                yield item
            else:
                self.skipped += 1

    def _upload_is_due(self, item: Upload, there: RemoteObject | None) -> bool:
        if there is None or there.size_bytes != item.size_bytes:
            return True
        same = self._same_checksum(item.source, there)
        if same is not None:
            return not same
        return there.modified is None or item.source.stat().st_mtime > there.modified.timestamp()

    def _download_is_due(self, item: Download, there: RemoteObject) -> bool:
        if item.is_folder:
            return not item.target.is_dir()
        if not item.target.is_file():
            return True
        found = item.target.stat()
        if found.st_size != there.size_bytes:
            return True
        same = self._same_checksum(item.target, there)
        if same is not None:
            return not same
        # A file that a sync wrote has the object's own time, so any other time means a change on either side.
        return there.modified is None or abs(found.st_mtime - there.modified.timestamp()) >= 1

    def _same_checksum(self, path: Path, there: RemoteObject) -> bool | None:
        """Compare by MD5; `None` when that is not asked for or the ETag is no MD5, as after a multipart upload."""
        etag = (there.etag or "").strip('"')
        if self.compare != "checksum" or len(etag) != 32 or not all(c in "0123456789abcdef" for c in etag):
            return None
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(1024 * 1024):
                digest.update(chunk)
        return digest.hexdigest() == etag


def files_without_object(directory: Path, objects: Iterable[Download]) -> list[Path]:
    """List the files below a folder that no object of the plan means, for a sync that deletes."""
    wanted = {item.target for item in objects}
    return sorted(path for path in directory.rglob("*") if path not in wanted and (path.is_symlink() or path.is_file()))
