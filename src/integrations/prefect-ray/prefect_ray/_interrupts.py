"""Interrupts of a worker: they end a task's function, even one that blocks, and nothing that is around it.

`ray.cancel` has Python raise `KeyboardInterrupt` in the main thread, wherever that is. In the midst of what tells
Prefect that a task run begins or ends, that would be lost. And a call that blocks would not hear of it: Ray only notes
the interrupt, and sends no signal. In the midst of logging it could leave a lock behind that nobody gives back.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.task_run_stops import around_function, is_logging

if TYPE_CHECKING:
    from types import FrameType

    from prefect import Task

_WAKES = 5
"""The first one may come just before the call that blocks begins."""

_WAKE_SECONDS = 0.02

_LATER = 0
"""Stands among the numbers of signals for one that is to be looked at again."""


class _Interrupts:
    """Interrupts of this process, whose main thread runs one task run at a time."""

    def __init__(self) -> None:
        self._are_held = self._are_let_in = False
        self._has_come = self._has_arrived = False
        self._handler: Any = None
        self._waker = _Waker(self._look_again)

    @contextmanager
    def held(self) -> Generator[None, None, None]:
        """Let no interrupt arrive in the block, but where `let_in` does; one that is left at its end came too late."""
        if threading.current_thread() is not threading.main_thread() or self._are_held:
            yield
            return
        self._waker.start()
        self._has_come = self._has_arrived = False
        self._handler = signal.signal(signal.SIGINT, self._note)
        self._are_held = True
        try:
            yield
        finally:
            self._are_held = False
            signal.signal(signal.SIGINT, self._handler)

    @contextmanager
    def let_in(self) -> Generator[None, None, None]:
        """Let one interrupt arrive in the block, or one that was held at its beginning; the block may tidy up then."""
        if threading.current_thread() is not threading.main_thread() or not self._are_held:
            yield
            return
        try:
            signal.signal(signal.SIGINT, self._arrive)
            self._are_let_in = True
            if self._has_come:
                self._arrive()
            yield
        finally:
            self._are_let_in = False
            signal.signal(signal.SIGINT, self._note)

    def _note(self, *_: object) -> None:
        self._has_come = True

    def _arrive(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        if self._has_arrived:
            return
        if is_logging(frame) and self._waker.wakes_again():
            self._has_come = True
            return
        self._has_arrived = True
        raise KeyboardInterrupt

    def _look_again(self, number: int, frame: FrameType | None) -> None:
        if self._are_let_in and self._has_come:
            self._arrive(number, frame)


class _Waker:
    """Wakes the main thread from calls that block when an interrupt is noted.

    Args:
        woken: Handles the signal that wakes it.
    """

    def __init__(self, woken: Callable[[int, FrameType | None], object]) -> None:
        self._woken = woken
        self._pid: int | None = None
        self._pipe = (-1, -1)

    def start(self) -> None:
        """Start, in the main thread, unless it has started in this process."""
        if not hasattr(signal, "pthread_kill"):
            return  # there is no way on Windows
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[1], False)
            if signal.getsignal(signal.SIGURG) in (signal.SIG_DFL, signal.SIG_IGN):
                # A signal that nobody uses, with a handler, since one without does not end a call.
                signal.signal(signal.SIGURG, self._woken)
            threading.Thread(target=self._watch, name="prefect-ray-interrupts", daemon=True).start()
        other = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        if other not in (-1, self._pipe[1]):
            signal.set_wakeup_fd(other, warn_on_full_buffer=False)

    def wakes_again(self) -> bool:
        """Wake the main thread a little later; say whether that can be done."""
        if self._pid != os.getpid() or signal.getsignal(signal.SIGURG) != self._woken:
            return False
        with suppress(BlockingIOError):  # it is so full that the main thread will be woken
            os.write(self._pipe[1], bytes([_LATER]))
        return True

    def _watch(self) -> None:
        """Read the numbers of signals that arrive."""
        main = threading.main_thread().ident
        while main is not None and (numbers := os.read(self._pipe[0], 64)):
            wakes = _WAKES if signal.SIGINT in numbers else int(_LATER in numbers)
            for _ in range(wakes):
                signal.pthread_kill(main, signal.SIGURG)
                time.sleep(_WAKE_SECONDS)


_interrupts = _Interrupts()

held = _interrupts.held


def let_in_function(task: Task[..., Any]) -> None:
    """Let interrupts arrive in the function of a task.

    Args:
        task: A copy that nobody else uses; its function is replaced.
    """
    around_function(task, _interrupts.let_in)
