"""Look after many jobs: each when it has changed or its time has come, a few at a time, and none twice at once."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from .records import Record

if TYPE_CHECKING:
    from prefect_integration_kit.logs import Log

BACKOFF = Backoff(initial_seconds=2.0, maximum_seconds=120.0)
_TICK_SECONDS = 1.0


class Rounds:
    """Calls a function for records, again and again.

    Args:
        keep: Looks after a record. It returns after how many seconds it is to be called again, or `None` when the
            record is done with. What it raises is logged, and it is called again later.
        finish: Told which record is done with.
        logger: Told what `keep` raised.
        concurrency: How many records are looked after at a time.
        clock: Time.
    """

    def __init__(
        self,
        keep: Callable[[Record], Awaitable[float | None]],
        finish: Callable[[Record], None],
        logger: Log,
        *,
        concurrency: int,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._keep = keep
        self._finish = finish
        self._logger = logger
        self._concurrency = concurrency
        self._clock = clock
        self._queue: asyncio.Queue[Record] = asyncio.Queue()
        self._waiting: set[Record] = set()
        self._busy: set[Record] = set()
        self._again: set[Record] = set()
        self._alarms: list[tuple[float, int, Record]] = []
        self._due: dict[Record, float] = {}
        self._numbers = itertools.count()
        self._held: set[Record] = set()

    @property
    def is_idle(self) -> bool:
        """Whether no record waits for its turn or is being looked after."""
        return not self._waiting and not self._busy

    def mark(self, record: Record) -> None:
        """Have a record looked after soon. It may be called from this event loop only."""
        if record in self._held:
            return
        if record in self._busy:
            self._again.add(record)
        elif record not in self._waiting:
            self._waiting.add(record)
            self._queue.put_nowait(record)

    def hold(self, record: Record) -> None:
        """Let a record wait until it is `freed`."""
        self._held.add(record)

    def free(self, record: Record) -> None:
        """Have a record looked after soon, and no longer `hold` it."""
        self._held.discard(record)
        self.mark(record)

    def drop(self, record: Record) -> None:
        """Look after a record no more."""
        self._held.discard(record)
        self._due.pop(record, None)
        self._again.discard(record)

    async def run(self) -> None:
        """Go round for ever."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._ring)
            for _ in range(self._concurrency):
                group.start_soon(self._work)

    async def _work(self) -> None:
        while True:
            record = await self._queue.get()
            self._waiting.discard(record)
            if record in self._held:
                continue
            self._busy.add(record)
            try:
                await self._look_after(record)
            finally:
                self._busy.discard(record)
                if record in self._again:
                    self._again.discard(record)
                    self.mark(record)

    async def _look_after(self, record: Record) -> None:
        try:
            seconds = await self._keep(record)
        except Exception as exc:
            record.failures += 1
            seconds = BACKOFF.delay(record.failures)
            level = logging.WARNING if record.failures == 3 else logging.DEBUG
            self._logger.log(
                level,
                "Job %s of flow run '%s' cannot be looked after at present; trying on: %s",
                record.job_name,
                record.flow_run_id,
                f"{type(exc).__name__}: {exc}",
                exc_info=level == logging.DEBUG,
            )
        else:
            record.failures = 0
        if seconds is None:
            self.drop(record)
            self._finish(record)
        else:
            self._set_alarm(record, seconds)

    def _set_alarm(self, record: Record, seconds: float) -> None:
        if seconds == float("inf"):
            self._due.pop(record, None)
            return
        due = self._clock.monotonic() + seconds
        self._due[record] = due
        heapq.heappush(self._alarms, (due, next(self._numbers), record))

    async def _ring(self) -> None:
        while True:
            await self._clock.asleep(_TICK_SECONDS)
            now = self._clock.monotonic()
            while self._alarms and self._alarms[0][0] <= now:
                due, _, record = heapq.heappop(self._alarms)
                if self._due.get(record) == due:
                    del self._due[record]
                    self.mark(record)
