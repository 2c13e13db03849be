"""Remove containers of the pool that have ended and need not be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import anyio

from prefect_integration_kit import workers

from ..errors import DockerError
from . import labels as names
from .documents import ended_at, exit_code_of, has_ended, part

if TYPE_CHECKING:
    from ..settings import DockerWorkerSettings
    from ..worker import DockerWorker
    from .engine import Engine
    from .runs import DockerRuns

_LEAST_AGE = timedelta(seconds=60)
"""A container that has just ended may still be looked at by the worker that started it."""

_UNSTARTED_AGE = timedelta(hours=1)
"""A container is started as soon as it has been created: one that is as old has lost its worker in between."""


@dataclass(frozen=True)
class Remains:
    """A container that has ended."""

    container_id: str
    exit_code: int
    ended_at: datetime
    auto_remove: bool


def to_remove(remains: Iterable[Remains], settings: DockerWorkerSettings, now: datetime) -> list[Remains]:
    """Choose what need not be kept.

    Args:
        remains: Containers of the pool that have ended.
        settings: What to keep.
        now: The present.

    Returns:
        Those that were to be removed at their end and were not, because their worker died; those that are too old; and
        the oldest of those that are too many. Failed ones stay where they are to be kept, and do not count.
    """
    old_enough = [item for item in remains if now - item.ended_at >= _LEAST_AGE]
    chosen = [item for item in old_enough if item.auto_remove]
    rest = [item for item in old_enough if not item.auto_remove and not (settings.keep_failed and item.exit_code != 0)]
    if settings.remove_after_seconds is not None:
        limit = timedelta(seconds=settings.remove_after_seconds)
        chosen += [item for item in rest if now - item.ended_at >= limit]
        rest = [item for item in rest if now - item.ended_at < limit]
    if settings.keep_count is not None:
        chosen += sorted(rest, key=lambda item: item.ended_at, reverse=True)[settings.keep_count :]
    return chosen


class Collection:
    """Removes containers, at the worker's start and once in a while."""

    def __init__(
        self,
        worker: DockerWorker,
        runs: DockerRuns,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._now = now
        self._worker = worker
        self._runs = runs
        self._logger = workers.logger_of(worker)

    async def repeat(self) -> None:
        """Collect for ever. What goes wrong is logged and tried again."""
        while True:
            try:
                await self.collect()
            except Exception as exc:  # noqa: BLE001 - it must go on for as long as the worker does
                self._logger.warning("Cannot remove old containers at present; trying on: %s", exc)
            await anyio.sleep(self._runs.settings.collect_interval_seconds)

    async def collect(self) -> None:
        """Collect once, on all engines that the worker has used, and that of its environment.

        Raises:
            DockerError: If an engine does not answer; the others have been looked at.
        """
        failure: DockerError | None = None
        try:
            await self._runs.engines.open(None)
        except DockerError as exc:
            if not self._runs.engines.values():
                raise
            failure = exc
        for engine in self._runs.engines.values():
            try:
                await self._collect_on(engine)
            except DockerError as exc:  # noqa: PERF203 - one engine must not hide the others
                failure = failure or exc
        if failure is not None:
            raise failure

    async def _collect_on(self, engine: Engine) -> None:
        pool = f"{names.WORK_POOL_NAME}={self._worker.work_pool.name}"
        ended = await engine.list([names.FLOW_RUN_ID, pool], ("exited", "dead"))
        busy = {item.container.container_id for item in self._runs.running.values()}
        remains = await self._remains(engine, [item for item in ended if str(item["Id"]) not in busy])
        chosen = to_remove(remains, self._runs.settings, self._now())
        unwanted = [item.container_id for item in chosen]
        unwanted += [each for each in await self._unstarted(engine, pool) if each not in busy]
        for container_id in unwanted:
            await engine.remove(container_id)
        if unwanted:
            self._logger.info("Removed %d containers of flow runs that had ended.", len(unwanted))

    async def _unstarted(self, engine: Engine, pool: str) -> list[str]:
        """List containers that were created some time ago and never started."""
        limit = (self._now() - _UNSTARTED_AGE).timestamp()
        created = await engine.list([names.FLOW_RUN_ID, pool], ("created",))
        return [str(item["Id"]) for item in created if float(item.get("Created") or limit) < limit]

    async def _remains(self, engine: Engine, items: Sequence[Mapping[str, Any]]) -> list[Remains]:
        """Look at containers one by one, where the list does not say enough."""
        settings = self._runs.settings
        by_policy = settings.remove_after_seconds is not None or settings.keep_count is not None
        found: list[Remains] = []
        for item in items:
            auto_remove = part(item, "Labels").get(names.AUTO_REMOVE) == "true"
            if not auto_remove and not by_policy:
                continue
            document = await engine.inspect(str(item["Id"]))
            if document is None or not has_ended(document):
                continue
            if (moment := ended_at(document)) is not None:
                found.append(Remains(str(item["Id"]), exit_code_of(document), moment, auto_remove))
        return found
