"""Processes that somebody else started, as `ShellProcess` accepts them."""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from prefect_shell._command import Command
from prefect_shell._execution import Execution
from prefect_shell._latch import Latch
from prefect_shell._output import Capture, Stream
from prefect_shell._supervisor import EndReason, Supervisor

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream, Process
    from prefect.blocks.abstract import LoggerOrAdapter


class _Foreign:
    """A job that needs no preparation, because its process runs already."""

    failed_command: str | None = None

    def prepared(self, open_kwargs: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
        """Yield the arguments as they are."""
        return nullcontext(open_kwargs)


class AnyioRun:
    """An anyio process. Its pipes belong to its event loop, so it is read while a coroutine waits for it."""

    failed_command: str | None = None

    def __init__(self, process: Process, streams: dict[str, Stream]) -> None:
        self.started = Latch()
        self.finished = Latch()
        self.streams = streams
        self.failure: BaseException | None = None
        self.ended_by: EndReason | None = None
        self._process = process
        self.started.set()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, `None` while the process runs."""
        return self._process.returncode

    @property
    def has_leftovers(self) -> bool:
        """Whether the process runs."""
        return self.returncode is None

    def end(self, reason: EndReason, *, urgent: bool = False) -> Latch:
        """Signal the process; it is in a group of others, so only itself. Who awaits it sees it end."""
        if self._process.returncode is None:
            self.ended_by = reason
            (self._process.kill if urgent else self._process.terminate)()
        return self.started  # set: its end can be waited for in its own event loop alone

    async def drain(self) -> None:
        """Read both outputs to their end and collect the exit code."""
        import anyio

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read, self._process.stdout, self.streams["stdout"])
                group.start_soon(self._read, self._process.stderr, self.streams["stderr"])
            await self._process.wait()
        except BaseException:
            if self._process.returncode is None:
                self.ended_by = "cancelled"
                self._process.kill()
                with anyio.CancelScope(shield=True):
                    await self._process.wait()
            raise
        finally:
            self.finished.set()

    async def _read(self, source: ByteReceiveStream | None, stream: Stream) -> None:
        if source is None:
            return
        async for data in source:
            if self.failure is None:
                self._feed(stream, data)
        if self.failure is None:
            self._feed(stream, b"")

    def _feed(self, stream: Stream, data: bytes) -> None:
        try:
            stream.feed(data) if data else stream.finish()
        except Exception as error:  # noqa: BLE001 - raised where the run is waited for
            self.failure = error


class AnyioExecution(Execution):
    """The run of an anyio process."""

    def __init__(self, command: Command, run: AnyioRun, capture: Capture) -> None:
        super().__init__(command, run, capture)
        self._anyio_run = run

    def wait(self) -> None:
        """Refuse to block the thread whose event loop the process needs."""
        raise TypeError("An anyio process belongs to its event loop. Use `await process.await_for_completion()`.")

    async def await_(self) -> None:
        """Read both outputs to their end and collect the exit code."""
        await self._anyio_run.drain()


def adopt(process: Process | subprocess.Popen[bytes], command: Command, logger: LoggerOrAdapter) -> Execution:
    """Look after a process that runs already, as `command` says.

    Args:
        process: The process. A `Popen` is looked after from now on, an anyio process while somebody awaits it.
        command: How output is kept and logged, and how long the process may run.
        logger: Gets the output.
    """
    capture = Capture(command.max_captured_bytes)
    make_streams = command.streams_for(capture, logger)
    if not isinstance(process, subprocess.Popen):
        return AnyioExecution(command, AnyioRun(process, make_streams(process.pid)), capture)
    run = Supervisor(
        _Foreign(),
        open_kwargs={},
        make_streams=make_streams,
        timeout_seconds=command.timeout_seconds,
        grace_seconds=command.terminate_grace_seconds,
        interrupt_seconds=command.interrupt_grace_seconds,
    )
    run.adopt(process)
    return Execution(command, run, capture)
