"""Run one process: start it, feed it, read it, end it. Every face of the package stands on this.

One thread owns the process from start to end: it writes the script, starts it, drains both pipes, keeps the deadline,
ends the group when asked to, collects the exit code and removes the script. Callers only set requests and wait for a
latch, so a coroutine blocks no event loop and takes no thread from a pool.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, Any, Literal, Protocol, cast

from prefect_shell._group import ProcessGroup, group_of, group_options
from prefect_shell._latch import Latch
from prefect_shell._output import Stream
from prefect_shell._pipes import Pipes, open_pipes
from prefect_shell.errors import ShellOptionError, ShellStartError

EndReason = Literal["timeout", "closed", "cancelled"]

# How often we look at what the system does not tell us of: the exit of a process that closed its outputs, and of the
# members of a group that is being ended.
_EXIT_POLL_SECONDS = 0.2
_END_POLL_SECONDS = 0.03
# What a killed group may take to vanish, and what an escaped process that holds a pipe may delay the end.
_AFTERMATH_SECONDS = 1.0


class Job(Protocol):
    """What is run."""

    failed_command: str | None

    def prepared(self, open_kwargs: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
        """Make ready and yield the arguments of `Popen`; clean up at the end."""
        ...


class Supervisor:
    """One run of one process.

    Attributes:
        started: Set when the process runs, or could not be started.
        finished: Set when the process has ended, both outputs are read and the script is removed.
        streams: The outputs that are read, by name.
        failure: What went wrong on our side: starting, decoding, logging.
        ended_by: Why we ended it, if we did.
    """

    def __init__(
        self,
        job: Job,
        *,
        open_kwargs: dict[str, Any],
        make_streams: Callable[[int], dict[str, Stream]],
        stdin: bytes | None = None,
        timeout_seconds: float | None = None,
        grace_seconds: float = 10.0,
        interrupt_seconds: float = 0.0,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Describe the run; `start` begins it.

        Args:
            job: What is run.
            open_kwargs: Further arguments of `Popen`.
            make_streams: Makes the sinks of `stdout` and `stderr` for a process id.
            stdin: What the process reads; `None` leaves standard input to `open_kwargs`.
            timeout_seconds: Seconds until the process is ended, counted from its start.
            grace_seconds: Seconds between SIGTERM and SIGKILL.
            interrupt_seconds: Seconds between SIGINT and SIGTERM; without SIGINT when 0.
            on_end: Called when the process has ended, before `finished` is set.
        """
        self.started = Latch()
        self.finished = Latch()
        self.streams: dict[str, Stream] = {}
        self.failure: BaseException | None = None
        self.ended_by: EndReason | None = None
        self._job = job
        self._open_kwargs = open_kwargs
        self._make_streams = make_streams
        self._stdin = stdin
        self._timeout = timeout_seconds
        self._grace = grace_seconds
        self._interrupt = interrupt_seconds
        self._on_end = on_end
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._group: ProcessGroup | None = None
        self._pipes: Pipes | None = None
        self._deadline: float | None = None
        self._request: EndReason | None = None
        self._is_urgent = False
        self._is_reaped = False
        self._terminate_at: float | None = None
        self._kill_at: float | None = None
        self._give_up_at: float | None = None
        self._leftovers: Latch | None = None

    # What callers see.

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._require_process().pid

    @property
    def returncode(self) -> int | None:
        """Exit code, `None` while the process runs."""
        return self._poll()

    @property
    def has_leftovers(self) -> bool:
        """Whether anything that the command started may still run."""
        return not self.finished.is_set() or (self._group is not None and self._group.is_alive())

    @property
    def failed_command(self) -> str | None:
        """With `fail_fast`, the command that ended the script."""
        return self._job.failed_command

    def start(self) -> None:
        """Begin; `started` tells when the process runs. Log records carry the caller's context."""
        _LIVE.add(self)
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run,), name="prefect-shell-supervisor", daemon=True).start()

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        """Take over a process that somebody else started."""
        self._process = process
        self._group = group_of(process)
        self.streams = self._make_streams(process.pid)
        self._set_deadline()
        self.started.set()
        self.start()

    def end(self, reason: EndReason, *, urgent: bool = False) -> Latch:
        """Ask for the end of the process and all that it started: SIGTERM, and after the grace period SIGKILL.

        With `interrupt_seconds`, SIGINT comes before.

        Args:
            reason: Why, for the error that a waiter gets.
            urgent: Whether to skip the grace period.

        Returns:
            The latch that is set when it is done, a second after the grace period at the latest.
        """
        with self._lock:
            if self._request is None:
                self._request = reason
            self._is_urgent |= urgent
            if self._pipes is not None:
                self._pipes.wake()
            if not self.finished.is_set():
                return self.finished
            return self._end_leftovers()

    # What the thread does.

    def _run(self) -> None:
        try:
            if self._process is not None:
                self._supervise(self._process)
            else:
                with self._job.prepared(self._open_kwargs) as arguments:
                    self._process = self._spawn(arguments)
                    self._group = group_of(self._process)
                    self.streams = self._make_streams(self._process.pid)
                    self.started.set()
                    self._supervise(self._process)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who waits in another thread
            self.failure = self.failure or error
            self._abandon()
        finally:
            if self._on_end is not None:
                with contextlib.suppress(Exception):
                    self._on_end()
            with self._lock:
                if self._pipes is not None:
                    self._pipes.close()
                self.finished.set()
            self.started.set()
            _LIVE.discard(self)

    def _abandon(self) -> None:
        """End the process after a failure of ours."""
        if self._process is not None and self._group is not None:
            self._group.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_AFTERMATH_SECONDS)

    def _spawn(self, arguments: dict[str, Any]) -> subprocess.Popen[bytes]:
        self._set_deadline()
        try:
            return cast("subprocess.Popen[bytes]", subprocess.Popen(**group_options(arguments)))
        except OSError as error:
            program = error.filename or arguments.get("executable") or arguments["args"][0]
            reason = error.strerror or str(error)
            raise ShellStartError(f"{program!r} could not be started: {reason}.") from error
        except (TypeError, ValueError) as error:
            raise ShellOptionError(f"The process could not be started: {error}.") from error

    def _set_deadline(self) -> None:
        if self._timeout is not None:
            self._deadline = time.monotonic() + self._timeout

    def _supervise(self, process: subprocess.Popen[bytes]) -> None:
        sources: dict[Stream, IO[bytes]] = {}
        for name, file in (("stdout", process.stdout), ("stderr", process.stderr)):
            if file is not None:
                sources[self.streams[name]] = file
        with self._lock:
            self._pipes = open_pipes(sources)
        if self._stdin is not None and process.stdin is not None:
            threading.Thread(
                target=_write, args=(process.stdin, self._stdin), name="prefect-shell-stdin", daemon=True
            ).start()
        pipes = self._pipes
        while True:
            wait = self._advance()
            if self._give_up_at is not None and time.monotonic() >= self._give_up_at:
                break
            if pipes.is_open:
                for stream, data in pipes.read(wait):
                    self._feed(stream, data)
            elif self._poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_EXIT_POLL_SECONDS if wait is None else min(wait, _EXIT_POLL_SECONDS))
            elif self._kill_at is not None and self._require_group().is_alive():
                time.sleep(_END_POLL_SECONDS)
            else:
                break
        self._poll()

    def _advance(self) -> float | None:
        """Send the signals that are due; return the seconds until there is something else to do."""
        now = time.monotonic()
        group = self._require_group()
        if self._kill_at is None:
            reason = self._request
            if reason is None and self._deadline is not None and now >= self._deadline:
                reason = "timeout"
            if reason is None:
                return None if self._deadline is None else self._deadline - now
            self.ended_by = reason
            self._poll()
            if self._interrupt > 0:
                group.press_ctrl_c()
            self._terminate_at = now + self._interrupt
            self._kill_at = self._terminate_at + self._grace
        if self._terminate_at is not None and now >= self._terminate_at:
            group.interrupt()
            self._terminate_at = None
        if self._give_up_at is None and (now >= self._kill_at or self._is_urgent):
            group.kill()
            self._give_up_at = now + _AFTERMATH_SECONDS
        if self._give_up_at is None and self._poll() is not None and not group.is_alive():
            # All are gone; who still holds a pipe has left the group and is not waited for.
            self._give_up_at = now + _AFTERMATH_SECONDS
        return _END_POLL_SECONDS

    def _feed(self, stream: Stream, data: bytes) -> None:
        """Hand output on. After a failure the pipes are still drained, so that the process can end."""
        if self.failure is not None:
            return
        try:
            if data:
                stream.feed(data)
            else:
                stream.finish()
        except Exception as error:  # noqa: BLE001 - raised where the run is waited for
            self.failure = error

    def _poll(self) -> int | None:
        """Look for the exit code; the first to see it tells the group."""
        process = self._process
        if process is None:
            return None
        code = process.poll()
        if code is not None and not self._is_reaped and self._group is not None:
            self._is_reaped = True
            self._group.leader_was_reaped()
        return code

    def _end_leftovers(self) -> Latch:
        """End what the finished command left in its group, in a thread of its own."""
        if self._leftovers is None:
            self._leftovers = latch = Latch()
            group = self._group
            if group is None or not group.is_alive():
                latch.set()
                return latch

            def run() -> None:
                if self._interrupt > 0:
                    group.press_ctrl_c()
                    _wait_for_group(group, self._interrupt)
                group.interrupt()
                _wait_for_group(group, self._grace)
                group.kill()
                _wait_for_group(group, _AFTERMATH_SECONDS)
                latch.set()

            threading.Thread(target=run, name="prefect-shell-leftovers", daemon=True).start()
        return self._leftovers

    def _require_process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("The process has not been started.")
        return self._process

    def _require_group(self) -> ProcessGroup:
        if self._group is None:
            raise RuntimeError("The process has not been started.")
        return self._group


def _wait_for_group(group: ProcessGroup, seconds: float) -> None:
    until = time.monotonic() + seconds
    while group.is_alive() and time.monotonic() < until:
        time.sleep(_END_POLL_SECONDS)


def _write(file: IO[bytes], data: bytes) -> None:
    """Write standard input; a process that does not read all of it is in its right."""
    with contextlib.suppress(OSError, ValueError):
        file.write(data)
    with contextlib.suppress(OSError, ValueError):
        file.close()


# What still runs when Python ends would be orphaned, and its script left on disk.
_LIVE: set[Supervisor] = set()


def _end_all() -> None:
    for latch in [supervisor.end("closed") for supervisor in list(_LIVE)]:
        latch.wait()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    # The threads do not exist in a forked child, and the processes are the parent's.
    os.register_at_fork(after_in_child=_LIVE.clear)
