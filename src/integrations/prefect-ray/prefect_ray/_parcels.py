"""Bytes that many task runs need, put into Ray's object store once."""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

from prefect_integration_kit.task_run_parcels import SharedParcels

_KEPT = 16
_KEPT_BYTES = 1_000_000


class Parcel:
    """An object in the store, for as long as somebody holds this."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference


class Parcels:
    """The parcels of a flow run; equal ones are stored once, for as long as a future holds them.

    The latest small ones stay, so that a loop which keeps no futures stores the task and its context once, too.
    """

    def __init__(self) -> None:
        self._shared = SharedParcels(_put)
        self._lock = Lock()
        self._latest: OrderedDict[Parcel, None] = OrderedDict()

    def store(self, content: bytes) -> Parcel:
        """Store a parcel, unless an equal one is stored.

        Args:
            content: Its bytes.
        """
        parcel = self._shared.send(content)
        if len(content) <= _KEPT_BYTES:
            with self._lock:
                self._latest[parcel] = None
                self._latest.move_to_end(parcel)
                if len(self._latest) > _KEPT:
                    self._latest.popitem(last=False)
        return parcel


def _put(content: bytes) -> Parcel:
    import ray

    return Parcel(ray.put(content))
