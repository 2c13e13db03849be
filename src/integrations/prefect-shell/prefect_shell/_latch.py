"""A one-shot event that threads and coroutines can both wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

# Prefect ends a run in another thread by an exception that Python delivers only between two bytecodes of that thread,
# so a wait is cut in slices.
_SLICE_SECONDS = 0.1


class Latch:
    """Set once, it stays set. Waiting for it in a coroutine takes no thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Say whether it was set."""
        return self._event.is_set()

    def set(self) -> None:
        """Set it and wake all that wait."""
        with self._lock:
            self._event.set()
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def wait(self) -> None:
        """Block this thread until it is set."""
        while not self._event.wait(_SLICE_SECONDS):
            pass

    async def wait_async(self) -> None:
        """Suspend this coroutine until it is set."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def resolve() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            # The loop may be closed by now: then nobody waits any more.
            if not loop.is_closed():
                loop.call_soon_threadsafe(resolve)

        with self._lock:
            if self._event.is_set():
                return
            self._wakers.append(wake)
        try:
            await future
        finally:
            with self._lock:
                if wake in self._wakers:
                    self._wakers.remove(wake)
