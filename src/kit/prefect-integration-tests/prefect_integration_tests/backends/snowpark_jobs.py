"""Job services whose containers are processes of this machine: their states, exit codes and output are real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ENTRYPOINT = "/opt/prefect/entrypoint.sh"
"""Entry point of Prefect's images: it starts its arguments, and so it does here without being there."""

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_FATAL = "Encountered fatal error while running, check container logs"


class JobService:
    """A job service with one container. Every method may be called from any thread.

    Args:
        name: Database, schema and name.
        spec: What stands under `spec` in its specification.
        environment: Values of secrets that the container gets, by variable.
        options: What else the statement said.
        folder: Where the process runs.
        grace_seconds: How long a process has between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        name: tuple[str, ...],
        spec: Json,
        environment: dict[str, str],
        options: Json,
        folder: Path,
        grace_seconds: float,
    ) -> None:
        self.name = name
        self.spec = spec
        self.options = options
        self.created_at = datetime.now(timezone.utc)
        self.status = "PENDING"
        self.message = "Waiting to start"
        self.exit_code: int | None = None
        self.lines: list[tuple[str, str]] = []
        self.is_dropped = False
        self.signals: list[str] = []
        self._secrets = environment
        self._folder = folder
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def container(self) -> Json:
        """The container that is run: the first one."""
        return self.spec["containers"][0]

    @property
    def environment(self) -> dict[str, str]:
        """What the process gets: variables of the specification, and secrets."""
        return {**{k: str(v) for k, v in self.container.get("env", {}).items()}, **self._secrets}

    @property
    def words(self) -> list[str]:
        """What is started."""
        words = [*self.container.get("command", []), *self.container.get("args", [])]
        return words[1:] if words[:1] == [ENTRYPOINT] else words

    def start(self) -> None:
        """Start the process, and watch it in a thread."""
        with self._lock:
            if self.is_dropped or self._process is not None:
                return
            python = Path(sys.executable).parent
            surroundings = {"PATH": f"{python}:{os.environ.get('PATH', os.defpath)}", "HOME": str(self._folder)}
            try:
                self._process = subprocess.Popen(
                    self.words,
                    env={**surroundings, **self.environment},
                    cwd=self._folder,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except (OSError, IndexError) as exc:
                self._print(f"{exc}")
                code = _NOT_EXECUTABLE if isinstance(exc, PermissionError) else _NOT_FOUND
                self._ended(code)
                return
            self.status, self.message = "RUNNING", "Running"
            threading.Thread(target=self._watch, args=(self._process,), daemon=True).start()

    def _print(self, line: str) -> None:
        moment = time.time_ns()
        stamp = datetime.fromtimestamp(moment // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        self.lines.append((f"{stamp}.{moment % 10**9:09d}Z", line))

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is not None:
            for line in process.stdout:
                self._print(line.decode(errors="replace").rstrip("\n"))
        code = process.wait()
        self._ended(code if code >= 0 else 128 - code)

    def _ended(self, code: int) -> None:
        self.exit_code = code
        if code == 0:
            self.status, self.message = "DONE", "Completed successfully"
        else:
            self.status, self.message = "FAILED", _FATAL

    def drop(self) -> None:
        """End the process: SIGTERM, and SIGKILL after the grace."""
        with self._lock:
            self.is_dropped = True
            process = self._process
        if process is None or process.poll() is not None:
            return
        self._signal(process, signal.SIGTERM)
        try:
            process.wait(self._grace_seconds)
        except subprocess.TimeoutExpired:
            self._signal(process, signal.SIGKILL)
            process.wait()

    def kill(self) -> None:
        """Kill the process, as the kernel does for want of memory."""
        if self._process is not None:
            self._signal(self._process, signal.SIGKILL)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def _signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        self.signals.append(number.name)
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return

    def log(self, count: int, *, with_times: bool) -> str:
        """The last lines, up to 100 KB of them."""
        lines = [f"{stamp} {line}" if with_times else line for stamp, line in self.lines[-count:]]
        return "\n".join(lines)[-100_000:]
