"""Speak with a Docker Engine on the event loop: what is long or many, and would hold a thread each.

The engine's events and the output of containers are streams that last as long as the containers do
(https://docs.docker.com/reference/api/engine/, SystemEvents and ContainerLogs).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from .._client import EngineClient

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_MAX_FRAME_BYTES = 1 << 24

# pyright: reportUnknownMemberType=false


class WireError(Exception):
    """The engine answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)  # both, so that it survives pickling
        self.status = status

    def __str__(self) -> str:
        """Return the engine's message."""
        return str(self.args[1])


class Wire:
    """A connection of an event loop to an engine."""

    def __init__(self, client: httpx.AsyncClient, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def inspect(self, container_id: str) -> dict[str, Any]:
        """Ask how a container is.

        Raises:
            WireError: If the engine refuses; with status 404 when it has no such container.
            httpx.TransportError: If the connection breaks.
        """
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        answer = await self._client.get(f"{self._prefix}/containers/{container_id}/json", timeout=timeout)
        if answer.status_code != 200:
            raise WireError(answer.status_code, _message_of(answer.content))
        document: dict[str, Any] = answer.json()
        return document

    async def stop(self, container_id: str, grace_seconds: int) -> None:
        """Ask for a container to stop, and wait until it has.

        Raises:
            WireError: If the engine refuses; with status 404 when it has no such container.
            httpx.TransportError: If the connection breaks.
        """
        timeout = httpx.Timeout(_ANSWER_SECONDS + grace_seconds, connect=_CONNECT_SECONDS)
        path = f"{self._prefix}/containers/{container_id}/stop"
        answer = await self._client.post(path, params={"t": str(grace_seconds)}, timeout=timeout)
        if answer.status_code not in (204, 304):
            raise WireError(answer.status_code, _message_of(answer.content))

    @asynccontextmanager
    async def events(
        self, filters: Mapping[str, list[str]], since: float
    ) -> AsyncGenerator[AsyncIterator[dict[str, Any]]]:
        """Open the engine's stream of events. It lasts until it is left or breaks.

        Args:
            filters: Which events.
            since: Epoch seconds; events after it that the engine remembers come first.
        """
        params = {"filters": json.dumps(dict(filters)), "since": f"{since:.9f}"}
        async with self._stream("/events", params) as answer:
            yield _documents(answer.aiter_bytes())

    @asynccontextmanager
    async def logs(
        self, container_id: str, *, since: str, is_tty: bool
    ) -> AsyncGenerator[AsyncIterator[tuple[int, bytes]]]:
        """Open a container's output, as it comes and until it ends.

        Args:
            container_id: The container.
            since: Epoch seconds with nanoseconds behind a point.
            is_tty: Whether the container has a terminal: its output is one stream then, without frames.

        Returns:
            What the engine's log has, one entry at a time: the number of the stream (1: standard output, 2: errors),
            and the text with the time in front and, unless it is a part of a long line, a line's end behind.
        """
        params = {"follow": "1", "stdout": "1", "stderr": "1", "timestamps": "1", "since": since}
        async with self._stream(f"/containers/{container_id}/logs", params) as answer:
            pieces = answer.aiter_bytes()
            yield lines(pieces) if is_tty else frames(pieces)

    @asynccontextmanager
    async def _stream(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[httpx.Response]:
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        async with self._client.stream("GET", f"{self._prefix}{path}", params=dict(params), timeout=timeout) as answer:
            if answer.status_code != 200:
                raise WireError(answer.status_code, _message_of(await answer.aread()))
            yield answer


def open_wire(client: EngineClient) -> Wire | None:
    """Connect the event loop to the engine of a client.

    Args:
        client: Says where the engine is, how to speak TLS with it, and the version of its API.

    Returns:
        The wire; `None` for engines that are reached by SSH or a named pipe.
    """
    base_url = client.endpoint.base_url
    api: Any = client.api
    prefix = f"/v{api.api_version}"
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=4)
    scheme, _, rest = base_url.partition("://")
    if scheme in ("unix", "http+unix"):
        transport = httpx.AsyncHTTPTransport(uds=f"/{rest.lstrip('/')}", limits=limits)
        return Wire(httpx.AsyncClient(transport=transport, base_url="http://docker", trust_env=False), prefix)
    address = str(api.base_url)
    if scheme not in ("tcp", "http", "https") or not address.startswith(("http://", "https://")):
        return None
    verify = _tls_of(api) if address.startswith("https://") else True
    return Wire(httpx.AsyncClient(base_url=address, verify=verify, limits=limits, trust_env=False), prefix)


def _tls_of(api: Any) -> ssl.SSLContext:
    """The same TLS that the client speaks."""
    verify: Any = api.verify
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    cert: Any = api.cert
    if isinstance(cert, str):
        context.load_cert_chain(cert)
    elif cert:
        context.load_cert_chain(*cert)
    return context


def _message_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


# Streams -------------------------------------------------------------------------------------------------------------


async def _documents(pieces: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Read JSON documents, each of which ends with a line."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield json.loads(line)
    if rest.strip():
        yield json.loads(rest)


async def frames(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """Take a multiplexed stream apart: eight bytes before each frame name its stream and its length.

    The engine writes one frame for each entry of its log; a line of more than 16 KiB has several.
    https://docs.docker.com/reference/api/engine/ (ContainerAttach, "Stream format")

    Raises:
        ValueError: If the stream has no such frames.
    """
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while len(buffer) >= 8:
            size = int.from_bytes(buffer[4:8], "big")
            if buffer[0] > 3 or size > _MAX_FRAME_BYTES:
                raise ValueError("The container's output is not in frames.")
            if len(buffer) < 8 + size:
                break
            yield buffer[0], bytes(buffer[8 : 8 + size])
            del buffer[: 8 + size]


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """Take a terminal's output apart, which is all one stream without frames."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield 1, line + b"\n"
    if rest:
        yield 1, rest
