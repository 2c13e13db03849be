"""What can be done with whole folders of one bucket: blocking bodies behind the block and the deployment steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prefect_aws._s3_engine import TransferOptions
from prefect_aws._s3_objects import NO_OPTIONS, S3Objects
from prefect_integration_kit.files import ignore_rules
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.native import NativeEngine
from prefect_integration_kit.progress import Progress
from prefect_integration_kit.syncing import Compare, SyncPlan, SyncSummary, files_without_object
from prefect_integration_kit.transfer import (
    Download,
    Engine,
    Summary,
    Upload,
    download_all,
    plan_download,
    plan_upload,
    upload_all,
)


@dataclass(frozen=True)
class S3Folders(S3Objects):
    """One bucket, with its folders."""

    def _progress(self) -> Progress:
        return Progress(run_logger(__name__))

    def upload_folder(
        self,
        directory: Path,
        prefix: str,
        *,
        ignore_lines: Iterable[str] | None = None,
        options: TransferOptions = NO_OPTIONS,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Store the files below a folder."""
        return self._upload(plan_upload(directory, prefix, ignore_lines), prefix, options, stop)

    def _upload(
        self, plan: Iterable[Upload], prefix: str, options: TransferOptions, stop: threading.Event | None
    ) -> Summary:
        with self._engine(options) as engine:
            return upload_all(
                plan,
                engine,
                max_concurrency=self.max_concurrency,
                subject=f"files to {self.url(prefix)}",
                progress=self._progress(),
                stop=stop,
            )

    def download_folder(
        self,
        prefix: str,
        destination: Path,
        *,
        options: TransferOptions = NO_OPTIONS,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Write the objects below a prefix to a folder."""
        _require_folder(destination)

        def plan(engine: Engine) -> Iterable[Download]:
            walk = partial(self.iterate, prefix)
            objects = engine.objects(prefix, walk) if isinstance(engine, NativeEngine) else walk()
            return plan_download(objects, prefix, destination)

        summary = self._download(plan, prefix, options, stop)
        if not summary.files:
            run_logger(__name__).warning("No objects found in %s. Check the name of the folder.", self.url(prefix))
        return summary

    def _download(
        self,
        plan: Callable[[Engine], Iterable[Download]],
        prefix: str,
        options: TransferOptions,
        stop: threading.Event | None,
        keep_times: bool = False,
    ) -> Summary:
        with self._engine(options) as engine:
            return download_all(
                plan(engine),
                engine,
                max_concurrency=self.max_concurrency,
                subject=f"files from {self.url(prefix)}",
                progress=self._progress(),
                stop=stop,
                keep_times=keep_times,
            )

    def sync_up(
        self,
        directory: Path,
        prefix: str,
        *,
        ignore_lines: Iterable[str] | None,
        compare: Compare,
        delete: bool,
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        """Store what changed in a folder."""
        ignore_lines = list(ignore_lines or ())
        plan = list(plan_upload(directory, prefix, ignore_lines))
        remote = {item.key: item for item in self.iterate(prefix)}
        due = SyncPlan(compare)
        moved = self._upload(due.uploads(plan, remote), prefix, NO_OPTIONS, stop)
        gone: set[str] = remote.keys() - {item.key for item in plan} if delete else set()
        is_ignored = ignore_rules(ignore_lines or ())  # an ignored file may well exist
        gone = {key for key in gone if not key.endswith("/") and not is_ignored(key[len(prefix) :])}
        return SyncSummary(moved.files, due.skipped, self.delete_many(sorted(gone)), moved.size_bytes)

    def sync_down(
        self,
        prefix: str,
        destination: Path,
        *,
        compare: Compare,
        delete: bool,
        stop: threading.Event | None = None,
    ) -> SyncSummary:
        """Write what changed below a prefix to a folder."""
        _require_folder(destination)
        remote = {item.key: item for item in self.iterate(prefix)}
        plan = list(plan_download(remote.values(), prefix, destination))
        due = SyncPlan(compare)
        moved = self._download(lambda engine: due.downloads(plan, remote), prefix, NO_OPTIONS, stop, keep_times=True)
        gone = files_without_object(destination, plan) if delete and destination.exists() else []
        for path in gone:
            path.unlink()
        return SyncSummary(moved.files, due.skipped, len(gone), moved.size_bytes)


def _require_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{str(path)!r} is a file; objects cannot be written into it. Name a folder.")
