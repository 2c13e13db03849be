"""Clients that users' own credentials make: a subclass's, or a stub's that a test gives in place of the block.

`get_client`, `get_blob_client` and `get_container_client` give Azure's async clients, as published, while this package
works by the sync ones. Where somebody else's method makes the client, that one is used all the same: its coroutines run
in a loop of a thread of their own, and whoever called waits.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
import weakref
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any, BinaryIO

from prefect_integration_kit.replaced import is_replaced

_METHODS = ("get_client", "get_blob_client", "get_container_client")
_PART_BYTES = 4 * 2**20
_NO_PROPERTIES = SimpleNamespace(
    metadata=None, content_settings=SimpleNamespace(content_encoding=None, content_md5=None)
)


def _is_own(credentials: object, name: str) -> bool:
    return is_replaced(credentials, name, "prefect_azure.credentials")


def has_own_clients(credentials: object) -> bool:
    """Say whether something else than the block's fields decides about clients."""
    return any(_is_own(credentials, name) for name in _METHODS)


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
    def _service(self) -> Any:
        return _Blocking(self._credentials.get_client())

    def get_blob_client(self, container: str, blob: str) -> Any:
        """Make the client of a blob."""
        if _is_own(self._credentials, "get_blob_client"):
            return _Blocking(self._credentials.get_blob_client(container=container, blob=blob))
        return _Blocking(self._service.target.get_blob_client(container=container, blob=blob), self._service)

    def get_container_client(self, container: str) -> Any:
        """Make the client of a container."""
        if _is_own(self._credentials, "get_container_client"):
            return _Blocking(self._credentials.get_container_client(container=container))
        return _Blocking(self._service.target.get_container_client(container), self._service)


class _Blocking:
    """An async client, used as a sync one. It is closed when nobody has it any more.

    Args:
        target: The client.
        owner: What closes its connections; itself when not given.
    """

    def __init__(self, target: Any, owner: _Blocking | None = None) -> None:
        self.target = target
        self._owner = owner
        if owner is None:
            weakref.finalize(self, _close, target)

    def __getattr__(self, name: str) -> Any:
        found: Any = getattr(self.target, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._settled(found(*args, **kwargs))

        return call

    def _settled(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            value = _run(value)
        if hasattr(value, "readall"):
            return _Stream(value, self)
        return self._walk(value) if hasattr(value, "__aiter__") else value

    def _walk(self, values: Any) -> Generator[Any, None, None]:
        iterator = aiter(values)
        end = object()
        while (value := _run(anext(iterator, end))) is not end:
            yield value


class _Stream:
    """A download, read by who waits for it."""

    def __init__(self, target: Any, client: _Blocking) -> None:
        self._target = target
        self._client = client  # open for as long as it is read
        self.properties = getattr(target, "properties", None) or _NO_PROPERTIES
        if not hasattr(self.properties, "content_settings"):
            self.properties = _NO_PROPERTIES

    def readinto(self, file: BinaryIO) -> int:
        """Write what the blob holds to a file."""
        if hasattr(self._target, "readinto"):
            return _run(self._target.readinto(file))
        return file.write(_run(self._target.readall()))

    def readall(self) -> bytes:
        """Give what the blob holds."""
        return _run(self._target.readall())


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
    close: Any = getattr(client, "close", None)
    if close is None or _loop().is_closed():
        return

    async def end() -> None:
        ended = close()
        if inspect.isawaitable(ended):
            await ended

    asyncio.run_coroutine_threadsafe(end(), _loop())
