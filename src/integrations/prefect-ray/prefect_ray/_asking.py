"""Ray's own `wait`, asked in pieces: what a signal raises meanwhile arrives.

While it waits, Ray has Python handle signals, and prints what they raise, but for interrupts and exits. A time limit of
Prefect's is a signal in the main thread, and so is the cancellation of a flow run: the wait would go on.
"""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_PIECE_SECONDS = 0.5

_KEPT = [getattr(signal, name) for name in ("SIGALRM", "SIGTERM") if hasattr(signal, name)]
"""Signals of Prefect's whose handlers raise."""


def wait_for(
    references: list[Any], num_returns: int = 1, timeout: float | None = None, *, fetch_local: bool = True
) -> tuple[list[Any], list[Any]]:
    """Wait until some objects are there, as `ray.wait`.

    Args:
        references: To the objects.
        num_returns: How many of them.
        timeout: Seconds to wait at most; without it, until they are there.
        fetch_local: Whether they shall be on this node.

    Returns:
        Those that are there, and the others.
    """
    import ray

    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _PIECE_SECONDS if deadline is None else max(0.0, min(_PIECE_SECONDS, deadline - time.monotonic()))
        with _signals_kept():
            ready, others = ray.wait(references, num_returns=num_returns, timeout=left, fetch_local=fetch_local)
        if len(ready) >= num_returns or (deadline is not None and time.monotonic() >= deadline):
            return ready, others


@contextmanager
def _signals_kept() -> Generator[None, None, None]:
    """Have signals that arrive in the block handled at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: handler for number in _KEPT if callable(handler := signal.getsignal(number))}
    kept: list[int] = []
    try:
        for number in handlers:
            signal.signal(number, lambda arrived, _: kept.append(arrived))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in kept:
            signal.raise_signal(number)
