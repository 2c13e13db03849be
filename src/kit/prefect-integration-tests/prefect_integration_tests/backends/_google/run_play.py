"""What becomes of an attempt of a task, as a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from .clock import Clock
from .errors import Json
from .run_attempts import Attempt, AttemptEnd

EXITED = "The container exited with an error."
TIMED_OUT = "The configured timeout was reached."
CANCELLED = "The task was cancelled."
_SIGTERM, _SIGKILL = 15, 9


@dataclass(frozen=True)
class Launch:
    """What an attempt needs to know."""

    project: str
    location: str
    job: str
    execution: str
    index: int
    attempt: int
    containers: Sequence[Json]
    environment: Sequence[Mapping[str, str]]
    """Of each container, with the values of secrets."""

    volumes: Mapping[str, Mapping[str, str]]
    """Files of secret volumes, by name of the volume and path in it."""

    timeout_seconds: float
    memory_bytes: int
    ended: Callable[[AttemptEnd], None]
    """To be called once, from any thread."""

    wrote: Callable[[str, str], None]
    """To be called with `stdout` or `stderr` and a line."""


class Runner(Protocol):
    """Starts attempts."""

    def image_problem(self, image: str) -> str:
        """Say why an image cannot be used; empty when it can."""
        ...

    def launch(self, launch: Launch) -> Attempt:
        """Start an attempt."""
        ...


@dataclass(frozen=True)
class Script:
    """What attempts do. See `GoogleApi.play`."""

    job: str = "*"
    exit_code: int = 0
    seconds: float | None = 0.0
    """How long it runs; `None`: until the test ends it."""

    lines: Sequence[str] = ()
    message: str = ""
    """What Cloud Run says of a failure that is not an exit code."""

    signal: int | None = None
    stop_seconds: float = 0.0
    """How long it takes to end after SIGTERM; past the grace it is killed."""

    exit_code_after_stop: int | None = None
    """Exit code after SIGTERM; `None` for a program that does not listen to it, which the signal ends."""

    image_problem: str = ""
    """Reason of a job that does not become ready, such as `CONTAINER_MISSING`."""

    start_problem: str = ""
    """Why an execution does not start."""

    times: int | None = None


@dataclass
class _Used:
    script: Script
    left: int | None


@dataclass
class Play:
    """The scripts of a test, the newest first, and how to run attempts by them."""

    clock: Clock
    default: Script = field(default_factory=Script)
    _scripts: list[_Used] = field(default_factory=list[_Used])

    def add(self, script: Script) -> None:
        """Add one; it goes before those that are there."""
        self._scripts.insert(0, _Used(script, script.times))

    def reset(self) -> None:
        """Forget all."""
        self._scripts.clear()
        self.default = Script()

    def of(self, job: str, *, takes: bool = False) -> Script:
        """Give the script of a job.

        Args:
            job: Its id.
            takes: Whether this is one of the times that the script is for.
        """
        for used in self._scripts:
            if used.left != 0 and fnmatchcase(job, used.script.job):
                if takes and used.left is not None:
                    used.left -= 1
                return used.script
        return self.default

    def launch(self, launch: Launch) -> Attempt:
        """Start an attempt that is played."""
        return _Played(self.clock, self.of(launch.job, takes=True), launch)


class _Played:
    def __init__(self, clock: Clock, script: Script, launch: Launch) -> None:
        self._clock = clock
        self._script = script
        self._launch = launch
        self._is_stopping = False
        for line in script.lines:
            launch.wrote("stdout", line)
        seconds = script.seconds
        if seconds is None or seconds > launch.timeout_seconds:
            over = AttemptEnd(signal=_SIGKILL, message=TIMED_OUT)
            clock.later(launch.timeout_seconds, lambda: launch.ended(over))
        else:
            clock.later(max(seconds, 0.001), self._end)  # never before the caller knows of the attempt

    def _end(self) -> None:
        script = self._script
        if script.signal is not None:
            self.end(AttemptEnd(signal=script.signal, message=script.message or EXITED))
        elif script.exit_code or script.message:
            self.end(AttemptEnd(exit_code=script.exit_code, message=script.message or EXITED))
        else:
            self.end(AttemptEnd(exit_code=0))

    def end(self, end: AttemptEnd) -> None:
        self._launch.ended(end)

    def stop(self, grace_seconds: float) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        script = self._script
        if script.stop_seconds > grace_seconds:
            end, seconds = AttemptEnd(signal=_SIGKILL, message=CANCELLED), grace_seconds
        elif script.exit_code_after_stop is not None:
            code = script.exit_code_after_stop
            end, seconds = AttemptEnd(exit_code=code, message=CANCELLED), script.stop_seconds
        else:
            end, seconds = AttemptEnd(signal=_SIGTERM, message=CANCELLED), script.stop_seconds
        self._clock.later(max(seconds, 0.001), lambda: self.end(end))
