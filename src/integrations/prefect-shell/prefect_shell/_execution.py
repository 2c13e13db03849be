"""A run that callers wait for, in either face, and what they learn of it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from prefect_shell._command import Command
from prefect_shell._latch import Latch
from prefect_shell._output import Capture, Stream
from prefect_shell._supervisor import EndReason
from prefect_shell.errors import ShellCommandFailed, ShellTimeout

if TYPE_CHECKING:
    from prefect.blocks.abstract import LoggerOrAdapter


class Run(Protocol):
    """A process that is looked after."""

    started: Latch
    finished: Latch
    streams: dict[str, Stream]
    failure: BaseException | None
    ended_by: EndReason | None

    @property
    def pid(self) -> int:
        """Id of the process."""
        ...

    @property
    def returncode(self) -> int | None:
        """Exit code, `None` while the process runs."""
        ...

    @property
    def failed_command(self) -> str | None:
        """With `fail_fast`, the command that ended the script."""
        ...

    @property
    def has_leftovers(self) -> bool:
        """Whether anything that the command started may still run."""
        ...

    def end(self, reason: EndReason, *, urgent: bool = False) -> Latch:
        """Ask for the end of the process and all that it started."""
        ...


class Execution:
    """One run of one command.

    Whatever interrupts a wait (an error in the thread, Ctrl+C, a signal that Prefect turns into an exception, a
    cancelled coroutine) ends the process before it goes on.
    """

    def __init__(self, command: Command, run: Run, capture: Capture) -> None:
        self.command = command
        self.run = run
        self.capture = capture

    @classmethod
    def start(
        cls,
        command: Command,
        logger: LoggerOrAdapter,
        open_kwargs: Mapping[str, Any] | None = None,
        on_start: Callable[[int], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> Execution:
        """Start a command and wait until its process runs.

        Args:
            command: The command.
            logger: Gets the output.
            open_kwargs: Further arguments of `subprocess.Popen`.
            on_start: Told the id of the process before any output is logged.
            on_end: Called when the process has ended, before those who wait for it go on.

        Raises:
            ShellError: If it cannot be started.
        """
        run, capture = command.prepare(logger, open_kwargs, on_start, on_end)
        execution = cls(command, run, capture)
        run.start()
        execution._wait_for(run.started)
        execution._check_start()
        return execution

    @classmethod
    async def astart(
        cls,
        command: Command,
        logger: LoggerOrAdapter,
        open_kwargs: Mapping[str, Any] | None = None,
        on_start: Callable[[int], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> Execution:
        """Async form of `start`."""
        run, capture = command.prepare(logger, open_kwargs, on_start, on_end)
        execution = cls(command, run, capture)
        run.start()
        await execution._await_for(run.started)
        execution._check_start()
        return execution

    def _check_start(self) -> None:
        if not self.run.streams and self.run.failure is not None:
            raise self.run.failure

    def wait(self) -> None:
        """Wait until the process has ended and its outputs are read."""
        self._wait_for(self.run.finished)

    async def await_(self) -> None:
        """Async form of `wait`."""
        await self._await_for(self.run.finished)

    def complete(self, logger: LoggerOrAdapter) -> None:
        """Wait for the end, then report it or raise what it calls for."""
        logger.debug("Waiting for PID %s to complete.", self.run.pid)
        self.wait()
        self._settle(logger)

    async def acomplete(self, logger: LoggerOrAdapter) -> None:
        """Async form of `complete`."""
        logger.debug("Waiting for PID %s to complete.", self.run.pid)
        await self.await_()
        self._settle(logger)

    def _settle(self, logger: LoggerOrAdapter) -> None:
        subject = f"PID {self.run.pid}"
        self.raise_for_failure(f"{subject} failed with return code", subject)
        self.warn_when_cut(logger)
        logger.info("PID %s completed with return code %s.", self.run.pid, self.run.returncode)

    def _wait_for(self, latch: Latch) -> None:
        try:
            latch.wait()
        except BaseException:
            self.end("cancelled")
            raise

    async def _await_for(self, latch: Latch) -> None:
        try:
            await latch.wait_async()
        except BaseException:
            await self.aend("cancelled")
            raise

    def end(self, reason: EndReason) -> None:
        """End the process and all that it started, and wait until that is done. A second Ctrl+C kills at once."""
        end_all([self], reason)

    async def aend(self, reason: EndReason) -> None:
        """Async form of `end`. Cancelling it again kills at once and does not wait."""
        await aend_all([self], reason)

    def raise_for_failure(self, failed: str, subject: str) -> None:
        """Raise what the end of the process calls for.

        Args:
            failed: How the message begins, up to the exit code.
            subject: What ran, for other messages.

        Raises:
            ShellTimeout: If it was ended because its time was up.
            ShellCommandFailed: If its exit code is no success.
            UnicodeDecodeError: If its output does not fit the encoding and `errors` is `strict`.
        """
        run, command = self.run, self.command
        stderr_tail = str(run.streams["stderr"].tail)
        tail = stderr_tail or str(run.streams["stdout"].tail)
        ending = f":\n{tail}" if tail else "."
        if run.ended_by == "timeout":
            raise ShellTimeout(
                f"{subject} did not end within {command.timeout_seconds:g} seconds and was ended, with all that it "
                f"started. Raise timeout_seconds if it needs longer{ending}",
                timeout_seconds=command.timeout_seconds,
                stderr_tail=stderr_tail,
                command=command.shown(),
            )
        if run.failure is not None:
            raise run.failure
        code = run.returncode
        if code in command.success_exit_codes:
            return
        note = ""
        if run.failed_command is not None:
            note += f" at `{command.shown(run.failed_command)}`"
        if code is not None and code < 0:
            note += f" ({_signal_name(-code)})"
        if run.ended_by is not None:
            note += f" because it was {run.ended_by}"
        raise ShellCommandFailed(
            f"{failed} {code}{note}{ending}",
            exit_code=code,
            stderr_tail=stderr_tail,
            command=command.shown(run.failed_command),
        )

    @property
    def has_leftovers(self) -> bool:
        """Whether anything that the command started may still run."""
        return self.run.has_leftovers

    def lines(self, stream: str | None = None) -> list[str]:
        """The lines that were kept; see `Capture.lines`."""
        return self.capture.lines(stream)

    def warn_when_cut(self, logger: LoggerOrAdapter) -> None:
        """Say that the result is not all of the output."""
        if self.capture.was_cut:
            logger.warning(
                "PID %s wrote more than max_captured_bytes=%s; the result holds the last of it.",
                self.run.pid,
                self.capture.max_bytes,
            )


def _signal_name(number: int) -> str:
    try:
        return f"signal {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"


def end_all(executions: Iterable[Execution], reason: EndReason = "closed") -> None:
    """End several runs at the same time and wait for all; see `Execution.end`."""
    executions = list(executions)
    try:
        for latch in [execution.run.end(reason) for execution in executions]:
            latch.wait()
    except BaseException:
        for latch in [execution.run.end(reason, urgent=True) for execution in executions]:
            latch.wait()
        raise


async def aend_all(executions: Iterable[Execution], reason: EndReason = "closed") -> None:
    """Async form of `end_all`."""
    import anyio

    executions = list(executions)
    latches = [execution.run.end(reason) for execution in executions]
    try:
        # A cancelled anyio scope, such as the time-out of a flow, would cancel this wait too.
        with anyio.CancelScope(shield=True):
            for latch in latches:
                await latch.wait_async()
    except BaseException:
        for execution in executions:
            execution.run.end(reason, urgent=True)
        raise
