"""A process that runs dbt for us."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, cast

from prefect.logging import get_logger

from ..errors import DbtTimeout
from .child import frames
from .events import DbtEvent
from .outcome import Outcome

if TYPE_CHECKING:
    from typing_extensions import Self

    from .invocation import Invocation

_LOOK_SECONDS = 0.1
"""Exceptions thrown into a thread arrive between two bytecodes, so nothing waits longer than this at once."""

_GRACE_SECONDS = 15.0
_TAIL_LINES = 60
_OUTPUT_SECONDS = 2.0
_SCRIPT = Path(__file__).parent / "child"

OnEvent = Callable[[DbtEvent], None]


class DbtProcess:
    """A child process that runs invocations of dbt, one after another.

    It begins to import dbt when made, so make it before other preparations. Threads may share it; a second `invoke`
    waits for the first.

    ```python
    with DbtProcess() as dbt:
        outcome = dbt.invoke(Invocation(("build",)), print)
    ```
    """

    def __init__(
        self,
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        grace_seconds: float = _GRACE_SECONDS,
    ) -> None:
        """Start the process; this takes milliseconds.

        Args:
            cwd: Folder that it runs in; this process's by default.
            env: Variables to add to this process's environment.
            grace_seconds: How long dbt may take to end its queries when cancelled, before the process is killed.
        """
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._env = dict(env or {})
        self._grace_seconds = grace_seconds
        self._turn = threading.Lock()
        self._writing = threading.Lock()
        self._dispatching = threading.Lock()
        self._number = 0
        self._call: _Call | None = None
        self._closed = False
        self._child: _Child | None = self._start()

    def _start(self) -> _Child:
        return _Child(self._cwd, self._env, self._take, self._ended)

    @property
    def pid(self) -> int | None:
        """Process id, which is also the id of the group; `None` when closed."""
        return None if self._child is None else self._child.popen.pid

    def invoke(self, invocation: Invocation, on_event: OnEvent, *, timeout_seconds: float | None = None) -> Outcome:
        """Run dbt and wait until it ended; whatever ends the wait ends dbt and its queries first.

        Args:
            invocation: What dbt shall do.
            on_event: Called for each event, in order, on another thread. An exception in it is logged and ignored.
            timeout_seconds: After this, dbt is cancelled.

        Returns:
            How it ended. A process that died is an outcome too: `exception` says what is known.

        Raises:
            DbtTimeout: If `timeout_seconds` passed; dbt has ended.
        """
        self._acquire_turn()
        try:
            return self._invoke(invocation, on_event, timeout_seconds)
        finally:
            self._turn.release()

    def _acquire_turn(self) -> None:
        while not self._turn.acquire(timeout=_LOOK_SECONDS):
            pass

    def _invoke(self, invocation: Invocation, on_event: OnEvent, timeout_seconds: float | None) -> Outcome:
        if self._closed:
            raise RuntimeError("This DbtProcess is closed. Make a new one.")
        if self._child is None or self._child.has_ended:
            self._child = self._start()
        child = self._child
        self._number += 1
        call = self._call = _Call(self._number, on_event, child)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        try:
            self._send(("invoke", call.number, invocation.request()))
            while not call.done.wait(_LOOK_SECONDS):
                if child.is_over:  # it ended before it could know of this call
                    call.finish(Outcome.failed(child.describe_end()))
                if deadline is not None and time.monotonic() > deadline:
                    raise _timed_out(invocation, timeout_seconds)  # noqa: TRY301 - dbt is to be cancelled, as for others
        except BaseException:
            self._end(call)
            raise
        finally:
            self._call = None
        return call.outcome

    def _end(self, call: _Call) -> None:
        """Cancel and wait until dbt ended, by force after the grace."""
        try:
            self.cancel()
            if not call.done.wait(self._grace_seconds):
                self._kill()
                call.done.wait(self._grace_seconds)
        except BaseException:  # a second interrupt: who sends it wants no grace
            self._kill()
            raise

    def cancel(self) -> None:
        """Cancel the invocation that runs: dbt ends its queries, and `invoke` returns an interrupted outcome.

        May be called from any thread; does nothing when none runs.
        """
        call = self._call
        if call is not None:
            call.is_cancelled = True
            self._send(("cancel", call.number))

    @property
    def is_cancelling(self) -> bool:
        """Whether an invocation runs that was cancelled: nodes that fail from then on fail for that."""
        call = self._call
        return call is not None and call.is_cancelled

    def close(self) -> None:
        """End the process; an invocation that runs is cancelled. Closing twice is allowed."""
        self._closed = True
        child, call = self._child, self._call
        if child is None:
            return
        if call is not None and not call.done.is_set():
            self._end(call)
        child.close(self._grace_seconds)
        self._child = None

    def _send(self, message: frames.Message) -> None:
        child = self._child
        if child is not None:
            with self._writing, contextlib.suppress(OSError):  # a child that died is noticed by its reader
                frames.write_frame(child.requests_fd, [message])

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _take(self, child: _Child, message: frames.Message) -> None:
        """A message of the child, on its reader thread."""
        call = self._call if self._call is not None and self._call.child is child else None
        kind = message[0]
        if kind == "broken":
            child.broken = message[1:]
        elif kind == "done":
            outcome = Outcome.from_message(message[2])  # also if nobody waits: its file goes with it
            if call is not None and message[1] == call.number:
                child.wait_for_output(call.number)
                call.finish(outcome)
        elif call is None:
            return
        elif kind == "event":
            with self._dispatching:  # lines of output come on another thread
                call.dispatch(message[1])

    def _ended(self, child: _Child) -> None:
        """The child's pipe is closed: it ended, or is about to."""
        call = self._call
        if call is not None and call.child is child:
            call.finish(Outcome.failed(child.describe_end(), interrupted=call.is_cancelled))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Call:
    """One `invoke`."""

    def __init__(self, number: int, on_event: OnEvent, child: _Child) -> None:
        self.number = number
        self.child = child
        self.outcome = Outcome(success=False)
        self.done = threading.Event()
        self.is_cancelled = False
        self._on_event = on_event
        self._complaints: set[tuple[str, str]] = set()

    def dispatch(self, event: DbtEvent) -> None:
        try:
            self._on_event(event)
        except Exception as exc:  # noqa: BLE001 - a fault in a listener is not dbt's
            kind = (event.name, type(exc).__name__)
            if kind not in self._complaints:
                self._complaints.add(kind)
                get_logger(__name__).exception("Event %s of dbt could not be handled; the run goes on.", event.name)

    def finish(self, outcome: Outcome) -> None:
        if not self.done.is_set():
            self.outcome = outcome
            self.done.set()


def _timed_out(invocation: Invocation, seconds: float | None) -> DbtTimeout:
    what = " ".join(invocation.args[:2])
    return DbtTimeout(f"dbt {what} did not end within {seconds:g} seconds and was cancelled.")


def _output(line: str) -> DbtEvent:
    return DbtEvent("PrefectOutput", "", "info", line, time.time(), "", None, {}, True)


class _Child:
    """The operating system's side of it: the process, its pipes, and the threads that read them."""

    def __init__(
        self,
        cwd: str | None,
        env: Mapping[str, str],
        on_message: Callable[[_Child, frames.Message], None],
        on_end: Callable[[_Child], None],
    ) -> None:
        if not sys.executable:
            raise RuntimeError("dbt runs in a process of its own, but sys.executable is empty here.")
        self._on_message = on_message
        self._on_end = on_end
        self.broken: tuple[Any, ...] | None = None
        self.has_ended = False
        self.is_over = False
        self._read_until = -1
        self._read_all = threading.Condition()
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self.popen = subprocess.Popen(
            [sys.executable, str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **env, "PREFECT_DBT_CHILD_PATH": _import_path()},
            start_new_session=True,  # Ctrl-C reaches the parent alone, which cancels
            bufsize=0,
        )
        self._requests, self._events, lines = map(_open, (self.popen.stdin, self.popen.stdout, self.popen.stderr))
        self._lines = io.BufferedReader(cast("io.RawIOBase", lines))  # the bare pipe gives lines byte by byte
        self.requests_fd = self._requests.fileno()
        self._output = threading.Thread(target=self._read_output, name="dbt-output", daemon=True)
        self._output.start()
        self._reader = threading.Thread(target=self._read, name="dbt-events", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            for batch in frames.read_frames(self._events.fileno()):
                for message in batch:
                    self._on_message(self, message)
        except Exception as exc:  # noqa: BLE001 - told as the outcome
            self.broken = (type(exc).__name__, str(exc), "The answers of dbt's process could not be read.")
        self.has_ended = True
        self._sweep()
        self._output.join(1)
        self._on_end(self)
        self.is_over = True

    def _read_output(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in self._lines:
                if line.startswith(frames.END_OF_OUTPUT):
                    self._end_of_output(int(line[len(frames.END_OF_OUTPUT) :]))
                    continue
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                self.tail.append(text)
                if text:
                    self._on_message(self, ("event", _output(text)))

    def _end_of_output(self, number: int) -> None:
        with self._read_all:
            self._read_until = number
            self._read_all.notify_all()

    def wait_for_output(self, number: int) -> None:
        """Wait until the lines of an invocation are read; not for long, as a model may have closed the pipe."""
        with self._read_all:
            self._read_all.wait_for(lambda: self._read_until >= number, _OUTPUT_SECONDS)

    def _sweep(self) -> None:
        """Wait for the end of a process that closed its pipe, and end what it left in its group."""
        if hasattr(os, "waitid"):  # not reaped yet: until then its id, and so the group's, is nobody else's
            deadline = time.monotonic() + 2
            flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
            with contextlib.suppress(ChildProcessError):
                while os.waitid(os.P_PID, self.popen.pid, flags) is None and time.monotonic() < deadline:
                    time.sleep(0.002)
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(5)

    def kill(self) -> None:
        """End the whole group by force."""
        if self.popen.returncode is not None:  # its id may be another's by now
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        else:
            self.popen.kill()

    def close(self, grace_seconds: float) -> None:
        """Close the pipe, which ends the child."""
        with contextlib.suppress(OSError):
            self._requests.close()
        if threading.current_thread() is not self._reader:
            self._reader.join(grace_seconds)
        if self._reader.is_alive():
            self.kill()
            self._reader.join(grace_seconds)
        self._output.join(1)
        self._events.close()
        self._lines.close()

    def describe_end(self) -> str:
        """What is known of an end that was not asked for."""
        if self.broken is not None:
            name, said, trace = self.broken
            return f"dbt could not be started: {name}: {said}\n{trace}"
        code = self.popen.returncode
        if code is None:
            how = "closed its pipe"
        elif code < 0:
            how = f"was ended by signal {-code}"
            with contextlib.suppress(ValueError):
                how = f"was ended by {signal.Signals(-code).name}"
            if how.endswith("SIGKILL"):
                how += " (killed by hand, or by the system for want of memory)"
        else:
            how = f"ended with exit code {code}"
        said = "\n".join(self.tail).strip()
        return f"dbt's process {how} before dbt was done." + (f" Its last output:\n{said}" if said else "")


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("The pipe was not opened.")
    return pipe


def _import_path() -> str:
    """What this process can import from and a fresh interpreter could not."""
    return os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry and Path(entry).exists())
