"""Local servers as child processes: a free port, a readiness probe, a log, and an end that leaves nothing behind."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


HOST = "127.0.0.1"

# Below the range that Linux takes outgoing ports from (32768 and up), so that no client's connection sits on a port
# between its choice and the server's start, or while the server restarts.
_PORTS = range(15_000, 32_000)
_random = random.SystemRandom()  # forked and seeded test processes must not draw the same ports
_given: set[int] = set()

_POLL_SECONDS = 0.02
_KILL_SECONDS = 10.0


class ServerError(RuntimeError):
    """A local server did not start, or ended by itself."""


def free_port() -> int:
    """Choose a TCP port of the loopback address that nothing listens on.

    No port is given twice in one process.

    Raises:
        ServerError: If none was found.
    """
    for _ in range(1000):
        port = _random.choice(_PORTS)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise ServerError(f"No free port on {HOST} between {_PORTS.start} and {_PORTS.stop}.")


def accepts_connections(port: int, host: str = HOST) -> bool:
    """Say whether something listens on a TCP port."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def answers_http(url: str) -> bool:
    """Say whether a GET of a loopback URL is answered with a status below 500, whatever proxies are configured."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2):
            return True
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code < 500
    except OSError:
        return False


def find_program(name: str, *, distribution: str) -> str:
    """Find a program that a distribution installs: beside this interpreter, then on `PATH`.

    Args:
        name: File name of the program.
        distribution: What to install when it is missing.

    Raises:
        ServerError: If it is not there.
    """
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if found is None:
        raise ServerError(f"The program {name!r} is missing. Install it: pip install {distribution}")
    return found


# Lives as long as its standard input, whose other end only we have: it sees us go, however that happens.
_WATCHDOG = 'cat >/dev/null; kill -s KILL -- "-$1"'


class LocalServer:
    """A server in a process group of its own, from its first ready answer until `stop`.

    Use it as a context manager, or call `start` and `stop`. It does not outlive this process, even if that is killed.

    ```python
    with LocalServer(["redis-server", "--port", "16379"], lambda: accepts_connections(16379)) as server:
        ...
    ```
    """

    def __init__(
        self,
        argv: Sequence[str],
        is_ready: Callable[[], bool],
        *,
        name: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        log_path: str | os.PathLike[str] | None = None,
        start_timeout_seconds: float = 60.0,
        stop_timeout_seconds: float = 5.0,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Describe the server; nothing is started.

        Args:
            argv: Program and arguments.
            is_ready: One look at whether the server answers; it must not raise.
            name: What to call it in messages; the program's name by default.
            env: Variables to add to this process's environment.
            cwd: Folder to start in.
            log_path: File that gets both output streams; a temporary one, removed at the end, by default.
            start_timeout_seconds: How long it may take to be ready.
            stop_timeout_seconds: Grace between `stop_signal` and SIGKILL.
            stop_signal: What asks the server to end. SIGKILL suits a server whose data are thrown away.
        """
        self.argv = list(argv)
        self.name = name or Path(self.argv[0]).name
        self._is_ready = is_ready
        self._env = dict(env or {})
        self._cwd = cwd
        self._keeps_log = log_path is not None
        self._log_path = Path(log_path) if log_path is not None else None
        self._start_timeout_seconds = start_timeout_seconds
        self._stop_timeout_seconds = stop_timeout_seconds
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, which is also the id of the group; `None` while stopped."""
        return self._process.pid if self._process is not None else None

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines that the server wrote, of either stream."""
        if self._log_path is None or not self._log_path.exists():
            return ""
        text = self._log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def start(self) -> Self:
        """Start the process and wait until it is ready.

        Raises:
            ServerError: If the program is missing, ends early or is not ready in time. The message holds the tail of
                its log, and nothing is left running.
        """
        if self.is_running:
            return self
        if self._log_path is None:
            handle, path = tempfile.mkstemp(prefix=f"{self.name}-", suffix=".log")
            os.close(handle)
            self._log_path = Path(path)
        with self._log_path.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self._env},
                    cwd=self._cwd,
                    start_new_session=True,
                )
            except OSError as exc:
                self._forget_log()
                raise ServerError(f"{self.name} could not be started: {exc}") from exc
        atexit.register(self.kill)
        try:
            self._watchdog = subprocess.Popen(
                ["sh", "-c", _WATCHDOG, "sh", str(self._process.pid)],
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._wait_until_ready()
        except BaseException:
            self.kill()
            self._forget_log()
            raise
        return self

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._start_timeout_seconds
        while True:
            code = self._process.poll()
            if code is not None:
                raise ServerError(f"{self.name} ended with code {code} before it was ready:\n{self.log_tail()}")
            if self._is_ready():
                return
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self.name} was not ready after {self._start_timeout_seconds:g} seconds:\n{self.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End the whole process group: `stop_signal`, the grace, then SIGKILL. Stopping twice is allowed."""
        if self._process is not None and self._stop_signal != signal.SIGKILL:
            self._signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._stop_timeout_seconds)
        self.kill()
        self._forget_log()

    def kill(self) -> None:
        """End the process group by SIGKILL, as a crash of the machine would. The log stays until `stop`."""
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.kill)
        self._dismiss_watchdog()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # children may outlive the leader
        process.wait(_KILL_SECONDS)

    def _dismiss_watchdog(self) -> None:
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(watchdog.pid, signal.SIGKILL)  # with its `cat`; it must not act on an id that is not ours
            watchdog.wait(_KILL_SECONDS)
            assert watchdog.stdin is not None
            watchdog.stdin.close()

    def restart(self) -> None:
        """Stop if need be, then start again with the same arguments, and so on the same port.

        Raises:
            ServerError: As `start`.
        """
        if self._process is not None:
            self.stop()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _forget_log(self) -> None:
        if self._log_path is not None and not self._keeps_log:
            self._log_path.unlink(missing_ok=True)
            self._log_path = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"pid {self.pid}" if self.is_running else "stopped"
        return f"<{type(self).__name__} {self.name}, {state}>"
