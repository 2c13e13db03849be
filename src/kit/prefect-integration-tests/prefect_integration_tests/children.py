"""Programs of their own that a test ends by a signal, to see what they leave behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any, Literal

_SECONDS = 60


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
