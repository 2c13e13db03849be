"""Stop the infrastructure of cancelled runs that do not end by themselves."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import anyio

from . import workers

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.workers.base import BaseWorker

T = TypeVar("T")

_RUNS_AT_ONCE = 200


class Cancellation(Generic[T]):
    """Looks for runs that were cancelled while their infrastructure runs.

    Prefect's own worker stops only what has not begun. What runs is asked to end by the process in the container; one
    that hangs, or has lost its way to the API, does not hear it.
    """

    def __init__(
        self,
        worker: BaseWorker[Any, Any, Any],
        *,
        running: Mapping[UUID, T],
        stop: Callable[[T], Awaitable[Any]],
        interval_seconds: float,
        grace_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Say for which worker.

        Args:
            worker: The worker; it must be open before the first look.
            running: What it has running, by flow run, as it is at each look.
            stop: Stops one; called again at the next look for as long as that runs.
            interval_seconds: How long to wait between two looks.
            grace_seconds: How long a cancelled run has to end by itself. One that has not begun has nothing to tidy up,
                and is stopped at once.
            monotonic: A clock that never goes back, in seconds.
        """
        self._worker = worker
        self._running = running
        self._stop_one = stop
        self._interval_seconds = interval_seconds
        self._grace_seconds = grace_seconds
        self._monotonic = monotonic
        self._since: dict[UUID, float] = {}
        self._is_in_trouble = False

    async def repeat(self) -> None:
        """Look for ever. What goes wrong is said once and tried again."""
        while True:
            await anyio.sleep(self._interval_seconds)
            try:
                await self.look()
            except Exception as exc:  # noqa: BLE001 - it must go on for as long as the worker does
                if not self._is_in_trouble:
                    workers.logger_of(self._worker).warning("Cannot look for cancelled runs; trying on: %s", exc)
                self._is_in_trouble = True
            else:
                self._is_in_trouble = False

    async def look(self) -> None:
        """Look once, and stop what had time to end by itself.

        Raises:
            Exception: What `stop` raises; the others have been stopped.
        """
        cancelled = await self._cancelled_runs()
        now = self._monotonic()
        self._since = {run_id: self._since.get(run_id, now) for run_id in cancelled}
        due: list[T] = []
        for run_id, flow_run in cancelled.items():
            grace = self._grace_seconds if flow_run.start_time is not None else 0.0
            if run_id in self._running and now - self._since[run_id] >= grace:
                due.append(self._running[run_id])
        failures: list[Exception] = []
        async with anyio.create_task_group() as group:
            for item in due:
                group.start_soon(self._stop, item, failures)
        if failures:
            raise failures[0]

    async def _stop(self, item: T, failures: list[Exception]) -> None:
        try:
            await self._stop_one(item)
        except Exception as exc:  # noqa: BLE001 - raised by the caller, after the others
            failures.append(exc)

    async def _cancelled_runs(self) -> dict[UUID, FlowRun]:
        from prefect.client.schemas.filters import (
            FlowRunFilter,
            FlowRunFilterId,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )
        from prefect.client.schemas.objects import StateType

        running = list(self._running)
        types = FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.CANCELLED])
        cancelled: dict[UUID, FlowRun] = {}
        for start in range(0, len(running), _RUNS_AT_ONCE):
            part = running[start : start + _RUNS_AT_ONCE]
            found = await self._worker.client.read_flow_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=part), state=FlowRunFilterState(type=types)),
                limit=_RUNS_AT_ONCE,
            )
            cancelled.update({flow_run.id: flow_run for flow_run in found})
        return cancelled
