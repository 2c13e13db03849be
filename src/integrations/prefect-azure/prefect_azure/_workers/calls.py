"""Calls to Azure Resource Manager: each in one of ten threads, repeated when it fails in a way that passes.

The SDK's own retries are switched off for each call, because they sleep in the thread, and threads are few.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.lowlevel
import anyio.to_thread

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, Verdict, aretry

from ..errors import AzureConflict, azure_errors, is_transient

if TYPE_CHECKING:
    from ..worker_settings import AzureWorkerSettings

R = TypeVar("R")

MAX_THREADS = 10
"""How many calls of a process's event loop are under way at a time, whatever the number of runs."""

ONE_TRY: dict[str, Any] = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 60}
"""Options for each operation of an SDK client: one try, and seconds for connecting and for each wait for data."""

START_ONLY: dict[str, Any] = {**ONE_TRY, "polling": False}
"""Options for operations that begin with `begin_`: their end is learnt by looking, without a thread that waits."""

_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("prefect-azure-calls")


def own_threads() -> anyio.CapacityLimiter:
    """The limiter of Azure calls in this event loop.

    Prefect's own work shares one small pool of threads (anyio's default), so a slow Azure would starve heartbeats;
    these calls wait in a pool of their own.
    """
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(MAX_THREADS)
        _limiter.set(limiter)
        return limiter


async def in_thread(call: Callable[[], R]) -> R:
    """Run a blocking call to Azure in one of its own threads.

    A call that was cancelled goes on to its end in its thread.

    Args:
        call: The call.
    """
    return await anyio.to_thread.run_sync(call, limiter=own_threads())


class Calls:
    """Calls to Azure, as the settings of a worker want them repeated.

    Args:
        settings: For how long, and after which delays, calls are repeated.
        identity: Who calls, for messages: `_identity.describe` of a block.
        clock: Time.
    """

    def __init__(self, settings: AzureWorkerSettings, *, identity: str = "", clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self._settings = settings
        self._identity = identity

    async def once(self, call: Callable[[], R], subject: str, *, secrets: Iterable[str] = ()) -> R:
        """Call once.

        Args:
            call: The call, made in a thread. It passes `ONE_TRY` or `START_ONLY` to the SDK, and reads pages to their
                end.
            subject: What it is about, for messages: `Container group 'x'`.
            secrets: Values that messages must not repeat.

        Raises:
            AzureError: If Azure refuses, or does not answer.
        """
        values = tuple(secrets)

        def work() -> R:
            with azure_errors(subject, identity=self._identity, secrets=values):
                return call()

        return await in_thread(work)

    async def repeated(self, call: Callable[[], R], subject: str, *, secrets: Iterable[str] = ()) -> R:
        """Call until it succeeds, fails for good, or the deadline would pass. The call must be safe to repeat."""
        return await self.retried(lambda: self.once(call, subject, secrets=secrets))

    async def retried(
        self, work: Callable[[], Awaitable[R]], *, is_transient: Callable[[Exception], Verdict] = is_transient
    ) -> R:
        """Do several calls until all succeed, one fails for good, or the deadline would pass.

        Args:
            work: The calls; they must be safe to repeat.
            is_transient: Says of an error whether to try again, and after how many seconds if Azure said so.
        """
        return await aretry(work, is_transient=is_transient, backoff=self.backoff(), clock=self.clock)

    @staticmethod
    def passes_soon(exc: Exception) -> Verdict:
        """Whether an error is transient, or a collision with what is being done to the same thing at the moment."""
        return is_transient(exc) or isinstance(exc, AzureConflict)

    def backoff(self) -> Backoff:
        """How long to try, and how long to wait."""
        return Backoff(
            initial_seconds=self._settings.call_initial_delay_seconds,
            maximum_seconds=self._settings.call_max_delay_seconds,
            deadline_seconds=self._settings.call_deadline_seconds,
        )
