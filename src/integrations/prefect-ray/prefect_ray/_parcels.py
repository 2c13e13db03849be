"""Bytes that many task runs need, put into Ray's object store once."""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

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
        self._lock = Lock()
        self._stored: WeakValueDictionary[bytes, Parcel] = WeakValueDictionary()
        self._latest: OrderedDict[bytes, Parcel] = OrderedDict()

    def store(self, content: bytes) -> Parcel:
        """Store a parcel, unless an equal one is stored.

        Args:
            content: Its bytes.
        """
        import ray

        digest = blake2b(content, digest_size=16).digest()
        with self._lock:
            parcel = self._stored.get(digest)
            if parcel is None:
                parcel = self._stored[digest] = Parcel(ray.put(content))
            if len(content) <= _KEPT_BYTES:
                self._latest[digest] = parcel
                self._latest.move_to_end(digest)
                if len(self._latest) > _KEPT:
                    self._latest.popitem(last=False)
            return parcel
