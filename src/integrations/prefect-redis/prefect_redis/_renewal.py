"""Keep locks alive while their holder lives: one daemon thread for each lock manager that holds some."""

from __future__ import annotations

import os
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from prefect.logging import get_logger

_logger = get_logger("prefect_redis.locking")

_PARTS = 3  # renewals in a lease: two may fail before it is lost


class Renewals:
    """Renews locks by `renew(key, holder)`, which says whether the holder still has it.

    Args:
        renew: A bound method. It is held weakly: a manager that nobody has any more renews nothing.
        lease_seconds: How long a lock lives without renewal.
    """

    def __init__(self, renew: Callable[[str, str], bool], lease_seconds: float) -> None:
        # A queue of this kind is safe to be put into while garbage is collected, other than an event.
        self._farewells = farewells = queue.SimpleQueue[None]()
        self._renew = weakref.WeakMethod(renew, lambda _: farewells.put(None))
        self._seconds = lease_seconds / _PARTS
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def add(self, key: str, holder: str) -> None:
        """Renew a lock from now on."""
        with self._lock:
            if self._pid != os.getpid():  # a fork: what is held so far is its parent's
                self._pid, self._thread, self._held = os.getpid(), None, {}
            self._held[key] = holder
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="prefect-redis-locks", daemon=True)
                self._thread.start()

    def remove(self, key: str, holder: str) -> None:
        """Renew a lock no more. The thread finds out when it looks next: many locks are short, and it costs more."""
        with self._lock:
            if self._held.get(key) == holder:
                del self._held[key]

    @property
    def keys(self) -> list[str]:
        """Keys of the locks that are renewed."""
        with self._lock:
            return list(self._held)

    def _run(self) -> None:
        due = time.monotonic() + self._seconds
        while not self._is_abandoned_before(due):
            due = time.monotonic() + self._seconds
            with self._lock:
                if not self._held:
                    self._thread = None
                    return
                held = list(self._held.items())
            renew: Any = self._renew()
            if renew is None:
                return
            for key, holder in held:
                self._renew_one(renew, key, holder)
            del renew

    def _is_abandoned_before(self, due: float) -> bool:
        try:
            self._farewells.get(timeout=max(0.0, due - time.monotonic()))
        except queue.Empty:
            return False
        return True

    def _renew_one(self, renew: Callable[[str, str], bool], key: str, holder: str) -> None:
        try:
            if renew(key, holder):
                return
        except Exception as exc:  # noqa: BLE001 - the next round may work; until then the lease goes on
            _logger.warning("The lock on %r was not renewed, trying again: %s", key, exc)
            return
        with self._lock:
            was_released = self._held.get(key) != holder
        if not was_released:
            self.remove(key, holder)
            _logger.error(
                "The lock on %r was lost: it was not renewed in time, or somebody deleted it. "
                "Another process may be working on the same record.",
                key,
            )
