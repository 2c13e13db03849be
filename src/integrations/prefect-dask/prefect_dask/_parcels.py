"""Bytes that many task runs need, sent to the cluster once."""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dask import config

from prefect_integration_kit.task_run_parcels import SharedParcels

if TYPE_CHECKING:
    from distributed import Future

_PIECE_BYTES = 8_000_000
"""A larger parcel is sent in pieces: a message of that size holds nobody up, and Dask warns of larger ones."""

_FIRST = 1_000_000
"""Priority of a parcel: whoever waits for it waits for a task run."""


# Dask's own `scatter` would spare the scheduler a copy, and what it sends is lost with the worker that it went to, with
# all that waits for it. It also needs a worker to be there already, which a cluster that scales from none never has.


def hold(content: bytes) -> bytes:
    """Stay on a worker. Dask makes a parcel again when its worker dies."""
    return content


def join(*pieces: bytes) -> bytes:
    """Put a parcel together, on a worker; Dask makes it and its pieces again, too."""
    return b"".join(pieces)


class Parcels:
    """The parcels that a client has sent; equal ones are sent once, for as long as somebody holds their future.

    Args:
        submit: Submits a function to Dask.
    """

    def __init__(self, submit: Callable[..., Future[Any]]) -> None:
        self._submit = submit
        self._shared: SharedParcels[Future[Any]] = SharedParcels(self._send_alone, _is_lost)

    def send(self, content: bytes) -> Future[Any]:
        """Send a parcel, unless an equal one is on the cluster; the future is what a task run depends on."""
        return self._shared.send(content)

    def _send_alone(self, content: bytes) -> Future[Any]:
        # In an empty context: annotations, such as a GPU that is wanted, are those of the task.
        return contextvars.Context().run(self._send, content)

    def _send(self, content: bytes) -> Future[Any]:
        with config.set(annotations={}):  # older versions of Dask have annotations here, and not in the context
            return self._whole(content)

    def _whole(self, content: bytes) -> Future[Any]:
        if len(content) <= _PIECE_BYTES:
            return self._on_cluster(hold, content)
        view = memoryview(content)
        pieces = [
            self._on_cluster(hold, bytes(view[first : first + _PIECE_BYTES]))
            for first in range(0, len(content), _PIECE_BYTES)
        ]
        return self._on_cluster(join, *pieces)

    def _on_cluster(self, function: Callable[..., bytes], *args: Any) -> Future[Any]:
        key = f"prefect-parcel-{uuid4().hex}"
        return self._submit(function, *args, key=key, priority=_FIRST, pure=False)


def _is_lost(future: Future[Any]) -> bool:
    return future.status in ("error", "cancelled")
