"""Run flows in Docker containers.

Create a work pool, then start a worker for it:

```bash
prefect work-pool create --type docker my-docker-pool
prefect worker start --pool my-docker-pool
```

The worker needs a Docker Engine: that of its environment (`DOCKER_HOST`, the Docker context, the default socket), or
the one that the job variable `docker_host` names, so that one pool may span several. It starts a container for each
run and waits for its end, which it learns from the engine's events. A run whose container ends before the run has
reported its own end crashes, and its state says why. Cancelled runs end, whatever their process does. What a worker
leaves behind when it dies, the next one picks up.
"""

from __future__ import annotations

import enum
import os
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import prefect.utilities.dockerutils
from prefect.workers.base import BaseWorkerResult
from typing_extensions import ParamSpec

from prefect_integration_kit import workers
from prefect_integration_kit.attending_worker import AttendingWorker

from ._worker.configuration import DockerWorkerJobConfiguration, LogConfig, Ulimit
from .credentials import DockerRegistryCredentials
from .types import VolumeStr, is_relative_bind_source

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun

    from ._worker.runs import DockerRuns

__all__ = [
    "CONTAINER_LABELS",
    "DockerRegistryCredentials",
    "DockerWorker",
    "DockerWorkerJobConfiguration",
    "DockerWorkerResult",
    "ImagePullPolicy",
    "LogConfig",
    "Ulimit",
    "VolumeStr",
    "is_relative_bind_source",
]

P = ParamSpec("P")
"""Parameters of a flow."""

R = TypeVar("R")
"""What a flow returns."""

CONTAINER_LABELS: dict[str, str] = dict(prefect.utilities.dockerutils.CONTAINER_LABELS)
"""Labels of every container that a worker starts."""


class ImagePullPolicy(enum.Enum):
    """When the image of a container is pulled."""

    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    IF_POSSIBLE = "IfPossible"
    NEVER = "Never"


class DockerWorkerResult(BaseWorkerResult):
    """A container that has ended: its identifier and its exit code; -1 when nobody saw how it ended."""


class DockerWorker(AttendingWorker[DockerWorkerJobConfiguration, Any, DockerWorkerResult]):
    """A worker that runs flows in Docker containers."""

    type: str = "docker"
    job_configuration = DockerWorkerJobConfiguration
    _display_name = "Docker"
    _description = (
        "Execute flow runs within Docker containers. Works well for managing flow execution environments via Docker "
        "images. Requires access to a running Docker daemon."
    )
    _documentation_url = "https://docs.prefect.io/integrations/prefect-docker"
    _logo_url = "https://images.ctfassets.net/gm98wzqotmnx/2IfXXfMq66mrzJBDFFCHTp/6d8f320d9e4fc4393f045673d61ab612/Moby-logo.png?h=250"

    def __init__(self, *args: Any, test_mode: bool | None = None, **kwargs: Any) -> None:
        """Prepare a worker.

        Args:
            *args: Arguments of Prefect's `BaseWorker`, such as `work_pool_name`.
            test_mode: Whether the worker opens without a look whether a Docker Engine answers. When not given, the
                environment variable `PREFECT_DOCKER_TEST_MODE` says so.
            **kwargs: Further arguments of `BaseWorker`.
        """
        if test_mode is None:
            test_mode = os.environ.get("PREFECT_DOCKER_TEST_MODE", "").lower() in ("1", "true", "yes", "on")
        self.test_mode = test_mode
        super().__init__(*args, **kwargs)

    @cached_property
    def _runs(self) -> DockerRuns:
        from ._worker.runs import DockerRuns
        from .settings import DockerWorkerSettings

        related = partial(self._event_related_resources, include_self=True)
        return DockerRuns(self, DockerWorkerSettings(), related)

    @property
    def _attended(self) -> DockerRuns:
        return self._runs

    async def setup(self) -> None:
        """Prepare the worker to run, and warn when no Docker Engine answers.

        It is no error: the pool's runs may name other engines by `docker_host`.

        Raises:
            pydantic.ValidationError: If a setting of the worker has a bad value, or a job variable that it overrides.
                The message names it.
        """
        from ._worker.overrides import overridden

        runs = self._runs
        overridden(DockerWorkerJobConfiguration(image="any"), runs.settings.overrides)
        await super().setup()
        try:
            runs.open()
            if not self.test_mode:
                await self._look_for_engine(runs)
        except BaseException:
            await self.teardown(None, None, None)
            raise

    async def _look_for_engine(self, runs: DockerRuns) -> None:
        from ._worker.overrides import block_of
        from .errors import DockerError

        try:
            await runs.engines.open(block_of(runs.settings.overrides))
        except DockerError as exc:
            workers.logger_of(self).warning("%s Flow runs that do not name another engine will crash.", exc)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: DockerWorkerJobConfiguration,
        task_status: anyio.abc.TaskStatus[str] | None = None,
    ) -> DockerWorkerResult:
        """Start the container of a flow run, and wait until it has ended.

        Args:
            flow_run: The run.
            configuration: What it asks for.
            task_status: Told the container's identifier as soon as it is started.

        Returns:
            The identifier, the engine's address and the container's ID with a colon between, and the exit code. The
            identifier is empty when the run was cancelled before its container was started. A run that has not reported
            its end has been given a final state by then, unless the container exited with 0: then its report is waited
            for in the background.

        Raises:
            DockerError: If the engine refuses, or does not answer. The message names the thing, the cause and the
                remedy. Nothing is left behind.
            ValueError: If the configuration contradicts itself.
        """
        finished = await self._runs.run(flow_run, configuration, task_status)
        return DockerWorkerResult(identifier=finished.identifier, status_code=finished.status_code)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: DockerWorkerJobConfiguration, grace_seconds: int = 30
    ) -> None:
        """Stop a container, on the engine where it was started.

        Args:
            infrastructure_pid: The container's identifier: the engine's address and the container's ID with a colon
                between.
            configuration: Says how to speak with the engine, where the identifier alone does not.
            grace_seconds: Seconds between SIGTERM and SIGKILL.

        Raises:
            InfrastructureNotFound: If the engine does not know the container.
            DockerError: If the engine does not answer, or refuses to stop it.
            ValueError: If the identifier is not of that form.
        """
        await self._runs.kill(infrastructure_pid, configuration, grace_seconds)
