"""Waits for many task runs: one thread makes the calls at their ends, and a task that waits lends its CPUs.

Ray lends the CPUs of a task to others while its main thread asks Ray. `as_completed` and others of Prefect wait for an
event instead, which Ray does not see: a task that has the last CPU would wait for ever for those that it has submitted.
"""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import prefect.futures
from prefect.logging.loggers import get_logger

from ._asking import wait_for
from .errors import RayTaskRunLost

if TYPE_CHECKING:
    from ._futures import PrefectRayFuture

_SOON_SECONDS = 0.01
"""After this time those are looked at, too, that somebody waits for since."""

_LATER_SECONDS = 0.1
"""The same where nobody has come for a while."""

_PER_SECOND = 20_000
"""Futures that are asked about in a second at most, as long as none of them ends."""

_LENT_SECONDS = 0.5
"""Between two looks at whether an event has come to pass by other means."""


@dataclass(frozen=True, eq=False)
class _Call:
    future: PrefectRayFuture[Any]
    function: Callable[[Any], Any]


class Watch:
    """Calls functions at the ends of task runs, in one thread for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[_Call, None] = {}
        self._thread: threading.Thread | None = None

    def call_at_end(self, future: PrefectRayFuture[Any], function: Callable[[Any], Any]) -> None:
        """Call a function when a task run has ended, or is lost.

        Args:
            future: Of the task run.
            function: Called with the future.
        """
        with self._lock:
            self._calls[_Call(future, function)] = None
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look_on, name="prefect-ray-watch", daemon=True)
                self._thread.start()

    def references(self) -> list[Any]:
        """References to what is waited for."""
        with self._lock:
            return list({each.future.wrapped_future: None for each in self._calls})

    def _look_on(self) -> None:
        known = 0
        while calls := self._left():
            pause = _SOON_SECONDS if len(calls) > known else _LATER_SECONDS + len(calls) / _PER_SECOND
            ended = _ended(calls, pause)
            for call in ended:
                _make(call)
            with self._lock:
                for call in ended:
                    self._calls.pop(call, None)
            known = len(calls) - len(ended)

    def _left(self) -> list[_Call]:
        with self._lock:
            if not self._calls:
                self._thread = None
            return list(self._calls)


def _ended(calls: list[_Call], pause: float) -> list[_Call]:
    """Those whose task runs have ended; waits for the first one a while."""
    import ray

    if settled := [each for each in calls if each.future.is_settled]:
        return settled
    if not ray.is_initialized():  # what asks Ray starts it if it is not
        for each in calls:
            each.future.lose(RayTaskRunLost("The connection to Ray was closed."), is_reported=False)
        return calls
    references = list({each.future.wrapped_future: None for each in calls})
    try:
        ready, left = ray.wait(references, num_returns=1, timeout=pause)
        if ready and left:
            more, _ = ray.wait(left, num_returns=len(left), timeout=0)
            ready = [*ready, *more]
    except Exception:  # noqa: BLE001 - whatever Ray raises, each future settles with it
        return calls
    found = set(ready)
    return [each for each in calls if each.future.wrapped_future in found]


def _make(call: _Call) -> None:
    try:
        call.future.wait()
        call.function(call.future)
    except Exception:  # noqa: BLE001 - whatever is called
        get_logger("task_runner.ray").exception("What was to be called at the end of a task run failed.")


watch = Watch()


class _Event(threading.Event):
    """An event; a main thread that waits for it and for task runs asks Ray for these, and so lends its CPUs."""

    def wait(self, timeout: float | None = None) -> bool:
        if threading.current_thread() is not threading.main_thread():
            return super().wait(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (references := watch.references()):
            left = _LENT_SECONDS if deadline is None else min(_LENT_SECONDS, deadline - time.monotonic())
            if left <= 0:
                return False
            wait_for(references, timeout=left)
            super().wait(_SOON_SECONDS)  # until the other thread has made its call
        return super().wait(None if deadline is None else max(0.0, deadline - time.monotonic()))


def lend_cpus() -> None:
    """Let tasks of this worker lend their CPUs while Prefect waits for their futures."""
    module: dict[str, Any] = prefect.futures.__dict__
    if module.get("threading") is threading:
        module["threading"] = SimpleNamespace(**{**vars(threading), "Event": _Event})
