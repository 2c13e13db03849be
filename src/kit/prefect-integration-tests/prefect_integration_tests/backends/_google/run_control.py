"""What a test may do to the local Cloud Run: look behind the API, say what becomes of executions, end them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .errors import Json
from .logging_v2 import Entries
from .run_attempts import AttemptEnd
from .run_model import Execution, Job
from .run_play import EXITED, Script
from .run_secrets import Secrets
from .run_settings import RunSettings
from .run_store import RunStore

if TYPE_CHECKING:
    from ..docker import DockerEngine
    from .rest_server import RestServer
    from .run_containers import Containers

OUT_OF_MEMORY = (
    "Memory limit of 512 MiB exceeded with 523 MiB used. Consider increasing the memory limit, see "
    "https://cloud.google.com/run/docs/configuring/memory-limits"
)


class CloudRun:
    """Jobs and executions of all projects and regions. Every method may be called from any thread."""

    def __init__(self, server: RestServer) -> None:
        """Look at the jobs of a server."""
        self._server = server
        self._store = server.shared(RunStore)
        self._used: list[Containers] = []
        self._store.log = server.shared(Entries).write_line

    @property
    def settings(self) -> RunSettings:
        """Delays, quotas, sizes of pages; a reset brings the defaults back."""
        return self._store.settings

    @property
    def secrets(self) -> Secrets:
        """Secrets that jobs may use: `secrets.set("api-key", "s3cret")`."""
        return self._store.secrets

    def play(
        self,
        job: str = "*",
        *,
        exit_code: int = 0,
        seconds: float | None = 0.0,
        lines: Sequence[str] = (),
        message: str = "",
        signal: int | None = None,
        stop_seconds: float = 0.0,
        exit_code_after_stop: int | None = None,
        image_problem: str = "",
        start_problem: str = "",
        times: int | None = None,
    ) -> None:
        """Say what becomes of executions that begin from now on; the newest script that fits is played.

        Without any, containers exit with 0 at once.

        Args:
            job: Id of the job; `*` stands for anything in it.
            exit_code: What the container ends with.
            seconds: How long it runs, by `clock`; `None`: until `end`, a cancellation, or its time-out.
            lines: What it writes first.
            message: What Cloud Run says of a failure that is no exit code.
            signal: The signal that ends it, instead of an exit code.
            stop_seconds: How long it takes to end after SIGTERM. When that is past the grace, it is killed.
            exit_code_after_stop: What it ends with after SIGTERM; by default the signal ends it.
            image_problem: Why the job does not become ready: `CONTAINER_MISSING`, `CONTAINER_IMAGE_UNAUTHORIZED` and so
                on, as the reason of its condition.
            start_problem: Why executions do not start, as the message of their condition.
            times: How many attempts are played so; all by default.
        """
        script = Script(
            job=job,
            exit_code=exit_code,
            seconds=seconds,
            lines=lines,
            message=message,
            signal=signal,
            stop_seconds=stop_seconds,
            exit_code_after_stop=exit_code_after_stop,
            image_problem=image_problem,
            start_problem=start_problem,
            times=times,
        )
        with self._server.lock:
            self._store.play.add(script)

    def use_engine(self, engine: DockerEngine | None) -> None:
        """Run containers on a Docker engine from now on, or play them again. A reset plays them again.

        Images must exist on the engine, under the name that jobs give.
        """
        from .run_containers import Containers  # needs the package docker

        containers = None if engine is None else Containers(engine, self._server.clock)
        if containers is not None:
            self._used.append(containers)
        with self._server.lock:
            self._store.runner = containers

    def close(self) -> None:
        """End what runs, and remove containers."""
        with self._server.lock:
            self._store.reset()
        for containers in self._used:
            containers.close()

    @property
    def jobs(self) -> list[Json]:
        """All jobs, the oldest first, in the form of API v2."""
        with self._server.lock:
            return [job.data for job in self._store.jobs.values()]

    @property
    def executions(self) -> list[Json]:
        """All executions, by job, the newest first, in the form of API v2."""
        with self._server.lock:
            return [execution.data for execution in self._store.executions()]

    @property
    def running(self) -> int:
        """How many containers run: what costs money."""
        with self._server.lock:
            return sum(execution.count("running") for execution in self._store.executions())

    def started(self, project: str = "") -> int:
        """Count the executions that were started since the reset, those of deleted jobs among them.

        Args:
            project: Its id; empty for all.
        """
        with self._server.lock:
            return self._store.started[project] if project else self._store.started.total()

    def execution(self, name: str) -> Json:
        """Give an execution by its full name or its id.

        Raises:
            LookupError: If there is none.
        """
        with self._server.lock:
            return self._execution(name).data

    def end(self, name: str = "*", exit_code: int = 0, *, message: str = "", signal: int | None = None) -> None:
        """End the containers that run now, of one execution or of all that a pattern fits.

        Args:
            name: Full name or id of the execution; `*` stands for anything in it.
            exit_code: What they end with.
            message: What Cloud Run says of the failure; the usual sentence by default.
            signal: The signal that ends them, instead of an exit code.
        """
        failed = exit_code != 0 or signal is not None
        end = AttemptEnd(None if signal else exit_code, signal, message or (EXITED if failed else ""))
        with self._server.changed:
            for execution in self._store.executions():
                if fnmatchcase(execution.id, name) or execution.name == name:
                    for attempt in [task.running for task in execution.tasks if task.running is not None]:
                        attempt.end(end)

    def run_out_of_memory(self, name: str = "*") -> None:
        """End containers as Cloud Run does when they take more memory than they may."""
        self.end(name, message=OUT_OF_MEMORY, signal=9)

    def forget(self, name: str) -> None:
        """Lose a job with its executions, or an execution, as when somebody deletes it by hand."""
        with self._server.changed:
            for job in list(self._store.jobs.values()):
                if name in (job.name, job.id):
                    self._lose(job)
                for execution in list(job.executions.values()):
                    if name in (execution.name, execution.id):
                        self._stop(execution)
                        del job.executions[execution.id]

    def _lose(self, job: Job) -> None:
        for execution in job.executions.values():
            self._stop(execution)
        del self._store.jobs[job.name]

    def _stop(self, execution: Execution) -> None:
        for task in execution.tasks:
            if task.running is not None:
                task.running.stop(0)

    def _execution(self, name: str) -> Execution:
        for execution in self._store.executions():
            if name in (execution.id, execution.name):
                return execution
        raise LookupError(f"There is no execution {name!r}.")
