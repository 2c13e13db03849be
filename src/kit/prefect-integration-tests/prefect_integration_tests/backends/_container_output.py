"""What a container writes, line by line, until it ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

_END_SECONDS = 5


class ContainerOutput:
    """Reads a container's output in a thread of its own."""

    def __init__(
        self,
        docker: Any,
        container_id: str,
        add: Callable[[list[bytes]], None],
        *,
        name: str,
        stdout: bool = True,
        stderr: bool = True,
    ) -> None:
        """Begin to read.

        Args:
            docker: A client of the `docker` package.
            container_id: The container; it has been started.
            add: Told of lines, without their ends, from the thread.
            name: Name of the thread.
            stdout: Whether to read standard output.
            stderr: Whether to read standard error.
        """
        self._container = docker.containers.get(container_id)
        self._add = add
        self._streams = {"stdout": stdout, "stderr": stderr}
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the last lines of a container that has ended; a moment at most."""
        self._thread.join(_END_SECONDS)

    def _read(self) -> None:
        from docker.errors import APIError

        rest, count = b"", 0
        with contextlib.suppress(OSError, APIError):  # the container or the engine is gone
            for piece in self._container.logs(stream=True, follow=True, **self._streams):
                *lines, rest = (rest + piece).split(b"\n")
                count += len(lines)
                self._add(lines)
            # What a container writes just before its end may be missing from the stream.
            whole = self._container.logs(**self._streams)
            self._add(whole.removesuffix(b"\n").split(b"\n")[count:] if whole else [])
