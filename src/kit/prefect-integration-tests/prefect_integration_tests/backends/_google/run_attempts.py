"""One attempt of a task: something that runs, can be stopped, and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .errors import Json


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt of a task ended."""

    exit_code: int | None = None
    signal: int | None = None
    message: str = ""
    """What Cloud Run says about a failure."""

    may_retry: bool = True

    @property
    def is_success(self) -> bool:
        """Did it do its work?"""
        return self.exit_code == 0 and not self.message


class Attempt(Protocol):
    """A container that runs, or is played."""

    def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM, and after the grace SIGKILL; returns at once. The end is reported as any other."""
        ...

    def end(self, end: AttemptEnd) -> None:
        """End at once, as the test says."""
        ...


def attempt_result(end: AttemptEnd) -> Json:
    """Show how an attempt ended. At most one of exit code and signal is set."""
    result: Json = {}
    if end.signal is not None:
        result["termSignal"] = end.signal
    elif end.exit_code is not None:
        result["exitCode"] = end.exit_code
    if end.message:
        result["status"] = {"code": 2, "message": end.message}
    return result
