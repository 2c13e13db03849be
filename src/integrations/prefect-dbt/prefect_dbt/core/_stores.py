"""Where artifacts of dbt lie: a folder on this machine, or a Prefect file system block, read and written alike."""

from __future__ import annotations

import inspect
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from prefect_integration_kit.dispatch import run_coro_as_sync
from prefect_integration_kit.files import complete_or_absent

from ..errors import DbtStateError

if TYPE_CHECKING:
    from prefect.filesystems import ReadableFileSystem, WritableFileSystem

    Storage: TypeAlias = "ReadableFileSystem | WritableFileSystem | Path | str"

_SLUG = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")  # of a block: type and name
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://")


class Store(Protocol):
    """Files by key; a key is a relative path with `/`."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    def read(self, key: str) -> bytes:
        """Read a file; raises what the store raises."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Write a file, in place of one of that name."""
        ...


def store_of(storage: Storage) -> Store:
    """Find what `storage` names.

    Args:
        storage: A file system block; or the slug of one, such as `s3-bucket/prod`; or a folder, as a path or in text;
            or an address such as `s3://bucket/folder`, which is read by fsspec and the package that it needs for it.

    Raises:
        DbtStateError: If it names nothing that files can be read from.
    """
    if isinstance(storage, Path):
        return _Folder(storage)
    if not isinstance(storage, str):
        return _Block(storage)
    if not storage.strip():
        raise DbtStateError("The storage of artifacts is an empty text. Give a folder, or a block: s3-bucket/prod.")
    if (scheme := _URL.match(storage)) and scheme[1] != "file":
        from prefect.filesystems import RemoteFileSystem

        return _Block(RemoteFileSystem(basepath=storage), storage)
    path = Path(storage.removeprefix("file://")).expanduser()
    if path.is_dir() or not _SLUG.fullmatch(storage):
        return _Folder(path)
    return _Block(_load(storage), storage)


def _load(slug: str) -> Any:
    from prefect.blocks.core import Block

    try:
        return _call(Block, "load", slug)
    except Exception as exc:
        raise DbtStateError(
            f"{slug!r} is neither a folder nor a saved block that loads: {exc} "
            f"Save the block, or write './{slug}' for a folder that does not exist yet."
        ) from exc


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)

    def read(self, key: str) -> bytes:
        return (self._path / key).read_bytes()

    def write(self, key: str, content: bytes) -> None:
        with complete_or_absent(self._path / key) as part:
            part.write_bytes(content)


class _Block:
    def __init__(self, block: Any, name: str | None = None) -> None:
        if not _has(block, "read_path"):
            raise DbtStateError(
                f"{type(block).__name__} is not a file system: it has no 'read_path'. Give a folder, or a file system "
                "block such as LocalFileSystem, S3Bucket, GcsBucket or AzureBlobStorageContainer."
            )
        self._block = block
        self.name = name or _name_of(block)

    def read(self, key: str) -> bytes:
        content = _call(self._block, "read_path", key)
        return content.encode() if isinstance(content, str) else bytes(content)

    def write(self, key: str, content: bytes) -> None:
        if not _has(self._block, "write_path"):
            raise DbtStateError(f"{self.name} can only be read: it has no 'write_path'. Give a block that is writable.")
        _call(self._block, "write_path", key, content=content)


def _name_of(block: Any) -> str:
    name = getattr(block, "_block_document_name", None)
    return f"{block.get_block_type_slug()}/{name}" if name else type(block).__name__


def _has(block: Any, method: str) -> bool:
    return callable(getattr(block, f"a{method}", None) or getattr(block, method, None))


def _call(owner: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method of a block from sync code, whichever faces it has: some give a coroutine in an async flow."""
    result: Any = getattr(owner, f"a{method}", None)
    result = (result or getattr(owner, method))(*args, **kwargs)
    if inspect.isawaitable(result):
        return run_coro_as_sync(cast("Coroutine[Any, Any, Any]", result))
    return result
