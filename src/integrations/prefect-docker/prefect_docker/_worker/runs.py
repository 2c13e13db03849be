"""What one worker has under way: containers from their start to their end, and what is said of it to Prefect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.exceptions import InfrastructureNotFound

from prefect_integration_kit import workers
from prefect_integration_kit.attended_runs import AttendedRuns, End, Finished
from prefect_integration_kit.background import end
from prefect_integration_kit.logs import Log

from ..errors import DockerError, DockerNotFound
from . import starting
from .collection import Collection
from .configuration import DockerWorkerJobConfiguration
from .documents import has_terminal, name_of, status_of
from .engine import Engine, Engines
from .events import ContainerEvents
from .identifiers import parse_identifier
from .outcomes import ended_of, outcome_of
from .output import OutputCopy
from .overrides import overridden
from .reconciliation import DockerReconciliation
from .starting import Container
from .watch import ContainerWatch

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun
    from prefect.events import RelatedResource

    from ..settings import DockerWorkerSettings
    from ..worker import DockerWorker

_DRAIN_SECONDS = 10.0
"""How long the last output of a container that has ended is waited for."""

_REMEDY = "Set it to null in `env`, and mount a profiles.toml that has it by `volumes`."
_SECRETS: dict[str, str] = {name: _REMEDY for name in workers.PLAIN_SECRETS}  # noqa: C420 - of plain texts


@dataclass(frozen=True)
class RunningContainer:
    """The container of a run, and what is to be done with its output and with itself."""

    container: Container
    configuration: DockerWorkerJobConfiguration
    events: ContainerEvents
    from_now: bool = False


class DockerRuns(AttendedRuns[DockerWorkerJobConfiguration, RunningContainer]):
    """The runs of one worker."""

    def __init__(
        self,
        worker: DockerWorker,
        settings: DockerWorkerSettings,
        related: Callable[[DockerWorkerJobConfiguration], list[RelatedResource]],
    ) -> None:
        super().__init__(
            worker,
            settings,
            look_seconds=settings.watch_interval_seconds,
            retry_seconds=settings.watch_interval_seconds,
            infrastructure="Docker containers",
            plain_secrets=_SECRETS,
        )
        self.settings = settings
        self.engines = Engines(settings)
        self._docker_worker = worker
        self._related = related
        self._watches: dict[int, ContainerWatch] = {}

    # While the worker is open

    def _rounds(self) -> Iterable[Coroutine[Any, Any, None]]:
        yield DockerReconciliation(self._docker_worker, self).repeat()
        yield Collection(self._docker_worker, self).repeat()

    async def close(self) -> None:
        """Stop looking. Containers go on; the next worker finds them."""
        await super().close()
        watches, self._watches = self._watches, {}
        for watch in watches.values():
            await watch.close()
        await self.engines.close()

    # Running

    async def run(
        self,
        flow_run: FlowRun,
        configuration: DockerWorkerJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None,
    ) -> Finished:
        """Start the container of a run, and see it through to its end."""
        return await super().run(flow_run, overridden(configuration, self.settings.overrides), task_status)

    async def initiate(self, flow_run: FlowRun, configuration: DockerWorkerJobConfiguration) -> None:
        """Start the container of a run, and see it through in the background for as long as the worker is open."""
        await super().initiate(flow_run, overridden(configuration, self.settings.overrides))

    async def _begin(
        self,
        flow_run: FlowRun,
        configuration: DockerWorkerJobConfiguration,
        is_wanted: Callable[[], bool],
        logger: Log,
    ) -> RunningContainer | None:
        engine = await self.engines.open(configuration.docker_host)
        container = await starting.create(engine, flow_run.id, configuration, logger)
        events = self._events_of(container, configuration)
        events.tell("created")
        watch = self._watch_of(engine)
        watch.expect(container.container_id)
        try:
            is_started = await starting.start(container, is_wanted)
        except BaseException:
            watch.forget(container.container_id)
            raise
        if not is_started:
            watch.forget(container.container_id)
            logger.info("The flow run was cancelled before its container was started.")
            return None
        logger.info("Started container '%s' (%s).", container.name, container.container_id[:12])
        events.tell("running")
        return RunningContainer(container, configuration, events)

    async def _await_end(self, item: RunningContainer) -> End:
        """Wait for the end, and copy the output meanwhile."""
        container = item.container
        output = None
        if item.configuration.stream_output:
            output = OutputCopy(
                container.engine,
                container.container_id,
                self.settings,
                workers.logger_of(self._worker),
                is_tty=container.is_tty,
                from_now=item.from_now,
            )
        copying = asyncio.create_task(output.copy()) if output is not None else None
        try:
            document = await self._watch_of(container.engine).wait(container.container_id)
            if output is not None and copying is not None:
                output.ended()
                await asyncio.wait([copying], timeout=_DRAIN_SECONDS)
        finally:
            if copying is not None:
                await end([copying])
        if document is not None:
            item.events.tell(status_of(document) or "exited")
        outcome = outcome_of(container.name, document)
        return End(
            ended=ended_of(container.name, container.identifier, outcome),
            status_code=outcome.exit_code,
            is_left=document is not None,
        )

    async def _stop(self, item: RunningContainer) -> None:
        container = item.container
        await container.engine.stop(container.container_id, self.settings.stop_grace_seconds)
        workers.logger_of(self._worker).info("Stopped container '%s': its flow run was cancelled.", container.name)

    async def _clear_away(self, item: RunningContainer) -> None:
        if not _is_to_be_removed(item.configuration):
            return
        container = item.container
        try:
            await container.engine.remove(container.container_id)
        except DockerError as exc:
            workers.logger_of(self._worker).warning("Container '%s' could not be removed: %s", container.name, exc)

    async def _last_lines(self, item: RunningContainer, count: int) -> str:
        return await item.container.engine.last_lines(item.container.container_id, count)

    def _identifier_of(self, item: RunningContainer) -> str:
        return item.container.identifier

    def _title_of(self, item: RunningContainer) -> str:
        return f"container '{item.container.name}'"

    def _events_of(self, container: Container, configuration: DockerWorkerJobConfiguration) -> ContainerEvents:
        return ContainerEvents(container.container_id, container.name, lambda: self._related(configuration))

    def _watch_of(self, engine: Engine) -> ContainerWatch:
        key = id(engine)
        if key not in self._watches:
            self._watches[key] = ContainerWatch(engine, self.settings, workers.logger_of(self._worker))
        return self._watches[key]

    # Ends

    async def kill(self, identifier: str, configuration: DockerWorkerJobConfiguration, grace_seconds: int) -> None:
        """Stop a container that this or another worker started, on the engine where it runs.

        Raises:
            InfrastructureNotFound: If the engine does not know it.
        """
        named = parse_identifier(identifier)
        engine = await self.engines.open_recorded(named, configuration.docker_host)
        if not await engine.stop(named.container_id, grace_seconds):
            raise InfrastructureNotFound(
                f"Cannot stop container {named.container_id!r}: the engine at {engine.base_url} does not have it."
            )

    async def adopt(
        self, flow_run: FlowRun, configuration: DockerWorkerJobConfiguration, infrastructure_pid: str
    ) -> None:
        """Look after a container that another worker started; settle its run when it has ended."""
        named = parse_identifier(infrastructure_pid)
        engine = await self.engines.open_recorded(named, configuration.docker_host)
        document = await engine.inspect(named.container_id)
        if document is None and engine.is_local and workers.owner_of(flow_run) != self._worker.name:
            # The same address is another engine on another machine, where a worker of this pool may have run.
            raise DockerNotFound(
                f"The Docker engine at {engine.base_url} does not have container {named.container_id[:12]}. It may be "
                "on another machine: start a worker there."
            )
        name = named.container_id[:12] if document is None else name_of(document)
        container = Container(engine, named.container_id, name, has_terminal(document))
        configuration = overridden(configuration, self.settings.overrides)
        events = self._events_of(container, configuration)
        self._see_through_in_background(flow_run, RunningContainer(container, configuration, events, from_now=True))


def _is_to_be_removed(configuration: DockerWorkerJobConfiguration) -> bool:
    return configuration.auto_remove or bool((configuration.container_create_kwargs or {}).get("auto_remove"))
