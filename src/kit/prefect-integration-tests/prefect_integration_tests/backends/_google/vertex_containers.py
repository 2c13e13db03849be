"""The containers of custom jobs on a Docker engine: that of the first worker pool, as one attempt of a task.

They share this machine's network, so that they reach what listens on loopback. Nothing is pulled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .clock import Clock
from .run_attempts import AttemptEnd
from .run_containers import Containers
from .run_play import CANCELLED, TIMED_OUT, Launch

if TYPE_CHECKING:
    from ..docker import DockerEngine
    from .run_containers import ContainerAttempt

Change = Callable[[str, str, "tuple[int, str] | None"], None]
"""Brings a job, by name, into a state, with an error."""

_INVALID_ARGUMENT, _CANCELLED = 3, 1
_MEMORY_BYTES = 15 << 30  # n1-standard-4
_LONGEST_SECONDS = 7 * 86_400.0
_GRACE_SECONDS = 5.0


class VertexContainers:
    """Runs jobs, each in a container of its own."""

    def __init__(
        self, engine: DockerEngine, wrote: Callable[[Any, str, str], None] | None = None, *, memory_bytes: int = 0
    ) -> None:
        """Use an engine.

        Args:
            engine: Where containers run.
            wrote: Told of each line that a job's container writes: the job, `stdout` or `stderr`, the line.
            memory_bytes: What a container may have; as n1-standard-4 by default.
        """
        self._clock = Clock()
        self._containers = Containers(engine, self._clock)
        self._wrote = wrote
        self._memory_bytes = memory_bytes or _MEMORY_BYTES
        self._lock = threading.Lock()
        self._attempts: dict[str, ContainerAttempt] = {}

    def start(self, job: Any, change: Change) -> None:
        """Start a job's container; it is told of the job's states from then on."""
        pool = job.job_spec.worker_pool_specs[0]
        image = pool.container_spec.image_uri
        if self._containers.image_problem(image):
            said = f"Failed to pull the container image {image!r}: it was not found, or its registry denied access."
            change(job.name, "FAILED", (_INVALID_ARGUMENT, said))
            return
        change(job.name, "RUNNING", None)
        attempt = self._containers.launch(self._launch(job, pool, change))
        with self._lock:
            self._attempts[job.name] = attempt

    def _launch(self, job: Any, pool: Any, change: Change) -> Launch:
        _, project, _, region, _, number = job.name.split("/")
        wrote = self._wrote

        def write(stream: str, line: str) -> None:
            if wrote is not None:
                wrote(job, stream, line)

        container: dict[str, Any] = {"image": pool.container_spec.image_uri, "args": list(pool.container_spec.args)}
        if pool.container_spec.command:
            container["command"] = list(pool.container_spec.command)
        timeout = job.job_spec.scheduling.timeout
        return Launch(
            project=project,
            location=region,
            job=number,
            execution=f"vertex-{number}",
            index=0,
            attempt=0,
            containers=[container],
            environment=[
                {
                    "CLOUD_ML_PROJECT_ID": project,
                    "CLOUD_ML_JOB_ID": number,
                    **{variable.name: variable.value for variable in pool.container_spec.env},
                }
            ],
            volumes={},
            timeout_seconds=timeout.total_seconds() if timeout else _LONGEST_SECONDS,
            memory_bytes=self._memory_bytes,
            ended=lambda end: change(job.name, *_state_of(end)),
            wrote=write,
        )

    def cancel(self, name: str) -> None:
        """Send SIGTERM to a job's container, and SIGKILL some seconds later. Returns at once."""
        with self._lock:
            attempt = self._attempts.get(name)
        if attempt is not None:
            attempt.stop(_GRACE_SECONDS)

    def kill(self, name: str) -> None:
        """Kill a job's container, as if it had run out of memory."""
        with self._lock:
            attempt = self._attempts[name]
        attempt.end(AttemptEnd(exit_code=137))

    def stop(self) -> None:
        """Remove every container."""
        self._containers.close()
        self._clock.close()


def _state_of(end: AttemptEnd) -> tuple[str, tuple[int, str] | None]:
    if end.message == CANCELLED:
        return "CANCELLED", (_CANCELLED, "The job was cancelled.")
    if end.message == TIMED_OUT:
        return "FAILED", (_INVALID_ARGUMENT, "The job ran for longer than its timeout.")
    if end.exit_code == 0:
        return "SUCCEEDED", None
    status = 128 + end.signal if end.signal else end.exit_code
    said = f"The replica workerpool0-0 exited with a non-zero status of {status}. "
    if status == 137:
        said = f"The replica workerpool0-0 ran out-of-memory and exited with a non-zero status of {status}(SIGKILL). "
    link = (
        "To find out more about why your job exited please check the logs: https://console.cloud.google.com/logs/viewer"
    )
    return "FAILED", (_INVALID_ARGUMENT, f"{said}{link}")
