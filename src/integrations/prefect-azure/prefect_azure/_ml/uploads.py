"""Files on their way to the container of a datastore."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prefect_integration_kit.paths import PathEscapes, object_key
from prefect_integration_kit.transfer import NameNotText, TransferStopped, Upload, plan_upload, upload_all

from .. import _clients
from .._repeating import repeated
from ..errors import AzureAlreadyExists, AzureInvalidRequest, azure_errors

MAX_CONCURRENCY = 8
"""Files on their way at once."""

_CONNECTIONS = 2
"""Parts of one file on their way at once; a part is some MB in memory."""

Paths = str | Path | Sequence[str | Path]


def plan_uploads(path: Paths, target_path: str | Path | None, relative_root: str | Path | None) -> list[Upload]:
    """Plan which files go where.

    Args:
        path: A file, a folder, or a list of both.
        target_path: Folder in the container; its root by default.
        relative_root: Folder that names in the container are relative to; by default the folder given, or the nearest
            that has all files.

    Returns:
        One entry for each file, sorted by name in the container.

    Raises:
        FileNotFoundError: If a path does not exist.
        AzureInvalidRequest: If nothing is given, a file is not below `relative_root`, or `target_path` climbs up.
    """
    prefix = _prefix(target_path)
    given = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    if not given:
        raise AzureInvalidRequest("`path` is an empty list; give a file, a folder or a list of files.")
    for each in given:
        if not each.exists():
            raise FileNotFoundError(f"`path`: '{each}' does not exist.")
    root = _root(given, relative_root)
    files = {file.absolute() for each in given for file in _files(each)}
    return sorted((_planned(file, root, prefix) for file in files), key=lambda upload: upload.key)


def _prefix(target_path: str | Path | None) -> str:
    text = str(target_path or "").replace("\\", "/")
    try:
        key = object_key("", text.lstrip("/")).strip("/")
    except PathEscapes:
        raise AzureInvalidRequest(f"`target_path`: '{target_path}' leaves the container with '..'.") from None
    return f"{key}/" if key not in ("", ".") else ""


def _root(given: list[Path], relative_root: str | Path | None) -> Path:
    if relative_root is not None:
        return Path(relative_root).absolute()
    if len(given) == 1 and given[0].is_dir():
        return given[0].absolute()
    return Path(os.path.commonpath([each.absolute().parent for each in given]))


def _files(path: Path) -> Iterable[Path]:
    return (upload.source for upload in plan_upload(path, "")) if path.is_dir() else [path]


def _planned(file: Path, root: Path, prefix: str) -> Upload:
    try:
        relative = file.relative_to(root).as_posix()
        relative.encode()
    except UnicodeEncodeError:
        raise NameNotText(f"The name of file {str(file)!r} is not UTF-8, so it cannot be a blob's.") from None
    except ValueError:
        raise AzureInvalidRequest(f"`relative_root`: '{file}' is not below '{root}'.") from None
    if ".." in relative.split("/"):
        raise AzureInvalidRequest(f"`path`: '{file}' leaves '{root}' with '..'.")
    return Upload(file, prefix + relative, file.stat().st_size)


class ContainerEngine:
    """Stores files in one container.

    Attributes:
        skipped: Names that were there already and were left as they are.
    """

    def __init__(self, container: Any, subject: str, *, overwrite: bool, secrets: Sequence[Any] = ()) -> None:
        """Give the container.

        Args:
            container: A `ContainerClient` of azure-storage-blob, the SDK's own or the one inside azureml-core.
            subject: The datastore, for messages.
            overwrite: Whether to replace what is there.
            secrets: What must not be in messages.
        """
        self._container, self._subject, self._overwrite, self._secrets = container, subject, overwrite, secrets
        self.skipped: list[str] = []

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store one file; one that is there is left where it is not to be replaced."""

        def send() -> None:
            if stop.is_set():
                raise TransferStopped
            with (
                azure_errors(f"File '{item.key}' of {self._subject}", secrets=self._secrets),
                item.source.open("rb") as file,
            ):
                connecting, reading = _clients.TIMEOUT_SECONDS
                self._container.upload_blob(
                    item.key,
                    file,
                    overwrite=self._overwrite,
                    length=item.size_bytes,
                    max_concurrency=_CONNECTIONS,
                    connection_timeout=connecting,
                    read_timeout=reading,
                )

        try:
            repeated(send)
        except AzureAlreadyExists:
            self.skipped.append(item.key)

    def download(self, item: Any, part: Path, stop: threading.Event) -> None:
        """Not needed."""
        raise NotImplementedError


def send_all(plan: list[Upload], engine: ContainerEngine, stop: threading.Event | None = None) -> int:
    """Store all files of a plan, several at a time.

    Returns:
        How many were stored; those that were there and not replaced do not count.

    Raises:
        AzureError: The first failure. Files that were complete by then stay.
    """
    upload_all(plan, engine, max_concurrency=MAX_CONCURRENCY, stop=stop)
    return len(plan) - len(engine.skipped)
