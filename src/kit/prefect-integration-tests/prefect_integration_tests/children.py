"""Programs of their own that a test ends by a signal, to see what they leave behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from prefect_integration_kit.waiting import poll

_SECONDS = 60
_START_SECONDS = 120


def assert_dies_of(
    name: Literal["SIGTERM", "SIGKILL"],
    program: str,
    *arguments: str,
    until: Callable[[], Any] | None = None,
) -> None:
    """Run a program, send it a signal when it has printed a line, and look that it died of that.

    Args:
        name: The signal.
        program: Python. It prints a line when it has begun with what it is to be ended in.
        *arguments: Of the program.
        until: Called after the line, and must return something true: that the time has come.

    Raises:
        AssertionError: If it ended otherwise.
    """
    number = signal.Signals[name]
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline(), "The program ended before it had begun."
        assert until is None or until(), "The time to end it did not come."
        child.send_signal(number)
        assert child.wait(_SECONDS) == -number
    finally:
        child.kill()
        child.wait(_SECONDS)
        if child.stdout is not None:
            child.stdout.close()


def ended_by(
    number: signal.Signals, program: str, *arguments: str, says: str, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a program, send it a signal when it has said something, and wait for its end.

    What it says tells when it waits. A look that a server has seen does not: its answer is on the way then, and what a
    signal's handler raises within a callback of asyncio's, as one that takes an answer in, gets lost.

    Args:
        number: The signal.
        program: Python.
        *arguments: Of the program.
        says: A part of what it writes to its output, or logs, when the time has come.
        environment: Its environment; that of this process when not given.

    Returns:
        The code that it ended with, and all that it wrote.

    Raises:
        AssertionError: If it ended before, or did not end in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "output"
        with file.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(program), *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        def written() -> str:
            return file.read_text(encoding="utf-8", errors="replace")

        try:
            poll(
                lambda: says in written() or child.poll() is not None or None,
                subject=f"A line with {says!r}",
                interval_seconds=0.05,
                timeout_seconds=_START_SECONDS,
            )
            assert child.poll() is None, f"The program ended before the signal:\n{written()}"
            child.send_signal(number)
            code = child.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{number.name} did not end the program:\n{written()}") from None
        finally:
            child.kill()
            child.wait(_SECONDS)
        return code, written()
