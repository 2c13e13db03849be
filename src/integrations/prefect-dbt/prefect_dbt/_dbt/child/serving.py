"""The child's threads: dbt on the main one, requests on another, events on a third.

dbt must be on the main thread, since only that gets the `KeyboardInterrupt` which starts dbt's own cancel path.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import queue
import select
import signal
import sys
import threading
import time
from typing import Any

from . import frames
from .writing import Writer

_WATCH_SECONDS = 1.0
"""How often an idle child looks whether its parent still lives."""

_INSIST_SECONDS = 2.0
"""After this the connections are cancelled from here: the main thread may sit in a driver that hears no signal."""

_ORPHAN_SECONDS = 20.0
"""How long dbt may take to end once the parent is gone."""


class Serving:
    """State that the threads share."""

    def __init__(self, requests_fd: int, events_fd: int) -> None:
        self.requests_fd = requests_fd
        self.parent = os.getppid()
        self.requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.writer = Writer(events_fd)
        self.cancelled: set[int] = set()
        self.current = -1
        self.running = False
        self._main = threading.main_thread().ident or 0

        self._is_orphan = False
        self._interrupted: set[int] = set()

    def is_cancelled(self, number: int) -> bool:
        """Whether nobody waits for an invocation any more."""
        return self._is_orphan or number in self.cancelled

    def listen(self) -> None:
        """Take requests until the parent closes the pipe or dies."""
        with contextlib.suppress(Exception):  # what cannot be read ends it, too
            for batch in frames.read_frames(_Watched(self.requests_fd, self.parent).fileno()):
                for message in batch:
                    if message[0] == "invoke":
                        self.requests.put({"number": message[1], **message[2]})
                    elif message[0] == "cancel":
                        self.cancel(message[1])
        self._is_orphan = True
        self._end_as_orphan()

    def cancel(self, number: int) -> None:
        """Interrupt an invocation, or let it not begin."""
        if number in self.cancelled:
            return
        self.cancelled.add(number)
        if self.current == number and self.running:
            self.interrupt()
            threading.Thread(target=self._insist, args=(number,), daemon=True).start()

    def interrupt(self) -> None:
        """Interrupt the main thread, also if it waits for a lock."""
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self._main, signal.SIGINT)
        else:
            import _thread

            _thread.interrupt_main()

    def _insist(self, number: int) -> None:
        """Cancel open connections again and again until dbt ends: one may have been opened after dbt's own cancel."""
        while True:
            time.sleep(_INSIST_SECONDS)
            if self.current != number or not self.running:
                return
            cancel_connections()

    def _end_as_orphan(self) -> None:
        """Nobody listens any more: cancel what runs, and go."""
        self.cancel(self.current)
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while self.running and time.monotonic() < deadline:
            time.sleep(0.05)
        os._exit(1 if self.running else 0)  # dbt closed what it opened; tearing the interpreter down would take time

    def on_signal(self, number: int, frame: Any) -> None:
        """Raise `KeyboardInterrupt` in dbt, once for each invocation."""
        del frame
        if not self.running:
            if number != signal.SIGINT:
                os._exit(128 + number)
            return
        if self.current in self._interrupted:
            return
        self._interrupted.add(self.current)
        if self.current not in self.cancelled:  # not from our parent
            self.cancelled.add(self.current)
            threading.Thread(target=self._insist, args=(self.current,), daemon=True).start()
        raise KeyboardInterrupt


class _Watched:
    """The pipe of requests; a thread of its own looks whether the parent lives, as others may hold the other end."""

    def __init__(self, fd: int, parent: int) -> None:
        self._fd = fd
        if os.name == "posix":
            self._read, self._write = os.pipe()
            threading.Thread(target=self._copy, args=(parent,), daemon=True).start()
        else:
            self._read = fd

    def fileno(self) -> int:
        return self._read

    def _copy(self, parent: int) -> None:
        with contextlib.suppress(OSError):
            while os.getppid() == parent:
                ready, _, _ = select.select([self._fd], [], [], _WATCH_SECONDS)
                if ready:
                    data = os.read(self._fd, 1 << 16)
                    if not data:
                        break
                    view = memoryview(data)
                    while view:
                        view = view[os.write(self._write, view) :]
        with contextlib.suppress(OSError):
            os.close(self._write)


def cancel_connections() -> None:
    """Cancel what runs on every open connection of the adapters in use."""
    factory = sys.modules.get("dbt.adapters.factory")
    if factory is None:
        return
    with contextlib.suppress(Exception):
        for adapter in list(factory.FACTORY.adapters.values()):
            with contextlib.suppress(Exception), adapter.connection_named("master"):
                adapter.cancel_open_connections()


def main() -> None:
    """Serve until the parent closes the pipe."""
    requests_fd, events_fd = _take_pipes()
    faulthandler.enable(all_threads=False)  # a crash in native code tells where, on standard error
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    serving = Serving(requests_fd, events_fd)
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), serving.on_signal)
    threading.Thread(target=serving.listen, name="requests", daemon=True).start()
    threading.Thread(target=serving.writer.run, name="events", daemon=True).start()
    try:
        extend_path()
        gc.disable()  # what is imported stays
        from .invoking import Invoker

        gc.enable()
        gc.freeze()  # modules live as long as the process: the collector need not look at them again
        invoker = Invoker(serving)
        serving.writer.put(("ready",))
        while True:
            invoker.serve(serving.requests.get())
    except BaseException as exc:  # noqa: BLE001 - told to the parent
        import traceback

        serving.writer.put(("broken", type(exc).__name__, str(exc), traceback.format_exc()))
    serving.writer.close()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(1)


def _take_pipes() -> tuple[int, int]:
    """Keep the pipes under other numbers; what reads standard input or writes standard output must not meet them."""
    requests_fd, events_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return requests_fd, events_fd


def extend_path() -> None:
    """Add folders that the parent imports from, behind our own: they may hold an adapter or plug-in."""
    for entry in os.environ.pop("PREFECT_DBT_CHILD_PATH", "").split(os.pathsep):
        if entry and entry not in sys.path:
            sys.path.append(entry)
