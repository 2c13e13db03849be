"""Clients that users' own credentials make: a subclass's, or a stub's that a test gives in place of the block.

`get_client`, `get_blob_client` and `get_container_client` give Azure's async clients, as published, while this package
works by the sync ones. Where somebody else's method or class makes the client, that one is used all the same: its
coroutines run in a loop of a thread of their own, and whoever called waits.

What is no client of the SDK gets no options but those that the user gave: a test's stand-in need not know them.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

from prefect_azure._stand_ins import aentered, client_class, is_blank, is_made_by_sdk, stand_in
from prefect_integration_kit.replaced import is_replaced

_CLASSES = {
    "get_client": "BlobServiceClient",
    "get_blob_client": "BlobClient",
    "get_container_client": "ContainerClient",
}
_SDK = "azure.storage.blob.aio"
_LOGINS = ("AClientSecretCredential", "ADefaultAzureCredential")
_PART_BYTES = 4 * 2**20
_NO_PROPERTIES = SimpleNamespace(
    metadata=None, content_settings=SimpleNamespace(content_encoding=None, content_md5=None)
)


def _is_own(credentials: Any, name: str) -> bool:
    if is_replaced(credentials, name, "prefect_azure.credentials"):
        return True
    by_string = getattr(credentials, "connection_string", None) is not None
    return client_class(_CLASSES[name], _SDK, by_string=by_string) is not None


def has_own_clients(credentials: Any) -> bool:
    """Say whether something else than the block's fields decides about clients."""
    if any(_is_own(credentials, name) for name in _CLASSES):
        return True
    return credentials.connection_string is None and any(stand_in(name) is not None for name in _LOGINS)


class OwnService:
    """What is used of a `BlobServiceClient`, by the async clients of users' own credentials.

    Args:
        credentials: They make the clients.
    """

    url = ""
    account_name = ""
    credential = None

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._config = SimpleNamespace(max_block_size=_PART_BYTES)

    @functools.cached_property
    def _service(self) -> OwnClient:
        return OwnClient(self._credentials.get_client())

    def get_account_information(self) -> Any:
        """Ask the account what it is; one whose clients a test makes is none with a hierarchical namespace."""
        return self._service.get_account_information() if self._service.is_of_sdk else {}

    def get_blob_client(self, container: str, blob: str) -> OwnClient:
        """Make the client of a blob."""
        if _is_own(self._credentials, "get_blob_client"):
            return OwnClient(self._credentials.get_blob_client(container=container, blob=blob))
        if _is_own(self._credentials, "get_container_client"):
            owner = self.get_container_client(container)
            return OwnClient(_settled(owner.target.get_blob_client(blob)), owner)
        return OwnClient(_settled(self._service.target.get_blob_client(container=container, blob=blob)), self._service)

    def get_container_client(self, container: str) -> OwnClient:
        """Make the client of a container."""
        if _is_own(self._credentials, "get_container_client"):
            return OwnClient(self._credentials.get_container_client(container=container))
        return OwnClient(_settled(self._service.target.get_container_client(container)), self._service)


class OwnContainer:
    """What is used of a `BlobServiceClient`, by a test's stand-in for the sync client of one container.

    Args:
        made: The client, as it was made.
    """

    url = ""
    account_name = ""
    credential = None
    is_of_sdk = False

    def __init__(self, made: Any) -> None:
        enter: Any = getattr(made, "__enter__", None)
        self.target = made if enter is None or is_blank(enter) else enter()
        self._config = SimpleNamespace(max_block_size=_PART_BYTES)

    def get_blob_client(self, container: str, blob: str) -> _BlobOfContainer:
        """Give what is used of a blob's client."""
        return _BlobOfContainer(self.target, blob)

    def get_container_client(self, container: str) -> OwnContainer:
        """Give what is used of the container's client."""
        return self

    def list_blobs(self, **options: Any) -> Iterator[Any]:
        """Walk blobs."""
        return iter(self.target.list_blobs(**options))


class _BlobOfContainer:
    is_of_sdk = False

    def __init__(self, container: Any, key: str) -> None:
        self._container = container
        self._key = key

    def upload_blob(self, data: Any, **options: Any) -> Any:
        return self._container.upload_blob(self._key, data, **options)

    def download_blob(self, **options: Any) -> _Stream:
        return _Stream(self._container.download_blob(self._key, **options), self)


class OwnClient:
    """An async client, used as a sync one. It is closed when nobody has it any more.

    Args:
        made: The client, as it was made.
        owner: What closes its connections; itself when not given.
    """

    def __init__(self, made: Any, owner: OwnClient | None = None) -> None:
        self._owner = owner
        self.target = made
        self.is_of_sdk = is_made_by_sdk(made)
        if not self.is_of_sdk:
            self.target = _run(aentered(made))
        if owner is None or not self.is_of_sdk:
            weakref.finalize(self, _close, made)

    def __getattr__(self, name: str) -> Any:
        found: Any = getattr(self.target, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return _settled(found(*args, **kwargs))

        return call

    def download_blob(self, **options: Any) -> _Stream:
        """Begin to read a blob."""
        return _Stream(_settled(self.target.download_blob(**options)), self)

    def list_blobs(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Walk blobs."""
        found = _settled(self.target.list_blobs(*args, **options))
        return _walk(found) if hasattr(found, "__aiter__") else iter(found)


class _Stream:
    """A download, read by who waits for it."""

    def __init__(self, target: Any, client: object) -> None:
        self._target = target
        self._client = client  # open for as long as it is read
        said: Any = getattr(target, "properties", None)
        metadata: Any = getattr(said, "metadata", said)
        is_known = hasattr(said, "content_settings") and (metadata is None or isinstance(metadata, Mapping))
        self.properties = said if is_known else _NO_PROPERTIES

    def readinto(self, file: BinaryIO) -> int:
        """Write what the blob holds to a file."""
        if is_made_by_sdk(self._target) or self._way() == "readinto":
            return _settled(self._target.readinto(file))
        return file.write(self.readall())

    def readall(self) -> bytes:
        """Give what the blob holds."""
        way = "readall" if is_made_by_sdk(self._target) else self._way()
        if way == "readinto":
            import io

            buffer = io.BytesIO()
            _settled(self._target.readinto(buffer))
            return buffer.getvalue()
        return _settled(getattr(self._target, way)())

    def _way(self) -> str:
        """The method of a stand-in that gives the content."""
        ways = [name for name in ("readall", "content_as_bytes", "readinto") if hasattr(self._target, name)]
        told = [name for name in ways if not is_blank(getattr(self._target, name))]
        return next(iter([*told, *ways, "readall"]))


def is_stand_in(client: object) -> bool:
    """Say whether a client is a test's, which is asked by the documented arguments alone."""
    return getattr(client, "is_of_sdk", True) is False


def _settled(value: Any) -> Any:
    return _run(value) if inspect.isawaitable(value) else value


def _walk(values: Any) -> Iterator[Any]:
    iterator = aiter(values)
    end = object()
    while (value := _run(anext(iterator, end))) is not end:
        yield value


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="azure-own-clients", daemon=True).start()
    return loop


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_loop.cache_clear)  # its thread is the parent's


def _run(awaitable: Any) -> Any:
    async def wait() -> Any:
        return await awaitable

    return asyncio.run_coroutine_threadsafe(wait(), _loop()).result()


def _close(client: Any) -> None:
    enter: Any = getattr(client, "__aenter__", None)
    is_entered = not is_made_by_sdk(client) and enter is not None and not is_blank(enter)
    close: Any = getattr(client, "__aexit__" if is_entered else "close", None)
    if close is None or _loop().is_closed():
        return

    async def end() -> None:
        ended = close(None, None, None) if is_entered else close()
        if inspect.isawaitable(ended):
            await cast("Any", ended)

    asyncio.run_coroutine_threadsafe(end(), _loop())
