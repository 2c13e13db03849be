"""What the suites of object stores ask of a package: the block, and the service behind its back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

import pytest

from prefect_integration_tests.faces import Call, NoSuchFace

from .base import Suite


class RawStore(Protocol):
    """Looks at the service behind the block's back, by whole keys."""

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        ...

    def get(self, key: str) -> bytes:
        """Read an object."""
        ...

    def keys(self) -> list[str]:
        """List all keys of the store."""
        ...


class StoreSuite(Suite):
    """Base of the suites for object stores: fixtures, names and hooks.

    Attributes:
        folder_field: The field that holds the block's folder.
        list_method: The sync name of the method that lists the objects of a folder.
        missing_error: What reading or downloading a missing object must raise.
        escape_error: What a key that leads outside must raise.
    """

    folder_field: ClassVar[str] = "bucket_folder"
    list_method: ClassVar[str] = "list_objects"
    missing_error: ClassVar[type[Exception] | tuple[type[Exception], ...]] = FileNotFoundError
    escape_error: ClassVar[type[Exception] | tuple[type[Exception], ...]] = ValueError

    @pytest.fixture
    @abstractmethod
    def store(self) -> Any:
        """An object store block that keeps everything in a folder, on an empty service."""

    @pytest.fixture
    @abstractmethod
    def raw(self, store: Any) -> RawStore:
        """The service that `store` uses, without the block."""

    def folder_of(self, store: Any) -> str:
        """Read the folder of a block, without slashes around it.

        Args:
            store: The block.
        """
        return str(getattr(store, self.folder_field)).strip("/")

    def in_folder(self, store: Any, folder: str) -> Any:
        """Build the same block with another folder.

        Args:
            store: The block.
            folder: The other folder; empty for the whole store.
        """
        return type(store)(**{**dict(store), self.folder_field: folder})

    def key_of(self, entry: Any) -> str:
        """Read the key from an entry of a listing.

        Args:
            entry: What the block's list method has in its list: a key, a mapping or an object with
                a name.
        """
        if isinstance(entry, str):
            return entry
        if isinstance(entry, Mapping):
            fields = cast("Mapping[str, Any]", entry)
            return next(str(fields[name]) for name in ("Key", "key", "name", "path") if name in fields)
        return str(entry.name)

    async def listed(self, call: Call, store: Any, *args: Any, **kwargs: Any) -> list[str]:
        """List keys through the block, sorted.

        Args:
            call: The face.
            store: The block.
            args: Positional arguments of the list method.
            kwargs: Its keyword arguments.
        """
        entries = await call(store, self.list_method, *args, **kwargs)
        return sorted(self.key_of(entry) for entry in entries)


def contents(raw: RawStore) -> dict[str, bytes]:
    """Read everything that a service stores, by key."""
    return {key: raw.get(key) for key in list(raw.keys())}


async def by_either_face(call: Call, owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """Call an operation by the face asked for, or by its sync face if that is all it has."""
    try:
        return await call(owner, name, *args, **kwargs)
    except NoSuchFace:
        return await Call("sync")(owner, name, *args, **kwargs)


def write_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder.

    Args:
        root: The folder; it is made if need be.
        files: Content by relative path, with `/`.

    Returns:
        The folder.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


def read_tree(root: Path) -> dict[str, bytes]:
    """Read all files below a folder: content by relative path, with `/`."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
