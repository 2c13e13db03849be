"""One ECS task: its record as DescribeTasks shows it, and its life as containers on a Docker engine."""

from __future__ import annotations

import contextlib
import copy
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._ecs_logs import ContainerLogs

LABEL = "prefect-tests-ecs"
"""Label of all containers that are started here. Its value tells emulators apart."""

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"

_POLL_SECONDS = 0.1
_STOP_SECONDS = 30  # as ECS, when a container does not say
_MIB = 1 << 20


class CannotStart(Exception):
    """A task does not start. The message is what ECS says about it."""

    def __init__(self, reason: str, container: str | None = None) -> None:
        """Say why.

        Args:
            reason: `stoppedReason` of the task.
            container: `reason` of the container, which is the task's by default.
        """
        super().__init__(reason, container)
        self.reason = reason
        self.container = container or reason


@dataclass(frozen=True)
class Surroundings:
    """What a task needs of the emulator that it runs in."""

    docker: Any
    label: str
    environment: Mapping[str, str]
    secret: Callable[[str], str]
    """The value that an entry of `secrets` names; `CannotStart` when there is none."""
    logs: Callable[[Mapping[str, Any], str], ContainerLogs | None]
    """Where the output of a container goes, by its definition and the id of its task."""
    changed: Callable[[dict[str, Any]], None]
    """Told of each change, with a copy of the record. Times are seconds since the epoch."""


@dataclass
class _Running:
    """A container that was started."""

    index: int
    essential: bool
    stop_seconds: int
    id: str
    logs: ContainerLogs | None
    ended: bool = False


class EcsTask:
    """A task, from RunTask until it is forgotten."""

    def __init__(
        self,
        record: dict[str, Any],
        definition: Mapping[str, Any],
        around: Surroundings,
        failure: CannotStart | None = None,
    ) -> None:
        """Describe a task; `start` runs it.

        Args:
            record: The task as RunTask answers it.
            definition: Its task definition.
            around: What it runs in.
            failure: Why it will not start, for tests of that.
        """
        self._record = record
        self._definition = definition
        self._around = around
        self._failure = failure
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._running: list[_Running] = []
        self._killed_for_memory = False
        self._thread = threading.Thread(target=self._live, name=f"ecs-task-{self.id[:8]}", daemon=True)

    @property
    def arn(self) -> str:
        """ARN of the task."""
        return self._record["taskArn"]

    @property
    def id(self) -> str:
        """Last part of the ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def record(self) -> dict[str, Any]:
        """A copy of the record; times are seconds since the epoch."""
        with self._lock:
            return copy.deepcopy(self._record)

    @property
    def is_stopped(self) -> bool:
        """Whether it has come to its end."""
        return self._record["lastStatus"] == "STOPPED"

    @property
    def container_ids(self) -> list[str]:
        """Docker's ids of the containers that were started, in order of the task definition."""
        return [container.id for container in self._running]

    def set_tags(self, tags: list[dict[str, str]]) -> None:
        """Replace the tags."""
        with self._lock:
            self._record["tags"] = tags

    def start(self) -> None:
        """Say that the task is there, and let it live in a thread."""
        self._around.changed(self.record)
        self._thread.start()

    def request_stop(self, code: str, reason: str) -> None:
        """Ask the task to end: SIGTERM, the containers' `stopTimeout`, SIGKILL. Returns at once."""
        with self._lock:
            if self._record["desiredStatus"] == "STOPPED":
                return
            self._mark_stopping(code, reason)
        self._wake.set()

    def kill(self, *, for_memory: bool = False) -> None:
        """End its essential containers by SIGKILL.

        Args:
            for_memory: Whether ECS reports that the container took more memory than it may.
        """
        from docker.errors import APIError

        self._killed_for_memory = self._killed_for_memory or for_memory
        for container in self._running:
            if container.essential:
                with contextlib.suppress(APIError):  # it has ended by itself
                    self._around.docker.api.kill(container.id)

    def join(self, timeout_seconds: float) -> None:
        """Wait for its thread to end."""
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    # Changes

    def _change(self, status: str | None = None, containers: str | None = None, **fields: Any) -> None:
        with self._lock:
            if status is not None:
                self._record["lastStatus"] = status
            if containers is not None:
                for container in self._record["containers"]:
                    if container["lastStatus"] != "STOPPED":
                        container["lastStatus"] = containers
            self._record.update(fields)
            self._record["version"] += 1
            now = self.record
        self._around.changed(now)

    def _mark_stopping(self, code: str, reason: str) -> None:
        self._record.update(desiredStatus="STOPPED", stopCode=code, stoppedReason=reason, stoppingAt=time.time())

    @property
    def _must_stop(self) -> bool:
        return self._record["desiredStatus"] == "STOPPED"

    # Life

    def _live(self) -> None:
        try:
            self._change("PENDING", pullStartedAt=time.time())
            if not self._must_stop:
                self._launch()
                self._watch()
        except CannotStart as exc:
            with self._lock:
                for container in self._record["containers"]:
                    container["reason"] = exc.container
                if not self._must_stop:
                    self._mark_stopping("TaskFailedToStart", exc.reason)
        except Exception as exc:  # noqa: BLE001 - a task that hangs would tell a test nothing
            with self._lock:
                if not self._must_stop:
                    self._mark_stopping("TaskFailedToStart", f"Emulator: {type(exc).__name__}: {exc}")
        self._end()

    def _launch(self) -> None:
        from docker.errors import APIError

        if self._failure is not None:
            raise self._failure
        definitions = self._definition["containerDefinitions"]
        for definition in definitions:
            self._require_image(definition["image"])
        self._change(pullStoppedAt=time.time())
        for index, definition in enumerate(definitions):
            self._running.append(self._create(index, definition))
        for container in self._running:
            try:
                self._around.docker.api.start(container.id)
            except APIError as exc:
                said = f"CannotStartContainerError: Error response from daemon: {exc.explanation}"
                raise CannotStart("Task failed to start", said) from exc
            if container.logs is not None:
                container.logs.follow(self._around.docker, container.id)
        self._change("RUNNING", "RUNNING", startedAt=time.time())

    def _require_image(self, image: str) -> None:
        from docker.errors import APIError

        try:
            self._around.docker.api.inspect_image(image)
        except APIError as exc:
            raise CannotStart(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {image}: {image}: not found"
            ) from exc

    def _override(self, name: str) -> Mapping[str, Any]:
        overrides: list[Mapping[str, Any]] = self._record["overrides"].get("containerOverrides", [])
        return next((override for override in overrides if override.get("name") == name), dict[str, Any]())

    def _create(self, index: int, definition: Mapping[str, Any]) -> _Running:
        from docker.errors import APIError

        name = definition["name"]
        override = self._override(name)
        secrets = {item["name"]: self._around.secret(item["valueFrom"]) for item in definition.get("secrets", [])}
        environment = {
            **self._around.environment,
            **{item["name"]: item["value"] for item in definition.get("environment", [])},
            **secrets,
            **{item["name"]: item["value"] for item in override.get("environment", [])},
        }
        limit = override.get("memory") or definition.get("memory") or self._record.get("memory")
        limits = {"mem_limit": int(limit) * _MIB, "memswap_limit": int(limit) * _MIB} if limit else {}
        sources = {volume["name"]: volume.get("host", {}).get("sourcePath") for volume in self._definition["volumes"]}
        binds = [
            f"{sources[mount['sourceVolume']]}:{mount['containerPath']}:{'ro' if mount.get('readOnly') else 'rw'}"
            for mount in definition.get("mountPoints", [])
            if sources.get(mount.get("sourceVolume"))
        ]
        logs = self._around.logs(definition, self.id)
        mode = "none" if self._definition.get("networkMode") == "none" else "host"
        try:
            # `create`, unlike `run`, never pulls.
            container = self._around.docker.containers.create(
                definition["image"],
                command=override.get("command", definition.get("command")),
                entrypoint=definition.get("entryPoint"),
                environment=environment,
                name=f"ecs-{self.id[:12]}-{index}-{name}",
                labels={LABEL: self._around.label, "com.amazonaws.ecs.task-arn": self.arn},
                network_mode=mode,
                user=definition.get("user"),
                working_dir=definition.get("workingDirectory"),
                volumes=binds,
                read_only=bool(definition.get("readonlyRootFilesystem")),
                privileged=bool(definition.get("privileged")),
                **limits,
            )
        except APIError as exc:
            said = f"CannotCreateContainerError: Error response from daemon: {exc.explanation}"
            raise CannotStart("Task failed to start", said) from exc
        with self._lock:
            self._record["containers"][index]["runtimeId"] = container.id
        return _Running(
            index, definition.get("essential", True), definition.get("stopTimeout", _STOP_SECONDS), container.id, logs
        )

    def _watch(self) -> None:
        """Return when an essential container has ended or the task is to stop."""
        while not self._must_stop:
            ended = [container for container in self._running if self._look(container)]
            if any(container.essential for container in ended):
                with self._lock:
                    if not self._must_stop:
                        self._mark_stopping("EssentialContainerExited", "Essential container in task exited")
            elif ended:
                self._change()
            self._wake.wait(_POLL_SECONDS)

    def _look(self, container: _Running) -> bool:
        """Note the end of a container, and say whether it ended since the last look."""
        if container.ended:
            return False
        state = self._around.docker.api.inspect_container(container.id)["State"]
        if container.logs is not None:
            container.logs.flush(ended=not state["Running"])
        if state["Running"] or state["Status"] == "created":
            return False
        container.ended = True
        with self._lock:
            seen = self._record["containers"][container.index]
            seen.update(lastStatus="STOPPED", exitCode=state["ExitCode"])
            if state["OOMKilled"] or (self._killed_for_memory and state["ExitCode"] == 137):
                seen["reason"] = OUT_OF_MEMORY
        return True

    def _end(self) -> None:
        from docker.errors import APIError

        self._change("DEACTIVATING")
        self._change("STOPPING")
        for container in self._running:
            with contextlib.suppress(APIError):
                if not container.ended:
                    self._around.docker.api.stop(container.id, timeout=container.stop_seconds)
                self._look(container)
        self._change("DEPROVISIONING", executionStoppedAt=time.time())
        for container in self._running:
            with contextlib.suppress(APIError):
                self._around.docker.api.remove_container(container.id, v=True, force=True)
        for attachment in self._record["attachments"]:
            attachment["status"] = "DELETED"
        self._change("STOPPED", "STOPPED", connectivity="DISCONNECTED", stoppedAt=time.time())


def new_id() -> str:
    """Return a new id of the form that ECS gives tasks: 32 hexadecimal digits."""
    return uuid.uuid4().hex
