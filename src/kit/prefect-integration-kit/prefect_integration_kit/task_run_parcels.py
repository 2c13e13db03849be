"""Bytes that many task runs need, sent to another process once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from .task_run_orders import digest_of

H = TypeVar("H")


class SharedParcels(Generic[H]):
    """Parcels that were sent. Equal ones are sent once, for as long as somebody holds their handle.

    Args:
        send: Sends a parcel, and returns the handle by which task runs ask for it; to it there must be weak references.
        is_lost: Whether a parcel has to be sent again; without it, none has.
    """

    def __init__(self, send: Callable[[bytes], H], is_lost: Callable[[H], bool] | None = None) -> None:
        self._send = send
        self._is_lost = is_lost
        self._lock = Lock()
        self._sent: WeakValueDictionary[bytes, H] = WeakValueDictionary()

    def send(self, content: bytes) -> H:
        """Send a parcel, unless an equal one is there.

        Args:
            content: Its bytes.
        """
        digest = digest_of(content)
        with self._lock:
            handle = self._sent.get(digest)
            if handle is None or (self._is_lost is not None and self._is_lost(handle)):
                handle = self._sent[digest] = self._send(content)
            return handle
