"""Pick up the containers that a worker left behind when it died: they are found by their label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_integration_kit.reconciliation import Reconciliation

from . import labels as names
from .configuration import DockerWorkerJobConfiguration
from .documents import ended_at, has_ended, status_of
from .identifiers import parse_identifier
from .overrides import overridden

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from ..worker import DockerWorker
    from .runs import DockerRuns


class DockerReconciliation(Reconciliation[DockerWorkerJobConfiguration]):
    """Looks for runs left behind, at the worker's start and once in a while."""

    def __init__(self, worker: DockerWorker, runs: DockerRuns) -> None:
        super().__init__(
            worker,
            after_seconds=runs.settings.reconcile_after_seconds,
            interval_seconds=runs.settings.reconcile_interval_seconds,
        )
        self._runs = runs

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Whether the run's container is being started or looked after."""
        return self._runs.is_busy_with(flow_run_id)

    def is_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a container of an engine."""
        try:
            parse_identifier(infrastructure_pid)
        except ValueError:
            return False
        return True

    async def adopt(
        self, flow_run: FlowRun, configuration: DockerWorkerJobConfiguration, infrastructure_pid: str
    ) -> None:
        """Look after the container, or settle the run where it has ended."""
        await self._runs.adopt(flow_run, configuration, infrastructure_pid)

    async def find(self, flow_run: FlowRun, configuration: DockerWorkerJobConfiguration) -> str | None:
        """Look for the container by its label."""
        wanted = overridden(configuration, self._runs.settings.overrides).docker_host
        engine = await self._runs.engines.open(wanted)
        candidates: list[dict[str, Any]] = []
        for item in await engine.list([f"{names.FLOW_RUN_ID}={flow_run.id}"]):
            document = await engine.inspect(str(item["Id"]))
            if document is not None and _is_of_this_submission(document, flow_run):
                candidates.append(document)
        running = [document for document in candidates if not has_ended(document)]
        for document in [*running, *candidates]:
            if status_of(document) == "created":
                # Its worker died before it was started: it is made anew, with what the run asks for now.
                await engine.remove(str(document["Id"]))
                continue
            return engine.identifier(str(document["Id"]))
        return None

    async def submit(self, flow_run: FlowRun, configuration: DockerWorkerJobConfiguration) -> None:
        """Start the container, and look after it in the background."""
        await self._runs.initiate(flow_run, configuration)


def _is_of_this_submission(document: dict[str, Any], flow_run: FlowRun) -> bool:
    """A container that ended before the run was last made pending belongs to an attempt before this one."""
    if not has_ended(document) or flow_run.state is None:
        return True
    moment = ended_at(document)
    return moment is None or moment >= flow_run.state.timestamp
