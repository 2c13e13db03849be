"""Open files are used from where they stand, to their end, until the transfer is told to stop."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_kit.file_objects import StoppableSource, StoppableTarget, require_binary, size_from_here
from prefect_integration_kit.transfer import TransferStopped


def test_text_files_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "t").open("w") as text, pytest.raises(TypeError, match="binary mode"):
        require_binary(text)
    with pytest.raises(TypeError, match="binary mode"):
        require_binary(io.StringIO())
    with (tmp_path / "t").open("rb") as binary:
        require_binary(binary)
    require_binary(io.BytesIO())


def test_a_size_is_measured_from_the_position() -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    assert (size_from_here(file), file.tell()) == (6, 4)
    file.seek(20)
    assert size_from_here(file) == 0
    read_end, write_end = os.pipe()
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        assert size_from_here(pipe) is None
    assert size_from_here(object()) is None


def test_a_pipe_is_read_until_there_is_enough() -> None:
    class Drops:
        def __init__(self) -> None:
            self.rest = [b"ab", b"c", b"defg", b""]

        def read(self, size: int) -> bytes:
            return self.rest.pop(0)[: size if size >= 0 else None] if self.rest else b""

    drops: Any = Drops()
    source = StoppableSource(drops, threading.Event())
    assert not source.seekable()
    assert source.read(3) == b"abc"
    assert source.read() == b"defg"
    assert source.read(5) == b""


def test_a_stopped_transfer_moves_no_more() -> None:
    stop = threading.Event()
    source, file = StoppableSource(io.BytesIO(b"abc"), stop), io.BytesIO()
    target = StoppableTarget(file, stop)
    assert source.read(1) == b"a"
    assert target.write(b"x") == 1
    assert target.tell() == 1
    stop.set()
    with pytest.raises(TransferStopped):
        source.read(1)
    with pytest.raises(TransferStopped):
        target.write(b"y")
    assert file.getvalue() == b"x"
