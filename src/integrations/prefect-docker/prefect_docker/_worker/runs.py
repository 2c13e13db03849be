"""What one worker has under way: containers from their start to their end, and what is said of it to Prefect."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import anyio.abc
from prefect.exceptions import InfrastructureNotFound

from prefect_integration_kit import workers
from prefect_integration_kit.background import Background, end
from prefect_integration_kit.cancellation import Cancellation
from prefect_integration_kit.settlement import Ended, Settled, settle
from prefect_integration_kit.waiting import Backoff, aretry

from ..errors import DockerError, DockerNotFound
from . import starting
from .collection import Collection
from .documents import has_terminal, name_of
from .engine import Engine, Engines
from .identifiers import parse_identifier
from .outcomes import Outcome, ended_of, outcome_of
from .output import OutputCopy
from .overrides import overridden
from .reconciliation import DockerReconciliation
from .starting import Container
from .watch import ContainerWatch

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from ..settings import DockerWorkerSettings
    from ..worker import DockerWorker
    from .configuration import DockerWorkerJobConfiguration

_DRAIN_SECONDS = 10.0
"""How long the last output of a container that has ended is waited for."""

_SETTLE = Backoff(deadline_seconds=60.0)
_REMEDY = "Set it to null in `env`, and mount a profiles.toml that has it by `volumes`."
_SECRETS: dict[str, str] = {name: _REMEDY for name in workers.PLAIN_SECRETS}  # noqa: C420 - of plain texts


@dataclass(frozen=True)
class Finished:
    """A container that has come to its end; without an identifier when there never was one."""

    identifier: str
    status_code: int
    is_settled: bool = False


class DockerRuns:
    """The runs of one worker."""

    def __init__(self, worker: DockerWorker, settings: DockerWorkerSettings) -> None:
        self.serving = False
        self.settings = settings
        self.engines = Engines(settings)
        self.running: dict[UUID, Container] = {}
        self.settled: set[UUID] = set()
        self._worker = worker
        self._cancelled: dict[UUID, bool] = {}
        self._ending: set[UUID] = set()
        self._watches: dict[int, ContainerWatch] = {}
        self._background = Background()
        self._serving = Background()
        self._unattended: dict[UUID, asyncio.Task[None]] = {}
        self._plain_secrets = workers.PlainSecretWarning(workers.logger_of(worker), "Docker containers", _SECRETS)

    # While the worker is open

    def open(self) -> None:
        """Begin to look after cancelled runs; where the worker serves its pool, after what was left behind, too."""
        self._background.open()
        cancellation = Cancellation(
            self._worker,
            running=self.running,
            stop=self._stop_cancelled,
            interval_seconds=self.settings.watch_interval_seconds,
            grace_seconds=self.settings.cancellation_grace_seconds,
        )
        self._background.start(cancellation.repeat())
        if self.serving:
            self._serving.open()
            self._serving.start(DockerReconciliation(self._worker, self).repeat())
            self._serving.start(Collection(self._worker, self).repeat())

    async def begin_to_close(self) -> None:
        """Pick up nothing more. Where a flow was called, give its container time to end when its run has."""
        await self._serving.close()
        if self.serving:
            return
        client = workers.client_of(self._worker)
        ending: list[asyncio.Task[None]] = []
        for flow_run_id, task in list(self._unattended.items()):
            try:
                flow_run = await client.read_flow_run(flow_run_id) if client is not None else None
            except Exception:  # noqa: BLE001, S112 - then it is not waited for
                continue
            if flow_run is not None and flow_run.state is not None and flow_run.state.is_final():
                ending.append(task)
        if ending:
            await asyncio.wait(ending, timeout=_DRAIN_SECONDS)

    async def close(self) -> None:
        """Stop looking. Containers go on; the next worker finds them."""
        await self._background.close()
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
        configuration = overridden(configuration, self.settings.overrides)
        container = await self._start(flow_run, configuration)
        if task_status is not None:
            task_status.started(container.identifier if container else None)
        elif container is not None:
            await self._store_identifier(flow_run, container)
        if container is None:
            return Finished("", 0)
        finished = await self._see_through(flow_run, configuration, container)
        if finished.is_settled and finished.status_code != 0:
            self.settled.add(flow_run.id)
        return finished

    async def initiate(self, flow_run: FlowRun, configuration: DockerWorkerJobConfiguration) -> None:
        """Start the container of a run, and see it through in the background for as long as the worker is open."""
        configuration = overridden(configuration, self.settings.overrides)
        container = await self._start(flow_run, configuration)
        if container is not None:
            await self._store_identifier(flow_run, container)
            self._see_through_in_background(flow_run, configuration, container)

    def _see_through_in_background(
        self,
        flow_run: FlowRun,
        configuration: DockerWorkerJobConfiguration,
        container: Container,
        *,
        from_now: bool = False,
    ) -> None:
        """Look after a container that runs. It counts towards the worker's limit until its end."""
        work = self._unattended_run(flow_run, configuration, container, from_now=from_now)
        self.running[flow_run.id] = container
        workers.take_slot(self._worker, flow_run.id)
        if (task := self._background.start(work)) is not None:
            self._unattended[flow_run.id] = task

    async def _unattended_run(
        self,
        flow_run: FlowRun,
        configuration: DockerWorkerJobConfiguration,
        container: Container,
        *,
        from_now: bool,
    ) -> None:
        try:
            await self._see_through(flow_run, configuration, container, from_now=from_now)
        except Exception:
            logger = self._worker.get_flow_run_logger(flow_run)
            logger.exception("Container '%s' is not looked after any more.", container.name)
        finally:
            self._unattended.pop(flow_run.id, None)
            workers.release_slot(self._worker, flow_run.id)

    async def _start(self, flow_run: FlowRun, configuration: DockerWorkerJobConfiguration) -> Container | None:
        """Start the container; `None` when the run was cancelled before."""
        logger = self._worker.get_flow_run_logger(flow_run)
        self.settled.discard(flow_run.id)
        self._cancelled[flow_run.id] = False
        try:
            self._plain_secrets.look_at(configuration.env)
            engine = await self.engines.open(configuration.docker_host)
            container = await starting.create(engine, flow_run.id, configuration, logger)
            watch = self._watch_of(engine)
            watch.expect(container.container_id)
            try:
                is_started = await starting.start(container, lambda: not self._cancelled.get(flow_run.id))
            except BaseException:
                watch.forget(container.container_id)
                raise
            if not is_started:
                watch.forget(container.container_id)
                logger.info("The flow run was cancelled before its container was started.")
                return None
            if self._cancelled.get(flow_run.id):
                await self._stop(container)
        finally:
            self._cancelled.pop(flow_run.id, None)
        self.running[flow_run.id] = container
        logger.info("Started container '%s' (%s).", container.name, container.container_id[:12])
        return container

    async def _see_through(
        self,
        flow_run: FlowRun,
        configuration: DockerWorkerJobConfiguration,
        container: Container,
        *,
        from_now: bool = False,
    ) -> Finished:
        """Wait for a container's end, copy its output meanwhile, settle the run, clean up."""
        output = None
        if configuration.stream_output:
            output = OutputCopy(
                container.engine,
                container.container_id,
                self.settings,
                workers.logger_of(self._worker),
                is_tty=container.is_tty,
                from_now=from_now,
            )
        copying = asyncio.create_task(output.copy()) if output is not None else None
        try:
            document = await self._watch_of(container.engine).wait(container.container_id)
            if output is not None and copying is not None:
                output.ended()
                await asyncio.wait([copying], timeout=_DRAIN_SECONDS)
            self._ending.add(flow_run.id)
        finally:
            self.running.pop(flow_run.id, None)
            if copying is not None:
                await end([copying])
        outcome = outcome_of(container.name, document)
        settled = None
        try:
            settled = await self._settle(flow_run, container, outcome)
            if document is not None and _is_to_be_removed(configuration):
                await self._remove(container)
        finally:
            if settled is not Settled.LATER:
                self._ending.discard(flow_run.id)
        return Finished(container.identifier, outcome.exit_code, is_settled=settled is not None)

    async def _stop(self, container: Container) -> None:
        try:
            await container.engine.stop(container.container_id, self.settings.stop_grace_seconds)
        except DockerError as exc:
            workers.logger_of(self._worker).warning("Container '%s' could not be stopped: %s", container.name, exc)

    async def _stop_cancelled(self, container: Container) -> None:
        await container.engine.stop(container.container_id, self.settings.stop_grace_seconds)
        workers.logger_of(self._worker).info("Stopped container '%s': its flow run was cancelled.", container.name)

    async def _remove(self, container: Container) -> None:
        try:
            await container.engine.remove(container.container_id)
        except DockerError as exc:
            workers.logger_of(self._worker).warning("Container '%s' could not be removed: %s", container.name, exc)

    def _watch_of(self, engine: Engine) -> ContainerWatch:
        key = id(engine)
        if key not in self._watches:
            self._watches[key] = ContainerWatch(engine, self.settings, workers.logger_of(self._worker))
        return self._watches[key]

    async def _store_identifier(self, flow_run: FlowRun, container: Container) -> None:
        await workers.store_identifier(self._worker, flow_run, container.identifier, f"container '{container.name}'")

    # Settling

    async def _settle(self, flow_run: FlowRun, container: Container, outcome: Outcome) -> Settled | None:
        """Give the run its final state if it lacks one; say what was done, `None` when nobody could be asked."""
        client = workers.client_of(self._worker)
        if client is None:
            return None
        ended = ended_of(container.name, container.identifier, outcome)
        logger = self._worker.get_flow_run_logger(flow_run)

        async def work() -> Settled:
            return await settle(
                flow_run.id, ended, client=client, logger=logger, grace_seconds=self.settings.report_grace_seconds
            )

        try:
            settled = await aretry(work, is_transient=lambda _: True, backoff=_SETTLE)
        except Exception as exc:  # noqa: BLE001 - the container has ended, whatever the API says
            logger.warning("The end of container '%s' could not be reported: %s", container.name, exc)
            return None
        if settled is Settled.CRASHED:
            await self._explain(flow_run, container)
        elif settled is Settled.LATER and self._background.start(self._settle_later(flow_run, ended)) is None:
            self._ending.discard(flow_run.id)
        return settled

    async def _settle_later(self, flow_run: FlowRun, ended: Ended) -> None:
        """Wait for the run's own report, and settle it when it does not come."""
        logger = self._worker.get_flow_run_logger(flow_run)
        settled = Settled.LATER
        while settled is Settled.LATER:
            passed = (datetime.now(timezone.utc) - ended.ended_at).total_seconds() if ended.ended_at else 0.0
            await anyio.sleep(max(0.5, self.settings.report_grace_seconds - passed))
            try:
                settled = await settle(
                    flow_run.id,
                    ended,
                    client=self._worker.client,
                    logger=logger,
                    grace_seconds=self.settings.report_grace_seconds,
                )
            except Exception as exc:  # noqa: BLE001 - tried again
                logger.warning("The end of %s could not be reported; trying on: %s", ended.name, exc)
                await anyio.sleep(self.settings.watch_interval_seconds)
        self._ending.discard(flow_run.id)

    async def _explain(self, flow_run: FlowRun, container: Container) -> None:
        """Tell a crashed run's logs what its container said last."""
        if not self.settings.crash_log_lines:
            return
        said = await container.engine.last_lines(container.container_id, self.settings.crash_log_lines)
        if said.strip():
            logger = self._worker.get_flow_run_logger(flow_run)
            logger.info("The last output of container '%s':\n%s", container.name, said.rstrip())

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

    def cancel_requested(self, flow_run_id: UUID) -> None:
        """A run that is being submitted is no longer wanted."""
        if flow_run_id in self._cancelled:
            self._cancelled[flow_run_id] = True

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Whether the run's container is being started or looked after, or its end being reported."""
        return flow_run_id in self._cancelled or flow_run_id in self.running or flow_run_id in self._ending

    def holds_slot(self, flow_run_id: UUID) -> bool:
        """Whether a run that is looked after in the background counts towards the worker's limit."""
        return flow_run_id in self._unattended

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
        self._see_through_in_background(
            flow_run, overridden(configuration, self.settings.overrides), container, from_now=True
        )


def _is_to_be_removed(configuration: DockerWorkerJobConfiguration) -> bool:
    return configuration.auto_remove or bool((configuration.container_create_kwargs or {}).get("auto_remove"))
