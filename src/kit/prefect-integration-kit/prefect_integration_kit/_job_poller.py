"""Learn how jobs end by listing all of them together: no call and no thread for each job while it runs."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import anyio

from .background import end
from .job_service import JobService, Seen
from .logs import Log
from .waiting import SYSTEM_CLOCK, Clock

_INSPECTED_AT_ONCE = 8
_FIRST_LOOK_SECONDS = 1.0
_GONE_AFTER_LOOKS = 2
"""A job that a look does not find may be a moment old; one that the next does not find, either, is gone."""


@dataclass
class _Awaited:
    """A job whose end is waited for."""

    added_seconds: float
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    seen: Seen | None = None
    misses: int = 0
    users: int = 0


class JobPoller:
    """Waits for the jobs of one service to end."""

    def __init__(
        self, service: JobService[Any], *, interval_seconds: float, logger: Log, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._service = service
        self._interval_seconds = interval_seconds
        self._logger = logger
        self._clock = clock
        self._awaited: dict[str, _Awaited] = {}
        self._task: asyncio.Task[None] | None = None
        self._may_list = True
        self._is_in_trouble = False
        self._is_due = False
        self._changed = asyncio.Event()

    async def wait(self, identifier: str) -> Seen | None:
        """Wait until a job has ended.

        Returns:
            What is known of it; `None` when it is gone, and nobody has seen how it ended.
        """
        awaited = self._awaited.setdefault(identifier, _Awaited(self._clock.monotonic()))
        awaited.users += 1
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        try:
            await awaited.ended.wait()
        finally:
            awaited.users -= 1
            if awaited.users == 0:
                self._awaited.pop(identifier, None)
        return awaited.seen

    def look_soon(self) -> None:
        """Look at once rather than at the end of the interval."""
        self._is_due = True
        self._changed.set()

    async def close(self) -> None:
        """Stop looking."""
        self._awaited.clear()
        task, self._task = self._task, None
        if task is not None:
            await end([task])

    async def _poll(self) -> None:
        while self._awaited:
            await self._pause()
            try:
                await self.look()
            except Exception as exc:  # noqa: BLE001 - it must go on for as long as there are jobs
                self._trouble(exc)
            else:
                self._recovered()

    async def _pause(self) -> None:
        """Wait until the next look; a new job shortens it."""
        began = self._clock.monotonic()
        while not self._is_due:
            self._changed.clear()
            left = self._delay() - (self._clock.monotonic() - began)
            if left <= 0:
                break
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        self._is_due = False

    def _delay(self) -> float:
        """Seconds between two looks: the younger the youngest job, the fewer."""
        if not self._may_list:
            return self._interval_seconds * max(1.0, len(self._awaited) / _INSPECTED_AT_ONCE)
        now = self._clock.monotonic()
        youngest = min((now - item.added_seconds for item in self._awaited.values()), default=self._interval_seconds)
        return min(self._interval_seconds, max(min(_FIRST_LOOK_SECONDS, self._interval_seconds), youngest))

    async def look(self) -> None:
        """Look once at all jobs that are waited for.

        Raises:
            Exception: If the service does not answer; what it has answered counts.
        """
        waiting = {identifier for identifier, awaited in self._awaited.items() if not awaited.ended.is_set()}
        if not waiting:
            return
        unclear = waiting
        if self._may_list:
            try:
                unclear = await self._look_at_list(waiting)
            except PermissionError as exc:
                self._may_list = False
                self._logger.warning(
                    "%ss are looked at one by one, because they cannot be listed: %s", self._service.kind, exc
                )
        await self._inspect(unclear)

    async def _look_at_list(self, waiting: set[str]) -> set[str]:
        """List all jobs; return those that must be looked at by themselves."""
        unclear = set(waiting)
        async for seen in self._service.list_jobs():
            if seen.identifier not in waiting or not seen.has_details:
                continue
            unclear.discard(seen.identifier)
            self._is_seen(seen.identifier, seen)
        return unclear

    async def _inspect(self, identifiers: set[str]) -> None:
        limiter = anyio.Semaphore(_INSPECTED_AT_ONCE)
        failures: list[Exception] = []

        async def inspect(identifier: str) -> None:
            async with limiter:
                try:
                    seen = await self._service.inspect(identifier)
                except Exception as exc:  # noqa: BLE001 - raised below, after the others
                    failures.append(exc)
                else:
                    self._is_seen(identifier, seen)

        async with anyio.create_task_group() as group:
            for identifier in identifiers:
                group.start_soon(inspect, identifier)
        if failures:
            raise failures[0]

    def _awaited_of(self, identifier: str) -> _Awaited:
        return self._awaited.get(identifier) or _Awaited(0.0)

    def _is_seen(self, identifier: str, seen: Seen | None) -> None:
        awaited = self._awaited_of(identifier)
        if seen is None:
            awaited.misses += 1
            if awaited.misses < _GONE_AFTER_LOOKS:
                return
        elif seen.ended is None:
            awaited.misses = 0
            return
        awaited.seen = seen
        awaited.ended.set()

    def _trouble(self, exc: Exception) -> None:
        if not self._is_in_trouble:
            self._is_in_trouble = True
            self._logger.warning("Cannot look after %ss at present; trying on: %s", self._service.kind, exc)

    def _recovered(self) -> None:
        if self._is_in_trouble:
            self._is_in_trouble = False
            self._logger.info("Looking after %ss again.", self._service.kind)
