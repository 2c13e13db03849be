"""An execution of a job of Container Apps: its replicas, their containers, and how Azure shows them."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .arm_errors import Json, object_of, rows_of, texts_of
from .container_log import ContainerLog
from .container_runs import SIGKILL_CODE, ContainerEnd, Launch, RunningContainer

if TYPE_CHECKING:
    from .container_job import ContainerJob

KIND = "Microsoft.App/jobs"
_UNITS = {"Gi": 1 << 30, "Mi": 1 << 20, "G": 10**9, "M": 10**6}
_LETTERS = string.ascii_lowercase + string.digits
_DEFAULT_SIZE = {"cpu": 0.5, "memory": "1Gi"}


def bytes_of(memory: str) -> float:
    """Read an amount of memory, such as `0.5Gi`.

    Raises:
        ValueError: If it is none.
    """
    for unit, size in _UNITS.items():
        if memory.endswith(unit):
            return float(memory.removesuffix(unit)) * size
    raise ValueError(memory)


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


@dataclass
class ReplicaContainer:
    """A container of a replica."""

    names: tuple[str, ...]
    data: Json
    is_init: bool
    state: str = "Waiting"
    ended: ContainerEnd | None = None
    running: RunningContainer | None = None
    log: ContainerLog = field(default_factory=ContainerLog)
    write: Callable[[Sequence[str]], None] = lambda lines: None

    @property
    def container(self) -> str:
        """Its name."""
        return self.data["name"]

    @property
    def view(self) -> Json:
        """Its part of `detailedStatus`."""
        view: Json = {"name": self.container, "status": self.state, "additionalInformation": ""}
        if self.ended is not None:
            view.update(code=self.ended.exit_code, additionalInformation=self.ended.reason)
        return view


class Replica:
    """One try of one replica of an execution."""

    def __init__(self, execution: Execution, number: int, tries: int) -> None:
        """Make it; `start` lets it begin.

        Args:
            execution: What it is part of.
            number: Which of the replicas that run side by side.
            tries: How many there were before it.
        """
        self.execution = execution
        self.number = number
        self.tries = tries
        self.name = f"{execution.name}-{_random(5)}"
        self.is_over = False
        template = execution.template
        names = (execution.job.name, execution.name, self.name)
        self.inits = [ReplicaContainer(names, each, is_init=True) for each in rows_of(template, "initContainers")]
        self.mains = [ReplicaContainer(names, each, is_init=False) for each in template["containers"]]
        for each in self.containers:
            each.write = self._writer(each)

    @property
    def containers(self) -> list[ReplicaContainer]:
        """Init containers first."""
        return [*self.inits, *self.mains]

    @property
    def place(self) -> Json:
        """Columns of Log Analytics that say where it runs."""
        job = self.execution.job
        return {
            "ContainerJobName_s": job.name,
            "JobName_s": job.name,
            "ExecutionName_s": self.execution.name,
            "ContainerGroupName_s": self.name,
            "ReplicaName_s": self.name,
            "EnvironmentName_s": job.environment.rpartition("/")[2],
        }

    def _writer(self, container: ReplicaContainer) -> Callable[[Sequence[str]], None]:
        def write(lines: Sequence[str]) -> None:
            job = self.execution.job
            with job.server.lock:
                container.log.add(lines, job.server.clock.ahead_seconds)
                job.logs.write({**self.place, "ContainerName_s": container.container}, lines)

        return write

    def start(self) -> None:
        """Start what is to start now: init containers one by one, then all others."""
        for init in self.inits:
            if init.ended is None:
                if init.running is None:
                    self._launch(init)
                return
        for each in self.mains:
            if each.running is None and each.ended is None:
                self._launch(each)

    def stop(self, grace_seconds: float) -> None:
        """Stop what runs."""
        for each in self.containers:
            if each.running is not None:
                each.running.stop(grace_seconds)

    def _launch(self, container: ReplicaContainer) -> None:
        job = self.execution.job
        server, data = job.server, container.data

        def started() -> None:
            with server.lock:
                container.state = "Running"
                job.logs.event(self.place, "ContainerStarted", f"Started container '{container.container}'")

        def ended(end: ContainerEnd) -> None:
            with server.lock:
                self._ended(container, end)

        size: Json = {**_DEFAULT_SIZE, **object_of(data, "resources")}
        launch = Launch(
            container.names,
            container.container,
            data["image"],
            texts_of(data, "command"),
            texts_of(data, "args"),
            {
                **job.environment_of(data),
                "CONTAINER_APP_JOB_NAME": job.name,
                "CONTAINER_APP_JOB_EXECUTION_NAME": self.execution.name,
                "CONTAINER_APP_REPLICA_NAME": self.name,
            },
            int(bytes_of(size["memory"])),
            job.files_of(data),
            started,
            container.write,
            ended,
        )
        container.running = job.play.launch(launch)

    def _ended(self, container: ReplicaContainer, end: ContainerEnd) -> None:
        container.running, container.ended, container.state = None, end, "Terminated"
        job = self.execution.job
        code, reason = f"exit code '{end.exit_code}'", f"reason '{end.detail}'"
        said = f"Container '{container.container}' was terminated with {code} and {reason}"
        job.logs.event(self.place, "ContainerTerminated", said, "Warning" if end.exit_code else "Normal")
        if self.is_over:
            return
        if container.is_init and not end.exit_code and not self.execution.is_ending:
            self.start()
            return
        if container.is_init or all(each.ended is not None for each in self.mains):
            self.is_over = True
            failed = any(each.ended is not None and each.ended.exit_code for each in self.containers)
            self.execution.replica_ended(self, is_success=not failed)


class Execution:
    """An execution of a job. Everything happens under the server's lock."""

    def __init__(self, job: ContainerJob, template: Json) -> None:
        """Make it; `start` lets it begin.

        Args:
            job: What it is of.
            template: Its containers.
        """
        self.job = job
        self.template = template
        self.name = f"{job.name}-{_random(7)}"
        self.status = "Processing"
        self.started = job.server.clock.text()
        self.ended = ""
        self.reason = ""
        self.message = ""
        self.ending = ""
        """The status that it is about to have, while its containers end."""

        self.replicas: list[Replica] = []
        self._succeeded = 0

    @property
    def id(self) -> str:
        """Its resource id."""
        return f"{self.job.id}/executions/{self.name}"

    @property
    def is_over(self) -> bool:
        """Has it ended?"""
        return self.status not in ("Processing", "Running")

    @property
    def is_ending(self) -> bool:
        """Are its containers told to end?"""
        return bool(self.ending)

    @property
    def view(self) -> Json:
        """Show it as Azure does."""
        properties: Json = {
            "status": self.status,
            "startTime": self.started,
            "template": {
                kind: [{key: value for key, value in each.items() if key in _SHOWN} for each in self.template[kind]]
                for kind in ("containers", "initContainers")
                if self.template.get(kind)
            },
            "detailedStatus": {
                "replicas": [
                    {"name": replica.name, "containers": [each.view for each in replica.containers]}
                    for replica in self.replicas
                ]
            },
        }
        if self.ended:
            properties["endTime"] = self.ended
        if self.reason:
            properties.update(reason=self.reason, message=self.message)
        return {"id": self.id, "name": self.name, "type": f"{KIND}/executions", "properties": properties}

    def start(self) -> None:
        """Start its replicas, and watch its time-out."""
        if self.is_over or self.is_ending:
            return
        server, configuration = self.job.server, self.job.configuration
        self.status = "Running"
        server.clock.later(configuration["replicaTimeout"], self._time_out)
        for number in range(self._manual.get("parallelism") or 1):
            self._add(number, 0)

    @property
    def _manual(self) -> Json:
        return object_of(self.job.configuration, "manualTriggerConfig")

    def _add(self, number: int, tries: int) -> None:
        replica = Replica(self, number, tries)
        self.replicas.append(replica)
        self.job.logs.event(replica.place, "SuccessfulCreate", f"Created pod: {replica.name}")
        for each in replica.containers:
            if problem := self.job.play.pull_problem(each.names, each.container):
                said = f"Failed to pull image '{each.data['image']}': {problem}"
                self.job.logs.event(replica.place, "ImagePullFailure", said, "Warning")
                self._finish("Failed", "ImagePullFailure", said)
                return
        replica.start()

    def replica_ended(self, replica: Replica, *, is_success: bool) -> None:
        """Hear that a replica has ended."""
        if self.is_ending:
            if all(each.is_over for each in self.replicas):
                self._finish(self.ending, self.reason, self.message)
        elif is_success:
            self._succeeded += 1
            wanted = self._manual.get("replicaCompletionCount") or 1
            if self._succeeded >= wanted:
                self._finish("Succeeded")
            elif sum(not each.is_over for each in self.replicas) < wanted - self._succeeded:
                self._add(replica.number, 0)
        elif replica.tries < (self.job.configuration.get("replicaRetryLimit") or 0):
            self._add(replica.number, replica.tries + 1)
        else:
            said = "Job has reached the specified backoff limit"
            self._finish("Failed", "BackoffLimitExceeded", said)

    def _finish(self, status: str, reason: str = "", message: str = "") -> None:
        if self.is_over:
            return
        self.status, self.reason, self.message = status, reason, message
        self.ended = self.job.server.clock.text()
        if reason and self.replicas:
            self.job.logs.event(self.replicas[-1].place, reason, message, "Warning")
        for replica in self.replicas:
            if not replica.is_over:
                replica.is_over = True
                replica.stop(self.job.server.settings.grace_seconds)

    def stop(self, *, grace_seconds: float | None = None) -> None:
        """Stop it, as the API's user wants."""
        self._end_soon("Stopped", "", "", grace_seconds)

    def _time_out(self) -> None:
        with self.job.server.lock:
            self._end_soon("Failed", "DeadlineExceeded", "Job was active longer than specified deadline", None)

    def _end_soon(self, status: str, reason: str, message: str, grace_seconds: float | None) -> None:
        if self.is_over or self.is_ending:
            return
        self.ending, self.reason, self.message = status, reason, message
        if all(each.is_over for each in self.replicas):
            self._finish(status, reason, message)
            return
        grace = self.job.server.settings.grace_seconds if grace_seconds is None else grace_seconds
        for replica in self.replicas:
            replica.stop(grace)
            if not replica.is_over and not any(each.running for each in replica.containers):
                replica.is_over = True
                self.replica_ended(replica, is_success=False)

    def end(self, status: str, reason: str = "", message: str = "") -> None:
        """End it as the test says, whatever its containers do."""
        for replica in self.replicas:
            for each in replica.containers:
                if each.running is not None:
                    replica.is_over = True
                    each.running.end(ContainerEnd(SIGKILL_CODE))
        self._finish(status, reason, message)


_SHOWN = {"image", "name", "command", "args", "env", "resources"}
