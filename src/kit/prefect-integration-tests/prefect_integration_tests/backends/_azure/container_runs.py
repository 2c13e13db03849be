"""One container of a group or of a job's execution: something that runs, writes, can be stopped, and ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

OUT_OF_MEMORY = "OOMKilled"
SIGTERM_CODE, SIGKILL_CODE = 143, 137


@dataclass(frozen=True)
class ContainerEnd:
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    """`OOMKilled`, or why it did not start; empty for an exit of its own."""

    @property
    def detail(self) -> str:
        """What Azure shows beside the exit code."""
        return self.reason or ("Error" if self.exit_code else "Completed")


@dataclass(frozen=True)
class Launch:
    """What a container needs to know."""

    names: tuple[str, ...]
    """Of the thing that it is part of: the group, or the execution and its job."""

    container: str
    image: str
    command: Sequence[str]
    """What runs instead of the image's entry point; empty for that."""

    args: Sequence[str]
    environment: Mapping[str, str]
    memory_bytes: int
    files: Mapping[str, bytes]
    """By absolute path."""

    started: Callable[[], None]
    wrote: Callable[[Sequence[str]], None]
    """To be called with lines, in order."""

    ended: Callable[[ContainerEnd], None]
    """To be called once. All three may be called from any thread."""


class RunningContainer(Protocol):
    """A container that runs, or is played."""

    def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM, and after the grace SIGKILL; returns at once. The end is reported as any other.

        A shorter grace may follow a longer one.
        """
        ...

    def end(self, end: ContainerEnd) -> None:
        """End at once, as the test says."""
        ...


class Runner(Protocol):
    """Starts containers."""

    def has_image(self, image: str) -> bool:
        """Say whether an image can be pulled."""
        ...

    def launch(self, launch: Launch) -> RunningContainer:
        """Start one."""
        ...


@dataclass(frozen=True)
class Script:
    """What containers do. See `Play`."""

    name: str = "*"
    container: str = "*"
    exit_code: int = 0
    seconds: float | None = 0.0
    lines: Sequence[str] = ()
    reason: str = ""
    stop_seconds: float = 0.0
    exit_code_after_stop: int | None = None
    image_problem: bool = False
    pull_problem: str = ""
    times: int | None = None


@dataclass
class UsedScript:
    """A script, and how many containers it is still for."""

    script: Script
    left: int | None = None
