"""A child that was started: its pipes, the threads that read them, and its end."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .child import frames
from .child.scrubbing import Scrubber
from .events import DbtEvent
from .starting import Ends, Place, Spawned, Started

if TYPE_CHECKING:
    from .fork_server import Forking

_TAIL_LINES = 60
_OUTPUT_SECONDS = 2.0
_END_SECONDS = 2.0
_REAP_SECONDS = 5.0
_SEND_SECONDS = 1.0


class Child:
    """A process, its pipes, and the threads that read them."""

    def __init__(
        self,
        cwd: str | None,
        env: Mapping[str, str],
        on_message: Callable[[Child, frames.Message], None],
        on_end: Callable[[Child], None],
        *,
        may_fork: bool = True,
    ) -> None:
        """Start it, without waiting for it.

        Raises:
            OSError: If it cannot be started.
        """
        if not sys.executable:
            raise RuntimeError("dbt runs in a process of its own, but sys.executable is empty here.")
        self._on_message = on_message
        self._on_end = on_end
        self.broken = ""
        """What is known of a fault that is not dbt's."""

        self._is_unreadable = False
        self.has_ended = False
        self.is_over = False
        self._read_until = -1
        self._read_all = threading.Condition()
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._writing = threading.Lock()
        self._holding = threading.Lock()
        """Held while the process is taken over, killed or let go."""

        self._is_abandoned = False
        self._is_started = threading.Event()
        self._process: Started | None = None
        place = Place.here(cwd, env)
        self._scrub = Scrubber(place.env)
        self._requests, self._events, lines, ends = _pipes()
        self._lines = io.BufferedReader(lines)  # the bare pipe gives lines byte by byte
        self._forking = _fork(place, ends) if may_fork else None
        try:
            if self._forking is None:
                self._spawn(place, ends)
        except BaseException:
            for pipe in (self._requests, self._events, self._lines):
                pipe.close()
            raise
        self._output = threading.Thread(target=self._read_output, name="dbt-output", daemon=True)
        self._output.start()
        self._reader = threading.Thread(target=self._read, args=(place, ends), name="dbt-events", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int | None:
        """Process id, as soon as it is known; `None` if there never was a process."""
        self._is_started.wait()
        return None if self._process is None else self._process.pid

    def send(self, message: frames.Message) -> None:
        """Send a message; a process that died is noticed by its reader."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            frames.write_frame(self._requests.fileno(), [message])

    def _spawn(self, place: Place, ends: Ends) -> None:
        try:
            self._process = Spawned(place, ends)
        finally:
            ends.close()
            self._is_started.set()

    def _take_over(self, forking: Forking, place: Place, ends: Ends) -> None:
        """Wait for the fork; start a fresh process if there is none."""
        try:
            forked = forking.result()
            with self._holding:
                if forked is not None:
                    self._process = forked
                elif not self._is_abandoned:
                    self._spawn(place, ends)
        finally:
            ends.close()
            self._is_started.set()

    def _read(self, place: Place, ends: Ends) -> None:
        try:
            if self._forking is not None:
                self._take_over(self._forking, place, ends)
        except Exception as exc:  # noqa: BLE001 - told as the outcome
            self.broken = f"dbt could not be started: {type(exc).__name__}: {exc}"
        try:
            for batch in frames.read_frames(self._events.fileno()):
                for message in batch:
                    self._on_message(self, message)
        except Exception as exc:  # noqa: BLE001 - told as the outcome
            self._is_unreadable = True
            self.broken = f"What dbt's process said could not be read, so it was ended: {type(exc).__name__}: {exc}"
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
                text = self._scrub(line.decode("utf-8", "replace").rstrip("\r\n"))
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
        process = self._process
        if process is None:
            return
        if not self._is_unreadable:
            process.await_end(_END_SECONDS)
        self.kill()
        with self._holding:
            process.reap(_REAP_SECONDS)

    def kill(self) -> None:
        """End the whole group by force; or let it never begin."""
        with self._holding:
            process = self._process
            if process is None:
                self._is_abandoned = True
                if self._forking is not None:
                    self._forking.abandon()
            else:
                process.kill()

    def close(self, grace_seconds: float) -> None:
        """Close the pipe, which ends the child."""
        if not self._is_started.is_set():
            self.kill()
        # Who writes to a child that does not read holds the lock until the child has ended.
        has_lock = self._writing.acquire(timeout=_SEND_SECONDS)
        try:
            with contextlib.suppress(OSError):
                self._requests.close()
        finally:
            if has_lock:
                self._writing.release()
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
        if self.broken:
            return self.broken
        code = None if self._process is None else self._process.returncode
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


def _pipes() -> tuple[io.FileIO, io.FileIO, io.FileIO, Ends]:
    """Our ends (requests, events, output) and the child's."""
    requests, ours = os.pipe()
    events, theirs = os.pipe()
    output, said = os.pipe()
    return io.FileIO(ours, "wb"), io.FileIO(events, "rb"), io.FileIO(output, "rb"), Ends(requests, theirs, said)


def _fork(place: Place, ends: Ends) -> Forking | None:
    """Ask for a fork of a process that has imported dbt, where there are any."""
    if sys.platform != "linux":
        return None
    from . import fork_server

    return fork_server.ask(place, ends)


def _output(line: str) -> DbtEvent:
    return DbtEvent("PrefectOutput", "", "info", line, time.time(), "", None, {}, True)
