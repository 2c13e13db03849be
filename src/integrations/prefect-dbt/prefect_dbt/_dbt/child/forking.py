"""A process that has imported dbt and forks a child for each invocation: none of them pays for the import again.

It runs nothing of dbt itself, has one thread and holds no connection, so that a fork is as good as a fresh process.
It ends with the process that started it, and when nobody wanted a child for some time.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Generator
from typing import Any, NoReturn

from . import frames, serving, warming

LOOK_SECONDS = 1.0
"""How often it looks whether its parent still lives: others may hold the other end of its socket."""


class Child:
    """A fork, and the socket on which its parent-to-be hears of it: `pid 12`, `exit 12 -9`, or `refused` and why.

    The fork is not reaped before that socket is closed: until then its id, and so its group's, is nobody else's.
    """

    def __init__(self, pid: int, status: socket.socket) -> None:
        self.pid = pid
        self.status = status
        self.has_ended = False
        self.is_released = False


class ForkServer:
    """Forks children on request."""

    def __init__(self, control: socket.socket, idle_seconds: float) -> None:
        self._control: socket.socket | None = control
        self._idle_seconds = idle_seconds
        self._parent = os.getppid()
        self._children: dict[int, Child] = {}
        self._read: set[str] = set()
        """Variables that were looked at while modules were imported: a child in whose environment one of them differs
        would not be as a fresh process is."""
        self._environment: dict[str, str] = {}
        self._woken, self._wake = os.pipe()

    def run(self) -> None:
        """Serve until the parent ends, closes the socket, or wants nothing for a while."""
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake)
        self._environment = dict(os.environ)
        with self._recording():
            serving.extend_path()
            importlib.import_module(".invoking", __package__)
        _settle()
        self._tell_parent(b"ready")
        wanted = time.monotonic()
        while os.getppid() == self._parent:
            if self._control is None and not self._children:
                return
            if self._turn():
                wanted = time.monotonic()
            if not self._children and time.monotonic() - wanted > self._idle_seconds:
                return

    def _turn(self) -> bool:
        """Wait for something to happen, not for long; say whether it did."""
        waiting = {child.status.fileno(): child for child in self._children.values() if not child.is_released}
        poll = select.poll()
        for number in (self._woken, *waiting, *(() if self._control is None else (self._control.fileno(),))):
            poll.register(number, select.POLLIN)
        ready = {number for number, _ in poll.poll(LOOK_SECONDS * 1000)}
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 1 << 12)
        for number in ready & waiting.keys():
            child = waiting[number]
            child.is_released = True  # nothing is ever sent on it: its other end is closed
            child.status.close()
        self._look_at_children()
        if self._control is not None and self._control.fileno() in ready:
            self._take_request(self._control)
        return bool(ready)

    def _look_at_children(self) -> None:
        for child in list(self._children.values()):
            if not child.has_ended:
                found = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
                if found is None:
                    continue
                child.has_ended = True
                code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
                if not child.is_released:
                    _tell(child.status, f"exit {child.pid} {code}")
            if child.is_released:
                os.waitpid(child.pid, 0)
                del self._children[child.pid]

    def _take_request(self, control: socket.socket) -> None:
        try:
            data, numbers = _receive(control)
        except OSError:
            data, numbers = b"", []
        if not data:
            control.close()
            self._control = None
            return
        *given, last = numbers
        status = socket.socket(fileno=last)
        try:
            self._serve(status, given)
        except (OSError, EOFError) as exc:  # who asked is gone, or the system forks no more
            _tell(status, f"refused {type(exc).__name__}: {exc}")
        finally:
            for number in given:
                os.close(number)
            if not any(child.status is status for child in self._children.values()):
                status.close()

    def _serve(self, status: socket.socket, given: list[int]) -> None:
        """Fork a child with these pipes, unless it would not be as a fresh process."""
        request = next(frames.read_frames(status.fileno()), None)
        if request is None:
            raise EOFError("nobody asks any more")
        asked: dict[str, Any] = request[0][1]
        self._preload(asked["modules"])
        differs = [name for name in self._read if asked["env"].get(name) != self._environment.get(name)]
        if differs:
            _tell(status, f"refused it began with another value of {', '.join(sorted(differs))}")
            return
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - names are enough
            self._tell_parent(b"unfit")
            _tell(status, "refused it has threads")
            return
        pid = os.fork()
        if pid == 0:
            self._become(status, given, asked)
        self._children[pid] = Child(pid, status)

    def _become(self, status: socket.socket, given: list[int], asked: dict[str, Any]) -> NoReturn:
        """In the fork: be as a fresh process, and serve."""
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for place, number in enumerate(given):
                os.dup2(number, place)
            kept = status.fileno()
            os.closerange(3, kept)
            os.closerange(kept + 1, _highest_descriptor() + 1)
            os.environ.clear()
            os.environ.update(asked["env"])
            os.chdir(asked["cwd"])
            os.umask(asked["umask"])
            _tell(status, f"pid {os.getpid()}")
            status.close()
            serving.main()
        finally:
            os._exit(1)

    def _preload(self, modules: list[str]) -> None:
        """Import what dbt has used before, and warm it up: this child is going to, and the next ones need not."""
        wanted = [name for name in modules if name not in sys.modules]
        if not wanted:
            return
        with self._recording():
            for name in wanted:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
            warming.warm()
        _settle()
        self._tell_parent(b"ready")

    @contextlib.contextmanager
    def _recording(self) -> Generator[None]:
        """Note which variables are looked at by name."""
        usual, names = type(os.environ), self._read

        class Recorded(usual):
            def __getitem__(self, key: str) -> str:
                names.add(key)
                return super().__getitem__(key)

            def items(self) -> Any:  # who goes through all of them looks for a prefix, such as `NETWORKX_`
                return {key: usual.__getitem__(self, key) for key in self}.items()

        os.environ.__class__ = Recorded
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            os.environ.__class__ = usual

    def _tell_parent(self, word: bytes) -> None:
        """Say that it is ready, and which variables it has looked at; or that it can fork no more."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(b"\0".join([word, *(os.fsencode(name) for name in sorted(self._read))]))


def _settle() -> None:
    """Keep the collector away from what was imported: it would copy the pages that forks share."""
    gc.collect()
    gc.freeze()


def _highest_descriptor() -> int:
    return max((int(entry.name) for entry in os.scandir("/proc/self/fd")), default=3)


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """A message and the descriptors that came with it."""
    numbers = array.array("i")
    data, extra, _, _ = control.recvmsg(16, socket.CMSG_LEN(8 * numbers.itemsize), socket.MSG_CMSG_CLOEXEC)
    for level, kind, content in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    return data, list(numbers)


def _tell(status: socket.socket, text: str) -> None:
    with contextlib.suppress(OSError):
        status.sendall(text.encode() + b"\n")


def main(number: int, idle_seconds: float) -> None:
    """Serve on the socket of that number."""
    sys.argv[1:] = []  # as a child's
    os.set_inheritable(number, False)
    with contextlib.suppress(KeyboardInterrupt):
        ForkServer(socket.socket(fileno=number), idle_seconds).run()
    os._exit(0)
