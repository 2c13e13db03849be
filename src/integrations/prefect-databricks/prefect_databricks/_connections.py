"""Clients that stay open from request to request, one for each event loop and equal credentials.

A wait for a job asks every few seconds; with a client of its own, each question would begin with a handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import httpx

from prefect_integration_kit.kept import fingerprint
from prefect_integration_kit.replaced import is_replaced

if TYPE_CHECKING:
    from .credentials import DatabricksCredentials

_MAXIMUM = 16
"""How many clients a loop keeps; the one that was not used for longest is closed first."""

_ENVIRONMENT = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")

_OURS = "prefect_databricks.credentials"
_CLIENT = httpx.AsyncClient
"""The class itself: a test of a flow may have put something else in its place."""


class _Kept:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.users = 0
        self.is_dropped = False


class _Connections:
    """The open clients of one loop. All is done in that loop, so nothing needs a lock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, _Kept] = OrderedDict()
        self._end = self._until_the_loop_ends()

    async def begin(self) -> None:
        await anext(self._end)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        # A loop ends the generators that were begun in it before it closes, and with this one the clients:
        # https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_asyncgens
        try:
            yield
        finally:
            with _turn:
                _of_loops.pop(asyncio.get_running_loop(), None)
            kept = list(self._kept.values())
            self._kept.clear()
            for each in kept:
                await _close(each.client)

    def take(self, credentials: DatabricksCredentials) -> tuple[_Kept, list[_Kept]]:
        """Give the client of equal credentials, made if need be, and those that are one too many."""
        make = credentials.get_client
        key = (fingerprint(credentials), getattr(make, "__func__", make), client_class(), _environment())
        kept = self._kept.get(key)
        if kept is None or kept.client.is_closed:
            kept = _Kept(make())
            if not is_client(kept.client):
                return kept, []
            self._kept[key] = kept
        self._kept.move_to_end(key)
        kept.users += 1
        dropped: list[_Kept] = []
        while len(self._kept) > _MAXIMUM:
            _, oldest = self._kept.popitem(last=False)
            oldest.is_dropped = True
            if not oldest.users:
                dropped.append(oldest)
        return kept, dropped


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Connections] = WeakKeyDictionary()
_turn = threading.Lock()


def _forget() -> None:
    """Begin anew in a forked child: sockets are the parent's, and the lock may have been held."""
    global _turn, _of_loops
    _turn = threading.Lock()
    _of_loops = WeakKeyDictionary()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@asynccontextmanager
async def connection(credentials: DatabricksCredentials) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Give an open client of a workspace, to be used in the running loop; it is not to be closed.

    Args:
        credentials: Who asks, and where.
    """
    kept, dropped = (await _connections()).take(credentials)
    if not is_client(kept.client):
        async with _entered(kept.client) as client:
            yield client
        return
    try:
        for each in dropped:
            await _close(each.client)
        yield kept.client
    finally:
        kept.users -= 1
        if kept.is_dropped and not kept.users:
            await _close(kept.client)


def client_class() -> Any:
    """Give the class of clients, or what somebody has put in its place, in httpx or beside the block."""
    here = vars(sys.modules[_OURS]).get("AsyncClient") if _OURS in sys.modules else None
    # What is put back after a test is the class itself.
    return httpx.AsyncClient if here is None or is_of_httpx(here) else here


def is_of_httpx(kind: Any) -> bool:
    """Say whether a class of clients is one of httpx."""
    return getattr(kind, "__module__", None) == "httpx"


def is_client(client: object) -> bool:
    """Say whether this is a client of httpx, and not what stands in for one, as in tests of flows."""
    return issubclass(type(client), _CLIENT)  # a mock says of itself that it is one


def request_by(client: Any, method: str) -> Callable[..., Awaitable[httpx.Response]]:
    """Give what sends a request of a method: `request`, or what was put in the place of `get`, `post` and so on.

    Args:
        client: The client, or what stands in for one.
        method: Method of the request.
    """
    if is_replaced(client, method.lower(), "httpx._client"):
        return getattr(client, method.lower())
    return partial(client.request, method)


@asynccontextmanager
async def _entered(client: Any) -> AsyncGenerator[Any, None]:
    kind: Any = type(cast("object", client))
    if not hasattr(kind, "__aenter__"):
        yield client
        return
    async with client as entered:
        yield entered


async def _connections() -> _Connections:
    loop = asyncio.get_running_loop()
    with _turn:
        found = _of_loops.get(loop)
        if found is None:
            # Those of a loop that was closed without ending its generators hold it, and would stay for ever.
            for ended in [each for each in _of_loops if each.is_closed()]:
                del _of_loops[ended]
            found = _of_loops[loop] = _Connections()
            is_new = True
        else:
            is_new = False
    if is_new:
        await found.begin()
    return found


async def _close(client: httpx.AsyncClient) -> None:
    with contextlib.suppress(httpx.HTTPError, OSError, RuntimeError):
        await client.aclose()


def _environment() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) or os.environ.get(name.lower()) for name in _ENVIRONMENT)
