"""Attempts of Cloud Run's tasks as containers on a Docker engine."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .._container_output import ContainerOutput
from .._engine_containers import EngineContainers
from .clock import Clock
from .errors import Json
from .run_attempts import AttemptEnd
from .run_play import CANCELLED, EXITED, TIMED_OUT, Launch
from .run_refusals import CANNOT_PULL

if TYPE_CHECKING:
    from ..docker import DockerEngine

LABEL = "prefect-tests-cloud-run"
"""Label of all containers that are started here. Its value tells servers apart."""

_SIGTERM, _SIGKILL = 15, 9


class Containers(EngineContainers):
    """Starts the containers of attempts."""

    def __init__(self, engine: DockerEngine, clock: Clock) -> None:
        """Use an engine.

        Args:
            engine: Where containers run.
            clock: Time-outs go by it.
        """
        super().__init__(engine, LABEL)
        self.clock = clock

    def image_problem(self, image: str) -> str:
        """Say what Cloud Run says of an image that the engine lacks."""
        return "" if self.has_image(image) else CANNOT_PULL["CONTAINER_MISSING"].format(image=image)

    def launch(self, launch: Launch) -> ContainerAttempt:
        """Start the containers of an attempt, in a thread."""
        return ContainerAttempt(self, launch)


class ContainerAttempt:
    """The containers of one attempt; it ends when the first of them does."""

    def __init__(self, containers: Containers, launch: Launch) -> None:
        """Start the thread.

        Args:
            containers: Where they run.
            launch: What runs.
        """
        self._containers = containers
        self._docker = containers.docker
        self._launch = launch
        self._ids: list[str] = []
        self._outputs: list[ContainerOutput] = []
        self._lock = threading.Lock()
        self._message = ""
        self._told: AttemptEnd | None = None
        self._stop_seconds: float | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._live, name=f"cloud-run-{launch.execution}", daemon=True).start()

    def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM, and after the grace SIGKILL; returns at once."""
        self._finish(CANCELLED, grace_seconds)

    def end(self, end: AttemptEnd) -> None:
        """Kill it, and say that it ended so."""
        self._told = self._told or end
        self._finish("", 0)

    def _finish(self, message: str, grace_seconds: float) -> None:
        with self._lock:
            if self._stop_seconds is not None:
                return
            self._message, self._stop_seconds = message, grace_seconds
        if self._ids:
            threading.Thread(target=self._stop_containers, name="cloud-run-stop", daemon=True).start()

    def _stop_containers(self) -> None:
        for each in list(self._ids):
            self._containers.stop(each, self._stop_seconds or 0)

    def _live(self) -> None:
        try:
            end = self._run()
        except Exception as exc:  # noqa: BLE001 - an attempt that hangs would tell a test nothing
            end = AttemptEnd(message=f"Local server: {type(exc).__name__}: {exc}", may_retry=False)
        self._ended.set()
        self._launch.ended(self._told or end)
        for each in self._ids:
            self._containers.remove(each)

    def _run(self) -> AttemptEnd:
        from docker.errors import APIError

        launch = self._launch
        try:
            for index, (container, environment) in enumerate(zip(launch.containers, launch.environment, strict=True)):
                self._create(index, container, environment)
            for each in self._ids:
                self._docker.api.start(each)
        except APIError as exc:
            said = f"The container failed to start: {exc.explanation}"
            return AttemptEnd(exit_code=127, message=said)
        for each in self._ids:
            self._follow(each)
        self._containers.clock.later(launch.timeout_seconds, self._time_out)
        if self._stop_seconds is not None:
            self._stop_containers()
        self._docker.api.wait(self._ids[0], timeout=24 * 3600)
        state = self._docker.api.inspect_container(self._ids[0])["State"]
        for output in self._outputs[:2]:
            output.join()
        return self._judge(state["ExitCode"], is_out_of_memory=state["OOMKilled"])

    def _judge(self, code: int, *, is_out_of_memory: bool) -> AttemptEnd:
        if self._message:
            signal = {128 + _SIGTERM: _SIGTERM, 128 + _SIGKILL: _SIGKILL}.get(code)
            return AttemptEnd(None if signal else code, signal, self._message)
        if is_out_of_memory:
            limit = self._launch.memory_bytes >> 20
            said = f"Memory limit of {limit} MiB exceeded with {limit} MiB used. Consider increasing the memory limit, "
            link = "see https://cloud.google.com/run/docs/configuring/memory-limits"
            return AttemptEnd(signal=_SIGKILL, message=f"{said}{link}")
        return AttemptEnd(exit_code=code, message=EXITED if code else "")

    def _time_out(self) -> None:
        if not self._ended.is_set():
            self._finish(TIMED_OUT, 1)

    def _create(self, index: int, container: Json, environment: Mapping[str, str]) -> None:
        launch = self._launch
        container_id = self._containers.create(
            container["image"],
            name=f"{launch.execution}-{launch.index}-{launch.attempt}-{index}",
            command=container.get("command") or (),
            args=container.get("args") or (),
            environment=environment,
            memory_bytes=launch.memory_bytes,
            working_dir=container.get("workingDir"),
        )
        self._ids.append(container_id)
        for mount in cast("list[Json]", container.get("volumeMounts", [])):
            files = launch.volumes.get(mount["name"])
            if files is not None:
                folder = mount["mountPath"]
                self._containers.put(container_id, {f"{folder}/{path}": text.encode() for path, text in files.items()})

    def _follow(self, container_id: str) -> None:
        for stream in ("stdout", "stderr"):
            is_out = stream == "stdout"
            add: Any = partial(self._add, stream)
            self._outputs.append(
                ContainerOutput(
                    self._docker, container_id, add, name="cloud-run-output", stdout=is_out, stderr=not is_out
                )
            )

    def _add(self, stream: str, lines: list[bytes]) -> None:
        for line in lines:
            if line:
                self._launch.wrote(stream, line.decode("utf-8", "replace"))
