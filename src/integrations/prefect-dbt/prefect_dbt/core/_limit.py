"""A slot of a global concurrency limit of Prefect."""

from __future__ import annotations

import asyncio
import contextlib

__all__ = ["LimitSlot", "without_slot"]


class LimitSlot:
    """A slot that is held by a task of its own, so it may be taken before a task run begins and given back within.

    Prefect's own context manager must be left where it was entered, and its renewal of the slot would cancel whoever
    entered it.
    """

    def __init__(self, name: str | None) -> None:
        """Take nothing yet.

        Args:
            name: Name of the limit; without one, nothing is ever waited for.
        """
        self._name = name
        self._holder: asyncio.Task[None] | None = None
        self._is_over = asyncio.Event()

    async def take(self) -> None:
        """Wait for a slot, if none is held.

        Raises:
            Exception: Of Prefect, if the limit does not exist any more or the API cannot be reached.
        """
        if self._name is None or self._holder is not None:
            return
        self._is_over.clear()
        has_slot = asyncio.Event()
        self._holder = holder = asyncio.create_task(self._hold(self._name, has_slot), name=f"limit {self._name}")
        taken = asyncio.create_task(has_slot.wait())
        try:
            await asyncio.wait({holder, taken}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self._holder = None
            holder.cancel()
            await asyncio.wait({holder})
            raise
        finally:
            taken.cancel()
        if holder.done():
            self._holder = None
            holder.result()

    async def give(self) -> None:
        """Give the slot back, if one is held. A cancellation comes through when it is given."""
        holder, self._holder = self._holder, None
        if holder is None:
            return
        self._is_over.set()
        was_cancelled = False
        while not holder.done():
            try:
                await asyncio.wait({holder})
            except asyncio.CancelledError:  # noqa: PERF203 - at most twice
                was_cancelled = True
        with contextlib.suppress(Exception, asyncio.CancelledError):
            holder.result()  # the work is done: a slot that cannot be given back expires with its lease
        if was_cancelled:
            raise asyncio.CancelledError

    async def _hold(self, name: str, has_slot: asyncio.Event) -> None:
        from prefect.concurrency.asyncio import concurrency

        # A slot that cannot be renewed is no reason to end a query that runs.
        async with concurrency(name, occupy=1, strict=True, raise_on_lease_renewal_failure=False):
            has_slot.set()
            await self._is_over.wait()


def without_slot(name: str | None, error: Exception) -> str:
    """Say why something did not run."""
    return f"No slot of the concurrency limit {name!r} could be had: {error!r}"
