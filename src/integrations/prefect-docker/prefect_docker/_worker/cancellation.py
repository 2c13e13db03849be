"""Stop the containers of cancelled runs that do not end by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import anyio

from prefect_integration_kit import workers

from ..errors import DockerError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from ..worker import DockerWorker
    from .runs import DockerRuns
    from .starting import Container

_RUNS_AT_ONCE = 200


class Cancellation:
    """Looks for runs that were cancelled while their container runs.

    Prefect's own worker stops only what has not begun. What runs is asked to end by the process in the container; one
    that hangs, or has lost its way to the API, does not hear it.
    """

    def __init__(self, worker: DockerWorker, runs: DockerRuns, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._worker = worker
        self._runs = runs
        self._monotonic = monotonic
        self._since: dict[UUID, float] = {}
        self._is_in_trouble = False

    async def repeat(self) -> None:
        """Look for ever. What goes wrong is said once and tried again."""
        while True:
            await anyio.sleep(self._runs.settings.watch_interval_seconds)
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
            DockerError: If an engine refuses to stop one; the others have been stopped.
        """
        cancelled = await self._cancelled_runs()
        now = self._monotonic()
        self._since = {run_id: self._since.get(run_id, now) for run_id in cancelled}
        due: list[Container] = []
        for run_id, flow_run in cancelled.items():
            container = self._runs.running.get(run_id)
            # A run that has not begun has nothing to tidy up.
            grace = self._runs.settings.cancellation_grace_seconds if flow_run.start_time is not None else 0.0
            if container is not None and now - self._since[run_id] >= grace:
                due.append(container)
        failures: list[DockerError] = []
        async with anyio.create_task_group() as group:
            for container in due:
                group.start_soon(self._stop, container, failures)
        if failures:
            raise failures[0]

    async def _stop(self, container: Container, failures: list[DockerError]) -> None:
        logger = workers.logger_of(self._worker)
        try:
            await container.engine.stop(container.container_id, self._runs.settings.stop_grace_seconds)
        except DockerError as exc:
            failures.append(exc)
        else:
            logger.info("Stopped container '%s': its flow run was cancelled.", container.name)

    async def _cancelled_runs(self) -> dict[UUID, FlowRun]:
        from prefect.client.schemas.filters import (
            FlowRunFilter,
            FlowRunFilterId,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )
        from prefect.client.schemas.objects import StateType

        running = list(self._runs.running)
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
