"""The output of a container, on its way to CloudWatch Logs."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

_END_SECONDS = 5


class ContainerLogs:
    """One log stream, filled with the lines of one container."""

    def __init__(self, client: Any, group: str, stream: str) -> None:
        """Describe the stream; it is there when the first line comes.

        Args:
            client: A boto3 client of CloudWatch Logs.
            group: Name of the log group.
            stream: Name of the stream.
        """
        self._client = client
        self._group = group
        self._stream = stream
        self._lines: list[dict[str, Any]] = []
        self._count = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def follow(self, docker: Any, container_id: str) -> None:
        """Read what the container writes, in a thread, until it ends."""
        self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        container = docker.containers.get(container_id)
        self._thread = threading.Thread(target=self._read, args=(container,), name="ecs-logs", daemon=True)
        self._thread.start()

    def _read(self, container: Any) -> None:
        from docker.errors import APIError

        rest = b""
        with contextlib.suppress(OSError, APIError):  # the container or the engine is gone
            for piece in container.logs(stream=True, follow=True):
                *lines, rest = (rest + piece).split(b"\n")
                self._add(lines)
            # What a container writes just before its end may be missing from the stream.
            self._add(container.logs().removesuffix(b"\n").split(b"\n")[self._count :])

    def _add(self, lines: list[bytes]) -> None:
        now = int(time.time() * 1000)
        with self._lock:
            self._count += len(lines)
            self._lines += [{"timestamp": now, "message": line.decode("utf-8", "replace")} for line in lines if line]

    def flush(self, *, ended: bool) -> None:
        """Send what was read.

        Args:
            ended: Whether the container has ended, so that its last lines are worth a moment's wait.
        """
        if ended and self._thread is not None:
            self._thread.join(_END_SECONDS)
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=lines)
