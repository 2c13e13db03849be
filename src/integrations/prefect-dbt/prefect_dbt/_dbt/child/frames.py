"""Messages on the pipes between parent and child: a length, then a pickled list.

Both ends are one interpreter and one user, and the pipes are private to them, so pickle may be trusted here.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Iterator
from typing import Any

_LENGTH = struct.Struct("!Q")
_CHUNK = 1 << 20
END_OF_OUTPUT = b"\0prefect-dbt "
"""Begins the line that the child writes to standard error behind the output of an invocation; its number follows."""

_CHILD_PACKAGE = "prefect_dbt_child"
_OURS = __name__.rpartition(".")[0]

Message = tuple[Any, ...]


def write_frame(fd: int, messages: list[Message]) -> None:
    """Write a batch of messages; blocks while the pipe is full.

    Raises:
        OSError: If the other end is closed.
    """
    body = pickle.dumps(messages, protocol=pickle.HIGHEST_PROTOCOL)
    view = memoryview(_LENGTH.pack(len(body)) + body)
    while view:
        view = view[os.write(fd, view) :]


def read_frames(fd: int) -> Iterator[list[Message]]:
    """Give batches of messages until the other end is closed, even in the middle of one."""
    while True:
        head = _read_exactly(fd, _LENGTH.size)
        if head is None:
            return
        body = _read_exactly(fd, _LENGTH.unpack(head)[0])
        if body is None:
            return
        yield _Unpickler(io.BytesIO(body)).load()


class _Unpickler(pickle.Unpickler):
    """Finds the child's records in this package, whatever name the child loaded it under."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(_CHILD_PACKAGE):
            return super().find_class(_OURS + module[len(_CHILD_PACKAGE) :], name)
        return super().find_class(module, name)


def _read_exactly(fd: int, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = os.read(fd, min(size, _CHUNK))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
