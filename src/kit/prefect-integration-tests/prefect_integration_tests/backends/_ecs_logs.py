"""The output of a container, on its way to CloudWatch Logs."""

from __future__ import annotations

import threading
import time
from typing import Any

from ._container_output import ContainerOutput


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
        self._lock = threading.Lock()
        self._output: ContainerOutput | None = None

    def follow(self, docker: Any, container_id: str) -> None:
        """Read what the container writes, in a thread, until it ends."""
        self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._output = ContainerOutput(docker, container_id, self._add, name="ecs-logs")

    def _add(self, lines: list[bytes]) -> None:
        now = int(time.time() * 1000)
        with self._lock:
            self._lines += [{"timestamp": now, "message": line.decode("utf-8", "replace")} for line in lines if line]

    def flush(self, *, ended: bool) -> None:
        """Send what was read.

        Args:
            ended: Whether the container has ended, so that its last lines are worth a moment's wait.
        """
        if ended and self._output is not None:
            self._output.join()
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=lines)
