"""Learn how containers end: from the engine's events, and by looking at all of them together once in a while.

An engine sends one stream of events for all containers, so there is one reader for each engine, and no thread waits for
a container. The looks find what the stream has missed: a break, an engine that was restarted, a connection that died
without a word.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from prefect_integration_kit.background import end
from prefect_integration_kit.logs import Log

from . import labels as names
from .documents import has_ended, part
from .engine import LIVE

if TYPE_CHECKING:
    from ..settings import DockerWorkerSettings
    from .engine import Engine
    from .wire import Wire


_FILTERS = {"type": ["container"], "event": ["die", "destroy"], "label": [names.FLOW_RUN_ID]}
_OVERLAP_SECONDS = 5.0
"""How far back the engine is asked for events when its stream is opened."""

_RECONNECT_SECONDS = 1.0
_INSPECTED_AT_ONCE = 8


@dataclass
class _Awaited:
    """A container whose end is waited for."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    document: dict[str, Any] | None = None
    exit_code: int | None = None
    users: int = 0


class ContainerWatch:
    """Waits for containers of one engine to end."""

    def __init__(self, engine: Engine, settings: DockerWorkerSettings, logger: Log) -> None:
        self._engine = engine
        self._settings = settings
        self._logger = logger
        self._awaited: dict[str, _Awaited] = {}
        self._reader: asyncio.Task[None] | None = None
        self._is_in_trouble = False
        self._gives_events = True

    def expect(self, container_id: str) -> None:
        """Begin to listen for the end of a container that is about to be started."""
        self._awaited.setdefault(container_id, _Awaited())
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())

    def forget(self, container_id: str) -> None:
        """Listen no longer for a container that nobody waits for."""
        awaited = self._awaited.get(container_id)
        if awaited is not None and awaited.users == 0:
            del self._awaited[container_id]
            self._rest()

    async def wait(self, container_id: str) -> dict[str, Any] | None:
        """Wait until a container has ended.

        Args:
            container_id: The container. Where it was expected before it was started, no call is made for it; otherwise
                it is looked at once.

        Returns:
            What the engine says of it, as ContainerInspect gives it. Where the container was removed at once, only its
            exit code is in it; `None` when nobody has seen that, either.
        """
        is_expected = container_id in self._awaited
        self.expect(container_id)
        awaited = self._awaited[container_id]
        awaited.users += 1
        try:
            if not is_expected and not awaited.ended.is_set():
                await self._guarded_look([container_id])
            await awaited.ended.wait()
        finally:
            awaited.users -= 1
            self.forget(container_id)
        return awaited.document

    async def close(self) -> None:
        """Stop listening."""
        self._awaited.clear()
        reader, self._reader = self._reader, None
        if reader is not None:
            await end([reader])

    def _rest(self) -> None:
        if not self._awaited and self._reader is not None:
            self._reader.cancel()
            self._reader = None

    # Reading

    async def _read(self) -> None:
        """Read events while there is anything to wait for. What goes wrong is said once and tried again."""
        while self._awaited:
            try:
                if self._engine.wire is None:
                    await self._look_at_all()
                    await asyncio.sleep(self._settings.poll_interval_seconds)
                else:
                    await self._follow(self._engine.wire)
            except Exception as exc:  # noqa: BLE001, PERF203 - it must go on for as long as there are containers
                self._trouble(exc)
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _follow(self, wire: Wire) -> None:
        from .wire import WireError

        pause = _RECONNECT_SECONDS
        try:
            async with wire.events(_FILTERS, since=time.time() - _OVERLAP_SECONDS) as events:
                looks = asyncio.create_task(self._look_again_and_again())
                try:
                    async for event in events:
                        await self._heed(event)
                finally:
                    looks.cancel()
        except (WireError, ValueError) as exc:  # a proxy before the engine may keep them to itself
            self._do_without_events(exc)
            pause = self._settings.poll_interval_seconds
        await self._look_at_all()  # where the stream was refused, or ended at once, there was no time for one
        await asyncio.sleep(pause)  # when the engine has closed the stream, it is ending, or was restarted

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                await self._look_at_all()
            except Exception as exc:  # noqa: BLE001 - the stream may still be good
                self._trouble(exc)
            else:
                self._recovered()
            await asyncio.sleep(self._settings.watch_interval_seconds)

    async def _heed(self, event: Mapping[str, Any]) -> None:
        actor = part(event, "Actor")
        container_id = str(actor.get("ID") or event.get("id") or "")
        awaited = self._awaited.get(container_id)
        if awaited is None or awaited.ended.is_set():
            return
        exit_code = str(part(actor, "Attributes").get("exitCode") or "")
        if event.get("Action") == "die" and exit_code.isdigit():
            awaited.exit_code = int(exit_code)
        await self._guarded_look([container_id])

    # Looking

    async def _look_at_all(self) -> None:
        """Find the containers that are not alive any more, in one call, and look at those."""
        waiting = [container_id for container_id, awaited in self._awaited.items() if not awaited.ended.is_set()]
        if not waiting:
            return
        alive = {str(item.get("Id")) for item in await self._engine.list([names.FLOW_RUN_ID], LIVE)}
        await self._look([container_id for container_id in waiting if container_id not in alive])

    async def _guarded_look(self, container_ids: list[str]) -> None:
        try:
            await self._look(container_ids)
        except Exception as exc:  # noqa: BLE001 - the next look at all finds it
            self._trouble(exc)

    async def _look(self, container_ids: list[str]) -> None:
        limiter = anyio.Semaphore(_INSPECTED_AT_ONCE)
        failures: list[Exception] = []

        async def look(container_id: str) -> None:
            async with limiter:
                try:
                    document = await self._engine.inspect(container_id)
                except Exception as exc:  # noqa: BLE001 - raised below, after the others
                    failures.append(exc)
                else:
                    self._seen(container_id, document)

        if len(container_ids) == 1:
            await look(container_ids[0])
        else:
            async with anyio.create_task_group() as group:
                for container_id in container_ids:
                    group.start_soon(look, container_id)
        if failures:
            raise failures[0]

    def _seen(self, container_id: str, document: dict[str, Any] | None) -> None:
        awaited = self._awaited.get(container_id)
        if awaited is None:
            return
        if document is None:
            if awaited.exit_code is not None:
                awaited.document = {"Id": container_id, "State": {"ExitCode": awaited.exit_code}}
            awaited.ended.set()
        elif has_ended(document):
            awaited.document = document
            awaited.ended.set()

    # Saying

    def _trouble(self, exc: Exception) -> None:
        if not self._is_in_trouble:
            self._is_in_trouble = True
            self._logger.warning(
                "Cannot look after containers at %s at present; trying on: %s", self._engine.base_url, exc
            )

    def _do_without_events(self, exc: Exception) -> None:
        if self._gives_events:
            self._gives_events = False
            self._logger.warning(
                "The engine at %s gives no events (%s), so its containers are looked at every %g seconds.",
                self._engine.base_url,
                exc,
                self._settings.poll_interval_seconds,
            )

    def _recovered(self) -> None:
        if self._is_in_trouble:
            self._is_in_trouble = False
            self._logger.info("Looking after containers at %s again.", self._engine.base_url)
