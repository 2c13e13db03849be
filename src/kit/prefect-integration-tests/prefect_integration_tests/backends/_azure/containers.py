"""Containers of groups and jobs on a Docker engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .._container_output import ContainerOutput
from .._engine_containers import EngineContainers
from .container_runs import OUT_OF_MEMORY, SIGKILL_CODE, ContainerEnd, Launch

if TYPE_CHECKING:
    from ..docker import DockerEngine

LABEL = "prefect-tests-azure"
"""Label of all containers that are started here. Its value tells servers apart."""

_NOT_STARTED = 128


class Containers(EngineContainers):
    """Starts containers."""

    def __init__(self, engine: DockerEngine) -> None:
        """Use an engine.

        Args:
            engine: Where containers run.
        """
        super().__init__(engine, LABEL)

    def launch(self, launch: Launch) -> EngineContainer:
        """Start a container, in a thread."""
        return EngineContainer(self, launch)


class EngineContainer:
    """A container on the engine."""

    def __init__(self, containers: Containers, launch: Launch) -> None:
        """Start the thread.

        Args:
            containers: Where it runs.
            launch: What runs.
        """
        self._containers = containers
        self._docker = containers.docker
        self._launch = launch
        self._created_id = ""
        self._id = ""
        """Once it runs."""

        self._lock = threading.Lock()
        self._stop_seconds: float | None = None
        self._told: ContainerEnd | None = None
        name = f"azure-{launch.names[0]}-{launch.container}"
        threading.Thread(target=self._live, name=name, daemon=True).start()

    def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM, and after the grace SIGKILL; returns at once. A shorter grace may follow a longer one."""
        with self._lock:
            if self._stop_seconds is not None and grace_seconds >= self._stop_seconds:
                return
            self._stop_seconds = grace_seconds
            known = self._id
        if known:
            threading.Thread(target=self._stop, name="azure-stop", daemon=True).start()

    def end(self, end: ContainerEnd) -> None:
        """Kill it, and say that it ended so."""
        self._told = self._told or end
        self.stop(0)

    def _stop(self) -> None:
        self._containers.stop(self._id, self._stop_seconds or 0)

    def _live(self) -> None:
        try:
            end = self._run()
        except Exception as exc:  # noqa: BLE001 - a container that hangs would tell a test nothing
            end = ContainerEnd(_NOT_STARTED, f"Local server: {type(exc).__name__}: {exc}")
        self._launch.ended(self._told or end)
        if self._created_id:
            self._containers.remove(self._created_id)

    def _run(self) -> ContainerEnd:
        from docker.errors import APIError

        launch = self._launch
        try:
            self._created_id = self._containers.create(
                launch.image,
                name=f"{launch.names[0]}-{launch.container}",
                command=launch.command,
                args=launch.args,
                environment=launch.environment,
                memory_bytes=launch.memory_bytes,
            )
            if launch.files:
                self._containers.put(self._created_id, launch.files)
            self._docker.api.start(self._created_id)
        except APIError as exc:
            return ContainerEnd(_NOT_STARTED, f"ContainerCannotRun: {exc.explanation}")
        launch.started()
        output = ContainerOutput(self._docker, self._created_id, self._wrote, name="azure-output")
        with self._lock:
            self._id = self._created_id
            is_stopping = self._stop_seconds is not None
        if is_stopping:
            self._stop()
        self._docker.api.wait(self._created_id, timeout=24 * 3600)
        state = self._docker.api.inspect_container(self._created_id)["State"]
        output.join()
        if state["OOMKilled"]:
            return ContainerEnd(SIGKILL_CODE, OUT_OF_MEMORY)
        return ContainerEnd(state["ExitCode"])

    def _wrote(self, lines: list[bytes]) -> None:
        if lines:
            self._launch.wrote([line.decode("utf-8", "replace") for line in lines])
