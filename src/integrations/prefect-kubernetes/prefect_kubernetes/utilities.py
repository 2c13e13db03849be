"""What the Kubernetes SDK and its HTTP client lack.

Importing this module loads `kubernetes_asyncio`.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import kubernetes_asyncio.client.models
from aiohttp.client_reqrep import ClientRequest

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientResponse
    from aiohttp.connector import Connection

base_types: set[type] = {
    model
    for name, model in vars(kubernetes_asyncio.client.models).items()
    if isinstance(model, type) and name.startswith("V1")
}
"""The SDK's models of the stable API (`V1Job`, `V1Pod`, …)."""

V1KubernetesModel = TypeVar("V1KubernetesModel", bound=Any)
"""One of the SDK's models."""

_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 60, 30, 6


class KeepAliveClientRequest(ClientRequest):
    """A request over a connection that the kernel probes while it is idle.

    aiohttp probes only connections that it accepts, not those that it opens:
    https://github.com/aio-libs/aiohttp/issues/3904#issuecomment-759205696. Without probes, a watch over a connection
    that a load balancer has dropped waits for ever. The first probe goes out after 60 seconds of silence, then one
    every 30 seconds; after six without an answer the connection counts as lost.
    """

    async def send(self, conn: Connection) -> ClientResponse:
        """Turn the probes on and send the request.

        Args:
            conn: The connection to send it over.

        Returns:
            The response, whose body has not been read.
        """
        found: Any = conn.transport.get_extra_info("socket") if conn.transport is not None else None
        if found is not None:
            keep_alive(found)
        return await super().send(conn)


def keep_alive(connected: socket.socket) -> None:
    """Let the kernel probe a connection while it is idle.

    Args:
        connected: A TCP socket.
    """
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE"
    for name, value in ((idle, _IDLE_SECONDS), ("TCP_KEEPINTVL", _PROBE_SECONDS), ("TCP_KEEPCNT", _PROBES)):
        option = getattr(socket, name, None)
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
