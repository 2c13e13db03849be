"""A process that runs dbt for us."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from prefect.logging import get_logger

from ..errors import DbtTimeout
from .child import frames
from .events import DbtEvent
from .outcome import Outcome
from .running import Child
from .starting import used_modules

if TYPE_CHECKING:
    from typing_extensions import Self

    from .invocation import Invocation

_LOOK_SECONDS = 0.1
"""Exceptions thrown into a thread arrive between two bytecodes, so nothing waits longer than this at once."""

_GRACE_SECONDS = 15.0

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
        may_fork: bool = True,
    ) -> None:
        """Start the process; this takes milliseconds.

        Args:
            cwd: Folder that it runs in; this process's by default.
            env: Variables to add to this process's environment.
            grace_seconds: How long dbt may take to end its queries when cancelled, before the process is killed.
            may_fork: Whether it may be a fork of a process that has imported dbt, which is started for that.
        """
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._env = dict(env or {})
        self._grace_seconds = grace_seconds
        self._may_fork = may_fork
        self._turn = threading.Lock()
        self._dispatching = threading.Lock()
        self._number = 0
        self._call: _Call | None = None
        self._closed = False
        self._child: Child | None = self._start()

    def _start(self) -> Child:
        return Child(self._cwd, self._env, self._take, self._ended, may_fork=self._may_fork)

    @property
    def pid(self) -> int | None:
        """Process id, which is also the id of the group, once it is known; `None` when closed."""
        return None if self._child is None else self._child.pid

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
            child.send(message)

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _take(self, child: Child, message: frames.Message) -> None:
        """A message of the child, on its reader thread."""
        call = self._call if self._call is not None and self._call.child is child else None
        kind = message[0]
        if kind == "broken":
            name, said, trace = message[1:]
            child.broken = f"dbt could not be started: {name}: {said}\n{trace}"
        elif kind == "done":
            outcome = Outcome.from_message(message[2])  # also if nobody waits: its file goes with it
            used_modules.update(message[2]["modules"])
            if call is not None and message[1] == call.number:
                child.wait_for_output(call.number)
                call.finish(outcome)
        elif call is None:
            return
        elif kind == "event":
            with self._dispatching:  # lines of output come on another thread
                call.dispatch(message[1])

    def _ended(self, child: Child) -> None:
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

    def __init__(self, number: int, on_event: OnEvent, child: Child) -> None:
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
