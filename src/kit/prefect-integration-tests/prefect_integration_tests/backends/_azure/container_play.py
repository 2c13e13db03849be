"""What becomes of containers, as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from .container_runs import (
    OUT_OF_MEMORY,
    SIGKILL_CODE,
    SIGTERM_CODE,
    ContainerEnd,
    Launch,
    Runner,
    RunningContainer,
    Script,
    UsedScript,
)

if TYPE_CHECKING:
    from ..docker import DockerEngine
    from .arm_server import ArmServer
    from .containers import Containers


class LiveContainer(Protocol):
    """A container that may run now."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of what it is part of."""
        ...

    @property
    def container(self) -> str:
        """Its own name."""
        ...

    @property
    def running(self) -> RunningContainer | None:
        """It, while it runs."""
        ...

    @property
    def write(self) -> Callable[[Sequence[str]], None]:
        """Lets it write lines."""
        ...


class Play:
    """What containers do: by scripts, by hand, or for real on a Docker engine. Callable from any thread.

    Names are those of container groups, jobs or executions; `*` stands for anything in one.
    """

    def __init__(self, server: ArmServer) -> None:
        """Play for a server."""
        self._server = server
        self._scripts: list[UsedScript] = []
        self._engine: Runner | None = None
        self._engines: list[Containers] = []
        self.sources: list[Callable[[], Iterable[LiveContainer]]] = []
        """Of containers that run now."""

    def __call__(
        self,
        name: str = "*",
        *,
        container: str = "*",
        exit_code: int = 0,
        seconds: float | None = 0.0,
        lines: Sequence[str] = (),
        reason: str = "",
        stop_seconds: float = 0.0,
        exit_code_after_stop: int | None = None,
        image_problem: bool = False,
        pull_problem: str = "",
        times: int | None = None,
    ) -> None:
        """Say what containers do that start from now on; the newest script that fits is played.

        Without any, containers exit with 0 at once. With an engine, scripts count only for their two problems.

        Args:
            name: Of the container group, the job or the execution.
            container: Name of the container.
            exit_code: What it ends with.
            seconds: How long it runs, by the server's clock; `None`: until `end`, a stop, a deletion or its time-out.
            lines: What it writes first.
            reason: What Azure shows beside the exit code: by default `Completed` or `Error`.
            stop_seconds: How long it takes to end after SIGTERM. When that is past the grace, it is killed.
            exit_code_after_stop: What it ends with after SIGTERM; by default the signal ends it, with 143.
            image_problem: The image cannot be pulled, and Azure says so when it is asked to create the thing
                (`InaccessibleImage` of a group; 400 of a job).
            pull_problem: What Azure says when pulling fails later: provisioning ends as failed.
            times: How many containers are played so; all by default.
        """
        script = Script(
            name,
            container,
            exit_code,
            seconds,
            lines,
            reason,
            stop_seconds,
            exit_code_after_stop,
            image_problem,
            pull_problem,
            times,
        )
        with self._server.lock:
            self._scripts.insert(0, UsedScript(script, times))

    def end(self, name: str = "*", exit_code: int = 0, *, reason: str = "", container: str = "*") -> int:
        """End containers that run now.

        Args:
            name: Of the container group, the job or the execution.
            exit_code: What they end with.
            reason: What Azure shows beside the exit code: by default `Completed` or `Error`.
            container: Name of the container.

        Returns:
            How many were ended.
        """
        with self._server.lock:
            found = self._live(name, container)
            for each in found:
                if each.running is not None:
                    each.running.end(ContainerEnd(exit_code, reason))
        return len(found)

    def run_out_of_memory(self, name: str = "*") -> int:
        """End containers that run now as Azure does when they take more memory than they may; how many."""
        return self.end(name, SIGKILL_CODE, reason=OUT_OF_MEMORY)

    def write(self, name: str, lines: Sequence[str], *, container: str = "*") -> int:
        """Let containers that run now write lines.

        Args:
            name: Of the container group, the job or the execution.
            lines: What they write, without line ends.
            container: Name of the container.

        Returns:
            How many containers wrote.
        """
        with self._server.lock:
            found = self._live(name, container)
            for each in found:
                each.write(lines)
        return len(found)

    @property
    def running(self) -> int:
        """How many containers run now: what costs money."""
        with self._server.lock:
            return len(self._live("*", "*"))

    def use_engine(self, engine: DockerEngine | None) -> None:
        """Run containers on a Docker engine from now on, or play them again. A reset plays them again.

        Images must exist on the engine, under the name that is given to Azure. Containers share this machine's
        network, so that they reach what listens on loopback.
        """
        from .containers import Containers  # needs the package docker

        containers = None if engine is None else Containers(engine)
        if containers is not None:
            self._engines.append(containers)
        with self._server.lock:
            self._engine = containers

    def reset(self) -> None:
        """Forget all scripts and the engine."""
        self._scripts.clear()
        self._engine = None

    def close(self) -> None:
        """Remove what is left on engines."""
        for engine in self._engines:
            engine.close()

    def can_pull(self, names: Sequence[str], container: str, image: str) -> bool:
        """Say whether an image can be pulled when the thing is created."""
        if self._find(names, container, takes=False).image_problem:
            return False
        return self._engine is None or self._engine.has_image(image)

    def pull_problem(self, names: Sequence[str], container: str) -> str:
        """Say what is wrong with pulling it later; empty for nothing."""
        script = self._find(names, container, takes=False)
        if script.pull_problem:
            self._find(names, container, takes=True)
        return script.pull_problem

    def launch(self, launch: Launch) -> RunningContainer:
        """Start a container."""
        if self._engine is not None:
            return self._engine.launch(launch)
        return _Played(self._server, self._find(launch.names, launch.container, takes=True), launch)

    def _find(self, names: Sequence[str], container: str, *, takes: bool) -> Script:
        for used in self._scripts:
            script = used.script
            if used.left == 0 or not fnmatchcase(container, script.container):
                continue
            if any(fnmatchcase(name, script.name) for name in names):
                if takes and used.left is not None:
                    used.left -= 1
                return script
        return Script()

    def _live(self, name: str, container: str) -> list[LiveContainer]:
        return [
            each
            for source in self.sources
            for each in source()
            if each.running is not None
            and fnmatchcase(each.container, container)
            and any(fnmatchcase(own, name) for own in each.names)
        ]


class _Played:
    """A container without a process. Everything happens under the server's lock."""

    def __init__(self, server: ArmServer, script: Script, launch: Launch) -> None:
        self._server = server
        self._script = script
        self._launch = launch
        self._is_stopping = False
        self._has_ended = False
        server.clock.later(0.0005, self._start)  # never before the caller knows of it

    def _start(self) -> None:
        script = self._script
        with self._server.lock:
            if self._has_ended:
                return
            self._launch.started()
            if script.lines:
                self._launch.wrote(script.lines)
        if script.seconds is not None:
            over = ContainerEnd(script.exit_code, script.reason)
            self._server.clock.later(max(script.seconds, 0.0005), lambda: self.end(over))

    def end(self, end: ContainerEnd) -> None:
        with self._server.lock:
            if not self._has_ended:
                self._has_ended = True
                self._launch.ended(end)

    def stop(self, grace_seconds: float) -> None:
        if self._is_stopping and grace_seconds > 0:
            return
        self._is_stopping = True
        script = self._script
        if script.stop_seconds > grace_seconds or grace_seconds <= 0:
            end, seconds = ContainerEnd(SIGKILL_CODE), grace_seconds
        else:
            code = SIGTERM_CODE if script.exit_code_after_stop is None else script.exit_code_after_stop
            end, seconds = ContainerEnd(code), script.stop_seconds
        self._server.clock.later(seconds, lambda: self.end(end))
