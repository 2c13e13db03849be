"""Bytes that many task runs need, sent to the cluster once."""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextvars
from collections.abc import Callable
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from distributed import Client, Future

_SCATTERED_BYTES = 8_000_000
"""What is larger goes to a worker's memory and past the scheduler's, and cannot be made again there."""

_FIRST = 1_000_000
"""Priority of a parcel: whoever waits for it waits for a task run."""


def hold(content: bytes) -> bytes:
    """Stay on a worker. Dask makes a parcel again when its worker dies."""
    return content


class Parcels:
    """The parcels that a client has sent; equal ones are sent once, for as long as somebody holds their future."""

    def __init__(self, client: Client, submit: Callable[..., Future[Any]]) -> None:
        self._client = client
        self._submit = submit
        self._lock = Lock()
        self._sent: WeakValueDictionary[bytes, Future[Any]] = WeakValueDictionary()

    def send(self, content: bytes) -> Future[Any]:
        """Send a parcel, unless an equal one is on the cluster; the future is what a task run depends on."""
        digest = blake2b(content, digest_size=16).digest()
        with self._lock:
            future = self._sent.get(digest)
            if future is None or future.status in ("error", "cancelled", "lost"):
                # In an empty context: annotations, such as a GPU that is wanted, are those of the task.
                future = contextvars.Context().run(self._send, content)
                self._sent[digest] = future
        return future

    def _send(self, content: bytes) -> Future[Any]:
        if len(content) > _SCATTERED_BYTES:
            scattered: Any = self._client.scatter([content], hash=False)
            return cast("Future[Any]", scattered[0])
        return self._submit(hold, content, key=f"prefect-parcel-{uuid4().hex}", priority=_FIRST, pure=False)
