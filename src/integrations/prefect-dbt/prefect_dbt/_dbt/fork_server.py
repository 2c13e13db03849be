"""The process that has imported dbt, and forks of it. Linux only; wherever it cannot serve, children start as ever.

One serves this process, from the first invocation until it was idle for a while. A process that is forked from this
one, as by `multiprocessing`, has none until its own first invocation.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.logging import get_logger

from .child import frames
from .starting import IMPORT_PATH, SCRIPT, Ends, Place, kill_group, used_modules

_GUARDED = (
    *("PYTHON", "LD_", "LC_", "LANG", "TZ", "GLIBC_", "MALLOC_"),
    *("ARROW_", "GRPC_", "MKL_", "NETWORKX_", "OMP_", "OPENBLAS_"),
)
"""How variables begin that the interpreter and native libraries read when they start. What Python modules read while
they are imported is told by the server."""

_LIMITS = tuple(sorted(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")))
_PACKAGES = ("site-packages", "dist-packages")


class ForkServer:
    """Our side of the process."""

    def __init__(self, place: Place, idle_seconds: float) -> None:
        self._env = {**os.environ, IMPORT_PATH: place.env[IMPORT_PATH]}  # without what this invocation alone has
        self._likeness = _likeness()
        self._sending = threading.Lock()
        self._read: frozenset[str] = frozenset()
        self._is_ready = False
        self.is_fit = True
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # It gets no signal at this process's death (`PR_SET_PDEATHSIG`): that would come when the thread ends that
            # started it. It looks for itself.
            self._popen = subprocess.Popen(
                [sys.executable, str(SCRIPT), "fork-server", str(theirs.fileno()), repr(idle_seconds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=self._env,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.pid = self._popen.pid
        threading.Thread(target=self._listen, name="dbt-fork-server", daemon=True).start()

    def serves(self, place: Place) -> bool:
        """Whether a fork of it would be as a fresh process is, as far as it is known yet."""
        return self._likeness == _likeness() and not self._differing(place.env)

    def would_serve_another(self, place: Place) -> bool:
        """Whether one that begins now would serve better: what differs is not only what this invocation adds."""
        return bool(self._likeness != _likeness() or set(self._differing(place.env)) - place.added.keys())

    def _differing(self, env: Mapping[str, str]) -> list[str]:
        names = {*self._env, *env}
        watched = (name for name in names if name.startswith(_GUARDED) or name in self._read or name == IMPORT_PATH)
        return [name for name in watched if env.get(name) != self._env.get(name)]

    def ask(self, place: Place, ends: Ends) -> Forking:
        """Ask for a child.

        Raises:
            OSError: If the server is gone.
        """
        request = {
            "env": dict(place.env),
            "cwd": os.getcwd() if place.cwd is None else os.path.abspath(place.cwd),  # noqa: PTH100, PTH109 - text
            "umask": _umask(),
            "modules": sorted(used_modules),
        }
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                with self._sending:
                    socket.send_fds(
                        self._control, [b"fork"], [ends.requests, ends.events, ends.output, theirs.fileno()]
                    )
            except BaseException:
                ours.close()
                raise
        return Forking(ours, request)

    def close(self) -> None:
        """Want no more of it: it ends when its children have."""
        self.is_fit = False
        if not self._is_ready:  # it would go on importing
            self._popen.kill()
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)

    def disown(self) -> None:
        """In a fork of the process whose it is: let go of it."""
        self.is_fit = False
        self._control.close()
        self._popen.returncode = 0  # not ours to wait for

    def _listen(self) -> None:
        """Hear what it says, and reap it."""
        with contextlib.suppress(OSError):
            while data := self._control.recv(1 << 20):
                word, *names = data.split(b"\0")
                if word == b"ready":
                    self._read = frozenset(os.fsdecode(name) for name in names)
                    self._is_ready = True
                elif word == b"unfit":
                    self.is_fit = False
                    _use.is_off = True
        if self.is_fit and not self._is_ready:  # nobody closed it
            get_logger(__name__).debug("The process that dbt is forked from could not import dbt.")
            _use.is_off = True
        self.is_fit = False
        with self._sending:
            self._control.close()
        self._popen.wait()


class Use:
    """What this process knows of fork servers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.server: ForkServer | None = None
        self.is_off = False
        """Whether forks turned out not to be possible."""

    def ask(self, place: Place, ends: Ends) -> Forking | None:
        """Ask for a child; `None` where it has to start otherwise."""
        from .settings import ForkServerSettings

        settings = ForkServerSettings()
        if not settings.enabled or self.is_off or not Path(place.cwd or ".").is_dir():
            return None
        try:
            with self.lock:
                server = self._server_for(place, settings.idle_seconds)
                return None if server is None else server.ask(place, ends)
        except OSError as exc:
            get_logger(__name__).debug("dbt starts in a fresh process, as it cannot be forked: %s", exc)
            return None

    def _server_for(self, place: Place, idle_seconds: float) -> ForkServer | None:
        server = self.server
        if server is not None and server.is_fit:
            if server.serves(place):
                return server
            if not server.would_serve_another(place):
                return None
            server.close()
        self.server = ForkServer(place, idle_seconds)
        return self.server if self.server.serves(place) else None

    def close(self) -> None:
        """End the server when its children have ended."""
        server, self.server = self.server, None
        if server is not None:
            server.close()


def _after_fork() -> None:
    global _use
    old, _use = _use, Use()
    if old.server is not None:
        old.server.disown()


_use = Use()
os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: _use.close())


def ask(place: Place, ends: Ends) -> Forking | None:
    """Ask for a child that is a fork; `None` where it has to start otherwise."""
    return _use.ask(place, ends)


def close() -> None:
    """End the server of this process, once its children have ended."""
    _use.close()


class Forking:
    """A child that was asked for."""

    def __init__(self, status: socket.socket, request: dict[str, Any]) -> None:
        self._status = status
        self._request = request

    def result(self) -> Forked | None:
        """Wait for the child; `None` if there will be none."""
        try:
            frames.write_frame(self._status.fileno(), [("fork", self._request)])
            line = _line(self._status)
        except (OSError, ValueError) as exc:
            line = f"{type(exc).__name__}: {exc}"
        word, _, said = line.partition(" ")
        if word == "pid":
            return Forked(int(said), self._status)
        get_logger(__name__).debug("dbt starts in a fresh process, as it could not be forked: %s", said or line)
        self._status.close()
        return None

    def abandon(self) -> None:
        """Wait no more."""
        with contextlib.suppress(OSError):
            self._status.shutdown(socket.SHUT_RDWR)


class Forked:
    """A child that was forked; the server reaps it."""

    def __init__(self, pid: int, status: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._is_kept = True
        """Whether the server keeps its id from being another process's."""

    def kill(self) -> None:
        """End its group by force."""
        if self._is_kept:
            kill_group(self.pid)

    def await_end(self, seconds: float) -> None:
        """Wait for its end; the server does not reap it yet."""
        if self.returncode is not None or not self._is_kept:
            return
        self._status.settimeout(seconds)
        try:
            word, *said = _line(self._status).split()
        except TimeoutError:
            return
        except OSError:
            word, said = "gone", []
        if word == "exit":
            self.returncode = int(said[1])
        else:
            self._is_kept = False  # the server ended; its children end then, too

    def reap(self, seconds: float) -> None:
        """Let the server reap it."""
        self.await_end(seconds)
        self._is_kept = False
        with contextlib.suppress(OSError):  # a fork of this process may hold it, too: closing would not tell the server
            self._status.shutdown(socket.SHUT_RDWR)
        self._status.close()


def _line(status: socket.socket) -> str:
    """What the server says next; lines are short and come one at a time."""
    text = b""
    while not text.endswith(b"\n"):
        part = status.recv(1)
        if not part:
            return "gone"
        text += part
    return text.decode(errors="replace").rstrip("\n")


def _likeness() -> tuple[Any, ...]:
    """What a fork has of its server, and a fresh process would have of this one."""
    folders = [entry for entry in sys.path if Path(entry).name in _PACKAGES]
    changed = tuple(Path(folder).stat().st_mtime_ns for folder in folders if Path(folder).is_dir())
    who = (os.getresuid(), os.getresgid(), sorted(os.getgroups()))
    return (os.getpid(), sys.executable, who, changed, tuple(resource.getrlimit(limit) for limit in _LIMITS))


def _umask() -> int:
    """This process's mask, which cannot be asked for without changing it otherwise."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    raise OSError("the mask of new files is not known")
