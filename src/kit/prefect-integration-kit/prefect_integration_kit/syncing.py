"""Decide what a sync must move: pure functions over listings, for all stores."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from prefect_integration_kit.transfer import Download, RemoteObject, Upload

Compare = Literal["time", "checksum"]
"""How files of equal size are told apart: by time of modification, or by MD5 where the store's ETag is one."""

_BLUR_SECONDS = 2
"""Stores keep times in whole seconds: closer times say nothing, and checksums are compared where there are any."""


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
        if there.modified is None:
            return self._differs(item.source, there)
        lead = item.source.stat().st_mtime - there.modified.timestamp()
        if self.compare == "checksum" or abs(lead) < _BLUR_SECONDS:
            return self._differs(item.source, there, otherwise=lead > 0)
        return lead > 0

    def _download_is_due(self, item: Download, there: RemoteObject) -> bool:
        if item.is_folder:
            return not item.target.is_dir()
        if not item.target.is_file():
            return True
        found = item.target.stat()
        if found.st_size != there.size_bytes:
            return True
        if there.modified is None:
            return self._differs(item.target, there)
        modified = there.modified.timestamp()
        # A file that a sync wrote has the object's own time, so any other time means a change on either side.
        is_other = abs(found.st_mtime - modified) >= 1
        # One that was written right after the object was, may have missed the object's next version.
        if self.compare == "checksum" or found.st_ctime - modified < _BLUR_SECONDS:
            return self._differs(item.target, there, otherwise=is_other)
        return is_other

    @staticmethod
    def _differs(path: Path, there: RemoteObject, *, otherwise: bool = True) -> bool:
        """Compare by MD5; answer `otherwise` where the ETag is no MD5, as after a multipart upload."""
        etag = (there.etag or "").strip('"')
        if len(etag) != 32 or not all(c in "0123456789abcdef" for c in etag):
            return otherwise
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(1024 * 1024):
                digest.update(chunk)
        return digest.hexdigest() != etag


def files_without_object(directory: Path, objects: Sequence[Download]) -> list[Path]:
    """List the files below a folder that no object of the plan means, for a sync that deletes.

    Links to folders stay, with what is behind them: neither is the sync's own.
    """
    real: dict[Path, str] = {}
    for item in objects:
        if item.target.parent not in real:
            real[item.target.parent] = os.path.realpath(item.target.parent)
    wanted = {os.path.join(real[item.target.parent], item.target.name) for item in objects}  # noqa: PTH118
    gone: list[Path] = []
    for folder, _, names in os.walk(os.path.realpath(directory)):
        found = (Path(folder, name) for name in names if os.path.join(folder, name) not in wanted)  # noqa: PTH118
        gone += [path for path in found if path.is_symlink() or path.is_file()]
    return sorted(gone)
